# The dashboard: who waits, what is decided, how long it takes, and what DynamoDB makes of it.
resource "aws_cloudwatch_dashboard" "dashboard" {
  dashboard_name = var.name
  dashboard_body = templatefile("${path.module}/dashboard.json.tftpl", {
    region            = data.aws_region.current.name
    input_queue       = aws_sqs_queue.input_queue.name
    decisions_queue   = aws_sqs_queue.decisions_queue.name
    dead_letter_queue = local.dead_letter_queue.name
    loadgate_function = aws_lambda_function.loadgate_function.function_name
    api_function      = aws_lambda_function.api_function.function_name
    http_api          = aws_apigatewayv2_api.http_api.id
    correlation_table = aws_dynamodb_table.correlation_table.name
    load_table        = aws_dynamodb_table.load_table.name
    limit_table       = aws_dynamodb_table.limit_table.name
    # Where customers have no limits of their own, the widgets about them are empty.
    limits_function              = var.own_limits ? local.limits_function_name : "none"
    limit_stream                 = var.own_limits ? local.limit_stream_name : "none"
    limit_dead_letter_queue      = var.own_limits ? local.limit_dead_letter_queue.name : "none"
    assign_function              = var.own_limits ? local.assign_function_name : "none"
    assignment_queue             = var.own_limits ? local.assignment_queue_name : "none"
    assignment_dead_letter_queue = var.own_limits ? local.assignment_dead_letter_queue_name : "none"
  })
}
