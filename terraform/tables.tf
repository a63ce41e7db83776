# Tables are on demand by default: capacity follows the load, and a batch that meets a throttle is only late. AWS refuses to delete
# them, and so does Terraform: a new deployment must import them. With other names, all usage would start at zero.
#
# They are encrypted with the account's key for DynamoDB, and CloudTrail has each use of it.

resource "aws_dynamodb_table" "correlation_table" {
  #checkov:skip=CKV_AWS_119: It is encrypted with the account's key for DynamoDB, and CloudTrail has each use of it. A key of one's own adds its price, and an outage whenever it is disabled.
  name         = var.correlation_table_name
  billing_mode = local.is_provisioned ? "PROVISIONED" : "PAY_PER_REQUEST"
  hash_key     = "CUSTOMER_ID"
  range_key    = "EVENT_ID"

  # What a new table begins with.
  read_capacity  = local.is_provisioned ? var.read_units_min : null
  write_capacity = local.is_provisioned ? var.write_units_min : null

  attribute {
    name = "CUSTOMER_ID"
    type = "S"
  }

  attribute {
    name = "EVENT_ID"
    type = "S"
  }

  # Housekeeping only: DynamoDB deletes days late, so loadgate itself takes an expired record for absent.
  ttl {
    attribute_name = "EXPIRES_AT"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }

  deletion_protection_enabled = true

  lifecycle {
    prevent_destroy = true
    # Auto scaling changes them. So the provider switches a table to provisioned capacity with 1 unit, until auto scaling sets the
    # minimum: terraform/README.md says how to switch one that has traffic.
    ignore_changes = [read_capacity, write_capacity]
  }
}

# Usage is what the limits rest on, also for an attempt that comes weeks late. So a row has EXPIRES_AT only with
# usage_retention_days, and a fence never has.
resource "aws_dynamodb_table" "load_table" {
  #checkov:skip=CKV_AWS_119: It is encrypted with the account's key for DynamoDB, as correlation_table is.
  name         = var.load_table_name
  billing_mode = local.is_provisioned ? "PROVISIONED" : "PAY_PER_REQUEST"
  hash_key     = "CUSTOMER_ID"
  range_key    = "DATE"

  # What a new table begins with.
  read_capacity  = local.is_provisioned ? var.read_units_min : null
  write_capacity = local.is_provisioned ? var.write_units_min : null

  attribute {
    name = "CUSTOMER_ID"
    type = "S"
  }

  attribute {
    name = "DATE"
    type = "S"
  }

  ttl {
    attribute_name = "EXPIRES_AT"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }

  deletion_protection_enabled = true

  lifecycle {
    prevent_destroy = true
    ignore_changes  = [read_capacity, write_capacity]
  }
}

# Customers' own limits, and each limit's marks. The function of limit events and `loadgate limits apply` write them. Plans,
# programmes and links, which the function of assignment jobs and the commands change. The others read them.
resource "aws_dynamodb_table" "limit_table" {
  #checkov:skip=CKV_AWS_119: It is encrypted with the account's key for DynamoDB, as correlation_table is.
  name         = var.limit_table_name
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "PK"
  range_key    = "SK"

  attribute {
    name = "PK"
    type = "S"
  }

  attribute {
    name = "SK"
    type = "S"
  }

  # No item that a decision reads has the attribute.
  ttl {
    attribute_name = "EXPIRES_AT"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }

  deletion_protection_enabled = true

  lifecycle {
    prevent_destroy = true
  }
}

# One entry for each decision, under the run that made it: the hash key is the run, so that a busy customer makes no hot
# partition. The function that decides writes it once the decision is stored. The table is there also while decision_log_days is
# 0, and then costs nothing: entries from before stay readable until they expire.
resource "aws_dynamodb_table" "decision_log_table" {
  #checkov:skip=CKV_AWS_119: It is encrypted with the account's key for DynamoDB, as correlation_table is.
  name         = var.decision_log_table_name
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "RUN_ID"
  range_key    = "SEQ"

  attribute {
    name = "RUN_ID"
    type = "S"
  }

  attribute {
    name = "SEQ"
    type = "S"
  }

  # Housekeeping only: whoever reads the log leaves out what has expired.
  ttl {
    attribute_name = "EXPIRES_AT"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }

  deletion_protection_enabled = true

  lifecycle {
    prevent_destroy = true
  }
}
