"""Amazon ECS: what the emulator drops or invents, put right.

The emulator keeps what was asked for; what runs is read from the scheduler. Corrected here: a service's load
balancers, network configuration, health check grace period, capacity providers, deployment configuration and
deployments; idempotency; task sets that start nothing by themselves. ``ecs_answers`` has counts and tasks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moto.core.utils import utcnow
from moto.ec2.models import ec2_backends
from moto.ecs import urls
from moto.ecs.exceptions import EcsClientException, ECSException, InvalidParameterException
from moto.ecs.models import EC2ContainerServiceBackend, Service, Task, TaskDefinition, TaskSet
from moto.elbv2.models import elbv2_backends
from moto.moto_api._internal import mock_random

_KEPT_BY_US = {
    "healthCheckGracePeriodSeconds": "health_check_grace_period_seconds",
    "deploymentConfiguration": "deployment_configuration",
    "capacityProviderStrategy": "capacity_provider_strategy",
    "enableExecuteCommand": "enable_execute_command",
    "enableECSManagedTags": "enable_ecs_managed_tags",
    "placementConstraints": "placement_constraints",
    "placementStrategy": "placement_strategy",
    "availabilityZoneRebalancing": "availability_zone_rebalancing",
}
_CHANGED_IN_PLACE = {
    "loadBalancers": "load_balancers",
    "serviceRegistries": "service_registries",
    "platformVersion": "platform_version",
    "propagateTags": "propagate_tags",
}


class EcsBackend(EC2ContainerServiceBackend):
    """The emulator's ECS, with services that keep all they were given."""

    @property
    def _url_module(self) -> Any:
        # The emulator looks for the module beside the class, and ours is not beside its own.
        return urls

    def register_task_definition(self, *args: Any, **kwargs: Any) -> Any:
        definition: Any = super().register_task_definition(*args, **kwargs)
        definition.registered_at = utcnow()
        definition.volumes = definition.volumes or []
        if not definition.requires_compatibilities and kwargs.get("network_mode"):
            definition.network_mode = kwargs["network_mode"]
        return definition

    def make_service(self, given: dict[str, Any]) -> Any:
        """A service from CreateService's own parameters; CloudFormation and the API both come here."""
        cluster = self._get_cluster(given.get("cluster") or "default")
        name = given["serviceName"]
        self._refuse_another(f"{cluster.name}:{name}")
        definition = self._checked_definition(given)
        service: Any = super().create_service(
            cluster.name,
            name,
            given.get("desiredCount") or 0,
            given.get("taskDefinition"),
            given.get("loadBalancers"),
            given.get("schedulingStrategy"),
            given.get("tags"),
            given.get("deploymentController"),
            _launch_type(given),
            network_configuration=_network(given, definition),
            service_registries=given.get("serviceRegistries"),
            platform_version=given.get("platformVersion") or "LATEST",
            propagate_tags=given.get("propagateTags") or "NONE",
            role_arn=given.get("role"),
        )
        _keep(service, given)
        service.created_at = utcnow()
        for deployment in service.deployments:
            deployment.update(runningCount=0, pendingCount=0, failedTasks=0, rolloutState="IN_PROGRESS")
        return service

    def change_service(self, given: dict[str, Any]) -> Service:
        """UpdateService with its own parameters. A new deployment begins only when the tasks must be replaced."""
        service = self._get_service(given.get("cluster") or "default", given["service"].split("/")[-1])
        if service.status != "ACTIVE":
            raise ECSException("ServiceNotActiveException", "Service was not ACTIVE.")
        definition = self._checked_definition({"loadBalancers": service.load_balancers, **given})
        replaces = self._replaces_tasks(service, definition, given)
        if definition is not None:
            service.task_definition = definition.arn
        if "networkConfiguration" in given:
            service.network_configuration = _with_groups(given["networkConfiguration"])
        for key, attribute in _CHANGED_IN_PLACE.items():
            if key in given:
                setattr(service, attribute, given[key])
        _keep(service, given)
        if given.get("desiredCount") is not None:
            service.desired_count = int(given["desiredCount"])
        if replaces and service.deployment_controller["type"] == "ECS":
            _begin_deployment(service)
        return service

    def create_task_set(self, *args: Any, **kwargs: Any) -> TaskSet:
        scale = kwargs.pop("scale", None)
        task_set = super().create_task_set(*args, **kwargs)
        task_set.scale = scale or {"value": 100.0, "unit": "PERCENT"}
        return task_set

    def update_task_set(self, *args: Any, **kwargs: Any) -> TaskSet:
        task_set = super().update_task_set(*args, **kwargs)
        task_set.updatedAt = utcnow()
        return task_set

    def run_task(self, *args: Any, **kwargs: Any) -> list[Task]:
        if len(args) > 7 and args[7]:
            args = (*args[:7], _with_groups(args[7]), *args[8:])
            with _dns_hostnames(self, args[7]["awsvpcConfiguration"]["subnets"][0]):
                return super().run_task(*args, **kwargs)
        return super().run_task(*args, **kwargs)

    def delete_service(self, cluster_name: str, service_name: str, force: bool) -> Service:
        service = self._get_service(cluster_name, service_name)
        # A service of the EXTERNAL controller has no desired count of its own to scale to zero first.
        if service.task_sets and not force:
            raise InvalidParameterException("The service cannot be deleted while it has task sets.")
        super().delete_service(cluster_name, service_name, force)
        service.desired_count = 0
        service.task_sets = []
        return service

    # -- private

    @staticmethod
    def _calculate_task_resource_requirements(task_definition: TaskDefinition) -> dict[str, Any]:
        # The emulator adds up the containers' memory; on Fargate the task alone may name one.
        containers = task_definition.container_definitions
        memory = [item.get("memory") or item.get("memoryReservation") or 0 for item in containers]
        cpu = [item.get("cpu") or 0 for item in containers]
        return {"CPU": sum(cpu), "MEMORY": sum(memory), "PORTS": [], "PORTS_UDP": []}

    def _refuse_another(self, key: str) -> None:
        known = self.services.get(key)
        if known is not None and known.status == "ACTIVE":
            raise InvalidParameterException("Creation of service was not idempotent.")

    def _checked_definition(self, given: dict[str, Any]) -> TaskDefinition | None:
        reference = given.get("taskDefinition")
        definition = self.describe_task_definition(reference) if reference else None
        if definition is not None and definition.status != "ACTIVE":
            raise EcsClientException("TaskDefinition is inactive")
        for balancer in given.get("loadBalancers") or []:
            self._check_load_balancer(balancer, definition)
        return definition

    def _check_load_balancer(self, balancer: dict[str, Any], definition: TaskDefinition | None) -> None:
        arn = balancer.get("targetGroupArn")
        if arn is None:
            return
        group = elbv2_backends[self.account_id][self.region_name].target_groups.get(arn)
        if group is None:
            raise InvalidParameterException(f"The specified target group does not exist. (targetGroupArn {arn})")
        if not group.load_balancer_arns:
            raise InvalidParameterException(
                f"The target group with targetGroupArn {arn} does not have an associated load balancer."
            )
        names = [c["name"] for c in definition.container_definitions] if definition else []
        if definition and balancer.get("containerName") not in names:
            raise InvalidParameterException(
                f"The container {balancer.get('containerName')} does not exist in the task definition."
            )

    @staticmethod
    def _replaces_tasks(service: Service, definition: TaskDefinition | None, given: dict[str, Any]) -> bool:
        if given.get("forceNewDeployment"):
            return True
        if definition is not None and definition.arn != service.task_definition:
            return True
        moved = ("loadBalancers", "networkConfiguration", "platformVersion", "capacityProviderStrategy")
        return any(key in given for key in moved)


@contextmanager
def _dns_hostnames(backend: EcsBackend, subnet_id: str) -> Iterator[None]:
    """The emulator cannot give a task an interface in a VPC without DNS hostnames; AWS can."""
    network: Any = ec2_backends[backend.account_id][backend.region_name]
    vpc = network.get_vpc(network.get_subnet(subnet_id).vpc_id)
    before, vpc.enable_dns_hostnames = vpc.enable_dns_hostnames, True
    try:
        yield
    finally:
        vpc.enable_dns_hostnames = before


def _keep(service: Service, given: dict[str, Any]) -> None:
    for key, attribute in _KEPT_BY_US.items():
        if given.get(key) is not None:
            setattr(service, attribute, given[key])
        elif not hasattr(service, attribute):
            setattr(service, attribute, None)


def _begin_deployment(service: Service) -> None:
    """A new PRIMARY; the one before stays ACTIVE until its tasks are gone."""
    now = utcnow()
    previous = [{**old, "status": "ACTIVE"} for old in service.deployments[:1]]
    number = f"ecs-svc/{mock_random.randint(0, 32**12)}"
    fresh: dict[str, Any] = {
        "id": number,
        "status": "PRIMARY",
        "taskDefinition": service.task_definition,
        "desiredCount": service.desired_count,
        "pendingCount": 0,
        "runningCount": 0,
        "failedTasks": 0,
        "createdAt": now,
        "updatedAt": now,
        "launchType": service.launch_type,
        "platformVersion": service.platform_version,
        "networkConfiguration": service.network_configuration,
        "rolloutState": "IN_PROGRESS",
        "rolloutStateReason": f"ECS deployment {number} in progress.",
    }
    service.deployments = [fresh, *previous]


def _network(given: dict[str, Any], definition: TaskDefinition | None) -> dict[str, Any] | None:
    configuration = given.get("networkConfiguration")
    if configuration:
        return _with_groups(configuration)
    if definition is not None and definition.network_mode == "awsvpc":
        raise InvalidParameterException(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified."
        )
    return None


def _with_groups(configuration: dict[str, Any]) -> dict[str, Any]:
    # The emulator reads securityGroups without asking whether they were given; on AWS they are optional.
    vpc = {"securityGroups": [], "assignPublicIp": "DISABLED", **configuration["awsvpcConfiguration"]}
    return {"awsvpcConfiguration": vpc}


def _launch_type(given: dict[str, Any]) -> str:
    strategy = given.get("capacityProviderStrategy") or []
    if any(item["capacityProvider"].startswith("FARGATE") for item in strategy):
        return "FARGATE"
    return given.get("launchType") or "EC2"
