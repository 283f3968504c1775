//! What happens to an archive before a command may name it: [`checked`], [`keep`].

use bytes::Bytes;

use tidemill_shapes::StorageFailure;
use tidemill_shapes::lambda::InvalidParameterValueException;

use crate::archive::{self, Refused};
use crate::configuration::Code;
use crate::exceptions;
use crate::functions::Functions;

/// Reads the archive to its end, off the executor's threads.
pub async fn checked<E>(zip: &Bytes) -> Result<(), E>
where
    E: From<InvalidParameterValueException> + From<StorageFailure>,
{
    let bytes = zip.clone();
    let inspected = tokio::task::spawn_blocking(move || archive::inspect(&bytes)).await;
    let outcome =
        inspected.unwrap_or_else(|error| Err(Refused::Disk(std::io::Error::other(error))));
    outcome.map_err(|cause| exceptions::archive(&cause))
}

/// Keeps the archive; durable when it completes.
pub async fn keep<E: From<StorageFailure>>(functions: &Functions, zip: &Bytes) -> Result<Code, E> {
    let kept = functions.surroundings().blobs.put(zip.clone()).await;
    let blob = kept.map_err(|cause| exceptions::blob(&cause))?;
    Ok(Code {
        blob,
        size: zip.len() as u64,
    })
}
