"""How each attribute of Terraform's resources is called in CloudFormation. An attribute that terraform/ sets and that is not here is
a difference: nothing goes unseen."""

import json
from collections.abc import Callable
from typing import Any

Convert = Callable[[Any], dict[str, Any]]


def named(name: str) -> Convert:
    return lambda value: {name: value}


def document(name: str) -> Convert:
    """A text of JSON."""
    return lambda value: {name: json.loads(value)}


def block(name: str, **attributes: str) -> Convert:
    """A nested block, which Terraform shows as a list of one."""

    def convert(blocks: list[dict]) -> dict[str, Any]:
        unknown = {key for one in blocks for key, value in one.items() if value and not is_absent(value)} - attributes.keys()
        if unknown:
            return {name: f"a block with {', '.join(sorted(unknown))}, which tools/terraform_check/fields.py does not know"}
        present = {attributes[key]: value for key, value in blocks[0].items() if key in attributes and not is_absent(value)}
        return {name: present}

    return convert


def is_absent(value: Any) -> bool:
    return value is None or value in ("", [], {})


def key_schema(kind: str) -> Convert:
    return lambda name: {"KeySchema": [{"AttributeName": name, "KeyType": kind}]}


def metric(one: dict) -> dict[str, Any]:
    names = {"namespace": "Namespace", "metric_name": "MetricName"}
    inner = {names[key]: one[key] for key in names}
    inner["Dimensions"] = dimensions(one["dimensions"])["Dimensions"]
    return {"Metric": inner, "Stat": one["stat"], "Period": one["period"], **({"Unit": one["unit"]} if one["unit"] else {})}


def metric_queries(queries: list[dict]) -> dict[str, Any]:
    names = {"id": "Id", "expression": "Expression", "label": "Label", "return_data": "ReturnData", "period": "Period"}
    names |= {"account_id": "AccountId"}

    def query(one: dict) -> dict[str, Any]:
        found = {names[key]: value for key, value in one.items() if key in names and value not in (None, "", 0)}
        found |= {"ReturnData": bool(one["return_data"])}
        return {**found, **({"MetricStat": metric(one["metric"][0])} if one["metric"] else {})}

    return {"Metrics": [query(one) for one in queries]}


def dimensions(values: dict[str, str]) -> dict[str, Any]:
    return {"Dimensions": [{"Name": name, "Value": value} for name, value in (values or {}).items()]}


def units(name: str) -> Convert:
    """Provisioned units. A table on demand has none, which the provider writes as 0."""
    return lambda value: {"ProvisionedThroughput": {name: value}} if value else {}


def target_tracking(blocks: list[dict]) -> dict[str, Any]:
    """A policy's configuration, with the metric in a block of its own."""
    metrics = {"predefined_metric_type": "PredefinedMetricType", "resource_label": "ResourceLabel"}
    metric_of = block("PredefinedMetricSpecification", **metrics)
    whole = [{**one, "predefined_metric_specification": inner_of(metric_of, one)} for one in blocks]
    return block(
        "TargetTrackingScalingPolicyConfiguration",
        predefined_metric_specification="PredefinedMetricSpecification",
        target_value="TargetValue",
        scale_out_cooldown="ScaleOutCooldown",
        scale_in_cooldown="ScaleInCooldown",
        disable_scale_in="DisableScaleIn",
    )(whole)


def inner_of(convert: Convert, one: dict) -> Any:
    found = one.get("predefined_metric_specification") or []
    return convert(found)["PredefinedMetricSpecification"] if found else None


def function_of_mapping(value: str) -> dict[str, Any]:
    """Terraform's guides name the function by its ARN, SAM by its name: AWS takes both for the same."""
    return {"FunctionName": value.rpartition(":function:")[2]}


def access_log(blocks: list[dict]) -> dict[str, Any]:
    """CloudFormation's ARN of a log group ends with `:*`, for its streams. API Gateway cuts that off, and takes both for the same."""
    whole = [{**one, "destination_arn": f"{one['destination_arn'].removesuffix(':*')}:*"} for one in blocks]
    return block("AccessLogSettings", destination_arn="DestinationArn", format="Format")(whole)


# What the provider adds to every resource of a kind.
PROVIDERS_OWN = {"id", "arn", "url", "name", "api_id", "outputs", "api_endpoint", "execution_arn", "tags_all", "timeouts"}

# What a part has to name of its main resource, which has the same label: its own attribute, and the main one's.
OWNERS = {"aws_sqs_queue_redrive_allow_policy": ("queue_url", "url"), "aws_iam_role_policy": ("role", "name")}

# Arguments of Terraform itself, and how packages get to AWS.
NOT_SETTINGS = {"count", "for_each", "depends_on", "provider", "filename", "source_code_hash", "name_prefix"}

FIELDS: dict[str, tuple[str, dict[str, Convert]]] = {
    "aws_sqs_queue": (
        "AWS::SQS::Queue",
        {
            "name": named("QueueName"),
            "fifo_queue": named("FifoQueue"),
            "content_based_deduplication": named("ContentBasedDeduplication"),
            "deduplication_scope": named("DeduplicationScope"),
            "fifo_throughput_limit": named("FifoThroughputLimit"),
            "sqs_managed_sse_enabled": named("SqsManagedSseEnabled"),
            "kms_master_key_id": named("KmsMasterKeyId"),
            "visibility_timeout_seconds": named("VisibilityTimeout"),
            "message_retention_seconds": named("MessageRetentionPeriod"),
            "max_message_size": named("MaximumMessageSize"),
            "delay_seconds": named("DelaySeconds"),
            "receive_wait_time_seconds": named("ReceiveMessageWaitTimeSeconds"),
            "redrive_policy": document("RedrivePolicy"),
            "redrive_allow_policy": document("RedriveAllowPolicy"),
        },
    ),
    # A part of the queue of the same label.
    "aws_sqs_queue_redrive_allow_policy": (
        "",
        {"queue_url": named(""), "redrive_allow_policy": document("RedriveAllowPolicy")},
    ),
    "aws_sqs_queue_policy": (
        "AWS::SQS::QueuePolicy",
        {"queue_url": named("Queues"), "policy": document("PolicyDocument")},
    ),
    "aws_kinesis_stream": (
        "AWS::Kinesis::Stream",
        {
            "name": named("Name"),
            "shard_count": named("ShardCount"),
            "stream_mode_details": block("StreamModeDetails", stream_mode="StreamMode"),
            "retention_period": named("RetentionPeriodHours"),
            "encryption_type": lambda value: {"StreamEncryption": {"EncryptionType": value}},
            "kms_key_id": lambda value: {"StreamEncryption": {"KeyId": value}},
        },
    ),
    "aws_dynamodb_table": (
        "AWS::DynamoDB::Table",
        {
            "name": named("TableName"),
            "billing_mode": named("BillingMode"),
            "read_capacity": units("ReadCapacityUnits"),
            "write_capacity": units("WriteCapacityUnits"),
            "hash_key": key_schema("HASH"),
            "range_key": key_schema("RANGE"),
            "attribute": lambda all_: {
                "AttributeDefinitions": [{"AttributeName": one["name"], "AttributeType": one["type"]} for one in all_]
            },
            "ttl": block("TimeToLiveSpecification", attribute_name="AttributeName", enabled="Enabled"),
            "point_in_time_recovery": block(
                "PointInTimeRecoverySpecification",
                enabled="PointInTimeRecoveryEnabled",
            ),
            "server_side_encryption": block("SSESpecification", enabled="SSEEnabled", kms_key_arn="KMSMasterKeyId"),
            "deletion_protection_enabled": named("DeletionProtectionEnabled"),
            "table_class": named("TableClass"),
            "global_secondary_index": named("GlobalSecondaryIndexes"),
            "local_secondary_index": named("LocalSecondaryIndexes"),
        },
    ),
    "aws_appautoscaling_target": (
        "AWS::ApplicationAutoScaling::ScalableTarget",
        {
            "service_namespace": named("ServiceNamespace"),
            "resource_id": named("ResourceId"),
            "scalable_dimension": named("ScalableDimension"),
            "min_capacity": named("MinCapacity"),
            "max_capacity": named("MaxCapacity"),
            "role_arn": named("RoleARN"),
            "suspended_state": named("SuspendedState"),
        },
    ),
    "aws_appautoscaling_policy": (
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        {
            "name": named("PolicyName"),
            "policy_type": named("PolicyType"),
            "service_namespace": named("ServiceNamespace"),
            "resource_id": named("ResourceId"),
            "scalable_dimension": named("ScalableDimension"),
            "step_scaling_policy_configuration": named("StepScalingPolicyConfiguration"),
            "target_tracking_scaling_policy_configuration": target_tracking,
        },
    ),
    "aws_lambda_function": (
        "AWS::Lambda::Function",
        {
            "function_name": named("FunctionName"),
            "description": named("Description"),
            "handler": named("Handler"),
            "runtime": named("Runtime"),
            "architectures": named("Architectures"),
            "package_type": named("PackageType"),
            "role": named("Role"),
            "timeout": named("Timeout"),
            "memory_size": named("MemorySize"),
            # -1 is Terraform's word for none.
            "reserved_concurrent_executions": lambda value: {} if value == -1 else {"ReservedConcurrentExecutions": value},
            "environment": block("Environment", variables="Variables"),
            "logging_config": block(
                "LoggingConfig",
                log_group="LogGroup",
                log_format="LogFormat",
                application_log_level="ApplicationLogLevel",
                system_log_level="SystemLogLevel",
            ),
        },
    ),
    "aws_lambda_event_source_mapping": (
        "AWS::Lambda::EventSourceMapping",
        {
            "function_name": function_of_mapping,
            "event_source_arn": named("EventSourceArn"),
            "enabled": named("Enabled"),
            "batch_size": named("BatchSize"),
            "maximum_batching_window_in_seconds": named("MaximumBatchingWindowInSeconds"),
            "function_response_types": named("FunctionResponseTypes"),
            "scaling_config": block("ScalingConfig", maximum_concurrency="MaximumConcurrency"),
            "starting_position": named("StartingPosition"),
            "maximum_retry_attempts": named("MaximumRetryAttempts"),
            "maximum_record_age_in_seconds": named("MaximumRecordAgeInSeconds"),
            "bisect_batch_on_function_error": named("BisectBatchOnFunctionError"),
            "parallelization_factor": named("ParallelizationFactor"),
            "tumbling_window_in_seconds": named("TumblingWindowInSeconds"),
            "filter_criteria": named("FilterCriteria"),
            "destination_config": named("DestinationConfig"),
        },
    ),
    "aws_lambda_permission": (
        "AWS::Lambda::Permission",
        {
            "function_name": named("FunctionName"),
            "action": named("Action"),
            "principal": named("Principal"),
            "source_arn": named("SourceArn"),
            "source_account": named("SourceAccount"),
            "qualifier": named("Qualifier"),
        },
    ),
    "aws_cloudwatch_log_group": (
        "AWS::Logs::LogGroup",
        {"name": named("LogGroupName"), "retention_in_days": named("RetentionInDays"), "kms_key_id": named("KmsKeyId")},
    ),
    "aws_iam_role": (
        "AWS::IAM::Role",
        {
            "name": named("RoleName"),
            "assume_role_policy": document("AssumeRolePolicyDocument"),
            "max_session_duration": named("MaxSessionDuration"),
            "path": named("Path"),
            "permissions_boundary": named("PermissionsBoundary"),
        },
    ),
    # The inline policy of the role of the same label.
    "aws_iam_role_policy": (
        "",
        {
            "name": lambda value: {"Policies": [{"PolicyName": value}]},
            "role": named(""),
            "policy": lambda value: {"Policies": [{"PolicyDocument": json.loads(value)}]},
        },
    ),
    "aws_apigatewayv2_api": (
        "AWS::ApiGatewayV2::Api",
        {
            "name": named("Name"),
            "description": named("Description"),
            "protocol_type": named("ProtocolType"),
            "disable_execute_api_endpoint": named("DisableExecuteApiEndpoint"),
            "route_selection_expression": named("RouteSelectionExpression"),
            "api_key_selection_expression": named("ApiKeySelectionExpression"),
            "body": named("Body"),
            "target": named("Target"),
            "cors_configuration": block(
                "CorsConfiguration",
                allow_credentials="AllowCredentials",
                allow_headers="AllowHeaders",
                allow_methods="AllowMethods",
                allow_origins="AllowOrigins",
                expose_headers="ExposeHeaders",
                max_age="MaxAge",
            ),
        },
    ),
    "aws_apigatewayv2_integration": (
        "AWS::ApiGatewayV2::Integration",
        {
            "api_id": named("ApiId"),
            "connection_type": named("ConnectionType"),
            "integration_type": named("IntegrationType"),
            "integration_method": named("IntegrationMethod"),
            "integration_uri": named("IntegrationUri"),
            "payload_format_version": named("PayloadFormatVersion"),
            "timeout_milliseconds": named("TimeoutInMillis"),
        },
    ),
    "aws_apigatewayv2_route": (
        "AWS::ApiGatewayV2::Route",
        {
            "api_id": named("ApiId"),
            "api_key_required": named("ApiKeyRequired"),
            "route_key": named("RouteKey"),
            "authorization_type": named("AuthorizationType"),
            "authorizer_id": named("AuthorizerId"),
            "target": named("Target"),
        },
    ),
    "aws_apigatewayv2_stage": (
        "AWS::ApiGatewayV2::Stage",
        {
            "api_id": named("ApiId"),
            "name": named("StageName"),
            "auto_deploy": named("AutoDeploy"),
            "default_route_settings": block(
                "DefaultRouteSettings",
                throttling_rate_limit="ThrottlingRateLimit",
                throttling_burst_limit="ThrottlingBurstLimit",
                data_trace_enabled="DataTraceEnabled",
                detailed_metrics_enabled="DetailedMetricsEnabled",
            ),
            "access_log_settings": access_log,
            "route_settings": named("RouteSettings"),
            "stage_variables": named("StageVariables"),
        },
    ),
    "aws_cloudwatch_metric_alarm": (
        "AWS::CloudWatch::Alarm",
        {
            "alarm_name": named("AlarmName"),
            "alarm_description": named("AlarmDescription"),
            "actions_enabled": named("ActionsEnabled"),
            "namespace": named("Namespace"),
            "metric_name": named("MetricName"),
            "dimensions": dimensions,
            "statistic": named("Statistic"),
            "extended_statistic": named("ExtendedStatistic"),
            "period": named("Period"),
            "unit": named("Unit"),
            "metric_query": metric_queries,
            "evaluation_periods": named("EvaluationPeriods"),
            "datapoints_to_alarm": named("DatapointsToAlarm"),
            "threshold": named("Threshold"),
            "threshold_metric_id": named("ThresholdMetricId"),
            "comparison_operator": named("ComparisonOperator"),
            "treat_missing_data": named("TreatMissingData"),
            "alarm_actions": named("AlarmActions"),
            "ok_actions": named("OKActions"),
            "insufficient_data_actions": named("InsufficientDataActions"),
        },
    ),
    "aws_cloudwatch_dashboard": (
        "AWS::CloudWatch::Dashboard",
        {"dashboard_name": named("DashboardName"), "dashboard_body": document("DashboardBody")},
    ),
}
