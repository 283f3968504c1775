//! Records in each of the windows that they fall into: [`in_each_window`].

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, BooleanArray, PrimitiveArray, UInt64Array};
use arrow_schema::ArrowError;
use arrow_select::take::take;

use crate::definition::Hop;
use crate::record_map::{Mapped, MappedCall};

/// `mapped`, which has the newest window of each record as a key, with a row for each window. A record
/// without a time has one row.
pub fn in_each_window(mapped: Mapped, hop: &Hop) -> Result<Mapped, ArrowError> {
    let newest = mapped.keys[hop.key].as_primitive::<TimestampMicrosecondType>();
    let mut rows = Vec::new();
    let mut starts = Vec::new();
    for (row, newest) in newest.iter().enumerate() {
        let Some(newest) = newest else {
            rows.push(row as u64);
            starts.push(None);
            continue;
        };
        for back in 0..hop.windows {
            let start = newest.checked_sub(back * hop.slide_micros);
            let too_early = || {
                let what = "a window begins before all times".to_owned();
                ArrowError::ComputeError(what)
            };
            rows.push(row as u64);
            starts.push(Some(start.ok_or_else(too_early)?));
        }
    }
    let starts = PrimitiveArray::<TimestampMicrosecondType>::from(starts);
    let starts: ArrayRef = Arc::new(starts.with_data_type(newest.data_type().clone()));
    let places = rows
        .iter()
        .map(|row| mapped.places[*row as usize])
        .collect();
    let rows = UInt64Array::from(rows);
    let repeated = |column: &ArrayRef| take(column, &rows, None);
    let keys = mapped.keys.iter().enumerate().map(|(index, key)| {
        if index == hop.key {
            Ok(Arc::clone(&starts))
        } else {
            repeated(key)
        }
    });
    let calls = mapped.calls.iter().map(|call| {
        let of = |part: &Option<ArrayRef>| part.as_ref().map(repeated).transpose();
        let counts = call.counts.as_ref().map(|counts| {
            let counts = take(counts, &rows, None)?;
            Ok::<BooleanArray, ArrowError>(counts.as_boolean().clone())
        });
        Ok(MappedCall {
            argument: of(&call.argument)?,
            order: of(&call.order)?,
            counts: counts.transpose()?,
        })
    });
    Ok(Mapped {
        places,
        keys: keys.collect::<Result<_, _>>()?,
        calls: calls.collect::<Result<_, ArrowError>>()?,
        ..mapped
    })
}
