# Alarms about assignment jobs. Customers keep the limits that they have until they are linked.

locals {
  assignment_alarms = {
    assignment-age = {
      description        = <<-EOT
        An assignment job is stuck: one of its steps has waited for half an hour. Search the log of the function of assignments
        for level ERROR: it names the job, the step and the request that failed. A large job alone does not wait that long;
        raise AssignConcurrency if it does.
      EOT
      namespace          = "AWS/SQS"
      metric_name        = "ApproximateAgeOfOldestMessage"
      dimensions         = { QueueName = local.assignment_queue_name }
      statistic          = "Maximum"
      period             = 300
      evaluation_periods = 1
      # Twice the longest delay of the step that examines whether a job is done.
      threshold           = 1800
      comparison_operator = "GreaterThanOrEqualToThreshold"
    }

    assignment-dead-letters = {
      description = <<-EOT
        Steps of assignment jobs have failed five times and are in their dead-letter queue: their jobs do not end, and some
        customers keep their former link. Search the log for level ERROR, mend the cause, and redrive the queue with SQS's own
        redrive: a step may be repeated at any time. Letters are kept for 14 days from the time at which they were first sent.
      EOT
      namespace   = "AWS/SQS"
      metric_name = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = local.assignment_dead_letter_queue_name }
      statistic   = "Maximum"
      period      = 60
      # Of five: SQS's counts may arrive minutes late, and of the newest minutes alone the alarm would see nothing.
      evaluation_periods  = 5
      datapoints_to_alarm = 1
      threshold           = 0
      comparison_operator = "GreaterThanThreshold"
    }

    failed-assignments = {
      description = <<-EOT
        Again and again, steps of assignment jobs fail, and SQS delivers them again. Search the log for level ERROR: it names the
        request that failed. Then look at DynamoDB's throttles of the table of limits: lower AssignConcurrency if a job takes
        capacity from decisions.
      EOT
      metrics = [
        {
          id = "alarm"
          # A batch logs no zeros. Without them, CloudWatch would look for older values.
          expression = "FILL(failed, 0)"
          label      = "steps left for redelivery"
        },
        {
          id          = "failed"
          namespace   = "loadgate"
          metric_name = "job_messages_failed"
          dimensions  = { function = local.assign_function_name }
          stat        = "Sum"
          # A step that fails is tried again after six minutes: in two of three of these periods, and not in each minute.
          period = 300
        },
      ]
      evaluation_periods  = 3
      datapoints_to_alarm = 2
      threshold           = 0
      comparison_operator = "GreaterThanThreshold"
    }

    assign-function-errors = {
      description = <<-EOT
        The function of assignments does not start, is killed at its timeout, or gets events that are not from SQS. Search the log
        for "not started", which names the setting that is wrong, and for Runtime errors. If it began with a deployment, roll
        that back. Jobs go on once the function starts.
      EOT
      namespace   = "AWS/Lambda"
      metric_name = "Errors"
      dimensions  = { FunctionName = local.assign_function_name }
      statistic   = "Sum"
      # A step that fails is tried again after six minutes: in two of three of these periods, and not in each minute.
      period              = 300
      evaluation_periods  = 3
      datapoints_to_alarm = 2
      threshold           = 0
      comparison_operator = "GreaterThanThreshold"
    }
  }
}
