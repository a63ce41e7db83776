# Alarms about the stream of limit events. While events wait, a limit that a customer has set does not hold.

locals {
  limit_alarms = {
    limit-age = {
      description = <<-EOT
        A limit event has waited on the stream for 15 minutes: the limits of some customers do not hold yet. Search the
        function's log for "not applied"; look at its errors and throttles. Lambda repeats the batch until the event is
        applied, and its shard waits.
      EOT
      # Lambda's own number, of the batches that it hands to the function: on a stream that others read as well, the stream's
      # number is theirs too. There is none while the function is not invoked: limit-stalled has that.
      namespace   = "AWS/Lambda"
      metric_name = "IteratorAge"
      dimensions  = { FunctionName = local.limits_function_name }
      statistic   = "Maximum"
      # A shard that fails is tried again more and more slowly: in each of these periods, and not in each minute.
      period             = 300
      evaluation_periods = 1
      # 15 minutes: what a short disturbance delays has been applied by then.
      threshold           = 900000
      comparison_operator = "GreaterThanOrEqualToThreshold"
    }

    limit-stalled = {
      description = <<-EOT
        Nobody reads the stream of limit events, or events come and the function is not invoked, for 15 minutes. Is the
        function's event source mapping enabled? Was the function's role changed, or the stream's key? New limits do not
        hold, and events that wait for longer than the stream keeps them are lost.
      EOT
      metrics = [
        {
          id = "stalled"
          # Lambda asks for records all the time, also where there are none. Another reader hides that it does not: hence the
          # second condition.
          expression = "IF(FILL(reads, 0) == 0, 1, IF(FILL(incoming, 0) > 0 AND FILL(invoked, 0) == 0, 1, 0))"
          label      = "limit events are not read"
        },
        {
          id          = "reads"
          namespace   = "AWS/Kinesis"
          metric_name = "GetRecords.Success"
          dimensions  = { StreamName = local.limit_stream_name }
          stat        = "SampleCount"
          period      = 300
        },
        {
          id          = "incoming"
          namespace   = "AWS/Kinesis"
          metric_name = "IncomingRecords"
          dimensions  = { StreamName = local.limit_stream_name }
          stat        = "Sum"
          period      = 300
        },
        {
          id          = "invoked"
          namespace   = "AWS/Lambda"
          metric_name = "Invocations"
          dimensions  = { FunctionName = local.limits_function_name }
          stat        = "Sum"
          period      = 300
        },
      ]
      # Three in a row: of the newest, a count may still be missing; and an event at the end of one is applied in the next.
      evaluation_periods  = 3
      threshold           = 0
      comparison_operator = "GreaterThanThreshold"
    }

    limit-expiry = {
      description = <<-EOT
        For six days without a break, limit events have been late by more than 15 minutes, or nobody has read the stream. It
        deletes an event when it is a week old: that customer's limit would never hold. Raise the stream's retention first,
        then find out why events wait.
      EOT
      metrics = [
        {
          id = "waiting"
          # By the hour, because there is no age of what nobody reads: an event has been on the stream for six days only if in each
          # hour of them it was late, or was not read. So the two may also take turns.
          expression = "IF(FILL(reads, 0) == 0, 1, IF(FILL(age, 0) > 900000, 1, 0))"
          label      = "limit events wait"
        },
        {
          id          = "reads"
          namespace   = "AWS/Kinesis"
          metric_name = "GetRecords.Success"
          dimensions  = { StreamName = local.limit_stream_name }
          stat        = "SampleCount"
          period      = 3600
        },
        {
          id          = "age"
          namespace   = "AWS/Lambda"
          metric_name = "IteratorAge"
          dimensions  = { FunctionName = local.limits_function_name }
          stat        = "Maximum"
          period      = 3600
        },
      ]
      # Six of the seven days for which LimitStream keeps an event, in hours. But one: in the hour in which reading ends, there
      # may be reads and no try.
      evaluation_periods  = 144
      datapoints_to_alarm = 143
      threshold           = 0
      comparison_operator = "GreaterThanThreshold"
    }

    limit-dead-letters = {
      description = <<-EOT
        There are limit events in their dead-letter queue: they could not be applied, and a customer's limit may be missing.
        Each letter has a code and a reason. Tell who sent an invalid one; `loadgate limits apply` applies a letter again
        once its cause is mended. Letters are kept for 14 days.
      EOT
      namespace   = "AWS/SQS"
      metric_name = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = local.limit_dead_letter_queue.name }
      statistic   = "Maximum"
      period      = 60
      # Of five: SQS's counts may arrive minutes late, and of the newest minutes alone the alarm would see nothing.
      evaluation_periods  = 5
      datapoints_to_alarm = 1
      threshold           = 0
      comparison_operator = "GreaterThanThreshold"
    }

    limit-letter-expiry = {
      description        = <<-EOT
        Limit events in their dead-letter queue are about to be lost: SQS deletes them a day from now. Save them with
        `loadgate receive --attributes`.
      EOT
      namespace          = "AWS/SQS"
      metric_name        = "ApproximateAgeOfOldestMessage"
      dimensions         = { QueueName = local.limit_dead_letter_queue.name }
      statistic          = "Maximum"
      period             = 300
      evaluation_periods = 1
      # 13 of the 14 days for which LimitDeadLetterQueue keeps letters.
      threshold           = 1123200
      comparison_operator = "GreaterThanOrEqualToThreshold"
    }

    failed-limit-events = {
      description = <<-EOT
        Again and again, limit events could not be applied, and Lambda repeats them; later events of their shard wait. Search the
        log for level ERROR: it names the request that failed. Then look at DynamoDB's throttles, and at the health of
        DynamoDB and SQS.
      EOT
      metrics = [
        {
          id = "alarm"
          # A batch logs no zeros. Without them, CloudWatch would look for older values.
          expression = "FILL(failed, 0)"
          label      = "limit events left for repetition"
        },
        {
          id          = "failed"
          namespace   = "loadgate"
          metric_name = "limits_failed"
          dimensions  = { function = local.limits_function_name }
          stat        = "Sum"
          # A shard that fails is tried again more and more slowly: in each of these periods, and not in each minute.
          period = 300
        },
      ]
      evaluation_periods  = 3
      datapoints_to_alarm = 2
      threshold           = 0
      comparison_operator = "GreaterThanThreshold"
    }

    limits-function-errors = {
      description = <<-EOT
        The function of limit events does not start, is killed at its timeout, or gets events that are not from Kinesis. Its
        shard waits. Search the log for "not started", which names the setting that is wrong, and for Runtime errors. If it
        began with a deployment, roll that back.
      EOT
      namespace   = "AWS/Lambda"
      metric_name = "Errors"
      dimensions  = { FunctionName = local.limits_function_name }
      statistic   = "Sum"
      # A shard that fails is tried again more and more slowly: in each of these periods, and not in each minute.
      period              = 300
      evaluation_periods  = 3
      datapoints_to_alarm = 2
      threshold           = 0
      comparison_operator = "GreaterThanThreshold"
    }

    limits-function-throttles = {
      description = <<-EOT
        Lambda refuses to run the function of limit events: the account's functions use all of its concurrency. It keeps the
        batch and tries it again; nothing is lost, limits hold later. Look at the account's concurrent executions; lower
        MaxConcurrency or request a higher quota.
      EOT
      namespace   = "AWS/Lambda"
      metric_name = "Throttles"
      dimensions  = { FunctionName = local.limits_function_name }
      statistic   = "Sum"
      # A shard that fails is tried again more and more slowly: in each of these periods, and not in each minute.
      period              = 300
      evaluation_periods  = 3
      datapoints_to_alarm = 2
      threshold           = 0
      comparison_operator = "GreaterThanThreshold"
    }

    limits-function-duration = {
      description = <<-EOT
        Batches of limit events take so long that some events are left out of them: 10 seconds before its timeout the
        function begins no further one. Look at apply_ms on the dashboard, then at the health of DynamoDB.
      EOT
      namespace   = "AWS/Lambda"
      metric_name = "Duration"
      dimensions  = { FunctionName = local.limits_function_name }
      statistic   = "Maximum"
      # A shard that fails is tried again more and more slowly: in each of these periods, and not in each minute.
      period              = 300
      evaluation_periods  = 3
      datapoints_to_alarm = 2
      # The function's timeout less its reserve, in milliseconds.
      threshold           = 50000
      comparison_operator = "GreaterThanOrEqualToThreshold"
    }

    limit-throttles = {
      description = <<-EOT
        Again and again, DynamoDB refuses to write customers' limits; Lambda repeats the batch, and its shard waits. A table on
        demand does so when traffic more than doubles within half an hour, or when one user alone gets over 1,000 write
        units a second. Look at the table's throttles by key and at its quota; lower LimitStreamParallelization to let it
        catch up.
      EOT
      namespace   = "AWS/DynamoDB"
      metric_name = "WriteThrottleEvents"
      dimensions  = { TableName = aws_dynamodb_table.limit_table.name }
      statistic   = "Sum"
      # A shard that fails is tried again more and more slowly: in each of these periods, and not in each minute.
      period              = 300
      evaluation_periods  = 3
      datapoints_to_alarm = 2
      threshold           = 0
      comparison_operator = "GreaterThanThreshold"
    }
  }
}
