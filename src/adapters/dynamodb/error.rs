//! Classification of the DynamoDB client's errors.

use std::error::Error;

use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};

use crate::adapters::aws::unanswered;
use crate::deciding::{Cause, StoreError};

/// Converts the error of a request other than a transaction.
pub fn store_error<E>(operation: &str, tables: &str, error: &SdkError<E>) -> StoreError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let code = error.code().unwrap_or_default().to_owned();
    let what = match error.message() {
        Some(message) => format!("{operation} on {tables}: {code}: {message}{}", advice(&code)),
        None if !code.is_empty() => format!("{operation} on {tables}: {code}{}", advice(&code)),
        None => format!("{operation} on {tables}: {}", unanswered("DynamoDB", error)),
    };
    of_kind(&code, Cause::new(what))
}

/// Classifies an error, or a reason for a cancelled transaction, by its code.
pub fn of_kind(code: &str, cause: Cause) -> StoreError {
    match code {
        "ConditionalCheckFailed"
        | "ConditionalCheckFailedException"
        | "TransactionConflict"
        | "TransactionConflictException"
        | "IdempotentParameterMismatchException" => StoreError::Conflict(cause),
        "ProvisionedThroughputExceeded"
        | "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded"
        | "ThrottlingError"
        | "ThrottlingException" => StoreError::Throttled(cause),
        "AccessDeniedException"
        | "IncompleteSignatureException"
        | "InvalidSignatureException"
        | "ResourceNotFoundException"
        | "UnrecognizedClientException"
        | "ValidationError"
        | "ValidationException" => StoreError::Misconfigured(cause),
        // Includes TransactionInProgressException: the same commit is still in progress.
        _ => StoreError::Unavailable(cause),
    }
}

fn advice(code: &str) -> &'static str {
    match code {
        "ResourceNotFoundException" => {
            "; create the tables with `loadgate tables create`, or check their names and region"
        }
        "AccessDeniedException" => "; allow the action in the IAM policy of the caller",
        "UnrecognizedClientException" | "InvalidSignatureException" | "ExpiredTokenException" => {
            "; check the credentials"
        }
        "ValidationException" => "; check that the tables have the keys that `loadgate tables create` gives them",
        _ => "",
    }
}

/// Converts the error of a request without a required field. This program always sets these fields, so the error is a
/// defect, and a retry does not help.
pub fn unbuilt(error: BuildError) -> StoreError {
    let what = "a request could not be built: this is a defect of loadgate, please report it";
    StoreError::Misconfigured(Cause::with(what, error))
}
