# The HTTP API. Each route says who may call it: AWS_IAM on every one. A caller signs its requests, and its policy names the routes
# (docs/DEPLOYMENT.md).

resource "aws_apigatewayv2_api" "http_api" {
  name          = var.name
  description   = "Limits, usage and decisions of customers, to read; plans and programmes, to read and to change."
  protocol_type = "HTTP"

  # API Gateway answers a page's preflight request by itself, unsigned, as browsers send it.
  dynamic "cors_configuration" {
    for_each = var.api_allowed_origins == "" ? [] : [split(",", var.api_allowed_origins)]

    content {
      allow_origins = cors_configuration.value
      allow_methods = ["DELETE", "GET", "PATCH", "POST", "PUT"]
      # What a signed request has, and the preconditions and keys of changes.
      allow_headers = [
        "authorization",
        "content-type",
        "idempotency-key",
        "if-match",
        "if-none-match",
        "x-amz-content-sha256",
        "x-amz-date",
        "x-amz-security-token",
      ]
      expose_headers = ["apigw-requestid", "etag", "location", "x-request-id"]
      max_age        = 3600
    }
  }
}

resource "aws_apigatewayv2_integration" "http_api_integration" {
  api_id           = aws_apigatewayv2_api.http_api.id
  integration_type = "AWS_PROXY"
  # API Gateway's own setting for functions. Without it, each plan would take it away.
  integration_method     = "POST"
  integration_uri        = aws_lambda_function.api_function.arn
  payload_format_version = "2.0"
  # Longer than the function's own timeout and its start: a caller gets the function's answer where there is one.
  timeout_milliseconds = 15000
}

resource "aws_apigatewayv2_route" "route" {
  for_each = local.routes

  api_id             = aws_apigatewayv2_api.http_api.id
  route_key          = each.value
  authorization_type = "AWS_IAM"
  target             = "integrations/${aws_apigatewayv2_integration.http_api_integration.id}"
}

locals {
  routes = {
    get-user-limit          = "GET /user-limits/{limitId}"
    get-user-limits-of-user = "GET /user-limits/user/{userId}"
    get-usage               = "GET /customers/{customerId}/usage"
    get-decisions           = "GET /customers/{customerId}/decisions"
    get-run-decisions       = "GET /runs/{runId}/decisions"
    # A POST, because its question is a body. It writes nothing.
    check = "POST /customers/{customerId}/check"
    # Changes have the methods PUT, PATCH and DELETE, and POST on routes where nothing is read, so that a policy can allow to read
    # alone.
    create-user-limit   = "POST /user-limits"
    set-user-limit      = "PATCH /user-limits/{limitId}"
    remove-user-limit   = "DELETE /user-limits/{limitId}"
    withdraw-pending    = "DELETE /user-limits/{limitId}/pending"
    confirm-pending     = "POST /user-limits/{limitId}/pending/confirm"
    get-changes         = "GET /user-limits/{limitId}/changes"
    list-plans          = "GET /limit-plans"
    get-plan            = "GET /limit-plans/{planId}"
    get-plan-version    = "GET /limit-plans/{planId}/versions/{version}"
    put-plan            = "PUT /limit-plans/{planId}"
    get-link            = "GET /customers/{customerId}/plan"
    put-link            = "PUT /customers/{customerId}/plan"
    delete-link         = "DELETE /customers/{customerId}/plan"
    get-default-plan    = "GET /programs/{programId}/default-plan"
    put-default-plan    = "PUT /programs/{programId}/default-plan"
    enroll              = "PUT /programs/{programId}/customers/{customerId}"
    remove-from-program = "DELETE /programs/{programId}/customers/{customerId}"
    start-job           = "POST /programs/{programId}/plan-assignments"
    list-jobs           = "GET /jobs"
    get-job             = "GET /jobs/{jobId}"
    list-job-failures   = "GET /jobs/{jobId}/failures"
    cancel-job          = "POST /jobs/{jobId}/cancel"
    get-open-api        = "GET /openapi.json"
  }
}

resource "aws_apigatewayv2_stage" "http_api_stage" {
  api_id = aws_apigatewayv2_api.http_api.id
  # So that paths begin at the root.
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    # For all callers together; beyond, they get 429. The functions that run at once are at most the burst, and what a request's
    # time makes of the rate: two more at 20 ms. Reading takes this much of the account's concurrency from decisions, and no more,
    # while DynamoDB answers. api_concurrency is the bound that always holds.
    throttling_rate_limit  = 100
    throttling_burst_limit = 50
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.http_api_log_group.arn
    # The route, and not the path: a path has the ids of customers and limits.
    format = join(" ", [
      "{\"time\":\"$context.requestTime\",\"requestId\":\"$context.requestId\",\"route\":\"$context.routeKey\",",
      "\"status\":\"$context.status\",\"latencyMs\":\"$context.responseLatency\",",
      "\"integrationLatencyMs\":\"$context.integrationLatency\",\"error\":\"$context.error.responseType\"}",
    ])
  }
}

resource "aws_cloudwatch_log_group" "http_api_log_group" {
  #checkov:skip=CKV_AWS_158: The log has no ids, no bodies and no amounts. CloudWatch encrypts it with keys of its own.
  #checkov:skip=CKV_AWS_338: log_retention_days says for how long it is kept.
  # By this prefix, the permission to write here needs no entry in the account's policy of logs, whose size is bounded.
  name              = "/aws/vendedlogs/apis/${var.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_lambda_permission" "api_permission" {
  function_name = aws_lambda_function.api_function.function_name
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  # This API only, on all its routes: who may call a route, AWS_IAM has decided by then.
  source_arn = "${aws_apigatewayv2_api.http_api.execution_arn}/*"
}
