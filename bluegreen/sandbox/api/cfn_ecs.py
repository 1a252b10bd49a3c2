"""CloudFormation's ECS resources, and the scaling of them."""

from __future__ import annotations

from typing import Any

from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.core.common_models import CloudFormationModel
from moto.ecs.models import ecs_backends

from bluegreen.sandbox.api.cfn_base import Made, Properties
from bluegreen.sandbox.api.cfn_properties import as_api


class TaskDefinitionResource(Made, CloudFormationModel):
    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::ECS::TaskDefinition"

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @classmethod
    def make(cls, name: str, properties: Properties, account: str, region: str) -> TaskDefinitionResource:
        given = as_api("ecs", "RegisterTaskDefinition", properties)
        family = given.pop("family", None) or name
        definition = _ecs(account, region).register_task_definition(
            family,
            given.get("containerDefinitions", []),
            volumes=given.get("volumes"),
            network_mode=given.get("networkMode"),
            tags=given.get("tags"),
            placement_constraints=given.get("placementConstraints"),
            requires_compatibilities=given.get("requiresCompatibilities"),
            cpu=given.get("cpu"),
            memory=given.get("memory"),
            task_role_arn=given.get("taskRoleArn"),
            execution_role_arn=given.get("executionRoleArn"),
            proxy_configuration=given.get("proxyConfiguration"),
            runtime_platform=given.get("runtimePlatform"),
            ipc_mode=given.get("ipcMode"),
            pid_mode=given.get("pidMode"),
            ephemeral_storage=given.get("ephemeralStorage"),
        )
        return cls(definition.arn, {"TaskDefinitionArn": definition.arn})

    def delete(self, account: str, region: str) -> None:
        _ecs(account, region).deregister_task_definition(self.physical_resource_id)


class ServiceResource(Made, CloudFormationModel):
    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::ECS::Service"

    @staticmethod
    def cloudformation_name_type() -> str:
        return "ServiceName"

    @classmethod
    def make(cls, name: str, properties: Properties, account: str, region: str) -> ServiceResource:
        given = as_api("ecs", "CreateService", properties)
        given.setdefault("desiredCount", 1)
        service = _ecs(account, region).make_service({**given, "serviceName": name})
        return cls(service.arn, {"Name": service.name, "ServiceArn": service.arn})

    @classmethod
    def change(cls, old: Any, name: str, properties: Properties, account: str, region: str) -> Any:
        given = as_api("ecs", "UpdateService", {**properties, "Service": old.physical_resource_id})
        _ecs(account, region).change_service(given)
        return old

    def delete(self, account: str, region: str) -> None:
        cluster = self.physical_resource_id.split("/")[-2]
        _ecs(account, region).delete_service(cluster, self._attributes["Name"], True)


class ScalableTargetResource(Made, CloudFormationModel):
    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::ApplicationAutoScaling::ScalableTarget"

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @classmethod
    def make(cls, name: str, properties: Properties, account: str, region: str) -> ScalableTargetResource:
        given = as_api("application-autoscaling", "RegisterScalableTarget", properties)
        target = _autoscaling(account, region).register_scalable_target(
            given["ServiceNamespace"],
            given["ResourceId"],
            given["ScalableDimension"],
            given.get("MinCapacity"),
            given.get("MaxCapacity"),
            given.get("RoleARN", ""),
            given.get("SuspendedState"),
        )
        reference = "|".join((given["ResourceId"], given["ScalableDimension"], given["ServiceNamespace"]))
        return cls(reference, {"Id": reference, "ScalableTargetArn": target.arn})

    def delete(self, account: str, region: str) -> None:
        resource, dimension, namespace = self.physical_resource_id.split("|")
        backend = _autoscaling(account, region)
        backend.deregister_scalable_target(namespace, resource, dimension)


def _ecs(account: str, region: str) -> Any:
    return ecs_backends[account][region]


def _autoscaling(account: str, region: str) -> Any:
    return applicationautoscaling_backends[account][region]
