# Alarms. Those that page are about customers who wait or decisions that are missing; what mends itself by
# redelivery must last before it pages. Each says what it means, and where to look first.

locals {
  decision_alarms = {
    input-age = {
      description = <<-EOT
        A load attempt has waited for more than 15 minutes before it was first received a few times: too much is sent, or
        too little is decided. Look at the function's errors and throttles, and whether its event source mapping is enabled.
        Attempts that were received in vain are not in this number: unsettled-age has them.
      EOT
      namespace   = "AWS/SQS"
      metric_name = "ApproximateAgeOfOldestMessage"
      dimensions  = { QueueName = aws_sqs_queue.input_queue.name }
      statistic   = "Maximum"
      period      = 60
      # Of five: SQS's counts may arrive minutes late, and of the newest minutes alone the alarm would see nothing.
      evaluation_periods  = 5
      datapoints_to_alarm = 3
      # Five deliveries: what a short disturbance delays has been decided by then.
      threshold           = 900
      comparison_operator = "GreaterThanThreshold"
    }

    unsettled-age = {
      description = <<-EOT
        A load attempt that was sent 15 minutes ago has been received and could not be settled: its customer gets no
        decisions. Search the log for "left for redelivery". After ten deliveries, half an hour, it goes to the dead-letter
        queue.
      EOT
      metrics = [
        {
          id = "alarm"
          # A batch logs no zeros. Without them, CloudWatch would look for older values.
          expression = "FILL(unsettled, 0)"
          label      = "age of the oldest load attempt left for redelivery"
        },
        {
          id          = "unsettled"
          namespace   = "loadgate"
          metric_name = "oldest_unsettled_s"
          dimensions  = { function = aws_lambda_function.loadgate_function.function_name }
          stat        = "Maximum"
          # Longer than a visibility time-out and a batch: a stuck customer's message is received in each.
          period = 300
        },
      ]
      evaluation_periods = 1
      # Five deliveries: what a short disturbance delays has been decided by then.
      threshold           = 900
      comparison_operator = "GreaterThanOrEqualToThreshold"
    }

    input-stalled = {
      description = <<-EOT
        Load attempts wait, and nobody has received any for 15 minutes. Is the function's event source mapping enabled? Was
        the queue's policy or the function's role changed? Attempts that wait for longer than InputRetentionSeconds are lost.
      EOT
      metrics = [
        {
          id = "stalled"
          # Also for attempts that SQS leaves out of the age of the oldest one, because they were received in vain.
          # A count that has not arrived yet stays missing: filled in, it would look like an empty queue.
          expression = "IF(waiting > 0 AND FILL(received, 0) == 0, 1, 0)"
          label      = "attempts wait and are not received"
        },
        {
          id          = "waiting"
          namespace   = "AWS/SQS"
          metric_name = "ApproximateNumberOfMessagesVisible"
          dimensions  = { QueueName = aws_sqs_queue.input_queue.name }
          stat        = "Minimum"
          period      = 300
        },
        {
          id          = "received"
          namespace   = "AWS/SQS"
          metric_name = "NumberOfMessagesReceived"
          dimensions  = { QueueName = aws_sqs_queue.input_queue.name }
          stat        = "Sum"
          period      = 300
        },
      ]
      evaluation_periods  = 3
      threshold           = 0
      comparison_operator = "GreaterThanThreshold"
    }

    input-expiry = {
      description         = <<-EOT
        Load attempts are about to be lost: in a day, or in 7 to 12 hours where the input queue keeps them for a day or less.
        SQS then deletes them undecided, and does not move them to the dead-letter queue. Raise the retention
        first, then find out why they wait.
      EOT
      namespace           = "AWS/SQS"
      metric_name         = "ApproximateAgeOfOldestMessage"
      dimensions          = { QueueName = aws_sqs_queue.input_queue.name }
      statistic           = "Maximum"
      period              = 300
      evaluation_periods  = 1
      threshold           = local.near_loss_seconds[var.input_retention_seconds]
      comparison_operator = "GreaterThanOrEqualToThreshold"
    }

    input-depth = {
      description = <<-EOT
        60,000 load attempts wait. SQS looks for customers among the first 120,000 messages only: beyond, one customer who
        sends too much holds up all others. If few customers wait, stop that sender; if all do, raise MaxConcurrency.
      EOT
      namespace   = "AWS/SQS"
      metric_name = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = aws_sqs_queue.input_queue.name }
      statistic   = "Maximum"
      period      = 60
      # Of five: SQS's counts may arrive minutes late, and of the newest minutes alone the alarm would see nothing.
      evaluation_periods  = 5
      datapoints_to_alarm = 1
      threshold           = 60000
      comparison_operator = "GreaterThanThreshold"
    }

    dead-letters = {
      description = <<-EOT
        There are load attempts in the dead-letter queue: they are not decided until somebody acts. `loadgate redrive` lists
        them by cause. Invalid input has a code: tell who sent it. Of others, ten deliveries have failed: search the log
        for a message id, mend the cause, and say `loadgate redrive --go`. Letters are kept for 14 days, and what is
        known of those that were decided but not published for 30. docs/runbook.md has the steps for every alarm.
      EOT
      namespace   = "AWS/SQS"
      metric_name = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = local.dead_letter_queue.name }
      statistic   = "Maximum"
      period      = 60
      # Of five: SQS's counts may arrive minutes late, and of the newest minutes alone the alarm would see nothing.
      evaluation_periods  = 5
      datapoints_to_alarm = 1
      threshold           = 0
      comparison_operator = "GreaterThanThreshold"
    }

    undecided-letters = {
      description = <<-EOT
        SQS has just moved load attempts to the dead-letter queue, after ten deliveries in vain. They are not decided until
        somebody acts. `loadgate redrive` lists them by cause; search the log for a message id, mend the cause, and run
        `loadgate redrive --go`. This alarm counts moves only: it also goes off while other letters lie in the queue.
      EOT
      metrics = [
        {
          id = "moved"
          # What the queue has grown by, less what was sent to it: invalid input, which the function sends.
          expression = "DIFF(FILL(visible, 0) + FILL(hidden, 0)) - FILL(sent, 0) + FILL(deleted, 0)"
          label      = "letters moved by SQS"
        },
        {
          id          = "visible"
          namespace   = "AWS/SQS"
          metric_name = "ApproximateNumberOfMessagesVisible"
          dimensions  = { QueueName = local.dead_letter_queue.name }
          stat        = "Maximum"
          period      = 60
        },
        {
          id          = "hidden"
          namespace   = "AWS/SQS"
          metric_name = "ApproximateNumberOfMessagesNotVisible"
          dimensions  = { QueueName = local.dead_letter_queue.name }
          stat        = "Maximum"
          period      = 60
        },
        {
          id          = "sent"
          namespace   = "AWS/SQS"
          metric_name = "NumberOfMessagesSent"
          dimensions  = { QueueName = local.dead_letter_queue.name }
          stat        = "Sum"
          period      = 60
        },
        {
          id          = "deleted"
          namespace   = "AWS/SQS"
          metric_name = "NumberOfMessagesDeleted"
          dimensions  = { QueueName = local.dead_letter_queue.name }
          stat        = "Sum"
          period      = 60
        },
      ]
      # One of many: SQS's counts arrive minutes late, up to 15 for a queue that was idle. Until then the newest values are those
      # that FILL put there, and of one period alone the alarm would see nothing else. Shorter than a series of deliveries,
      # half an hour: the next letters of a stuck customer are a new alarm.
      evaluation_periods  = 20
      datapoints_to_alarm = 1
      threshold           = 0
      comparison_operator = "GreaterThanThreshold"
    }

    letter-expiry = {
      description        = <<-EOT
        Dead letters are about to be lost: SQS deletes them a day from now. Empty the queue with `loadgate redrive --go
        --drop-invalid FILE`.
      EOT
      namespace          = "AWS/SQS"
      metric_name        = "ApproximateAgeOfOldestMessage"
      dimensions         = { QueueName = local.dead_letter_queue.name }
      statistic          = "Maximum"
      period             = 300
      evaluation_periods = 1
      # 13 of the 14 days for which DeadLetterQueue keeps letters.
      threshold           = 1123200
      comparison_operator = "GreaterThanOrEqualToThreshold"
    }
  }
}
