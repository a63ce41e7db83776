//! Classification of the SQS client's errors.

use std::error::Error;

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::BatchResultErrorEntry;

use crate::adapters::aws::unanswered;
use crate::deciding::{Cause, QueueError};

/// Converts the error of a whole request. The client has already retried it where that may help.
pub fn queue_error<E>(operation: &str, url: &str, error: &SdkError<E>) -> QueueError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let code = error.code().unwrap_or_default();
    let what = match error.message() {
        Some(message) => format!("{operation} on {url}: {code}: {}{}", without_receipt(message), advice(code)),
        None if !code.is_empty() => format!("{operation} on {url}: {code}{}", advice(code)),
        None => format!("{operation} on {url}: {}", unanswered("SQS", error)),
    };
    // For a transient error, the client has already used up its tries and its waiting time.
    QueueError { cause: Cause::new(what), is_retryable: false }
}

/// Converts the error of one message that was refused in a request; other messages of the request may have been
/// accepted.
pub fn refused(operation: &str, url: &str, entry: &BatchResultErrorEntry) -> QueueError {
    let message = without_receipt(entry.message().unwrap_or("no reason given"));
    let cause = Cause::new(format!("{operation} on {url}: {}: {message}{}", entry.code(), advice(entry.code())));
    QueueError { cause, is_retryable: !entry.sender_fault() }
}

/// SQS's message, unless it repeats a receipt handle: whoever has that can delete the message.
fn without_receipt(message: &str) -> &str {
    let is_about_receipts =
        message.contains("ReceiptHandle") || message.to_ascii_lowercase().contains("receipt handle");
    if is_about_receipts { "the receipt is not valid any more: the message has become visible again" } else { message }
}

fn advice(code: &str) -> &'static str {
    match code {
        "QueueDoesNotExist" | "AWS.SimpleQueueService.NonExistentQueue" => "; check the queue's URL and region",
        "AccessDenied" | "AccessDeniedException" => "; allow the action in the IAM policy of the caller",
        "UnrecognizedClientException" | "InvalidClientTokenId" | "ExpiredToken" => "; check the credentials",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::without_receipt;

    #[test]
    fn no_receipt_is_repeated() {
        for said in [
            "The receipt handle \"AQEB1\" is not valid for this queue",
            "Value AQEB1 for parameter ReceiptHandle is invalid.",
        ] {
            assert!(!without_receipt(said).contains("AQEB"));
        }
        assert_eq!(without_receipt("Request is throttled."), "Request is throttled.");
    }
}
