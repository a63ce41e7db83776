//! Clients of AWS: one configuration, with time-outs and repetitions set on purpose.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, HttpClient, SharedCredentialsProvider, SharedHttpClient};
use aws_sdk_dynamodb::error::SdkError;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::http_client_fn;

use crate::deciding::with_sources;

/// Longest time that connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Longest time that one try of a request may take. DynamoDB and SQS answer within tens of milliseconds: later, the
/// answer is lost.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1500);

/// Longest time that a request may take with all its tries. Half the time that a batch keeps in reserve for what it has
/// begun (10 s): one commit and one publishing.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(5);

/// Number of times that a request is tried.
const ATTEMPTS_MAX: u32 = 3;

/// Longest wait before the second try. The SDK doubles it before each further try, and waits a random part of it. Its
/// own default is 1 s: after two tries without an answer, [`OPERATION_TIMEOUT`] would cut off the third.
const FIRST_WAIT_MAX: Duration = Duration::from_millis(100);

/// Longest wait before any try, also where a service asks for a longer one.
const WAIT_MAX: Duration = Duration::from_millis(200);

/// The region for endpoints on this machine, where none is set: stand-ins want one, whichever it is.
const LOCAL_REGION: &str = "us-east-1";

/// Reads the SDK's own configuration from the environment (`AWS_*`), and sets time-outs and repetitions.
///
/// `endpoint_url` overrides the SDK's own endpoints. One on this machine needs neither region nor credentials.
pub async fn load(endpoint_url: Option<&str>) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http_client())
        .retry_config(retries())
        .timeout_config(timeouts(ATTEMPT_TIMEOUT, OPERATION_TIMEOUT));
    if let Some(url) = endpoint_url {
        loader = loader.endpoint_url(url);
    }
    if endpoint_url.is_some_and(is_local) {
        return localised(&loader.load().await);
    }
    loader.load().await
}

/// HTTP client of all SDK clients.
///
/// Bypasses an SDK check that would, for each client, read all root certificates once more, for a connector that nobody
/// uses.
fn http_client() -> SharedHttpClient {
    let tls = Provider::Rustls(CryptoMode::Ring);
    let client = aws_smithy_http_client::Builder::new().tls_provider(tls).build_https();
    http_client_fn(move |settings, components| client.http_connector(settings, components))
}

/// Time-outs of a request that waits up to `wait` for messages: as long as any other request may take besides.
///
/// One try without an answer leaves time for another one, which brings the messages of an answer that was lost.
pub fn long_poll_timeouts(wait: Duration) -> TimeoutConfig {
    timeouts(wait + ATTEMPT_TIMEOUT, wait + OPERATION_TIMEOUT)
}

/// Returns true when a URL leads to this machine.
pub fn is_local(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    // Anything but a port, such as `localhost:x@elsewhere`, leads elsewhere.
    let is_port =
        |rest: &str| rest.strip_prefix(':').is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    let is_local = |rest: &str| rest.is_empty() || is_port(rest);
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|local| authority.strip_prefix(local).is_some_and(is_local))
}

fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(ATTEMPTS_MAX)
        .with_initial_backoff(FIRST_WAIT_MAX)
        .with_max_backoff(WAIT_MAX)
}

fn timeouts(attempt: Duration, operation: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(attempt)
        .operation_timeout(operation)
        .build()
}

/// Fills in what a stand-in on this machine asks for and does not look at.
fn localised(config: &SdkConfig) -> SdkConfig {
    let mut builder = config.to_builder();
    if config.region().is_none() {
        builder.set_region(Some(Region::from_static(LOCAL_REGION)));
    }
    if !crate::config::has_credentials() {
        let local = Credentials::new("local", "local", None, None, "local endpoint");
        builder.set_credentials_provider(Some(SharedCredentialsProvider::new(local)));
    }
    builder.build()
}

/// Description of a request without an answer from the service, for a log. It never contains the request.
pub fn unanswered<E, R>(service: &str, error: &SdkError<E, R>) -> String
where
    SdkError<E, R>: std::error::Error,
{
    let is_lost = match error {
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => true,
        SdkError::DispatchFailure(failure) => failure.is_io() || failure.is_timeout(),
        _ => false,
    };
    let what = if is_lost {
        format!("no answer from {service}; check that it can be reached")
    } else if matches!(error, SdkError::ServiceError(_)) {
        format!("an answer that is none of {service}'s; check the endpoint's URL")
    } else {
        "the request was not sent; check the endpoint's URL, the region and the credentials".to_owned()
    };
    let why = with_sources(error);
    // Some errors of the client print the whole request.
    if why.contains("SdkBody") { what } else { format!("{what}: {why}") }
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn only_this_machine_is_local() {
        for url in ["http://localhost", "http://localhost:8000/x", "https://127.0.0.1:1/", "http://[::1]:9?x"] {
            assert!(is_local(url), "{url}");
        }
        for url in
            ["http://localhost:x@elsewhere/", "http://localhost.example", "http://127.0.0.10", "http://localhost8"]
        {
            assert!(!is_local(url), "{url}");
        }
    }
}
