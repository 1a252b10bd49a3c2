"""Every service answers, to boto3 and to the unmodified aws command; services made in three ways are the same."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bluegreen.clock import SystemClock
from tests.sandbox.conftest import RunningSandbox, run_cli, wait_for

_SERVICES = {
    "ecs": ("list_clusters", {}),
    "elbv2": ("describe_load_balancers", {}),
    "ec2": ("describe_vpcs", {}),
    "cloudformation": ("describe_stacks", {}),
    "cloudwatch": ("describe_alarms", {}),
    "application-autoscaling": ("describe_scalable_targets", {"ServiceNamespace": "ecs"}),
    "dynamodb": ("list_tables", {}),
    "iam": ("list_roles", {}),
    "ssm": ("describe_parameters", {}),
    "secretsmanager": ("list_secrets", {}),
    "lambda": ("list_functions", {}),
    "events": ("list_rules", {}),
    "sns": ("list_topics", {}),
    "sqs": ("list_queues", {}),
    "stepfunctions": ("list_state_machines", {}),
    "sts": ("get_caller_identity", {}),
    "logs": ("describe_log_groups", {}),
}


def _aws(sandbox: RunningSandbox, *words: str) -> Any:
    command = Path(sys.executable).with_name("aws")
    answer = subprocess.run(
        [str(command), *words], env=sandbox.environment(), capture_output=True, text=True, check=False, timeout=60
    )
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


@pytest.mark.sandbox
@pytest.mark.parametrize("service", sorted(_SERVICES))
def test_every_service_answers(sandbox: RunningSandbox, service: str) -> None:
    operation, parameters = _SERVICES[service]
    answer = getattr(sandbox.client(service), operation)(**parameters)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.sandbox
def test_the_template_s_stack_is_complete(sandbox: RunningSandbox) -> None:
    stack = sandbox.client("cloudformation").describe_stacks(StackName="default")["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    outputs = {item["OutputKey"]: item["OutputValue"] for item in stack["Outputs"]}
    assert outputs["LoadBalancerName"] == "prod"
    alarm = sandbox.client("cloudwatch").describe_alarms(AlarmNames=["orders-5xx"])["MetricAlarms"][0]
    dimensions = alarm["Metrics"][1]["MetricStat"]["Metric"]["Dimensions"]
    assert dimensions[0]["Value"].startswith("app/prod/")
    assert dimensions[1]["Value"].startswith("targetgroup/orders-")


@pytest.mark.sandbox
def test_a_template_s_target_group_keeps_its_attributes_and_tags(sandbox: RunningSandbox) -> None:
    elb, arn = sandbox.client("elbv2"), sandbox.target_group("orders-1")
    attributes = elb.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
    assert {"Key": "deregistration_delay.timeout_seconds", "Value": "5"} in attributes
    tags = elb.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]
    assert {"Key": "bluegreen:sandbox-interval", "Value": "0.25"} in tags


@pytest.fixture
def parts(sandbox: RunningSandbox) -> Iterator[dict[str, Any]]:
    """A target group that a rule uses, and what a service needs besides."""
    elb, ecs = sandbox.client("elbv2"), sandbox.client("ecs")
    sandbox.ask("POST", "throttles", {"enabled": False})
    model = ecs.describe_services(cluster="production", services=["orders-1"])["services"][0]
    like = elb.describe_target_groups(Names=["orders-1"])["TargetGroups"][0]
    group = elb.create_target_group(
        Name="three-ways",
        VpcId=like["VpcId"],
        Protocol="HTTP",
        Port=8080,
        TargetType="ip",
        HealthCheckPath="/health",
        HealthyThresholdCount=2,
        Tags=[{"Key": "bluegreen:sandbox-interval", "Value": "0.2"}],
    )["TargetGroups"][0]["TargetGroupArn"]
    delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "0"}
    elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[delay])
    rule = elb.create_rule(
        ListenerArn=sandbox.listener(80),
        Priority=77,
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/three-ways/*"]}}],
        Actions=[{"Type": "forward", "TargetGroupArn": group}],
    )["Rules"][0]["RuleArn"]
    yield {
        "group": group,
        "network": model["networkConfiguration"],
        "definition": model["taskDefinition"],
        "balancers": [{"targetGroupArn": group, "containerName": "app", "containerPort": 8080}],
    }
    elb.delete_rule(RuleArn=rule)
    elb.delete_target_group(TargetGroupArn=group)


def _by_boto3(sandbox: RunningSandbox, name: str, parts: dict[str, Any]) -> None:
    sandbox.client("ecs").create_service(
        cluster="production",
        serviceName=name,
        taskDefinition=parts["definition"],
        desiredCount=1,
        launchType="FARGATE",
        healthCheckGracePeriodSeconds=30,
        networkConfiguration=parts["network"],
        loadBalancers=parts["balancers"],
    )


def _by_aws_command(sandbox: RunningSandbox, name: str, parts: dict[str, Any]) -> None:
    words = ["ecs", "create-service", "--cluster", "production", "--service-name", name, "--desired-count", "1"]
    words += ["--task-definition", parts["definition"], "--launch-type", "FARGATE"]
    words += ["--health-check-grace-period-seconds", "30"]
    words += ["--network-configuration", json.dumps(parts["network"])]
    words += ["--load-balancers", json.dumps(parts["balancers"])]
    assert _aws(sandbox, *words)["service"]["serviceName"] == name


def _by_cloudformation(sandbox: RunningSandbox, name: str, parts: dict[str, Any]) -> None:
    network = parts["network"]["awsvpcConfiguration"]
    balancer = {"TargetGroupArn": parts["group"], "ContainerName": "app", "ContainerPort": "8080"}
    properties = {
        "ServiceName": name,
        "Cluster": "production",
        "TaskDefinition": parts["definition"],
        "DesiredCount": "1",
        "LaunchType": "FARGATE",
        "HealthCheckGracePeriodSeconds": 30,
        "NetworkConfiguration": {
            "AwsvpcConfiguration": {
                "Subnets": network["subnets"],
                "SecurityGroups": network["securityGroups"],
                "AssignPublicIp": network["assignPublicIp"],
            }
        },
        "LoadBalancers": [balancer],
    }
    template = {"Resources": {"Service": {"Type": "AWS::ECS::Service", "Properties": properties}}}
    sandbox.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template))


@pytest.mark.sandbox
def test_services_of_boto3_the_aws_command_and_cloudformation_are_the_same(
    sandbox: RunningSandbox, parts: dict[str, Any]
) -> None:
    ecs, elb = sandbox.client("ecs"), sandbox.client("elbv2")
    ways = {"by-boto3": _by_boto3, "by-aws": _by_aws_command, "by-stack": _by_cloudformation}
    for name, make in ways.items():
        make(sandbox, name, parts)

    def healthy() -> bool:
        health = elb.describe_target_health(TargetGroupArn=parts["group"])["TargetHealthDescriptions"]
        return [item["TargetHealth"]["State"] for item in health] == ["healthy"] * 3

    wait_for(healthy, seconds=20)
    services = ecs.describe_services(cluster="production", services=list(ways))["services"]
    same = ["desiredCount", "runningCount", "pendingCount", "launchType", "networkConfiguration", "loadBalancers"]
    same += ["healthCheckGracePeriodSeconds", "taskDefinition", "status", "deploymentConfiguration"]
    assert len(services) == 3
    for key in same:
        assert services[0][key] == services[1][key] == services[2][key], key
    assert services[0]["runningCount"] == 1
    assert [len(service["deployments"]) for service in services] == [1, 1, 1]
    for name in ("by-boto3", "by-aws"):
        ecs.delete_service(cluster="production", service=name, force=True)
    sandbox.client("cloudformation").delete_stack(StackName="by-stack")
    wait_for(lambda: not elb.describe_target_health(TargetGroupArn=parts["group"])["TargetHealthDescriptions"], 20)


@pytest.mark.sandbox
def test_calls_are_logged_with_operation_caller_status_and_parameters(sandbox: RunningSandbox) -> None:
    begun = SystemClock().now()
    sandbox.client("ecs").describe_services(cluster="production", services=["orders-1"])
    with pytest.raises(ClientError):
        sandbox.client("elbv2").describe_target_groups(Names=["nobody"])
    read, refused = sandbox.ask("GET", "calls", since=begun)
    assert (read["service"], read["operation"], read["status"]) == ("ecs", "DescribeServices", 200)
    assert read["parameters"] == {"cluster": "production", "services": ["orders-1"]}
    assert "Boto3" in read["user_agent"]
    assert 0 < read["duration"] < 5
    assert (refused["operation"], refused["error"]) == ("DescribeTargetGroups", "TargetGroupNotFound")
    assert len({read["request_id"], refused["request_id"]}) == 2
    assert sandbox.ask("GET", "calls", after=refused["sequence"]) == []
    assert "DescribeTargetGroups" in run_cli(sandbox.root, "calls").stdout
    sandbox.ask("POST", "reset")
    assert sandbox.ask("GET", "calls") == []


@pytest.mark.sandbox
def test_secrets_do_not_reach_the_log_of_calls(sandbox: RunningSandbox) -> None:
    sandbox.client("secretsmanager").create_secret(Name="log-test", SecretString="hunter2")
    assert "hunter2" not in json.dumps(sandbox.ask("GET", "calls"))


@pytest.mark.sandbox
def test_the_caller_s_request_id_is_the_log_s(sandbox: RunningSandbox) -> None:
    answer = sandbox.client("elbv2").describe_load_balancers()
    assert sandbox.ask("GET", "calls")[-1]["request_id"] == answer["ResponseMetadata"]["RequestId"]


@pytest.mark.sandbox
def test_connections_are_kept_open(sandbox: RunningSandbox) -> None:
    import http.client
    from urllib.parse import urlsplit

    connection = http.client.HTTPConnection(urlsplit(sandbox.endpoint).netloc, timeout=5)
    local = set()
    for _ in range(3):
        connection.request("GET", "/_sandbox/throttles")
        connection.getresponse().read()
        local.add(connection.sock.getsockname())
    connection.close()
    assert len(local) == 1
