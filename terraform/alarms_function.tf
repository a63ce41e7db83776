# Alarms about the function that decides, and what DynamoDB refuses it. What mends itself by redelivery must last before it pages.

locals {
  function_alarms = {
    failed-messages = {
      description = <<-EOT
        Again and again, messages could not be settled and were left for redelivery; their customers wait. Search the
        log for level ERROR: it names the request that failed. Then look at DynamoDB's throttles, and at the health of
        DynamoDB and SQS.
      EOT
      metrics = [
        {
          id = "alarm"
          # A batch logs no zeros. Without them, CloudWatch would look for older values.
          expression = "FILL(failed, 0)"
          label      = "messages left for redelivery"
        },
        {
          id          = "failed"
          namespace   = "loadgate"
          metric_name = "failed"
          dimensions  = { function = aws_lambda_function.loadgate_function.function_name }
          stat        = "Sum"
          # A stuck customer is tried once in a visibility time-out: in each of these periods, and not in each minute. What redelivery
          # has mended by then alarms nobody.
          period = 300
        },
      ]
      evaluation_periods  = 3
      datapoints_to_alarm = 2
      threshold           = 0
      comparison_operator = "GreaterThanThreshold"
    }

    publish-failures = {
      description = <<-EOT
        Again and again, decisions were stored but could not be published; they will be, when their messages come again.
        Search the log for SendMessageBatch: it says why. Look at the decisions queue's policy, and at the health of SQS.
      EOT
      metrics = [
        {
          id = "alarm"
          # A batch logs no zeros. Without them, CloudWatch would look for older values.
          expression = "FILL(unpublished, 0)"
          label      = "decisions that the queue did not take"
        },
        {
          id          = "unpublished"
          namespace   = "loadgate"
          metric_name = "publish_failures"
          dimensions  = { function = aws_lambda_function.loadgate_function.function_name }
          stat        = "Sum"
          # A stuck customer is tried once in a visibility time-out: in each of these periods, and not in each minute. What redelivery
          # has mended by then alarms nobody.
          period = 300
        },
      ]
      evaluation_periods  = 3
      datapoints_to_alarm = 2
      threshold           = 0
      comparison_operator = "GreaterThanThreshold"
    }

    function-errors = {
      description = <<-EOT
        Whole batches fail: the function does not start, is killed at its timeout, or gets events that are not from SQS.
        Search the log for "not started", which names the setting that is wrong, and for Runtime errors. If it began with
        a deployment, roll that back.
      EOT
      namespace   = "AWS/Lambda"
      metric_name = "Errors"
      dimensions  = { FunctionName = aws_lambda_function.loadgate_function.function_name }
      statistic   = "Sum"
      # A stuck customer is tried once in a visibility time-out: in each of these periods, and not in each minute. What redelivery
      # has mended by then alarms nobody.
      period              = 300
      evaluation_periods  = 3
      datapoints_to_alarm = 2
      threshold           = 0
      comparison_operator = "GreaterThanThreshold"
    }

    function-throttles = {
      description = <<-EOT
        Lambda refuses to run the function: the account's functions use all of its concurrency. Lambda keeps a refused batch
        and tries it again until the visibility time-out ends, 180 s; only then its messages have used one of ten
        deliveries. Look at the account's concurrent executions; lower MaxConcurrency or request a higher quota.
      EOT
      namespace   = "AWS/Lambda"
      metric_name = "Throttles"
      dimensions  = { FunctionName = aws_lambda_function.loadgate_function.function_name }
      statistic   = "Sum"
      # A stuck customer is tried once in a visibility time-out: in each of these periods, and not in each minute. What redelivery
      # has mended by then alarms nobody.
      period              = 300
      evaluation_periods  = 3
      datapoints_to_alarm = 2
      threshold           = 0
      comparison_operator = "GreaterThanThreshold"
    }

    function-duration = {
      description = <<-EOT
        Batches take so long that customers are left out of them: 10 seconds before its timeout the function begins no
        further one. Look at read_ms, commit_ms and publish_ms on the dashboard for what is slow, then at the health of
        DynamoDB or SQS.
      EOT
      namespace   = "AWS/Lambda"
      metric_name = "Duration"
      dimensions  = { FunctionName = aws_lambda_function.loadgate_function.function_name }
      statistic   = "Maximum"
      # A stuck customer is tried once in a visibility time-out: in each of these periods, and not in each minute. What redelivery
      # has mended by then alarms nobody.
      period              = 300
      evaluation_periods  = 3
      datapoints_to_alarm = 2
      # The function's timeout less its reserve, in milliseconds.
      threshold           = 20000
      comparison_operator = "GreaterThanOrEqualToThreshold"
    }

    record-throttles = {
      description = <<-EOT
        Again and again, DynamoDB refuses to write records of decisions; what meets that is left for redelivery. A table on demand
        does so when traffic more than doubles within half an hour, one with provisioned capacity until auto scaling has followed
        a rise, and both when one customer alone gets over 1,000 write units a second.
        Look at the table's throttles by key and at its quota; lower MaxConcurrency to let it catch up.
      EOT
      namespace   = "AWS/DynamoDB"
      metric_name = "WriteThrottleEvents"
      dimensions  = { TableName = aws_dynamodb_table.correlation_table.name }
      statistic   = "Sum"
      # A stuck customer is tried once in a visibility time-out: in each of these periods, and not in each minute. What redelivery
      # has mended by then alarms nobody.
      period              = 300
      evaluation_periods  = 3
      datapoints_to_alarm = 2
      threshold           = 0
      comparison_operator = "GreaterThanThreshold"
    }

    usage-throttles = {
      description = <<-EOT
        Again and again, DynamoDB refuses to write usage; what meets that is left for redelivery. A table on demand
        does so when traffic more than doubles within half an hour, one with provisioned capacity until auto scaling has followed
        a rise, and both when one customer alone gets over 1,000 write units a second.
        Look at the table's throttles by key and at its quota; lower MaxConcurrency to let it catch up.
      EOT
      namespace   = "AWS/DynamoDB"
      metric_name = "WriteThrottleEvents"
      dimensions  = { TableName = aws_dynamodb_table.load_table.name }
      statistic   = "Sum"
      # A stuck customer is tried once in a visibility time-out: in each of these periods, and not in each minute. What redelivery
      # has mended by then alarms nobody.
      period              = 300
      evaluation_periods  = 3
      datapoints_to_alarm = 2
      threshold           = 0
      comparison_operator = "GreaterThanThreshold"
    }
  }

  log_alarms = {
    log-throttles = {
      description = <<-EOT
        Again and again, DynamoDB refuses to write entries of the decision log; their messages are left for redelivery. Their
        decisions are stored and published. A table on demand does so when traffic more than doubles within half an hour, or when
        one run alone, such as a replay, gets over 1,000 write units a second.
        Look at the table's throttles by key and at its quota; lower MaxConcurrency to let it catch up.
      EOT
      namespace   = "AWS/DynamoDB"
      metric_name = "WriteThrottleEvents"
      dimensions  = { TableName = aws_dynamodb_table.decision_log_table.name }
      statistic   = "Sum"
      # A stuck customer is tried once in a visibility time-out: in each of these periods, and not in each minute. What redelivery
      # has mended by then alarms nobody.
      period              = 300
      evaluation_periods  = 3
      datapoints_to_alarm = 2
      threshold           = 0
      comparison_operator = "GreaterThanThreshold"
    }
  }
}
