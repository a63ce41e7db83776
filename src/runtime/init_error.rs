//! Reports to AWS Lambda why a function could not start, so that its caller receives the reason too.

use http::Request;
use lambda_runtime::Diagnostic;
use lambda_runtime_api_client::body::Body;
use lambda_runtime_api_client::{BoxError, Client};

/// Path of the initialization error (the AWS Lambda developer guide, "Using the Lambda runtime API").
const PATH: &str = "/2018-06-01/runtime/init/error";

/// Tells it. Where that fails too, the log has it.
pub async fn report(message: &str) {
    if let Err(error) = post(message).await {
        tracing::warn!(error = error.to_string(), "the runtime could not be told");
    }
}

async fn post(message: &str) -> Result<(), BoxError> {
    let diagnostic = Diagnostic { error_type: "Runtime.InitError".to_owned(), error_message: message.to_owned() };
    let request = Request::post(PATH)
        .header("Lambda-Runtime-Function-Error-Type", "Runtime.InitError")
        .body(Body::from(serde_json::to_vec(&diagnostic)?))?;
    Client::builder().build()?.call(request).await.map(drop)
}
