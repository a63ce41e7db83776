# Queues of decisions are FIFO, in which a group is a customer: the order within a customer is a promise. They are in
# high-throughput mode, which needs deduplication by group: otherwise a whole queue is bound to 300 requests a second.
#
# SQS encrypts all queues with keys of its own.

resource "aws_sqs_queue" "input_queue" {
  #checkov:skip=CKV_AWS_27: SQS encrypts it with keys of its own. A key of KMS is paid for by use, and whoever sends or receives needs permissions for it as well.
  name                    = "${var.name}-input.fifo"
  fifo_queue              = true
  deduplication_scope     = "messageGroup"
  fifo_throughput_limit   = "perMessageGroupId"
  sqs_managed_sse_enabled = true

  # Six times the function's timeout, as Lambda recommends: were a message visible again while its batch is still being
  # decided, or waits for Lambda's own repetition, it would be decided twice at the same time. The store withstands that, at
  # the price of conflicts.
  visibility_timeout_seconds = 180

  # Below correlation_ttl_hours: a message that is delivered again, as late as it can be, still finds the record of its
  # decision.
  message_retention_seconds = var.input_retention_seconds

  # 256 KiB, the longest attempt: so a dead letter, which is a message and its reason, is never too long for its queue.
  max_message_size = 262144

  redrive_policy = jsonencode({
    deadLetterTargetArn = local.dead_letter_queue.arn
    # Ten deliveries, three minutes apart: an outage of half an hour passes without a dead letter. A dead letter loses its place
    # in its customer's order, so patience is worth more than haste.
    maxReceiveCount = 10
  })

  # Otherwise whoever may set up a queue in this account could name this one as its dead-letter queue, and so put load attempts
  # here without being allowed to send any.
  redrive_allow_policy = jsonencode({ redrivePermission = "denyAll" })
}

resource "aws_sqs_queue" "decisions_queue" {
  #checkov:skip=CKV_AWS_27: SQS encrypts it with keys of its own, as it does input_queue.
  name                    = "${var.name}-decisions.fifo"
  fifo_queue              = true
  deduplication_scope     = "messageGroup"
  fifo_throughput_limit   = "perMessageGroupId"
  sqs_managed_sse_enabled = true

  # A fortnight, the longest there is: a decision is published once, and its consumer may be down.
  message_retention_seconds = 1209600

  # As for input_queue: a decision that is not loadgate's must not get here this way.
  redrive_allow_policy = jsonencode({ redrivePermission = "denyAll" })
}

# The steps of assignment jobs: pages of a programme's roster, chunks of its customers, and the end of a job. A standard queue:
# steps need no order, and each may be repeated.
resource "aws_sqs_queue" "assignment_queue" {
  #checkov:skip=CKV_AWS_27: SQS encrypts it with keys of its own, as it does input_queue.
  count = var.own_limits ? 1 : 0

  name                    = "${var.name}-assignments"
  sqs_managed_sse_enabled = true

  # Six times the function's timeout, as Lambda recommends. So a chunk is hardly ever linked twice at the same time; the store
  # withstands that.
  visibility_timeout_seconds = 360

  # A fortnight, the longest there is: a job that waits for an operator is not lost.
  message_retention_seconds = 1209600

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.assignment_dead_letter_queue[0].arn
    # Five deliveries, six minutes apart: an outage of nearly half an hour passes without a dead letter. At the fifth, the function
    # records a chunk's customers that it cannot link as failed, so that the job ends.
    maxReceiveCount = 5
  })

  # As for input_queue: a step that is not loadgate's must not get here this way.
  redrive_allow_policy = jsonencode({ redrivePermission = "denyAll" })
}

# Steps that SQS moved after five deliveries. Their jobs do not end until they are redriven, with SQS's own redrive: a step may
# be repeated at any time.
resource "aws_sqs_queue" "assignment_dead_letter_queue" {
  #checkov:skip=CKV_AWS_27: SQS encrypts it with keys of its own, as it does input_queue.
  count = var.own_limits ? 1 : 0

  name                    = "${var.name}-assignment-dead-letters"
  sqs_managed_sse_enabled = true

  # A fortnight, the longest there is. In a standard queue it counts from the time at which the step was first sent.
  message_retention_seconds = 1209600
}

# A resource of its own: the two queues cannot refer to each other.
resource "aws_sqs_queue_redrive_allow_policy" "assignment_dead_letter_queue" {
  count = var.own_limits ? 1 : 0

  queue_url = aws_sqs_queue.assignment_dead_letter_queue[0].url
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.assignment_queue[0].arn]
  })
}

# Nobody sends, sees or removes messages without TLS.
resource "aws_sqs_queue_policy" "queue_policy" {
  for_each = local.queues

  queue_url = each.value.url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "RefuseWithoutTls"
      Effect    = "Deny"
      Principal = "*"
      # All that sends, shows or removes messages.
      Action    = ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:PurgeQueue"]
      Resource  = each.value.arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

locals {
  queues = merge(
    {
      input       = { url = aws_sqs_queue.input_queue.url, arn = aws_sqs_queue.input_queue.arn }
      decisions   = { url = aws_sqs_queue.decisions_queue.url, arn = aws_sqs_queue.decisions_queue.arn }
      dead-letter = { url = local.dead_letter_queue.url, arn = local.dead_letter_queue.arn }
    },
    var.own_limits ? {
      limit-dead-letter      = { url = local.limit_dead_letter_queue.url, arn = local.limit_dead_letter_queue.arn }
      assignment             = { url = aws_sqs_queue.assignment_queue[0].url, arn = aws_sqs_queue.assignment_queue[0].arn }
      assignment-dead-letter = { url = aws_sqs_queue.assignment_dead_letter_queue[0].url, arn = aws_sqs_queue.assignment_dead_letter_queue[0].arn }
    } : {},
  )
}
