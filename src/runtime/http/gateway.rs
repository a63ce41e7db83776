//! Requests of an API Gateway (an HTTP API, payload version 2.0).
//!
//! The gateway hands paths on decoded: `/user-limits/a%2541` arrives as `/user-limits/a%41`. Neither must that be decoded
//! again, nor may a slash or dots within an id lead to another path. So this module encodes the path itself, and puts it
//! into the request that `lambda_http` builds from the rest; its own URI would be normalised. A path with `?`, `#` or `%`
//! can only come from an id with one of these, and leads nowhere, like one that does not fit the gateway's route.

use std::convert::Infallible;
use std::fmt::Write as _;

use aws_lambda_events::event::apigw::ApiGatewayV2httpRequest;
use axum::Router;
use axum::http::header::HOST;
use axum::http::{HeaderValue, Uri};
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Context, LambdaEvent, Service, service_fn};
use serde::Serialize;

use super::REQUEST_ID;
use crate::limits::Author;

/// Version of the payload that this module reads.
const PAYLOAD_VERSION: &str = "2.0";

/// The only stage whose name is not part of the path.
const DEFAULT_STAGE: &str = "$default";

/// Author of a change behind a gateway that does not check signatures.
const UNKNOWN_CALLER: &str = "unknown caller of the API Gateway";

/// A path that the router does not have.
const NOWHERE: &str = "/";

/// Error of an event that is not a request of an API Gateway. Its contents may be anything, and are not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not a request of an HTTP API with payload version 2.0, and nothing was read; connect the function to an API \
     Gateway, or invoke it with an event such as events/api/usage.json"
)]
pub struct NotARequest;

/// Parses an event's JSON.
///
/// # Errors
/// [`NotARequest`].
pub fn read_event(json: &str) -> Result<ApiGatewayV2httpRequest, NotARequest> {
    let event = serde_json::from_str::<ApiGatewayV2httpRequest>(json).map_err(|_| NotARequest)?;
    let is_request = event.version.as_deref() == Some(PAYLOAD_VERSION) && event.raw_path.is_some();
    if is_request { Ok(event) } else { Err(NotARequest) }
}

/// Answers a request. Its id is the gateway's.
///
/// # Errors
/// None: every error is an answer.
pub async fn handle(
    router: Router,
    mut event: ApiGatewayV2httpRequest,
    context: Context,
) -> Result<impl Serialize, Infallible> {
    let (uri, caller) = (uri(&event), caller(&event));
    let request_id = event.request_context.request_id.as_deref().and_then(|id| HeaderValue::from_str(id).ok());
    if let Some(request_id) = request_id {
        event.headers.insert(REQUEST_ID, request_id);
    }
    // `lambda_http` panics where these make no URI.
    event.headers.remove(HOST);
    (event.request_context.domain_name, event.request_context.stage) = (None, None);
    (event.raw_path, event.raw_query_string) = (Some(NOWHERE.to_owned()), None);
    let service = service_fn(move |mut request: lambda_http::Request| {
        *request.uri_mut() = uri.clone();
        request.extensions_mut().insert(caller.clone());
        router.clone().call(request)
    });
    Adapter::from(service).call(LambdaEvent::new(LambdaRequest::ApiGatewayV2(event), context)).await
}

/// Returns the caller, as AWS IAM knows it. No header of the request counts.
fn caller(event: &ApiGatewayV2httpRequest) -> Author {
    let authorizer = event.request_context.authorizer.as_ref();
    let arn = authorizer.and_then(|authorizer| authorizer.iam.as_ref()?.user_arn.clone());
    Author(arn.unwrap_or_else(|| UNKNOWN_CALLER.to_owned()))
}

/// Returns the path and the query of a request.
fn uri(event: &ApiGatewayV2httpRequest) -> Uri {
    let path = path(event).map_or_else(|| NOWHERE.to_owned(), |path| encoded(path, b"/-._~"));
    let query = event.raw_query_string.as_deref().unwrap_or_default();
    let query = if query.is_empty() { String::new() } else { format!("?{}", encoded(query, b"/-._~!$&'()*+,;=:@?%")) };
    Uri::try_from(path + &query).unwrap_or_default()
}

/// Returns the path without the stage. `None` if it is not the one that the gateway's route has.
fn path(event: &ApiGatewayV2httpRequest) -> Option<&str> {
    let path = event.raw_path.as_deref()?;
    let stage = event.request_context.stage.as_deref().filter(|stage| *stage != DEFAULT_STAGE);
    let without_stage = stage.and_then(|stage| path.strip_prefix('/')?.strip_prefix(stage));
    let path = without_stage.filter(|path| path.starts_with('/')).unwrap_or(path);
    let fits = event.route_key.as_deref().is_none_or(|route| fits(route, path));
    (fits && !path.contains(['?', '#', '%'])).then_some(path)
}

/// Returns true if a path has the segments of a route such as `GET /user-limits/{limitId}`. The gateway chooses the route
/// before it decodes the path, so that a slash within an id makes a segment more.
fn fits(route: &str, path: &str) -> bool {
    let Some((_, route)) = route.split_once(' ') else { return true };
    let is_parameter = |segment: &str| segment.starts_with('{') && segment.ends_with('}');
    let (mut route, mut path) = (route.split('/'), path.split('/'));
    loop {
        match (route.next(), path.next()) {
            (None, None) => return true,
            (Some(wanted), Some(segment)) if wanted == segment || is_parameter(wanted) => {}
            _ => return false,
        }
    }
}

/// Percent-encodes all bytes but letters, digits and those that are `kept`.
fn encoded(text: &str, kept: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
