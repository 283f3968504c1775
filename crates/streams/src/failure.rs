//! From a cause to the error of an operation: [`Failure`], and which exceptions each operation declares.

use thiserror::Error;

use tidemill_log::{AppendError, ReadError};
use tidemill_model::Determinacy;
use tidemill_shapes::StorageFailure;
use tidemill_shapes::kinesis::*;

use crate::refused::{Exception, Refused};

/// What an operation can fail with: a refusal, or our storage.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// The request is refused.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageFailure),
}

impl Failure {
    /// Whether what the request names does not exist.
    pub fn is_not_found(&self) -> bool {
        match self {
            Failure::Refused(refused) => refused.exception() == Exception::ResourceNotFound,
            Failure::Storage(_) => false,
        }
    }
}

impl From<AppendError> for Failure {
    fn from(error: AppendError) -> Failure {
        let determinacy = error.determinacy();
        Failure::Storage(StorageFailure {
            detail: error.to_string(),
            determinacy,
        })
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Failure {
        nothing_happened(error.to_string())
    }
}

/// The storage failed, and nothing has changed by that.
pub fn nothing_happened(detail: String) -> Failure {
    Failure::Storage(StorageFailure {
        detail,
        determinacy: Determinacy::Determinate,
    })
}

/// Says which exceptions an operation declares, and turns causes into them. A cause whose exception
/// the operation does not declare is a mistake here; it is answered as a validation error, the one
/// exception that every operation has.
macro_rules! declared {
    ($($error:ident: $($kind:ident $exception:ident),+;)+) => {$(
        impl From<Refused> for $error {
            fn from(refused: Refused) -> $error {
                match refused.exception() {
                    $(Exception::$kind => $exception::new(refused.to_string()).into(),)+
                    undeclared => {
                        let expected = undeclared == Exception::Validation;
                        debug_assert!(expected, "{} declares no {undeclared:?}", stringify!($error));
                        ValidationException::new(refused.to_string()).into()
                    }
                }
            }
        }

        impl From<Failure> for $error {
            fn from(failure: Failure) -> $error {
                match failure {
                    Failure::Refused(refused) => refused.into(),
                    Failure::Storage(storage) => storage.into(),
                }
            }
        }
    )+};
}

/// [`declared!`] for the operations that change one stream and declare the same exceptions.
macro_rules! declared_control {
    ($($error:ident),+) => {$(
        declared! {
            $error:
                ResourceNotFound ResourceNotFoundException, ResourceInUse ResourceInUseException,
                InvalidArgument InvalidArgumentException, LimitExceeded LimitExceededException,
                AccessDenied AccessDeniedException;
        }
    )+};
}

/// [`declared!`] for the operations that look at one stream and declare the same exceptions.
macro_rules! declared_look {
    ($($error:ident),+) => {$(
        declared! {
            $error:
                ResourceNotFound ResourceNotFoundException, InvalidArgument InvalidArgumentException,
                LimitExceeded LimitExceededException, AccessDenied AccessDeniedException;
        }
    )+};
}

/// [`declared!`] for what PutRecord, PutRecords and GetShardIterator declare.
macro_rules! declared_data {
    ($($error:ident),+) => {$(
        declared! {
            $error:
                ResourceNotFound ResourceNotFoundException, InvalidArgument InvalidArgumentException,
                ProvisionedThroughputExceeded ProvisionedThroughputExceededException,
                AccessDenied AccessDeniedException, InternalFailure InternalFailureException,
                DryRunOperation DryRunOperationException;
        }
    )+};
}

declared_control!(
    AddTagsToStreamError,
    DecreaseStreamRetentionPeriodError,
    DeleteResourcePolicyError,
    DeleteStreamError,
    DisableEnhancedMonitoringError,
    EnableEnhancedMonitoringError,
    GetResourcePolicyError,
    IncreaseStreamRetentionPeriodError,
    ListTagsForResourceError,
    MergeShardsError,
    PutResourcePolicyError,
    RemoveTagsFromStreamError,
    SplitShardError,
    StartStreamEncryptionError,
    StopStreamEncryptionError,
    TagResourceError,
    UntagResourceError,
    UpdateMaxRecordSizeError,
    UpdateShardCountError,
    UpdateStreamRecordDistributionStrategyError
);
declared_look!(
    DescribeStreamError,
    DescribeStreamSummaryError,
    ListTagsForStreamError
);
declared_data!(GetShardIteratorError, PutRecordError, PutRecordsError);
declared! {
    CreateStreamError:
        ResourceInUse ResourceInUseException, InvalidArgument InvalidArgumentException,
        LimitExceeded LimitExceededException;
    GetRecordsError:
        ResourceNotFound ResourceNotFoundException, InvalidArgument InvalidArgumentException,
        ProvisionedThroughputExceeded ProvisionedThroughputExceededException,
        ExpiredIterator ExpiredIteratorException, AccessDenied AccessDeniedException,
        InternalFailure InternalFailureException, DryRunOperation DryRunOperationException;
    ListShardsError:
        ResourceNotFound ResourceNotFoundException, InvalidArgument InvalidArgumentException,
        LimitExceeded LimitExceededException, ResourceInUse ResourceInUseException,
        ExpiredNextToken ExpiredNextTokenException, AccessDenied AccessDeniedException;
    DeregisterStreamConsumerError:
        ResourceNotFound ResourceNotFoundException, InvalidArgument InvalidArgumentException,
        LimitExceeded LimitExceededException;
    DescribeAccountSettingsError: LimitExceeded LimitExceededException;
    DescribeLimitsError: LimitExceeded LimitExceededException;
    UpdateAccountSettingsError:
        InvalidArgument InvalidArgumentException, LimitExceeded LimitExceededException;
    DescribeStreamConsumerError:
        ResourceNotFound ResourceNotFoundException, InvalidArgument InvalidArgumentException,
        LimitExceeded LimitExceededException;
    ListStreamConsumersError:
        ResourceNotFound ResourceNotFoundException, InvalidArgument InvalidArgumentException,
        LimitExceeded LimitExceededException, ExpiredNextToken ExpiredNextTokenException,
        ResourceInUse ResourceInUseException;
    RegisterStreamConsumerError:
        ResourceNotFound ResourceNotFoundException, InvalidArgument InvalidArgumentException,
        LimitExceeded LimitExceededException, ResourceInUse ResourceInUseException;
    SubscribeToShardError:
        ResourceNotFound ResourceNotFoundException, ResourceInUse ResourceInUseException,
        InvalidArgument InvalidArgumentException, LimitExceeded LimitExceededException,
        AccessDenied AccessDeniedException, DryRunOperation DryRunOperationException;
    UpdateStreamWarmThroughputError:
        ResourceNotFound ResourceNotFoundException, ResourceInUse ResourceInUseException,
        InvalidArgument InvalidArgumentException, LimitExceeded LimitExceededException,
        AccessDenied AccessDeniedException;
    UpdateStreamModeError:
        ResourceNotFound ResourceNotFoundException, ResourceInUse ResourceInUseException,
        InvalidArgument InvalidArgumentException, LimitExceeded LimitExceededException;
    ListStreamsError:
        InvalidArgument InvalidArgumentException, LimitExceeded LimitExceededException,
        ExpiredNextToken ExpiredNextTokenException;
}
