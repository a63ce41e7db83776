# Alarms about provisioned capacity: auto scaling would add capacity, and may not.

locals {
  capacity_alarms = {
    for key, one in local.capacities : "${key}-capacity" => {
      description = <<-EOT
        For ten minutes, the table of ${one.what} has had all the ${lower(one.kind)} units that ${one.kind}UnitsMax allows, and more than
        CapacityUtilization percent of them were consumed: auto scaling may add no more, and a further rise is throttled.
        Raise ${one.kind}UnitsMax if the traffic is wanted, up to the table's quota.
      EOT
      metrics = [
        {
          id = "alarm"
          # Only where it is used: a table is at its maximum also after a peak, until auto scaling takes capacity away. Consumption
          # is a sum of 300 seconds, and the target a percentage.
          expression = "IF(provisioned >= ${one.units_max} AND FILL(consumed, 0) > provisioned * 3 * ${var.capacity_utilization}, 1, 0)"
          label      = "at its maximum, and used above the target"
        },
        {
          id          = "provisioned"
          namespace   = "AWS/DynamoDB"
          metric_name = "Provisioned${one.kind}CapacityUnits"
          dimensions  = { TableName = one.table }
          stat        = "Minimum"
          # DynamoDB has one value of it in five minutes.
          period = 300
        },
        {
          id          = "consumed"
          namespace   = "AWS/DynamoDB"
          metric_name = "Consumed${one.kind}CapacityUnits"
          dimensions  = { TableName = one.table }
          stat        = "Sum"
          period      = 300
        },
      ]
      evaluation_periods = 3
      # Of the newest period, CloudWatch may not have all of the consumption yet.
      datapoints_to_alarm = 2
      threshold           = 0
      comparison_operator = "GreaterThanThreshold"
    }
  }
}
