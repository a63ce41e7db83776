//! Report of an initialisation error to AWS Lambda, which passes it on to the invoker.

use http::Request;
use lambda_runtime::Diagnostic;
use lambda_runtime_api_client::body::Body;
use lambda_runtime_api_client::{BoxError, Client};

/// Path of the report (the AWS Lambda developer guide, "Using the Lambda runtime API", initialization error).
const PATH: &str = "/2018-06-01/runtime/init/error";

/// Reports an initialisation error. If the report fails, the error is in the log only.
pub async fn report(message: &str) {
    if let Err(error) = post(message).await {
        tracing::warn!(error = error.to_string(), "the failed start could not be reported to AWS Lambda");
    }
}

async fn post(message: &str) -> Result<(), BoxError> {
    let diagnostic = Diagnostic { error_type: "Runtime.InitError".to_owned(), error_message: message.to_owned() };
    let request = Request::post(PATH)
        .header("Lambda-Runtime-Function-Error-Type", "Runtime.InitError")
        .body(Body::from(serde_json::to_vec(&diagnostic)?))?;
    Client::builder().build()?.call(request).await.map(drop)
}
