//! The checks that creating and updating share; pure.
//!
//! What must hold: the order and the texts are AWS's where AWS has them. What this version does not
//! support is refused by its name unless it is the default: nothing is accepted and ignored.

use tidemill_model::{QueueArn, StreamArn};
use tidemill_shapes::lambda::{
    CreateEventSourceMappingInput, DestinationConfig, EventSourceMappingMetricsConfig,
    FilterCriteria, FunctionResponseType, InvalidParameterValueException,
    UpdateEventSourceMappingInput,
};

use super::filter_pattern::is_pattern;
use crate::limits::{RECORD_AGE_SECS_MAX, RECORD_AGE_SECS_MIN};
use crate::parameters::Changes;

type Checked<T> = Result<T, InvalidParameterValueException>;

/// What an event source that is not read belongs to.
const OTHER_SOURCES: [&str; 5] = ["sqs", "dynamodb", "kafka", "mq", "rds"];

/// The parameters that both operations have.
pub struct Asked<'a> {
    batch_size: Option<i32>,
    batching_window_secs: Option<i32>,
    record_age_secs_max: Option<i32>,
    retries_max: Option<i32>,
    bisect: Option<bool>,
    response_types: Option<&'a [FunctionResponseType]>,
    destination_config: Option<&'a DestinationConfig>,
    parallelization_factor: Option<i32>,
    tumbling_window_secs: Option<i32>,
    filter_criteria: Option<&'a FilterCriteria>,
    kms_key_arn: Option<&'a str>,
    metrics_config: Option<&'a EventSourceMappingMetricsConfig>,
    /// Names of the parameters that are given and are for other sources.
    foreign: Vec<&'static str>,
}

/// Takes the parameters that both operations have out of an input of either.
macro_rules! asked {
    ($input:expr) => {{
        let input = $input;
        let given = [
            ("ScalingConfig", input.scaling_config.is_some()),
            (
                "ProvisionedPollerConfig",
                input.provisioned_poller_config.is_some(),
            ),
            ("LoggingConfig", input.logging_config.is_some()),
            (
                "SourceAccessConfigurations",
                input.source_access_configurations.is_some(),
            ),
            (
                "AmazonManagedKafkaEventSourceConfig",
                input.amazon_managed_kafka_event_source_config.is_some(),
            ),
            (
                "SelfManagedKafkaEventSourceConfig",
                input.self_managed_kafka_event_source_config.is_some(),
            ),
            (
                "DocumentDBEventSourceConfig",
                input.document_db_event_source_config.is_some(),
            ),
        ];
        Asked {
            batch_size: input.batch_size,
            batching_window_secs: input.maximum_batching_window_in_seconds,
            record_age_secs_max: input.maximum_record_age_in_seconds,
            retries_max: input.maximum_retry_attempts,
            bisect: input.bisect_batch_on_function_error,
            response_types: input.function_response_types.as_deref(),
            destination_config: input.destination_config.as_ref(),
            parallelization_factor: input.parallelization_factor,
            tumbling_window_secs: input.tumbling_window_in_seconds,
            filter_criteria: input.filter_criteria.as_ref(),
            kms_key_arn: input.kms_key_arn.as_deref(),
            metrics_config: input.metrics_config.as_ref(),
            foreign: given
                .iter()
                .filter(|(_, given)| *given)
                .map(|(name, _)| *name)
                .collect(),
        }
    }};
}

impl<'a> From<&'a CreateEventSourceMappingInput> for Asked<'a> {
    fn from(input: &'a CreateEventSourceMappingInput) -> Asked<'a> {
        let mut asked: Asked<'a> = asked!(input);
        let given = [
            ("Topics", input.topics.is_some()),
            ("Queues", input.queues.is_some()),
            (
                "SelfManagedEventSource",
                input.self_managed_event_source.is_some(),
            ),
        ];
        asked.foreign.extend(
            given
                .iter()
                .filter(|(_, given)| *given)
                .map(|(name, _)| *name),
        );
        asked
    }
}

impl<'a> From<&'a UpdateEventSourceMappingInput> for Asked<'a> {
    fn from(input: &'a UpdateEventSourceMappingInput) -> Asked<'a> {
        asked!(input)
    }
}

/// With AWS's exception for what breaks its rules.
pub fn invalid(message: impl Into<String>) -> InvalidParameterValueException {
    InvalidParameterValueException::new(message)
}

fn unsupported(what: &str) -> InvalidParameterValueException {
    invalid(format!(
        "{what} is not supported by this version of Tidemill."
    ))
}

fn for_other_sources(parameter: &str) -> InvalidParameterValueException {
    invalid(format!(
        "Unsupported {parameter} parameter for given event source mapping type."
    ))
}

/// The stream that `arn` names.
pub fn stream(arn: &str) -> Checked<StreamArn> {
    if let Ok(stream) = arn.parse() {
        return Ok(stream);
    }
    let service = arn.split(':').nth(2).unwrap_or_default();
    if service == "kinesis" && arn.contains("/consumer/") {
        return Err(unsupported(&format!(
            "EventSourceArn {arn}: a stream consumer as event source"
        )));
    }
    if OTHER_SOURCES.contains(&service) {
        let what = format!("EventSourceArn {arn}: an event source other than a Kinesis stream");
        return Err(unsupported(&what));
    }
    Err(invalid("Unrecognized event source."))
}

impl Asked<'_> {
    /// Everything that can be checked without asking anyone; gives what is asked for.
    pub fn check(&self) -> Checked<Changes> {
        if let Some(parameter) = self.foreign.first() {
            return Err(for_other_sources(parameter));
        }
        let destination = self.destination_config.map(destination).transpose()?;
        if let Some(criteria) = self.filter_criteria {
            check_filters(criteria)?;
        }
        if let Some(age) = self.record_age_secs_max {
            check_record_age(age)?;
        }
        self.check_supported()?;
        Ok(Changes {
            function: None,
            enabled: None,
            batch_size: unsigned("BatchSize", self.batch_size)?,
            batching_window_secs: unsigned(
                "MaximumBatchingWindowInSeconds",
                self.batching_window_secs,
            )?,
            record_age_secs_max: self.record_age_secs_max,
            retries_max: self.retries_max,
            bisect: self.bisect,
            report_item_failures: self
                .response_types
                .map(|types| types.contains(&FunctionResponseType::ReportBatchItemFailures)),
            destination,
        })
    }

    fn check_supported(&self) -> Checked<()> {
        if self.parallelization_factor.is_some_and(|factor| factor > 1) {
            return Err(unsupported("ParallelizationFactor greater than 1"));
        }
        if self.tumbling_window_secs.is_some_and(|secs| secs > 0) {
            return Err(unsupported("TumblingWindowInSeconds greater than 0"));
        }
        let filters = self
            .filter_criteria
            .and_then(|criteria| criteria.filters.as_ref());
        if filters.is_some_and(|filters| !filters.is_empty()) {
            return Err(unsupported("FilterCriteria with a filter"));
        }
        if self.kms_key_arn.is_some_and(|arn| !arn.is_empty()) {
            return Err(unsupported("KMSKeyArn"));
        }
        let metrics = self
            .metrics_config
            .and_then(|config| config.metrics.as_ref());
        if metrics.is_some_and(|metrics| !metrics.is_empty()) {
            return Err(unsupported("MetricsConfig with a metric"));
        }
        Ok(())
    }
}

/// The destination asked for; empty for none.
fn destination(config: &DestinationConfig) -> Checked<String> {
    if config
        .on_success
        .as_ref()
        .is_some_and(|target| target.destination.is_some())
    {
        return Err(for_other_sources("DestinationConfig"));
    }
    let target = config
        .on_failure
        .as_ref()
        .and_then(|target| target.destination.as_deref());
    match target {
        None | Some("") => Ok(String::new()),
        Some(arn) if arn.parse::<QueueArn>().is_ok() => Ok(arn.to_owned()),
        Some(arn) => Err(unsupported(&format!(
            "DestinationConfig.OnFailure.Destination {arn}: a destination other than an SQS queue"
        ))),
    }
}

fn check_filters(criteria: &FilterCriteria) -> Checked<()> {
    let mut patterns = criteria
        .filters
        .iter()
        .flatten()
        .map(|filter| filter.pattern.as_deref());
    match patterns.all(|pattern| pattern.is_none_or(is_pattern)) {
        true => Ok(()),
        false => Err(invalid("Invalid filter pattern definition.")),
    }
}

fn check_record_age(age: i32) -> Checked<()> {
    if age == -1 || (RECORD_AGE_SECS_MIN..=RECORD_AGE_SECS_MAX).contains(&age) {
        return Ok(());
    }
    Err(invalid(
        "MaximumRecordAgeInSeconds must be either -1 (forever) or between 60 and 604800 (inclusive)",
    ))
}

fn unsigned(parameter: &str, value: Option<i32>) -> Checked<Option<u32>> {
    value
        .map(|value| {
            u32::try_from(value).map_err(|_| invalid(format!("{parameter} must not be negative")))
        })
        .transpose()
}

#[cfg(test)]
mod tests {
    use tidemill_shapes::lambda::{Filter, OnFailure, OnSuccess, ScalingConfig};

    use super::*;

    fn refusal(change: impl FnOnce(&mut CreateEventSourceMappingInput)) -> Option<String> {
        let mut input = CreateEventSourceMappingInput::default();
        change(&mut input);
        Asked::from(&input)
            .check()
            .err()
            .map(|refused| refused.message)
    }

    fn filter(pattern: &str) -> Option<FilterCriteria> {
        let filters = vec![Filter {
            pattern: Some(pattern.to_owned()),
        }];
        Some(FilterCriteria {
            filters: Some(filters),
        })
    }

    fn on_failure(arn: &str) -> Option<DestinationConfig> {
        let on_failure = Some(OnFailure {
            destination: Some(arn.to_owned()),
        });
        Some(DestinationConfig {
            on_failure,
            on_success: None,
        })
    }

    #[test]
    fn defaults_are_accepted_when_they_are_spelled_out() {
        let accepted: [fn(&mut CreateEventSourceMappingInput); 8] = [
            |input| input.parallelization_factor = Some(1),
            |input| input.tumbling_window_in_seconds = Some(0),
            |input| {
                input.filter_criteria = Some(FilterCriteria {
                    filters: Some(Vec::new()),
                })
            },
            |input| input.maximum_record_age_in_seconds = Some(-1),
            |input| input.maximum_record_age_in_seconds = Some(60),
            |input| input.destination_config = on_failure(""),
            |input| input.destination_config = on_failure("arn:aws:sqs:r:000000000000:q"),
            |input| input.metrics_config = Some(EventSourceMappingMetricsConfig::default()),
        ];
        for accept in accepted {
            assert_eq!(refusal(accept), None);
        }
    }

    #[test]
    fn what_is_refused_is_named() {
        type Change = fn(&mut CreateEventSourceMappingInput);
        let refused: [(Change, &str); 12] = [
            (
                |input| input.parallelization_factor = Some(2),
                "ParallelizationFactor",
            ),
            (
                |input| input.tumbling_window_in_seconds = Some(1),
                "TumblingWindowInSeconds",
            ),
            (
                |input| input.filter_criteria = filter(r#"{"a":[1]}"#),
                "FilterCriteria",
            ),
            (
                |input| input.filter_criteria = filter("a"),
                "Invalid filter pattern definition.",
            ),
            (
                |input| input.kms_key_arn = Some("arn:aws:kms".to_owned()),
                "KMSKeyArn",
            ),
            (
                |input| input.maximum_record_age_in_seconds = Some(59),
                "MaximumRecordAgeInSeconds",
            ),
            (
                |input| input.maximum_record_age_in_seconds = Some(604_801),
                "604800 (inclusive)",
            ),
            (
                |input| input.destination_config = on_failure("arn:aws:s3:::b"),
                "arn:aws:s3:::b",
            ),
            (
                |input| input.destination_config = on_failure("arn:aws:sns:r:1:t"),
                "OnFailure",
            ),
            (
                |input| {
                    let on_success = Some(OnSuccess {
                        destination: Some("x".to_owned()),
                    });
                    input.destination_config = Some(DestinationConfig {
                        on_failure: None,
                        on_success,
                    });
                },
                "Unsupported DestinationConfig parameter for given event source mapping type.",
            ),
            (
                |input| input.scaling_config = Some(ScalingConfig::default()),
                "ScalingConfig",
            ),
            (
                |input| input.queues = Some(Vec::new()),
                "Unsupported Queues parameter",
            ),
        ];
        for (change, expected) in refused {
            let message = refusal(change).unwrap_or_default();
            assert!(message.contains(expected), "{expected}: {message}");
        }
    }

    #[test]
    fn only_a_stream_is_an_event_source() {
        let cases = [
            (
                "arn:aws:kinesis:r:000000000000:stream/s/consumer/c:1",
                "stream consumer",
            ),
            (
                "arn:aws:sqs:r:000000000000:q",
                "other than a Kinesis stream",
            ),
            (
                "arn:aws:dynamodb:r:000000000000:table/t/stream/x",
                "other than a Kinesis stream",
            ),
            ("nonsense", "Unrecognized event source."),
        ];
        for (arn, expected) in cases {
            let message = stream(arn).expect_err("not a stream").message;
            assert!(message.contains(expected), "{message}");
        }
        assert!(stream("arn:aws:kinesis:r:000000000000:stream/s").is_ok());
    }
}
