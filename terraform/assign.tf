# The function of assignment jobs. One of its own: its concurrency is bounded apart, so that decisions keep their capacity.

resource "aws_lambda_function" "assign_function" {
  #checkov:skip=CKV_AWS_115: The mapping bounds how many run at once, as for loadgate_function.
  #checkov:skip=CKV_AWS_116: It is for asynchronous invocations only. A step that fails stays in assignment_queue, which moves it to assignment_dead_letter_queue after five deliveries.
  #checkov:skip=CKV_AWS_117: It talks to SQS and DynamoDB only, as loadgate_function does.
  #checkov:skip=CKV_AWS_173: Its variables are names and URLs, no secrets, as those of loadgate_function.
  #checkov:skip=CKV_AWS_50: No tracing, as for loadgate_function.
  #checkov:skip=CKV_AWS_272: No signing, as for loadgate_function.
  count = var.own_limits ? 1 : 0

  function_name    = "${var.name}-assign"
  description      = "Links the customers of a programme to a plan version, in steps of assignment jobs."
  filename         = "${var.package_directory}/assign.zip"
  source_code_hash = filebase64sha256("${var.package_directory}/assign.zip")
  handler          = "bootstrap"
  runtime          = "provided.al2023"
  architectures    = [var.architecture]
  role             = aws_iam_role.assign_function_role[0].arn

  # Ten seconds before it, no link is waited for any longer: the rest is for the result. A chunk takes well below a second; while
  # DynamoDB throttles all of its customers, half a minute.
  timeout = 60

  # As for loadgate_function: bought for the share of a processor.
  memory_size = 512

  logging_config {
    log_group             = aws_cloudwatch_log_group.assign_function_log_group[0].name
    log_format            = "JSON"
    application_log_level = var.log_level
  }

  environment {
    variables = {
      LOADGATE_LIMIT_TABLE          = aws_dynamodb_table.limit_table.name
      LOADGATE_ASSIGNMENT_QUEUE_URL = aws_sqs_queue.assignment_queue[0].url
    }
  }

  # Its first step needs the permissions.
  depends_on = [aws_iam_role_policy.assign_function_role]
}

resource "aws_lambda_event_source_mapping" "assign_function_steps" {
  count = var.own_limits ? 1 : 0

  function_name    = aws_lambda_function.assign_function[0].arn
  event_source_arn = aws_sqs_queue.assignment_queue[0].arn

  # One: steps of a batch would go one after another, and a slow one would use up a delivery of those behind it.
  batch_size = 1

  # Without this, a failure that the function reports would count as success.
  function_response_types = ["ReportBatchItemFailures"]

  # On the mapping, not on the function, as for loadgate_function.
  scaling_config {
    maximum_concurrency = var.assign_concurrency
  }
}

resource "aws_cloudwatch_log_group" "assign_function_log_group" {
  #checkov:skip=CKV_AWS_158: The log has no bodies and no amounts, as that of loadgate_function.
  #checkov:skip=CKV_AWS_338: log_retention_days says for how long it is kept.
  count = var.own_limits ? 1 : 0

  name              = "/aws/lambda/${var.name}-assign"
  retention_in_days = var.log_retention_days
}

# Of a customer's item, it may change the link only: own limits and usage are out of its reach.
resource "aws_iam_role" "assign_function_role" {
  count = var.own_limits ? 1 : 0

  name_prefix        = "${var.name}-assign-"
  assume_role_policy = local.assumed_by_lambda
}

resource "aws_iam_role_policy" "assign_function_role" {
  count = var.own_limits ? 1 : 0

  name = "assign"
  role = aws_iam_role.assign_function_role[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      # Jobs, their pages and results; rosters; and the links of customers, for dry runs and cancelled jobs.
      {
        Sid      = "ReadJobsAndRosters"
        Effect   = "Allow"
        Action   = ["dynamodb:BatchGetItem", "dynamodb:Query"]
        Resource = aws_dynamodb_table.limit_table.arn
      },
      {
        Sid      = "LinkCustomers"
        Effect   = "Allow"
        Action   = "dynamodb:UpdateItem"
        Resource = aws_dynamodb_table.limit_table.arn
        Condition = {
          "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = ["customer/*"] }
          "ForAllValues:StringEquals" = {
            # The last one is only compared; the key counts as well.
            "dynamodb:Attributes" = ["PK", "SK", "PLAN", "LINK_NUMBER", "LINKED_FROM", "LINKED_AT", "LINKED_BY", "PROGRAM_ID"]
          }
        }
      },
      {
        Sid       = "StorePagesAndResults"
        Effect    = "Allow"
        Action    = "dynamodb:PutItem"
        Resource  = aws_dynamodb_table.limit_table.arn
        Condition = { "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = ["job/*"] } }
      },
      {
        Sid       = "ChangeJobs"
        Effect    = "Allow"
        Action    = "dynamodb:UpdateItem"
        Resource  = aws_dynamodb_table.limit_table.arn
        Condition = { "ForAllValues:StringEquals" = { "dynamodb:LeadingKeys" = ["jobs"] } }
      },
      # The mapping receives and deletes with the function's role; the function sends the next steps.
      {
        Sid      = "SendAndReceiveSteps"
        Effect   = "Allow"
        Action   = ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
        Resource = aws_sqs_queue.assignment_queue[0].arn
      },
      {
        Sid      = "WriteLog"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.assign_function_log_group[0].arn}:*"
      },
    ]
  })
}
