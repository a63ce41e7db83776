# The function that applies limit events.

resource "aws_lambda_function" "limits_function" {
  #checkov:skip=CKV_AWS_115: The number of shards and the parallelization factor bound how many run at once. Reserved concurrency would take it from the function that decides.
  #checkov:skip=CKV_AWS_116: It is for asynchronous invocations only. A record that could not be written stays in the stream; one that cannot be applied goes to limit_dead_letter_queue.
  #checkov:skip=CKV_AWS_117: It talks to SQS and DynamoDB only, as loadgate_function does.
  #checkov:skip=CKV_AWS_173: Its variables are names and URLs, no secrets, as those of loadgate_function.
  #checkov:skip=CKV_AWS_50: No tracing, as for loadgate_function.
  #checkov:skip=CKV_AWS_272: No signing, as for loadgate_function.
  count = var.own_limits ? 1 : 0

  function_name    = "${var.name}-limits"
  description      = "Applies limit events to customers' own limits."
  filename         = "${var.package_directory}/limits.zip"
  source_code_hash = filebase64sha256("${var.package_directory}/limits.zip")
  handler          = "bootstrap"
  runtime          = "provided.al2023"
  architectures    = [var.architecture]
  role             = aws_iam_role.limits_function_role[0].arn

  # Ten seconds before it, no further event is begun, and what was not reached is reported: what is under way has time for its
  # write and its dead letter, 5 s each with all repetitions. The 50 s left are for a batch's 100 events. If all are of one user,
  # they go one by one: about 2 s, while requests are quick.
  timeout = 60

  # As for loadgate_function: bought for the share of a processor.
  memory_size = 512

  logging_config {
    log_group             = aws_cloudwatch_log_group.limits_function_log_group[0].name
    log_format            = "JSON"
    application_log_level = var.log_level
  }

  environment {
    variables = {
      LOADGATE_LIMIT_TABLE = aws_dynamodb_table.limit_table.name
      # The two are for a metric: how far reported progress is from what loadgate has accepted.
      LOADGATE_LOAD_TABLE                  = aws_dynamodb_table.load_table.name
      LOADGATE_CORRELATION_TABLE           = aws_dynamodb_table.correlation_table.name
      LOADGATE_LIMIT_DEAD_LETTER_QUEUE_URL = local.limit_dead_letter_queue.url
      LOADGATE_CURRENCY                    = var.currency
    }
  }

  # Its first batch needs the permissions.
  depends_on = [aws_iam_role_policy.limits_function_role]
}

resource "aws_lambda_event_source_mapping" "limits_function_limit_events" {
  count = var.own_limits ? 1 : 0

  function_name    = aws_lambda_function.limits_function[0].arn
  event_source_arn = local.limit_stream_arn

  # From the oldest record that the stream has: a limit that is older than the mapping holds as well. What was applied before
  # changes nothing.
  starting_position = "TRIM_HORIZON"
  batch_size        = 100

  # No waiting for a batch to fill: a limit is to hold at once.
  maximum_batching_window_in_seconds = 0

  # Lambda repeats from the first record that could not be applied, and not from the batch's first. Without this, a failure that
  # the function reports would count as success.
  function_response_types = ["ReportBatchItemFailures"]

  # Without end, in number and in age (-1): a limit that is given up would not be enforced. The stream keeps a week, and alarms go
  # off long before. So there is no destination for what is given up: nothing is, and it would get no records, only their numbers.
  maximum_retry_attempts        = -1
  maximum_record_age_in_seconds = -1

  # Where a record kills the function, Lambda halves the batch until that record stands alone: all before it are applied. This uses
  # up no attempts.
  bisect_batch_on_function_error = true

  # Batches of one shard at once. Lambda puts a partition key into one of them only: order is kept for each user.
  parallelization_factor = var.limit_stream_parallelization
}

resource "aws_cloudwatch_log_group" "limits_function_log_group" {
  #checkov:skip=CKV_AWS_158: The log has no bodies and no amounts, as that of loadgate_function.
  #checkov:skip=CKV_AWS_338: log_retention_days says for how long it is kept.
  count = var.own_limits ? 1 : 0

  name              = "/aws/lambda/${var.name}-limits"
  retention_in_days = var.log_retention_days
}

# The policy of a stream's own key has to name this role.
resource "aws_iam_role" "limits_function_role" {
  count = var.own_limits ? 1 : 0

  name_prefix        = "${var.name}-limits-"
  assume_role_policy = local.assumed_by_lambda
}

resource "aws_iam_role_policy" "limits_function_role" {
  count = var.own_limits ? 1 : 0

  name = "limits"
  role = aws_iam_role.limits_function_role[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      # A transaction needs the permissions of the updates and puts in it.
      {
        Sid      = "ApplyEvents"
        Effect   = "Allow"
        Action   = ["dynamodb:BatchGetItem", "dynamodb:UpdateItem"]
        Resource = aws_dynamodb_table.limit_table.arn
      },
      # The records of changes. Nothing may change or delete them.
      {
        Sid       = "RecordChanges"
        Effect    = "Allow"
        Action    = "dynamodb:PutItem"
        Resource  = aws_dynamodb_table.limit_table.arn
        Condition = { "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = ["limit/*"] } }
      },
      # For a metric: what loadgate has accepted in the window of a limit whose progress is reported. A transaction of gets, and a
      # query for a total of all time.
      {
        Sid      = "ReadUsage"
        Effect   = "Allow"
        Action   = ["dynamodb:GetItem", "dynamodb:Query"]
        Resource = aws_dynamodb_table.load_table.arn
      },
      {
        Sid      = "SendDeadLetters"
        Effect   = "Allow"
        Action   = ["sqs:SendMessage", "sqs:GetQueueAttributes"]
        Resource = local.limit_dead_letter_queue.arn
      },
      # For the event source mapping, which uses the function's role.
      {
        Sid    = "ReadStream"
        Effect = "Allow"
        Action = [
          "kinesis:DescribeStream",
          "kinesis:DescribeStreamSummary",
          "kinesis:GetRecords",
          "kinesis:GetShardIterator",
          "kinesis:ListShards",
        ]
        Resource = local.limit_stream_arn
      },
      {
        Sid      = "WriteLog"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.limits_function_log_group[0].arn}:*"
      },
    ]
  })
}
