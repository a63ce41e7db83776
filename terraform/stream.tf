# The stream of limit events. Its partition key is the user, so that each user's events stay in order.
resource "aws_kinesis_stream" "limit_stream" {
  #checkov:skip=CKV_AWS_185: It is encrypted with AWS's key for Kinesis, as in template.yaml.
  count = var.own_limits && var.limit_stream_arn == "" ? 1 : 0

  name = "${var.name}-limits"

  # Shards follow the load. With a fixed number of them, a burst of events would be refused to its producer.
  stream_mode_details {
    stream_mode = "ON_DEMAND"
  }

  # A week: the time to mend whatever holds the function up. Lambda repeats a batch until then.
  retention_period = 168

  # AWS's key for Kinesis, which every principal of the account with permission for the stream may use.
  encryption_type = "KMS"
  kms_key_id      = "alias/aws/kinesis"

  # An event that has not been applied is a limit that would not be enforced: docs/DEPLOYMENT.md says how the stream is given up.
  lifecycle {
    prevent_destroy = true
  }
}

locals {
  limit_stream_arn  = var.limit_stream_arn != "" ? var.limit_stream_arn : one(aws_kinesis_stream.limit_stream[*].arn)
  limit_stream_name = var.limit_stream_arn != "" ? split("/", "${var.limit_stream_arn}/")[1] : one(aws_kinesis_stream.limit_stream[*].name)
}
