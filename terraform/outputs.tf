# What is null is off: customers have no limits of their own.

output "function_name" {
  description = "The function that decides."
  value       = aws_lambda_function.loadgate_function.function_name
}

output "limits_function_name" {
  description = "The function that applies limit events."
  value       = local.limits_function_name
}

output "limits_function_role_arn" {
  description = "The role that reads the stream of limit events. The policy of a stream's own key has to name it."
  value       = one(aws_iam_role.limits_function_role[*].arn)
}

output "assign_function_name" {
  description = "The function of assignment jobs."
  value       = local.assign_function_name
}

output "api_function_name" {
  description = "The function of the HTTP API."
  value       = aws_lambda_function.api_function.function_name
}

output "api_url" {
  description = "Where limits, usage and decisions are read, by signed requests."
  value       = aws_apigatewayv2_api.http_api.api_endpoint
}

output "input_queue_url" {
  description = "Where load attempts go, with their customer_id as MessageGroupId."
  value       = aws_sqs_queue.input_queue.url
}

output "decisions_queue_url" {
  description = "Where decisions come out."
  value       = aws_sqs_queue.decisions_queue.url
}

output "dead_letter_queue_url" {
  description = "Where what could not be decided is kept."
  value       = local.dead_letter_queue.url
}

output "limit_stream_name" {
  description = "Where limit events go, with their userId as partition key."
  value       = var.own_limits ? local.limit_stream_name : null
}

output "limit_dead_letter_queue_url" {
  description = "Where limit events that cannot be applied are kept."
  value       = local.limit_dead_letter_queue.url
}

output "assignment_queue_url" {
  description = "Where the steps of assignment jobs go. Whoever starts a job sends the first."
  value       = one(aws_sqs_queue.assignment_queue[*].url)
}

output "assignment_dead_letter_queue_url" {
  description = "Where steps are kept that have failed five times."
  value       = one(aws_sqs_queue.assignment_dead_letter_queue[*].url)
}

output "correlation_table_name" {
  description = "The table of decisions by event."
  value       = aws_dynamodb_table.correlation_table.name
}

output "load_table_name" {
  description = "The table of usage by customer and week."
  value       = aws_dynamodb_table.load_table.name
}

output "limit_table_name" {
  description = "The table of customers' own limits."
  value       = aws_dynamodb_table.limit_table.name
}

output "decision_log_table_name" {
  description = "The table of the decision log."
  value       = aws_dynamodb_table.decision_log_table.name
}
