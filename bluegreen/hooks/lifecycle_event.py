"""The event that ECS hands to a lifecycle hook, made for a deployment of ours.

Where ECS knows service revisions of its own (``currentServiceRevisions``), they are named; where it does not, the ARN
has their form and ends with the release, and DescribeServiceRevisions would not find it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bluegreen.domain.spec import HookPoint
from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.base import HookCall
from bluegreen.hooks.running import Surroundings

if TYPE_CHECKING:
    from bluegreen.hooks.settings_remote import LambdaSettings

STAGES = {
    HookPoint.BEFORE_LAUNCH: "PRE_SCALE_UP",
    HookPoint.AFTER_LAUNCH: "POST_SCALE_UP",
    HookPoint.TEST: "POST_TEST_TRAFFIC_SHIFT",
    HookPoint.BEFORE_SHIFT: "PRE_PRODUCTION_TRAFFIC_SHIFT",
    HookPoint.AFTER_STEP: "PRODUCTION_TRAFFIC_SHIFT",
    HookPoint.AFTER_SHIFT: "POST_PRODUCTION_TRAFFIC_SHIFT",
    HookPoint.BAKE: "BAKE_TIME",
    HookPoint.BEFORE_TEARDOWN: "CLEAN_UP",
}
"""A rollback has no stage in ECS, and neither has what follows a success."""

_ON_BLUE = (HookPoint.BEFORE_LAUNCH, HookPoint.AFTER_LAUNCH, HookPoint.ON_ROLLBACK)


class EcsEvents:
    def __init__(self, settings: LambdaSettings, around: Surroundings) -> None:
        self._settings = settings
        self._around = around

    def event(self, call: HookCall, execution: str) -> dict[str, Any]:
        """Asks ECS for both services. Raises HookUnavailableError, and the AwsError family."""
        stage = self._settings.stage or STAGES.get(_written_at(call))
        if stage is None:
            raise HookUnavailableError(
                f"ECS has no lifecycle stage for {call.point}", hint="name one for the function with stage:"
            )
        facts = call.facts
        services = self._services(facts)
        green, blue = services[facts["green_service"]], services[facts["blue_service"]]
        arn = str(green["serviceArn"])
        target, source = _revision(green, facts.get("release", "")), _revision(blue, facts.get("previous_release", ""))
        event: dict[str, Any] = {
            "executionId": execution,
            "lifecycleStage": str(stage),
            "resourceArn": f"{arn.replace(':service/', ':service-deployment/')}/{facts.get('deployment', '')}",
            "executionDetails": {
                "serviceArn": arn,
                "targetServiceRevisionArn": target,
                "testTrafficWeights": _weights(target, source, 0.0 if call.point in _ON_BLUE else 100.0),
                "productionTrafficWeights": _weights(target, source, _percent(facts)),
            },
        }
        return {**event, "hookDetails": self._settings.details} if self._settings.details else event

    def _services(self, facts: Mapping[str, str]) -> dict[str, Mapping[str, Any]]:
        names = [facts.get("green_service", ""), facts.get("blue_service", "")]
        if not all(names):
            raise HookUnavailableError("the call does not say which services it is about")
        aws = self._around.aws()
        answer = aws.read(aws.ecs.describe_services, cluster=facts.get("cluster", ""), services=names)
        found = {str(each["serviceName"]): each for each in answer["services"]}
        missing = [name for name in names if name not in found]
        if missing:
            raise HookUnavailableError(f"ECS knows no service {' and '.join(missing)}")
        return dict(found)


def _written_at(call: HookCall) -> HookPoint:
    """A hook with ``on: [rollback]`` is called POINT/NAME in a rollback; its function knows the stage of its point."""
    point, slash, _ = call.name.partition("/")
    return HookPoint(point) if slash and call.point is HookPoint.ON_ROLLBACK else call.point


def _revision(service: Mapping[str, Any], release: str) -> str:
    current = service.get("currentServiceRevisions") or []
    if len(current) == 1 and current[0].get("arn"):
        return str(current[0]["arn"])
    place = str(service["serviceArn"]).replace(":service/", ":service-revision/")
    return f"{place}/{re.sub(r'[^A-Za-z0-9-]', '-', release) or 'none'}"


def _weights(target: str, source: str, percent: float) -> dict[str, float]:
    shares = {target: percent, source: 100.0 - percent}
    return {arn: int(share) if share == int(share) else share for arn, share in shares.items() if share}


def _percent(facts: Mapping[str, str]) -> float:
    try:
        return min(100.0, max(0.0, float(facts.get("green_percent", "0"))))
    except ValueError:
        return 0.0
