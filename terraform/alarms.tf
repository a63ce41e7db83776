# The alarms themselves are beside this file, by what they are about. Those of a feature that is off are not there.
resource "aws_cloudwatch_metric_alarm" "alarm" {
  for_each = merge(
    local.decision_alarms,
    local.function_alarms,
    local.api_alarms,
    { for name, alarm in local.log_alarms : name => alarm if var.decision_log_days > 0 },
    { for name, alarm in local.capacity_alarms : name => alarm if local.is_provisioned },
    { for name, alarm in local.limit_alarms : name => alarm if var.own_limits },
    { for name, alarm in local.assignment_alarms : name => alarm if var.own_limits },
  )

  alarm_name        = "${var.name}-${each.key}"
  alarm_description = join(" ", split("\n", trimspace(each.value.description)))

  namespace          = try(each.value.namespace, null)
  metric_name        = try(each.value.metric_name, null)
  dimensions         = try(each.value.dimensions, null)
  statistic          = try(each.value.statistic, null)
  extended_statistic = try(each.value.extended_statistic, null)
  period             = try(each.value.period, null)

  dynamic "metric_query" {
    for_each = try(each.value.metrics, [])

    content {
      id          = metric_query.value.id
      expression  = try(metric_query.value.expression, null)
      label       = try(metric_query.value.label, null)
      return_data = can(metric_query.value.expression)

      dynamic "metric" {
        for_each = can(metric_query.value.expression) ? [] : [metric_query.value]

        content {
          namespace   = metric.value.namespace
          metric_name = metric.value.metric_name
          dimensions  = metric.value.dimensions
          stat        = metric.value.stat
          period      = metric.value.period
        }
      }
    }
  }

  evaluation_periods  = each.value.evaluation_periods
  datapoints_to_alarm = try(each.value.datapoints_to_alarm, null)
  threshold           = each.value.threshold
  comparison_operator = each.value.comparison_operator
  # What a function does not log, and a queue that is idle, is no failure.
  treat_missing_data = "notBreaching"

  alarm_actions = var.alarm_topic_arn == "" ? [] : [var.alarm_topic_arn]
  ok_actions    = var.alarm_topic_arn == "" ? [] : [var.alarm_topic_arn]
}

locals {
  # The age of an attempt at which its loss is near: a day before; 12 hours before where the queue keeps it for a day; 7 hours before
  # where it keeps it for 12.
  near_loss_seconds = {
    43200   = 18000
    86400   = 43200
    345600  = 259200
    604800  = 518400
    1209600 = 1123200
  }

  # Null where customers have no limits of their own.
  limits_function_name              = one(aws_lambda_function.limits_function[*].function_name)
  assign_function_name              = one(aws_lambda_function.assign_function[*].function_name)
  assignment_queue_name             = one(aws_sqs_queue.assignment_queue[*].name)
  assignment_dead_letter_queue_name = one(aws_sqs_queue.assignment_dead_letter_queue[*].name)
}
