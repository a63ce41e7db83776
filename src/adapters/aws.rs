//! Clients of AWS: one configuration, with explicit time-outs and retries.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, HttpClient, SharedCredentialsProvider, SharedHttpClient};
use aws_sdk_dynamodb::error::SdkError;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::http_client_fn;

use crate::deciding::with_sources;

/// Time-out for connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Time-out for one try of a request. DynamoDB and SQS answer within tens of milliseconds, so a later answer is lost.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1500);

/// Time-out for a request with all its tries. It is half of the time that a batch reserves for the work it has begun
/// (10 s): one commit and one publishing.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum number of tries of a request.
const ATTEMPTS_MAX: u32 = 3;

/// Longest wait before the second try. The SDK doubles it before each further try, and waits a random part of it. The
/// SDK's default is 1 s: after two tries without an answer, [`OPERATION_TIMEOUT`] would cut off the third.
const FIRST_WAIT_MAX: Duration = Duration::from_millis(100);

/// Longest wait before any try, even if a service asks for a longer one.
const WAIT_MAX: Duration = Duration::from_millis(200);

/// Default region for endpoints on this machine: emulators require a region, but accept any.
const LOCAL_REGION: &str = "us-east-1";

/// Reads the SDK's own configuration from the environment (`AWS_*`), and sets time-outs and retries.
///
/// `endpoint_url` overrides the SDK's own endpoints. An endpoint on this machine needs neither region nor credentials.
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

/// Returns the HTTP client that all AWS clients share.
///
/// Bypasses an SDK check that reloads every root certificate for each client that is built, for a connector that is
/// never used.
fn http_client() -> SharedHttpClient {
    let tls = Provider::Rustls(CryptoMode::Ring);
    let client = aws_smithy_http_client::Builder::new().tls_provider(tls).build_https();
    http_client_fn(move |settings, components| client.http_connector(settings, components))
}

/// Returns the time-outs of a request that waits up to `wait` for messages: that time is added to the usual time-outs.
///
/// After one try without an answer there is time for another one, which returns the messages of the lost answer.
pub fn long_poll_timeouts(wait: Duration) -> TimeoutConfig {
    timeouts(wait + ATTEMPT_TIMEOUT, wait + OPERATION_TIMEOUT)
}

/// Returns true if a URL leads to this machine.
pub fn is_local(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    // A suffix other than a port, such as `localhost:x@elsewhere`, leads elsewhere.
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

/// Adds a region and credentials that an emulator on this machine requires but does not check.
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

/// Describes a request without an answer from the service, for the log. The description never contains the request.
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
    // Some client errors print the whole request.
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
