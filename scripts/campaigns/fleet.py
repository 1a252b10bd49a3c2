"""Many services behind one load balancer in one account: the template that makes them, and their deployments."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from bluegreen.domain.deployment import Deployment
from scripts.campaigns.places import image, last
from tests.sandbox.conftest import RunningSandbox, run_cli
from tests.sandbox.team import Team

CONTAINER_PORT = 8080


class Fleet(Team):
    """``services`` are named s01, s02 …; each has one task, and a rule of its own on port 80."""

    def __init__(self, root: Path, number: int) -> None:
        self.root = root
        self.services = [f"s{index:02}" for index in range(1, number + 1)]
        root.mkdir(parents=True, exist_ok=True)
        (root / "fleet.yaml").write_text(yaml.safe_dump(template(self.services)))
        started = run_cli(root, "up", "-o", "json", "--template", "fleet.yaml", "--timeout", "120", seconds=180)
        assert started.returncode == 0, started.stderr
        self.sandbox = RunningSandbox(root, "default", json.loads(started.stdout))

    def configure_all(self, **settings: Any) -> None:
        for service in self.services:
            self.configure_one(service, **settings)

    def configure_one(self, service: str, **settings: Any) -> None:
        config = {
            "service": service,
            "cluster": "production",
            "slots": [{"target_group": f"{service}-{slot}", "service": f"{service}-{slot}"} for slot in (1, 2)],
            "production": [{"load_balancer": "prod", "port": 80, "rule": {"path": f"/{service}"}}],
            **settings,
        }
        (self.root / f"{service}.yaml").write_text(yaml.safe_dump(config))

    def begin(self, service: str, number: int) -> subprocess.Popen[str]:
        """A deployment that yields the processor to whatever else works here."""
        words = ["-m", "bluegreen", "deploy", "-c", f"{service}.yaml", "--image", image(number), "-o", "json"]
        return subprocess.Popen(
            ["nice", "-n", "10", sys.executable, *words],
            cwd=self.root,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def weights_of(self, rule: str) -> dict[str, int]:
        """By target group; those without weight are left out."""
        (found,) = self.sandbox.client("elbv2").describe_rules(RuleArns=[rule])["Rules"]
        groups = found["Actions"][-1]["ForwardConfig"]["TargetGroups"]
        return {each["TargetGroupArn"].split("/")[-2]: each["Weight"] for each in groups if each["Weight"]}

    def calls(self, since: float = 0.0) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.sandbox.ask("GET", "calls", since=since)
        return found

    def record(self, service: str) -> Deployment:
        found = last(self, service)
        assert found is not None
        return found


def template(services: list[str]) -> dict[str, Any]:
    """CloudFormation: what each service needs, and no more than the sandbox asks for."""
    resources: dict[str, Any] = {
        "Vpc": _resource("EC2::VPC", CidrBlock="10.0.0.0/16"),
        "SubnetA": _resource("EC2::Subnet", VpcId=_ref("Vpc"), CidrBlock="10.0.0.0/20"),
        "SubnetB": _resource("EC2::Subnet", VpcId=_ref("Vpc"), CidrBlock="10.0.16.0/20"),
        "Balancer": _resource(
            "ElasticLoadBalancingV2::LoadBalancer", Name="prod", Subnets=[_ref("SubnetA"), _ref("SubnetB")]
        ),
        "Listener": _resource(
            "ElasticLoadBalancingV2::Listener",
            LoadBalancerArn=_ref("Balancer"),
            Port=80,
            Protocol="HTTP",
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
        ),
        "Cluster": _resource("ECS::Cluster", ClusterName="production"),
    }
    for priority, service in enumerate(services, 1):
        resources |= _service(service, priority)
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}


# Private


def _resource(kind: str, *, after: list[str] | None = None, **properties: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"Type": f"AWS::{kind}", "Properties": properties}
    return {**made, "DependsOn": after} if after else made


def _ref(name: str) -> dict[str, str]:
    return {"Ref": name}


def _service(name: str, priority: int) -> dict[str, Any]:
    title = name.capitalize()
    groups = [{"TargetGroupArn": _ref(f"{title}Group{slot}"), "Weight": 100 * (slot == 1)} for slot in (1, 2)]
    container = {
        "Name": "app",
        "Image": image(1),
        "Essential": True,
        "PortMappings": [{"ContainerPort": CONTAINER_PORT, "Protocol": "tcp"}],
        "Environment": [{"Name": "PORT", "Value": str(CONTAINER_PORT)}],
    }
    made = {
        f"{title}Rule": _resource(
            "ElasticLoadBalancingV2::ListenerRule",
            ListenerArn=_ref("Listener"),
            Priority=priority,
            Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": [f"/{name}"]}}],
            Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}],
        ),
        f"{title}Definition": _resource(
            "ECS::TaskDefinition",
            Family=name,
            RequiresCompatibilities=["FARGATE"],
            NetworkMode="awsvpc",
            Cpu="256",
            Memory="512",
            ContainerDefinitions=[container],
        ),
    }
    for slot in (1, 2):
        made[f"{title}Group{slot}"] = _group(f"{name}-{slot}")
        made[f"{title}Service{slot}"] = _ecs_service(title, f"{name}-{slot}", slot)
    return made


def _group(name: str) -> dict[str, Any]:
    return _resource(
        "ElasticLoadBalancingV2::TargetGroup",
        Name=name,
        VpcId=_ref("Vpc"),
        TargetType="ip",
        Protocol="HTTP",
        Port=CONTAINER_PORT,
        HealthCheckPath="/health",
        HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=2,
        HealthyThresholdCount=2,
        UnhealthyThresholdCount=2,
        TargetGroupAttributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "2"}],
        Tags=[{"Key": "bluegreen:sandbox-interval", "Value": "0.5"}],
    )


def _ecs_service(title: str, name: str, slot: int) -> dict[str, Any]:
    return _resource(
        "ECS::Service",
        after=[f"{title}Rule"],
        ServiceName=name,
        Cluster=_ref("Cluster"),
        TaskDefinition=_ref(f"{title}Definition"),
        DesiredCount=int(slot == 1),
        LaunchType="FARGATE",
        HealthCheckGracePeriodSeconds=60,
        NetworkConfiguration={"AwsvpcConfiguration": {"Subnets": [_ref("SubnetA"), _ref("SubnetB")]}},
        LoadBalancers=[
            {
                "ContainerName": "app",
                "ContainerPort": CONTAINER_PORT,
                "TargetGroupArn": _ref(f"{title}Group{slot}"),
            }
        ],
    )
