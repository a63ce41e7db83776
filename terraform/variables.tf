variable "name" {
  type        = string
  default     = "loadgate"
  description = <<-EOT
    Prefix of every name, in place of the name of the stack. A second deployment in an account and region needs another one.
  EOT

  validation {
    # AWS allows 38 characters before the random part of a role's name.
    condition     = can(regex("^(?:[a-z][a-z0-9-]{0,29})$", var.name))
    error_message = "Up to 30 small letters, digits and hyphens, beginning with a letter."
  }
}

variable "package_directory" {
  type        = string
  description = "The folder of decide.zip, limits.zip, assign.zip and api.zip, which `make zips` builds: .aws-sam/zips."
}

variable "architecture" {
  type        = string
  default     = "arm64"
  description = "The processor that the functions are built for and run on."

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "arm64 or x86_64."
  }
}

variable "correlation_table_name" {
  type        = string
  default     = "EventCorrelationTable"
  description = <<-EOT
    The table of decisions by event. A second deployment in an account and region needs another name. Do not change it on a
    deployment that has decided: repeated events would count twice.
  EOT

  validation {
    condition     = can(regex("^(?:[A-Za-z0-9_.-]{3,255})$", var.correlation_table_name))
    error_message = "3 to 255 letters, digits, underscores, points and hyphens."
  }
}

variable "load_table_name" {
  type        = string
  default     = "DailyCustomerLoadTable"
  description = <<-EOT
    The table of usage by customer and week. A second deployment in an account and region needs another name. Do not change it
    on a deployment that has decided: usage of all customers would start at zero.
  EOT

  validation {
    condition     = can(regex("^(?:[A-Za-z0-9_.-]{3,255})$", var.load_table_name))
    error_message = "3 to 255 letters, digits, underscores, points and hyphens."
  }
}

variable "limit_table_name" {
  type        = string
  default     = "LimitTable"
  description = <<-EOT
    The table of customers' own limits. A second deployment in an account and region needs another name. Do not change it on a
    deployment that has limits: they would not be enforced.
  EOT

  validation {
    condition     = can(regex("^(?:[A-Za-z0-9_.-]{3,255})$", var.limit_table_name))
    error_message = "3 to 255 letters, digits, underscores, points and hyphens."
  }
}

variable "decision_log_table_name" {
  type        = string
  default     = "DecisionLogTable"
  description = "The table of the decision log. A second deployment in an account and region needs another name."

  validation {
    condition     = can(regex("^(?:[A-Za-z0-9_.-]{3,255})$", var.decision_log_table_name))
    error_message = "3 to 255 letters, digits, underscores, points and hyphens."
  }
}

variable "decision_log_days" {
  type        = number
  default     = 0
  description = <<-EOT
    For how many days each decision is kept in the decision log. At 0, new decisions are not logged. The log costs one write unit
    more for each decision.
  EOT

  validation {
    # Ten years.
    condition     = var.decision_log_days >= 0 && var.decision_log_days <= 3660
    error_message = "A number from 0 to 3660."
  }
}

variable "usage_retention_days" {
  type        = number
  default     = 0
  description = <<-EOT
    For how many days after its last change the usage of a customer's week is kept. At 0, usage is kept for ever. Usage of customers
    with a long limit is always kept. Not together with a limit of the window lifetime.
  EOT

  validation {
    # From 62 on: the longest window with an end has 31 days, and a message may be in a queue and then in a dead-letter queue for
    # 28 more.
    condition     = contains([0, 62, 93, 186, 366, 732, 1830, 3660], var.usage_retention_days)
    error_message = "0, 62, 93, 186, 366, 732, 1830 or 3660 days."
  }
}

variable "table_capacity" {
  type        = string
  default     = "OnDemand"
  description = <<-EOT
    The capacity of the tables of decisions by event and of usage. Provisioned capacity is cheaper for steady traffic, and follows
    a rise minutes late: docs/DEPLOYMENT.md. The other tables are always on demand.
  EOT

  validation {
    condition     = contains(["OnDemand", "Provisioned"], var.table_capacity)
    error_message = "OnDemand or Provisioned."
  }
}

variable "read_units_min" {
  type = number
  # Small, so that nobody pays for a rate that never comes.
  default     = 100
  description = <<-EOT
    With table_capacity = "Provisioned", the read units a second that each of the two tables has at least, and begins with. Set
    it to what steady traffic consumes, divided by capacity_utilization.
  EOT

  validation {
    # Above any quota so far: each table has one, of 40,000 units by default.
    condition     = var.read_units_min >= 1 && var.read_units_min <= 1000000
    error_message = "1 to 1000000."
  }
}

variable "read_units_max" {
  type = number
  # Twice what 1,000 decisions a second consume at most, in either table.
  default     = 4000
  description = <<-EOT
    With table_capacity = "Provisioned", the read units a second that each of the two tables has at most. An alarm goes off where
    they are not enough.
  EOT

  validation {
    # Above any quota so far: each table has one, of 40,000 units by default.
    condition     = var.read_units_max >= 1 && var.read_units_max <= 1000000
    error_message = "1 to 1000000."
  }

  validation {
    condition     = var.read_units_max >= var.read_units_min
    error_message = "read_units_max must not be below read_units_min."
  }
}

variable "write_units_min" {
  type = number
  # As read_units_min.
  default     = 100
  description = <<-EOT
    With table_capacity = "Provisioned", the write units a second that each of the two tables has at least, and begins with. Set
    it to what steady traffic consumes, divided by capacity_utilization.
  EOT

  validation {
    # Above any quota so far: each table has one, of 40,000 units by default.
    condition     = var.write_units_min >= 1 && var.write_units_min <= 1000000
    error_message = "1 to 1000000."
  }
}

variable "write_units_max" {
  type = number
  # As read_units_max.
  default     = 4000
  description = <<-EOT
    With table_capacity = "Provisioned", the write units a second that each of the two tables has at most. An alarm goes off where
    they are not enough.
  EOT

  validation {
    # Above any quota so far: each table has one, of 40,000 units by default.
    condition     = var.write_units_max >= 1 && var.write_units_max <= 1000000
    error_message = "1 to 1000000."
  }

  validation {
    condition     = var.write_units_max >= var.write_units_min
    error_message = "write_units_max must not be below write_units_min."
  }
}

variable "capacity_utilization" {
  type = number
  # The rest is for the minutes in which auto scaling has not followed a rise.
  default     = 70
  description = "With table_capacity = \"Provisioned\", the percentage of the capacity that auto scaling aims to have consumed."

  validation {
    # What DynamoDB allows.
    condition     = var.capacity_utilization >= 20 && var.capacity_utilization <= 90
    error_message = "20 to 90."
  }
}

variable "own_limits" {
  type        = bool
  default     = true
  description = <<-EOT
    Customers may have limits of their own, which arrive on a stream. Without them, a decision reads two items less, and
    there is neither a stream nor its function. Do not switch it off while customers have limits: docs/limits.md.
  EOT
}

variable "limit_stream_arn" {
  type        = string
  default     = ""
  description = <<-EOT
    The Kinesis data stream that limit events arrive on, if it exists already. It must keep records for a week: events
    that it deletes before they are applied are lost. Empty for a stream of this deployment.
  EOT

  validation {
    condition     = can(regex("^(?:(arn:[^:]+:kinesis:[^:]+:[0-9]{12}:stream/[A-Za-z0-9_.-]{1,128})?)$", var.limit_stream_arn))
    error_message = "The ARN of a Kinesis data stream, or nothing."
  }
}

variable "limit_stream_parallelization" {
  type        = number
  default     = 1
  description = <<-EOT
    Maximum number of batches of one shard of the stream that are in progress at the same time. The events of one user stay
    in order.
  EOT

  validation {
    # What Lambda allows.
    condition     = var.limit_stream_parallelization >= 1 && var.limit_stream_parallelization <= 10
    error_message = "1 to 10."
  }
}

variable "input_retention_seconds" {
  type = number
  # A fortnight, the longest there is: a queue that nobody reads over a holiday loses nothing.
  default     = 1209600
  description = "For how many seconds the input queue keeps a load attempt that is not decided. After that SQS deletes it."

  validation {
    condition     = contains([43200, 86400, 345600, 604800, 1209600], var.input_retention_seconds)
    error_message = "43200, 86400, 345600, 604800 or 1209600 seconds."
  }
}

variable "correlation_ttl_hours" {
  type = number
  # 15 days: longer than input_retention_seconds, as the second rule demands.
  default     = 360
  description = <<-EOT
    For how many hours a decided event is remembered, and its repetitions are ignored. Longer than the input queue keeps a
    message.
  EOT

  validation {
    condition     = contains([24, 48, 120, 192, 360, 720, 2160, 8784], var.correlation_ttl_hours)
    error_message = "24, 48, 120, 192, 360, 720, 2160 or 8784 hours."
  }

  # Otherwise a message that is delivered again late would be decided twice.
  validation {
    condition     = var.correlation_ttl_hours * 3600 > var.input_retention_seconds
    error_message = "correlation_ttl_hours must be longer than input_retention_seconds."
  }
}

variable "limits" {
  type        = string
  default     = ""
  description = <<-EOT
    Limits, as a limits file on one line: limit = [{code = 'DAILY_COUNT', measure = 'count', window = 'day', max = 3}].
    Empty for the limits of limits.toml.
  EOT

  validation {
    # All of a function's environment variables together have 4 KB.
    condition     = length(var.limits) <= 2048
    error_message = "At most 2,048 characters."
  }

  validation {
    condition     = can(regex("^(?:( *limit *= *\\[ *\\{.*\\} *,? *\\] *)?)$", var.limits))
    error_message = "Limits on one line, complete: limit = [{...}]."
  }
}

variable "currency" {
  type        = string
  default     = "USD"
  description = <<-EOT
    The currency of all amounts, as an ISO 4217 code. It is the optional prefix of load_amount; $ is for USD only.
  EOT

  validation {
    condition     = can(regex("^(?:[A-Z]{3})$", var.currency))
    error_message = "An ISO 4217 code, three capital letters."
  }
}

variable "increase_delay_hours" {
  type        = number
  default     = 24
  description = <<-EOT
    The hours that an increase or the removal of a customer's own limit waits. Regulators demand 24 (United Kingdom) or 72
    (Sweden).
  EOT

  validation {
    # At most a year.
    condition     = var.increase_delay_hours >= 0 && var.increase_delay_hours <= 8784
    error_message = "0 to 8784 hours."
  }
}

variable "increase_needs_confirmation" {
  type        = bool
  default     = false
  description = "Whether an increase or a removal must be confirmed after its wait."
}

variable "max_concurrency" {
  type        = number
  default     = 10
  description = <<-EOT
    Maximum number of batches in progress at the same time. A new AWS account may have a concurrency of only 10, shared by
    all its functions: then request a higher quota first.
  EOT

  validation {
    # What Lambda allows.
    condition     = var.max_concurrency >= 2 && var.max_concurrency <= 1000
    error_message = "2 to 1000."
  }
}

variable "assign_concurrency" {
  type        = number
  default     = 5
  description = <<-EOT
    Maximum number of steps of assignment jobs in progress at the same time. Each links up to 8 customers at once. A job
    takes that much capacity of the table of limits, and of the account's concurrency, from decisions.
  EOT

  validation {
    # What Lambda allows.
    condition     = var.assign_concurrency >= 2 && var.assign_concurrency <= 1000
    error_message = "2 to 1000."
  }
}

variable "api_allowed_origins" {
  type        = string
  default     = ""
  description = <<-EOT
    The origins of web pages that may call the HTTP API, with commas between them (CORS). Empty for none. A page still has
    to sign its requests.
  EOT

  validation {
    # Not `*`: a page that may sign requests is known.
    condition     = can(regex("^(?:(https?://[A-Za-z0-9.:-]+(,https?://[A-Za-z0-9.:-]+)*)?)$", var.api_allowed_origins))
    error_message = "Origins such as https://app.example.com, with commas between them."
  }
}

variable "api_concurrency" {
  type        = number
  default     = 0
  description = <<-EOT
    Concurrency that is reserved for the function of the HTTP API, which can then use no more. 0 for none: it shares the
    account's. docs/DEPLOYMENT.md says when to set it.
  EOT

  validation {
    condition     = var.api_concurrency >= 0 && var.api_concurrency <= 1000
    error_message = "0 to 1000."
  }
}

variable "log_level" {
  type        = string
  default     = "INFO"
  description = "The least severe level that is logged."

  validation {
    # Not above INFO: metrics are log lines, which Lambda takes for INFO and would drop.
    condition     = contains(["DEBUG", "INFO"], var.log_level)
    error_message = "DEBUG or INFO."
  }
}

variable "log_retention_days" {
  type        = number
  default     = 30
  description = "For how many days the log is kept."

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "A number of days that CloudWatch allows, such as 30, 90 or 365."
  }
}

variable "alarm_topic_arn" {
  type        = string
  default     = ""
  description = "The SNS topic that is told when an alarm goes off, and when it is over. Empty for none."

  validation {
    condition     = can(regex("^(?:(arn:[^:]+:sns:.+)?)$", var.alarm_topic_arn))
    error_message = "The ARN of an SNS topic, or nothing."
  }
}
