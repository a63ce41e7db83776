# Queues that take a whole message and its reason have 1 MiB for it, the most there is. Version 5 of the provider refuses more
# than 256 KiB (`expected max_message_size to be in the range (1024 - 262144)`), so CloudFormation makes these two. With less, a
# long dead letter would be refused again and again, and its customer's messages, or its shard, would wait.

# Two kinds of letters end here: what SQS moved after ten deliveries, and invalid input, which the function sends at once,
# with the message attributes `code`, `reason` and `message_id`.
resource "aws_cloudformation_stack" "dead_letter_queue" {
  #checkov:skip=CKV_AWS_124: A stack of one queue, which Terraform waits for: nobody needs to be told of its events.
  name = "${var.name}-dead-letters"

  template_body = jsonencode({
    Resources = {
      Queue = {
        Type = "AWS::SQS::Queue"
        Properties = {
          QueueName            = "${var.name}-dead-letters.fifo"
          FifoQueue            = true
          DeduplicationScope   = "messageGroup"
          FifoThroughputLimit  = "perMessageGroupId"
          SqsManagedSseEnabled = true
          # A fortnight, the longest there is: somebody has to look. In a FIFO queue it counts from the move.
          MessageRetentionPeriod = 1209600
          # More than input_queue's: a dead letter is a whole message and its reason.
          MaximumMessageSize = 1048576
          RedriveAllowPolicy = {
            redrivePermission = "byQueue"
            # By name: the two queues cannot refer to each other.
            sourceQueueArns = [{ "Fn::Sub" = "arn:$${AWS::Partition}:sqs:$${AWS::Region}:$${AWS::AccountId}:${var.name}-input.fifo" }]
          }
        }
      }
    }
    Outputs = local.queue_outputs
  })
}

# Limit events that cannot be applied. Each carries `code`, `reason`, `shard_id`, `sequence_number` and `record_bytes`; its body
# is the record in Base64. A standard queue: an event's own sequence number orders it, also when it is applied again.
resource "aws_cloudformation_stack" "limit_dead_letter_queue" {
  #checkov:skip=CKV_AWS_124: A stack of one queue, as that of dead_letter_queue.
  count = var.own_limits ? 1 : 0

  name = "${var.name}-limit-dead-letters"

  template_body = jsonencode({
    Resources = {
      Queue = {
        Type = "AWS::SQS::Queue"
        Properties = {
          QueueName            = "${var.name}-limit-dead-letters"
          SqsManagedSseEnabled = true
          # A fortnight, the longest there is: somebody has to look.
          MessageRetentionPeriod = 1209600
          # A record of 700 KiB in Base64, and its reason.
          MaximumMessageSize = 1048576
          # As for input_queue: an event that is not loadgate's must not get here this way.
          RedriveAllowPolicy = { redrivePermission = "denyAll" }
        }
      }
    }
    Outputs = local.queue_outputs
  })
}

locals {
  queue_outputs = {
    Url  = { Value = { Ref = "Queue" } }
    Arn  = { Value = { "Fn::GetAtt" = ["Queue", "Arn"] } }
    Name = { Value = { "Fn::GetAtt" = ["Queue", "QueueName"] } }
  }

  dead_letter_queue = {
    url  = aws_cloudformation_stack.dead_letter_queue.outputs["Url"]
    arn  = aws_cloudformation_stack.dead_letter_queue.outputs["Arn"]
    name = aws_cloudformation_stack.dead_letter_queue.outputs["Name"]
  }

  limit_dead_letter_queue = {
    url  = one(aws_cloudformation_stack.limit_dead_letter_queue[*].outputs["Url"])
    arn  = one(aws_cloudformation_stack.limit_dead_letter_queue[*].outputs["Arn"])
    name = one(aws_cloudformation_stack.limit_dead_letter_queue[*].outputs["Name"])
  }
}
