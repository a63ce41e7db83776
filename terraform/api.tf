# The function of the HTTP API. One of its own: what people read has no part in how fast decisions are made.

resource "aws_lambda_function" "api_function" {
  #checkov:skip=CKV_AWS_115: api_concurrency reserves concurrency. By default it does not: a new account has too little to reserve any. The stage's throttling bounds how many run at once.
  #checkov:skip=CKV_AWS_116: It is for asynchronous invocations only. API Gateway waits for the answer.
  #checkov:skip=CKV_AWS_117: It talks to DynamoDB only, as loadgate_function does.
  #checkov:skip=CKV_AWS_173: Its variables are names and limits, no secrets, as those of loadgate_function.
  #checkov:skip=CKV_AWS_50: No tracing, as for loadgate_function.
  #checkov:skip=CKV_AWS_272: No signing, as for loadgate_function.
  function_name    = "${var.name}-api"
  description      = "Answers questions about limits, usage and decisions over HTTP, and changes plans and programmes."
  filename         = "${var.package_directory}/api.zip"
  source_code_hash = filebase64sha256("${var.package_directory}/api.zip")
  handler          = "bootstrap"
  runtime          = "provided.al2023"
  architectures    = [var.architecture]
  role             = aws_iam_role.api_function_role.arn

  # An answer takes milliseconds. The program itself gives up after 8 s, and still answers.
  timeout = 10

  # As for loadgate_function: bought for the share of a processor.
  memory_size = 512

  # It bounds how many run at once, and so what the API can take of the account's concurrency. -1 reserves none.
  reserved_concurrent_executions = var.api_concurrency == 0 ? -1 : var.api_concurrency

  logging_config {
    log_group             = aws_cloudwatch_log_group.api_function_log_group.name
    log_format            = "JSON"
    application_log_level = var.log_level
  }

  environment {
    variables = {
      LOADGATE_CORRELATION_TABLE           = aws_dynamodb_table.correlation_table.name
      LOADGATE_LOAD_TABLE                  = aws_dynamodb_table.load_table.name
      LOADGATE_LIMIT_TABLE                 = var.own_limits ? aws_dynamodb_table.limit_table.name : ""
      LOADGATE_DECISION_LOG_TABLE          = aws_dynamodb_table.decision_log_table.name
      LOADGATE_ASSIGNMENT_QUEUE_URL        = var.own_limits ? aws_sqs_queue.assignment_queue[0].url : ""
      LOADGATE_LIMITS                      = var.limits
      LOADGATE_CURRENCY                    = var.currency
      LOADGATE_INCREASE_DELAY_HOURS        = tostring(var.increase_delay_hours)
      LOADGATE_INCREASE_NEEDS_CONFIRMATION = tostring(var.increase_needs_confirmation)
    }
  }

  # Its first request needs the permissions.
  depends_on = [aws_iam_role_policy.api_function_role]
}

resource "aws_cloudwatch_log_group" "api_function_log_group" {
  #checkov:skip=CKV_AWS_158: The log has no bodies and no amounts, as that of loadgate_function.
  #checkov:skip=CKV_AWS_338: log_retention_days says for how long it is kept.
  name              = "/aws/lambda/${var.name}-api"
  retention_in_days = var.log_retention_days
}

# Of what decisions rely on, it changes plans, links and programmes, and nothing else. API Gateway checks first whether the caller
# may change anything.
resource "aws_iam_role" "api_function_role" {
  name_prefix        = "${var.name}-api-"
  assume_role_policy = local.assumed_by_lambda
}

resource "aws_iam_role_policy" "api_function_role" {
  name = "api"
  role = aws_iam_role.api_function_role.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        # What a decision reads, for a check; and all decisions of a customer.
        {
          Sid      = "ReadDecisions"
          Effect   = "Allow"
          Action   = ["dynamodb:BatchGetItem", "dynamodb:Query"]
          Resource = aws_dynamodb_table.correlation_table.arn
        },
        # For long limits: a transaction of gets, and a query for a total of all time.
        {
          Sid      = "ReadUsage"
          Effect   = "Allow"
          Action   = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"]
          Resource = aws_dynamodb_table.load_table.arn
        },
        # All decisions of a run.
        {
          Sid      = "ReadDecisionLog"
          Effect   = "Allow"
          Action   = "dynamodb:Query"
          Resource = aws_dynamodb_table.decision_log_table.arn
        },
        {
          Sid    = "ReadLimits"
          Effect = "Allow"
          # The queries list plans, jobs with their results, and changes of limits.
          Action   = ["dynamodb:BatchGetItem", "dynamodb:Query"]
          Resource = aws_dynamodb_table.limit_table.arn
        },
        # A transaction needs the permissions of the puts, updates and deletes in it.
        {
          Sid      = "PutNewItems"
          Effect   = "Allow"
          Action   = "dynamodb:PutItem"
          Resource = aws_dynamodb_table.limit_table.arn
          Condition = {
            # Answers, jobs, records of changes, plan versions, and entries of rosters. None is changed by a put.
            "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = ["answer/*", "jobs", "limit/*", "plan/*", "roster/*"] }
          }
        },
        {
          Sid      = "ChangeItems"
          Effect   = "Allow"
          Action   = "dynamodb:UpdateItem"
          Resource = aws_dynamodb_table.limit_table.arn
          Condition = {
            "ForAllValues:StringLike" = {
              # `jobs`: jobs are cancelled here. Their pages and results are those of assign_function.
              "dynamodb:LeadingKeys" = ["counter", "customer/*", "jobs", "limit/*", "plans", "program/*"]
            }
          }
        },
        # No plan version is ever deleted: only entries of rosters are.
        {
          Sid       = "LeavePrograms"
          Effect    = "Allow"
          Action    = "dynamodb:DeleteItem"
          Resource  = aws_dynamodb_table.limit_table.arn
          Condition = { "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = ["roster/*"] } }
        },
        {
          Sid      = "WriteLog"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = "${aws_cloudwatch_log_group.api_function_log_group.arn}:*"
        },
      ],
      # The first step of a job.
      var.own_limits ? [{
        Sid      = "StartJobs"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = aws_sqs_queue.assignment_queue[0].arn
      }] : [],
    )
  })
}
