//! Records to infer a schema from: the oldest that can be read, some of each shard.

use tidemill_model::source::{ReadLimit, SourceError, StartingPoint};
use tidemill_model::{Source, StreamArn};

use crate::limits::{INFERENCE_BYTES, INFERENCE_RECORDS};

/// Payloads of `stream`.
pub async fn payloads(
    source: &dyn Source,
    stream: &StreamArn,
) -> Result<Vec<Vec<u8>>, SourceError> {
    let shards = source.shards(stream)?;
    let mut payloads = Vec::new();
    let mut bytes = INFERENCE_BYTES;
    for (index, shard) in shards.iter().enumerate() {
        let left = INFERENCE_RECORDS - payloads.len();
        let limit = ReadLimit {
            records: left.div_ceil(shards.len() - index),
            bytes,
        };
        if left == 0 || bytes == 0 {
            break;
        }
        let from = source
            .locate(stream, shard.id, StartingPoint::TrimHorizon)
            .await?;
        for record in source.read(stream, shard.id, from, limit).await?.records {
            bytes = bytes.saturating_sub(record.data.len());
            payloads.push(record.data.to_vec());
        }
    }
    Ok(payloads)
}
