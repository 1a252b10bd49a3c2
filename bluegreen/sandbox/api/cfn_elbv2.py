"""CloudFormation's load balancing resources."""

from __future__ import annotations

from typing import Any

from moto.core.common_models import CloudFormationModel
from moto.elbv2.models import elbv2_backends

from bluegreen.sandbox.api.cfn_base import Made, Properties
from bluegreen.sandbox.api.cfn_properties import as_api


class LoadBalancerResource(Made, CloudFormationModel):
    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::ElasticLoadBalancingV2::LoadBalancer"

    @staticmethod
    def cloudformation_name_type() -> str:
        return "Name"

    @classmethod
    def make(cls, name: str, properties: Properties, account: str, region: str) -> LoadBalancerResource:
        given = as_api("elbv2", "CreateLoadBalancer", properties)
        backend = _elbv2(account, region)
        balancer = backend.create_load_balancer(
            name,
            given.get("SecurityGroups", []),
            given.get("Subnets", []),
            given.get("SubnetMappings"),
            scheme=given.get("Scheme", "internet-facing"),
            loadbalancer_type=given.get("Type"),
            ip_address_type=given.get("IpAddressType", "ipv4"),
            tags=given.get("Tags"),
        )
        backend.modify_load_balancer_attributes(balancer.arn, _attributes(properties, "LoadBalancerAttributes"))
        attributes = {
            "LoadBalancerArn": balancer.arn,
            "DNSName": balancer.dns_name,
            "LoadBalancerName": balancer.name,
            "LoadBalancerFullName": balancer.arn.split(":loadbalancer/")[1],
            "CanonicalHostedZoneID": balancer.canonical_hosted_zone_id,
            "SecurityGroups": balancer.security_groups,
        }
        return cls(balancer.arn, attributes)

    @classmethod
    def change(cls, old: Any, name: str, properties: Properties, account: str, region: str) -> Any:
        backend = _elbv2(account, region)
        backend.modify_load_balancer_attributes(
            old.physical_resource_id, _attributes(properties, "LoadBalancerAttributes")
        )
        return old

    def delete(self, account: str, region: str) -> None:
        _elbv2(account, region).delete_load_balancer(self.physical_resource_id)


class TargetGroupResource(Made, CloudFormationModel):
    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::ElasticLoadBalancingV2::TargetGroup"

    @staticmethod
    def cloudformation_name_type() -> str:
        return "Name"

    @classmethod
    def make(cls, name: str, properties: Properties, account: str, region: str) -> TargetGroupResource:
        given = as_api("elbv2", "CreateTargetGroup", properties)
        backend = _elbv2(account, region)
        group = backend.create_target_group(
            name,
            vpc_id=given.get("VpcId"),
            protocol=given.get("Protocol"),
            protocol_version=given.get("ProtocolVersion"),
            port=given.get("Port"),
            ip_address_type=given.get("IpAddressType"),
            target_type=given.get("TargetType", "instance"),
            tags=given.get("Tags"),
            **_checks(given, text_thresholds=True),
        )
        backend.modify_target_group_attributes(group.arn, _attributes(properties, "TargetGroupAttributes"))
        if properties.get("Targets"):
            backend.register_targets(group.arn, as_api("elbv2", "RegisterTargets", properties)["Targets"])
        attributes = {
            "TargetGroupArn": group.arn,
            "TargetGroupName": group.name,
            "TargetGroupFullName": group.arn.rpartition(":")[2],
            "LoadBalancerArns": group.load_balancer_arns,
        }
        return cls(group.arn, attributes)

    @classmethod
    def change(cls, old: Any, name: str, properties: Properties, account: str, region: str) -> Any:
        backend = _elbv2(account, region)
        arn = old.physical_resource_id
        group = backend.target_groups[arn]
        given = as_api("elbv2", "CreateTargetGroup", properties)
        for key, value in _checks(given, text_thresholds=False).items():
            if value is not None:
                setattr(group, _CHECK_ATTRIBUTES[key], value)
        backend.modify_target_group_attributes(arn, _attributes(properties, "TargetGroupAttributes"))
        if given.get("Tags"):
            backend.add_tags([arn], given["Tags"])
        return old

    def delete(self, account: str, region: str) -> None:
        _elbv2(account, region).delete_target_group(self.physical_resource_id)


class ListenerResource(Made, CloudFormationModel):
    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::ElasticLoadBalancingV2::Listener"

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @classmethod
    def make(cls, name: str, properties: Properties, account: str, region: str) -> ListenerResource:
        given = as_api("elbv2", "CreateListener", properties)
        certificates = given.get("Certificates") or [{}]
        listener = _elbv2(account, region).create_listener(
            given["LoadBalancerArn"],
            protocol=given.get("Protocol"),
            port=given.get("Port"),
            ssl_policy=given.get("SslPolicy", "ELBSecurityPolicy-2016-08"),
            certificate=certificates[0].get("CertificateArn"),
            actions=given.get("DefaultActions", []),
            alpn_policy=given.get("AlpnPolicy"),
            tags=given.get("Tags"),
        )
        return cls(listener.arn, {"ListenerArn": listener.arn})

    @classmethod
    def change(cls, old: Any, name: str, properties: Properties, account: str, region: str) -> Any:
        given = as_api("elbv2", "ModifyListener", properties)
        _elbv2(account, region).modify_listener(
            old.physical_resource_id,
            port=given.get("Port"),
            protocol=given.get("Protocol"),
            ssl_policy=given.get("SslPolicy"),
            certificates=given.get("Certificates"),
            actions=given.get("DefaultActions"),
        )
        return old

    def delete(self, account: str, region: str) -> None:
        _elbv2(account, region).delete_listener(self.physical_resource_id)


class ListenerRuleResource(Made, CloudFormationModel):
    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::ElasticLoadBalancingV2::ListenerRule"

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @classmethod
    def make(cls, name: str, properties: Properties, account: str, region: str) -> ListenerRuleResource:
        given = as_api("elbv2", "CreateRule", properties)
        rule = _elbv2(account, region).create_rule(
            given["ListenerArn"], given["Conditions"], given["Priority"], given["Actions"], given.get("Tags")
        )
        return cls(rule.arn, {"RuleArn": rule.arn, "IsDefault": False})

    @classmethod
    def change(cls, old: Any, name: str, properties: Properties, account: str, region: str) -> Any:
        given = as_api("elbv2", "CreateRule", properties)
        backend = _elbv2(account, region)
        arn = old.physical_resource_id
        backend.modify_rule(arn, given.get("Conditions", []), given.get("Actions", []))
        backend.set_rule_priorities([{"RuleArn": arn, "Priority": given["Priority"]}])
        return old

    def delete(self, account: str, region: str) -> None:
        _elbv2(account, region).delete_rule(self.physical_resource_id)


_CHECK_ATTRIBUTES = {
    "healthcheck_protocol": "health_check_protocol",
    "healthcheck_port": "health_check_port",
    "healthcheck_path": "health_check_path",
    "healthcheck_interval_seconds": "health_check_interval_seconds",
    "healthcheck_timeout_seconds": "health_check_timeout_seconds",
    "healthy_threshold_count": "healthy_threshold_count",
    "unhealthy_threshold_count": "unhealthy_threshold_count",
    "matcher": "matcher",
}


def _checks(given: Properties, *, text_thresholds: bool) -> Properties:
    checks = {
        "healthcheck_protocol": given.get("HealthCheckProtocol"),
        "healthcheck_port": given.get("HealthCheckPort"),
        "healthcheck_path": given.get("HealthCheckPath"),
        "healthcheck_interval_seconds": given.get("HealthCheckIntervalSeconds"),
        "healthcheck_timeout_seconds": given.get("HealthCheckTimeoutSeconds"),
        "healthy_threshold_count": given.get("HealthyThresholdCount"),
        "unhealthy_threshold_count": given.get("UnhealthyThresholdCount"),
        "matcher": given.get("Matcher"),
    }
    if text_thresholds and given.get("HealthCheckEnabled") is not None:
        checks["healthcheck_enabled"] = str(given["HealthCheckEnabled"]).lower()
    return checks


def _attributes(properties: Properties, key: str) -> dict[str, str]:
    return {item["Key"]: _text(item["Value"]) for item in properties.get(key) or []}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _elbv2(account: str, region: str) -> Any:
    return elbv2_backends[account][region]
