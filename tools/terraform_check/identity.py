"""Identifiers as AWS would give them, the same for both sides: so that a reference to another resource compares as its value."""

from typing import Any

REGION = "us-east-1"
PARTITION = "aws"
ACCOUNT = "123456789012"
# The identifiers that API Gateway draws.
API_ID = "a1b2c3d4e5"
INTEGRATION_ID = "f6g7h8i"

Identity = dict[str, str]


def identity(kind: str, name: str) -> Identity:
    """What `Ref` and `Fn::GetAtt` say of a resource of this type and name."""
    arn = f"arn:{PARTITION}:{{}}:{REGION}:{ACCOUNT}:{{}}".format
    match kind:
        case "AWS::SQS::Queue":
            url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"
            return {"Ref": url, "Arn": arn("sqs", name), "QueueName": name}
        case "AWS::DynamoDB::Table":
            return {"Ref": name, "Arn": arn("dynamodb", f"table/{name}")}
        case "AWS::Kinesis::Stream":
            return {"Ref": name, "Arn": arn("kinesis", f"stream/{name}")}
        case "AWS::Lambda::Function":
            return {"Ref": name, "Arn": arn("lambda", f"function:{name}")}
        case "AWS::Logs::LogGroup":
            return {"Ref": name, "Arn": arn("logs", f"log-group:{name}:*")}
        case "AWS::IAM::Role":
            return {"Ref": name, "Arn": f"arn:{PARTITION}:iam::{ACCOUNT}:role/{name}"}
        case "AWS::ApiGatewayV2::Api":
            return {"Ref": API_ID, "ApiEndpoint": f"https://{API_ID}.execute-api.{REGION}.amazonaws.com"}
        case "AWS::ApiGatewayV2::Integration":
            return {"Ref": INTEGRATION_ID}
        case _:
            return {"Ref": name}


# The property that holds a resource's name, where it has one.
NAME_PROPERTY = {
    "AWS::SQS::Queue": "QueueName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Kinesis::Stream": "Name",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::IAM::Role": "RoleName",
}


def attributes(kind: str, values: dict[str, Any]) -> dict[str, Any]:
    """What Terraform's provider would know of a resource once it exists, beyond its settings."""
    name = values.get("name") or values.get("function_name") or ""
    match kind:
        case "aws_sqs_queue":
            known = identity("AWS::SQS::Queue", name)
            return {"id": known["Ref"], "url": known["Ref"], "arn": known["Arn"]}
        case "aws_dynamodb_table":
            return {"id": name, "arn": identity("AWS::DynamoDB::Table", name)["Arn"]}
        case "aws_kinesis_stream":
            known = identity("AWS::Kinesis::Stream", name)
            return {"id": known["Arn"], "arn": known["Arn"]}
        case "aws_lambda_function":
            return {"id": name, "arn": identity("AWS::Lambda::Function", name)["Arn"]}
        case "aws_cloudwatch_log_group":
            # Without the end that stands for its streams.
            return {"id": name, "arn": identity("AWS::Logs::LogGroup", name)["Arn"].removesuffix(":*")}
        case "aws_iam_role":
            name = f"{values['name_prefix']}role"
            return {"id": name, "name": name, "arn": identity("AWS::IAM::Role", name)["Arn"]}
        case "aws_apigatewayv2_api":
            known = identity("AWS::ApiGatewayV2::Api", name)
            arn = f"arn:{PARTITION}:execute-api:{REGION}:{ACCOUNT}:{API_ID}"
            return {"id": API_ID, "api_endpoint": known["ApiEndpoint"], "execution_arn": arn}
        case "aws_apigatewayv2_integration":
            # With another API it would be replaced, and its own identifier unknown.
            return {"id": INTEGRATION_ID, "api_id": API_ID}
        case _:
            return {"id": name or "known"}
