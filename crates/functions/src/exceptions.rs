//! Where causes become AWS's exceptions; one function for each cause.
//!
//! Each works for every operation that declares the exceptions it needs, so a cause looks the same
//! wherever a client meets it.

use tidemill_log::AppendError;
use tidemill_log::blobs::BlobError;
use tidemill_shapes::StorageFailure;
use tidemill_shapes::lambda::{
    InvalidParameterValueException, PreconditionFailedException, ResourceConflictException,
    ResourceNotFoundException,
};

use crate::archive;
use crate::catalog::Refused;
use crate::function_name::Misnamed;
use crate::requested::Unacceptable;

/// A parameter that cannot be taken.
pub fn unacceptable<E: From<InvalidParameterValueException>>(cause: &Unacceptable) -> E {
    InvalidParameterValueException::new(cause.to_string()).into()
}

/// A name that leads to no function.
pub fn misnamed<E>(cause: &Misnamed) -> E
where
    E: From<InvalidParameterValueException> + From<ResourceNotFoundException>,
{
    match cause {
        Misnamed::Malformed { .. } | Misnamed::QualifiersDiffer => {
            InvalidParameterValueException::new(cause.to_string()).into()
        }
        Misnamed::ForeignRegion { .. } | Misnamed::NotFound { .. } => {
            ResourceNotFoundException::new(cause.to_string()).into()
        }
    }
}

/// A command that the catalog refused.
pub fn refused<E>(cause: &Refused) -> E
where
    E: From<ResourceConflictException>
        + From<ResourceNotFoundException>
        + From<PreconditionFailedException>,
{
    match cause {
        Refused::Exists { .. } | Refused::UpdateInProgress { .. } | Refused::Pending => {
            ResourceConflictException::new(cause.to_string()).into()
        }
        Refused::NotFound { .. } => ResourceNotFoundException::new(cause.to_string()).into(),
        Refused::GuardDiffers => PreconditionFailedException::new(cause.to_string()).into(),
    }
}

/// A command without a guard that the catalog refused.
pub fn refused_unguarded<E>(cause: &Refused) -> E
where
    E: From<ResourceConflictException> + From<ResourceNotFoundException>,
{
    match cause {
        Refused::NotFound { .. } => ResourceNotFoundException::new(cause.to_string()).into(),
        Refused::Exists { .. }
        | Refused::UpdateInProgress { .. }
        | Refused::Pending
        | Refused::GuardDiffers => ResourceConflictException::new(cause.to_string()).into(),
    }
}

/// An archive that was not taken.
pub fn archive<E: From<InvalidParameterValueException> + From<StorageFailure>>(
    cause: &archive::Refused,
) -> E {
    match cause {
        archive::Refused::Broken { detail } => {
            tracing::debug!(detail, "an archive was refused");
            InvalidParameterValueException::new(cause.to_string()).into()
        }
        archive::Refused::ZippedTooLarge | archive::Refused::UnzippedTooLarge => {
            InvalidParameterValueException::new(cause.to_string()).into()
        }
        archive::Refused::Disk(error) => StorageFailure {
            detail: error.to_string(),
            determinacy: tidemill_model::Determinacy::Determinate,
        }
        .into(),
    }
}

/// A log that did not take a command.
pub fn append<E: From<StorageFailure>>(cause: &AppendError) -> E {
    StorageFailure {
        detail: cause.to_string(),
        determinacy: cause.determinacy(),
    }
    .into()
}

/// A blob that was not kept.
pub fn blob<E: From<StorageFailure>>(cause: &BlobError) -> E {
    StorageFailure {
        detail: cause.to_string(),
        determinacy: cause.determinacy(),
    }
    .into()
}
