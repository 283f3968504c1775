//! Numbers in requests: within their bounds, or refused in SQS's words.

use tidemill_shapes::sqs::ValidationException;

use crate::limits::Bounds;

/// `value` when it is within `bounds` and `default` when it is not given.
///
/// # Errors
/// When it is out of bounds.
pub fn within(
    parameter: &'static str,
    value: Option<i32>,
    bounds: Bounds,
    default: u32,
) -> Result<u32, ValidationException> {
    let Some(value) = value else {
        return Ok(default);
    };
    match u32::try_from(value) {
        Ok(number) if bounds.allow(value.into()) => Ok(number),
        _ => Err(ValidationException::new(format!(
            "Value {value} for parameter {parameter} is invalid. Reason: Must be between {} and {}, \
             if provided.",
            bounds.min, bounds.max
        ))),
    }
}

/// Refuses a parameter that only FIFO queues have.
///
/// # Errors
/// When it is given.
pub fn refuse_fifo(
    parameter: &'static str,
    value: Option<&String>,
) -> Result<(), ValidationException> {
    match value {
        None => Ok(()),
        Some(value) => Err(ValidationException::new(format!(
            "Value {value} for parameter {parameter} is invalid. Reason: The request includes a \
             parameter that is not valid for this queue type."
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;

    #[test]
    fn a_number_is_taken_within_its_bounds_only() {
        let read = |value| {
            let bounds = limits::RECEIVED_MESSAGES;
            within("MaxNumberOfMessages", value, bounds, 1).map_err(|error| error.message)
        };
        assert_eq!(read(None), Ok(1));
        assert_eq!(read(Some(1)), Ok(1));
        assert_eq!(read(Some(10)), Ok(10));
        for value in [-1, 0, 11] {
            let refused = format!(
                "Value {value} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 \
                 and 10, if provided."
            );
            assert_eq!(read(Some(value)), Err(refused));
        }
    }
}
