# The function that decides.

resource "aws_lambda_function" "loadgate_function" {
  #checkov:skip=CKV_AWS_115: The mapping bounds how many run at once. Reserved concurrency would throttle batches that have been received; throttled until the visibility time-out, they have used a delivery.
  #checkov:skip=CKV_AWS_116: It is for asynchronous invocations only. A message that fails stays in input_queue, which moves it to dead_letter_queue after ten deliveries.
  #checkov:skip=CKV_AWS_117: It talks to SQS and DynamoDB only. A VPC has nothing that it needs, and would cost an endpoint to SQS.
  #checkov:skip=CKV_AWS_173: Its variables are names, URLs and limits, no secrets. Lambda encrypts them with the account's key for it.
  #checkov:skip=CKV_AWS_50: X-Ray's permission is for all resources or none.
  #checkov:skip=CKV_AWS_272: A signing profile is its owner's. IAM says who may change the function.
  function_name    = "${var.name}-decide"
  description      = "Decides load attempts and publishes the decisions."
  filename         = "${var.package_directory}/decide.zip"
  source_code_hash = filebase64sha256("${var.package_directory}/decide.zip")
  handler          = "bootstrap"
  runtime          = "provided.al2023"
  architectures    = [var.architecture]
  role             = aws_iam_role.function_role.arn

  # Ten seconds before it, no further customer is begun: what is under way has time for its commit and its publishing, 5 s each
  # with all repetitions. So 20 s are left for the work of a batch that takes well below one.
  timeout = 30

  # The program takes 11 MB. Memory is bought for the share of a processor that comes with it, 0.29 at 512 MB, so that cold starts
  # (TLS) and a batch's JSON are quick; the rest of the time is spent waiting for DynamoDB and SQS.
  memory_size = 512

  logging_config {
    log_group             = aws_cloudwatch_log_group.function_log_group.name
    log_format            = "JSON"
    application_log_level = var.log_level
  }

  environment {
    variables = {
      LOADGATE_CORRELATION_TABLE = aws_dynamodb_table.correlation_table.name
      LOADGATE_LOAD_TABLE        = aws_dynamodb_table.load_table.name
      LOADGATE_LIMIT_TABLE       = var.own_limits ? aws_dynamodb_table.limit_table.name : ""
      # Also while decision_log_days is 0: a redelivered message writes the entry of its decision again.
      LOADGATE_DECISION_LOG_TABLE    = aws_dynamodb_table.decision_log_table.name
      LOADGATE_DECISION_LOG_DAYS     = tostring(var.decision_log_days)
      LOADGATE_USAGE_RETENTION_DAYS  = tostring(var.usage_retention_days)
      LOADGATE_DECISIONS_QUEUE_URL   = aws_sqs_queue.decisions_queue.url
      LOADGATE_DEAD_LETTER_QUEUE_URL = local.dead_letter_queue.url
      LOADGATE_CORRELATION_TTL_HOURS = tostring(var.correlation_ttl_hours)
      LOADGATE_LIMITS                = var.limits
      LOADGATE_CURRENCY              = var.currency
    }
  }

  # Its first batch needs the permissions.
  depends_on = [aws_iam_role_policy.function_role]
}

resource "aws_lambda_event_source_mapping" "loadgate_function_input" {
  function_name    = aws_lambda_function.loadgate_function.arn
  event_source_arn = aws_sqs_queue.input_queue.arn

  # The most for a FIFO queue, and as many decisions as one request can publish.
  batch_size = 10

  # One customer's trouble is only that customer's: without this, a failed message fails its whole batch.
  function_response_types = ["ReportBatchItemFailures"]

  # On the mapping, not on the function: there, too many batches would be received and throttled. A batch that Lambda throttles
  # until the visibility time-out counts as a delivery.
  scaling_config {
    maximum_concurrency = var.max_concurrency
  }
}

resource "aws_cloudwatch_log_group" "function_log_group" {
  #checkov:skip=CKV_AWS_158: The log has no bodies and no amounts. CloudWatch encrypts it with keys of its own.
  #checkov:skip=CKV_AWS_338: log_retention_days says for how long it is kept.
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
}

# What the function does, and nothing else.
resource "aws_iam_role" "function_role" {
  name_prefix        = "${var.name}-decide-"
  assume_role_policy = local.assumed_by_lambda
}

resource "aws_iam_role_policy" "function_role" {
  name = "loadgate"
  role = aws_iam_role.function_role.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "ReadRecordsAndUsage"
        Effect   = "Allow"
        Action   = "dynamodb:BatchGetItem"
        Resource = [aws_dynamodb_table.correlation_table.arn, aws_dynamodb_table.load_table.arn, aws_dynamodb_table.limit_table.arn]
      },
      # Puts; and at start, the deletion of an entry that no run has.
      {
        Sid      = "LogDecisions"
        Effect   = "Allow"
        Action   = "dynamodb:BatchWriteItem"
        Resource = aws_dynamodb_table.decision_log_table.arn
      },
      # For customers with a long limit: a transaction of gets, and a query for a total of all time.
      {
        Sid      = "ReadAllUsage"
        Effect   = "Allow"
        Action   = ["dynamodb:GetItem", "dynamodb:Query"]
        Resource = aws_dynamodb_table.load_table.arn
      },
      # TransactWriteItems is not a permission: a transaction needs the permissions of the puts, updates and checks in it.
      {
        Sid    = "RecordDecisions"
        Effect = "Allow"
        # The update marks a decision as not yet published, and takes the mark away.
        Action   = ["dynamodb:PutItem", "dynamodb:UpdateItem"]
        Resource = aws_dynamodb_table.correlation_table.arn
      },
      {
        Sid    = "CountUsage"
        Effect = "Allow"
        # Behind a redelivered message, a commit also checks rows that it does not change.
        Action   = ["dynamodb:UpdateItem", "dynamodb:ConditionCheckItem"]
        Resource = aws_dynamodb_table.load_table.arn
      },
      {
        Sid    = "SendDecisionsAndDeadLetters"
        Effect = "Allow"
        # SendMessageBatch needs the same permission as SendMessage. At its start the function asks whether its queues are there.
        Action   = ["sqs:SendMessage", "sqs:GetQueueAttributes"]
        Resource = [aws_sqs_queue.decisions_queue.arn, local.dead_letter_queue.arn]
      },
      # For the event source mapping, which uses the function's role.
      {
        Sid      = "ReceiveInput"
        Effect   = "Allow"
        Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
        Resource = aws_sqs_queue.input_queue.arn
      },
      {
        Sid      = "WriteLog"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.function_log_group.arn}:*"
      },
    ]
  })
}

locals {
  assumed_by_lambda = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}
