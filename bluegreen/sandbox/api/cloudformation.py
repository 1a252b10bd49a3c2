"""CloudFormation resources that the emulator drops properties of, or does not know at all.

The emulator finds a resource type's class among the direct subclasses of CloudFormationModel, the newest one first:
defining ours is registering them, and naming them here is what imports them.
"""

from __future__ import annotations

from bluegreen.sandbox.api.cfn_ecs import ScalableTargetResource, ServiceResource, TaskDefinitionResource
from bluegreen.sandbox.api.cfn_elbv2 import (
    ListenerResource,
    ListenerRuleResource,
    LoadBalancerResource,
    TargetGroupResource,
)
from bluegreen.sandbox.api.cfn_other import AlarmResource, SecretResource

RESOURCES = (
    LoadBalancerResource,
    TargetGroupResource,
    ListenerResource,
    ListenerRuleResource,
    TaskDefinitionResource,
    ServiceResource,
    AlarmResource,
    ScalableTargetResource,
    SecretResource,
)
