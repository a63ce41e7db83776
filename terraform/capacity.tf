# Auto scaling of correlation_table and load_table, with provisioned capacity. The account's service-linked role changes the capacity.

locals {
  is_provisioned = var.table_capacity == "Provisioned"

  capacities = {
    record-read = {
      table     = aws_dynamodb_table.correlation_table.name
      what      = "records of decisions"
      kind      = "Read"
      units_min = var.read_units_min
      units_max = var.read_units_max
    }

    record-write = {
      table     = aws_dynamodb_table.correlation_table.name
      what      = "records of decisions"
      kind      = "Write"
      units_min = var.write_units_min
      units_max = var.write_units_max
    }

    usage-read = {
      table     = aws_dynamodb_table.load_table.name
      what      = "usage"
      kind      = "Read"
      units_min = var.read_units_min
      units_max = var.read_units_max
    }

    usage-write = {
      table     = aws_dynamodb_table.load_table.name
      what      = "usage"
      kind      = "Write"
      units_min = var.write_units_min
      units_max = var.write_units_max
    }
  }
}

resource "aws_appautoscaling_target" "capacity" {
  for_each = { for key, one in local.capacities : key => one if local.is_provisioned }

  service_namespace  = "dynamodb"
  resource_id        = "table/${each.value.table}"
  scalable_dimension = "dynamodb:table:${each.value.kind}CapacityUnits"
  min_capacity       = each.value.units_min
  max_capacity       = each.value.units_max
}

resource "aws_appautoscaling_policy" "scaling" {
  for_each = aws_appautoscaling_target.capacity

  name               = "${var.name}-${each.key}"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = each.value.service_namespace
  resource_id        = each.value.resource_id
  scalable_dimension = each.value.scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value = var.capacity_utilization
    # Consumption has one value a minute.
    scale_out_cooldown = 60
    # As long as consumption must be low before capacity is taken away: after four decreases in a day, DynamoDB allows one an hour.
    scale_in_cooldown = 900
    disable_scale_in  = false

    predefined_metric_specification {
      predefined_metric_type = "DynamoDB${local.capacities[each.key].kind}CapacityUtilization"
    }
  }
}
