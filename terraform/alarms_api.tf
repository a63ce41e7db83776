# Alarms about the HTTP API. Nobody's decisions depend on it.

locals {
  api_alarms = {
    api-errors = {
      description = <<-EOT
        Again and again, the HTTP API answers 5xx. Its access log has the routes; search the function's log for level ERROR,
        and for "not started". Decisions do not depend on it.
      EOT
      namespace   = "AWS/ApiGateway"
      metric_name = "5xx"
      dimensions  = { ApiId = aws_apigatewayv2_api.http_api.id }
      statistic   = "Sum"
      # One answer that failed, which its caller repeats, alarms nobody.
      period              = 300
      evaluation_periods  = 3
      datapoints_to_alarm = 2
      threshold           = 0
      comparison_operator = "GreaterThanThreshold"
    }

    api-latency = {
      description = <<-EOT
        One answer of the HTTP API in ten takes longer than a second, for a quarter of an hour. Compare the two latencies of its
        access log, then look at the function's duration and the health of DynamoDB. Decisions do not depend on it.
      EOT
      namespace   = "AWS/ApiGateway"
      metric_name = "Latency"
      dimensions  = { ApiId = aws_apigatewayv2_api.http_api.id }
      # Not the 99th: where few ask, that is a cold start.
      extended_statistic = "p90"
      period             = 300
      evaluation_periods = 3
      # In milliseconds. An answer takes tens of them; a cold start takes hundreds.
      threshold           = 1000
      comparison_operator = "GreaterThanThreshold"
    }

    api-throttles = {
      description         = <<-EOT
        Lambda refuses to run the function of the HTTP API, whose callers get 5xx: it uses its reserved concurrency, or the
        account's functions use all of theirs. Where none is reserved, decisions are about to be throttled too. Look at
        the account's concurrent executions; set ApiConcurrency, or request a higher quota.
      EOT
      namespace           = "AWS/Lambda"
      metric_name         = "Throttles"
      dimensions          = { FunctionName = aws_lambda_function.api_function.function_name }
      statistic           = "Sum"
      period              = 300
      evaluation_periods  = 3
      datapoints_to_alarm = 2
      threshold           = 0
      comparison_operator = "GreaterThanThreshold"
    }
  }
}
