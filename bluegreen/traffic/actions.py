"""An action list of a listener or rule, as ELBv2 answers it, read and rewritten without I/O.

The API replaces an action list whole, so a rewrite keeps everything but the two weights. Source: elbv2 API,
Action, ForwardActionConfig, TargetGroupTuple, AuthenticateOidcActionConfig.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from bluegreen.domain.deployment import Slot
from bluegreen.domain.health import LiveRoute
from bluegreen.domain.split import Split
from bluegreen.errors import RefusedError

Action = dict[str, Any]
"""One element of ``Actions`` or ``DefaultActions``, in the API's own words."""

_LONGEST_SHOWN = 400


def live_route(actions: Sequence[Action], blue: Slot, green: Slot, *, place: str) -> LiveRoute:
    """What the actions do with traffic. ``place`` names the route in errors.

    Raises RefusedError when they do not end in a forward.
    """
    forward = _forward(actions, place)
    weights = weights_of(forward)
    ours = (blue.target_group_arn, green.target_group_arn)
    return LiveRoute(
        split=Split(weights.get(ours[0], 0), weights.get(ours[1], 0)),
        attached=tuple(arn for arn in weights if arn in ours),
        others=tuple(arn for arn in weights if arn not in ours),
        sticky=_sticky_seconds(forward),
        actions=json.dumps([_without_secret(action) for action in actions], sort_keys=True, default=str),
        shape=_shape(actions, forward, ours),
        stray=sum(weight for arn, weight in weights.items() if arn not in ours),
    )


def with_split(actions: Sequence[Action], blue: Slot, green: Slot, desired: Split, *, place: str) -> list[Action]:
    """The same actions, written back as the API accepts them, with the two weights as desired.

    Raises RefusedError when there is no forward, or one that holds another target group.
    """
    forward = _forward(actions, place)
    weights = weights_of(forward)
    _refuse_others(weights, blue, green, place)
    weights |= {blue.target_group_arn: desired.blue, green.target_group_arn: desired.green}
    return [_rewritten(action, weights) if action is forward else writable(action) for action in _in_order(actions)]


def weights_of(forward: Action) -> dict[str, int]:
    """Target group ARN → weight. A lone target group without a weight has 1, as the API answers it."""
    groups = (forward.get("ForwardConfig") or {}).get("TargetGroups")
    if not groups:
        return {forward["TargetGroupArn"]: 1} if forward.get("TargetGroupArn") else {}
    return {group["TargetGroupArn"]: int(group.get("Weight", 1)) for group in groups}


def target_groups(actions: Sequence[Action]) -> tuple[str, ...]:
    """Every target group that the actions forward to; none for a redirect or a fixed response."""
    return tuple(arn for action in actions if action.get("Type") == "forward" for arn in weights_of(action))


def writable(action: Action) -> Action:
    """An action as read, made acceptable to a write: AWS never answers a client secret, so it is kept by name."""
    result = _without_secret(action)
    if "AuthenticateOidcConfig" in result:
        result["AuthenticateOidcConfig"]["UseExistingClientSecret"] = True
    return result


def besides_weights(actions: str) -> list[Action]:
    """What of an action list (JSON) no shift writes, in its order; without what differs between reading and writing."""
    return [_without_weights(action) for action in _in_order(json.loads(actions))]


def difference(before: str, now: str) -> str:
    """Both values of what somebody changed besides the weights, for a person; empty where no part is another one."""
    then, live = besides_weights(before), besides_weights(now)
    gone, new = [each for each in then if each not in live], [each for each in live if each not in then]
    if not gone and not new:
        return ""
    return f"now {_shown(new)}, before {_shown(gone)}"


def _shown(actions: Sequence[Action]) -> str:
    text = json.dumps(actions, sort_keys=True, default=str) if actions else "nothing in its place"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _without_weights(action: Action) -> Action:
    kept = {key: value for key, value in action.items() if key not in ("Order", "TargetGroupArn", "ForwardConfig")}
    oidc = kept.get("AuthenticateOidcConfig")
    if isinstance(oidc, dict):
        kept["AuthenticateOidcConfig"] = {key: v for key, v in oidc.items() if key != "UseExistingClientSecret"}
    if action.get("Type") == "forward":
        sticky = (action.get("ForwardConfig") or {}).get("TargetGroupStickinessConfig") or {}
        kept["StickinessSeconds"] = sticky.get("DurationSeconds") if sticky.get("Enabled") else None
    return kept


def _without_secret(action: Action) -> Action:
    """What is kept of an action goes to records; an emulator may answer the secret that AWS does not."""
    result = copy.deepcopy(action)
    (result.get("AuthenticateOidcConfig") or {}).pop("ClientSecret", None)
    return result


def _in_order(actions: Sequence[Action]) -> list[Action]:
    return sorted(actions, key=lambda action: int(action.get("Order") or 0))


def _forward(actions: Sequence[Action], place: str) -> Action:
    ordered = _in_order(actions)
    forwards = [action for action in ordered if action.get("Type") == "forward"]
    if not forwards:
        kinds = ", ".join(str(action.get("Type")) for action in ordered) or "nothing"
        raise RefusedError(
            f"{place} does not forward to target groups: its action is {kinds}",
            hint="name the listener or rule that carries the service's traffic; a redirect is left alone",
        )
    if len(forwards) > 1 or ordered[-1] is not forwards[0]:
        raise RefusedError(
            f"{place} has actions that cannot be rewritten safely: one forward is expected, as the last action",
            hint="aws elbv2 describe-rules / describe-listeners shows them",
        )
    return forwards[0]


def _refuse_others(weights: dict[str, int], blue: Slot, green: Slot, place: str) -> None:
    others = sorted(set(weights) - {blue.target_group_arn, green.target_group_arn})
    if others:
        named = ", ".join(f"{arn} (weight {weights[arn]})" for arn in others)
        raise RefusedError(
            f"{place} forwards to a target group that is neither {blue.name} nor {green.name}: {named}",
            hint="remove it from the forward, or configure the route that belongs to this service",
        )


def _rewritten(forward: Action, weights: dict[str, int]) -> Action:
    """The legacy ``TargetGroupArn`` must go: beside several target groups the API refuses it."""
    result = {key: copy.deepcopy(value) for key, value in forward.items() if key != "TargetGroupArn"}
    config = dict(result.get("ForwardConfig") or {})
    config["TargetGroups"] = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights.items()]
    return result | {"ForwardConfig": config}


def _sticky_seconds(forward: Action) -> int | None:
    stickiness = (forward.get("ForwardConfig") or {}).get("TargetGroupStickinessConfig") or {}
    return int(stickiness.get("DurationSeconds") or 0) if stickiness.get("Enabled") else None


def _shape(actions: Sequence[Action], forward: Action, ours: tuple[str, str]) -> str:
    """Alike for the legacy and the weighted form, for any order of the groups, and before and after attaching green:
    none of these is someone's edit."""
    parts = [_forward_shape(action, ours) if action is forward else _plain(action) for action in _in_order(actions)]
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(action: Action) -> Action:
    result = {key: value for key, value in _without_secret(action).items() if key != "Order"}
    (result.get("AuthenticateOidcConfig") or {}).pop("UseExistingClientSecret", None)
    return result


def _forward_shape(forward: Action, ours: tuple[str, str]) -> Action:
    known = ("Type", "Order", "TargetGroupArn", "ForwardConfig")
    config = forward.get("ForwardConfig") or {}
    rest = {key: value for key, value in config.items() if key not in ("TargetGroups", "TargetGroupStickinessConfig")}
    return {
        "others": sorted((arn, weight) for arn, weight in weights_of(forward).items() if arn not in ours),
        "sticky": _sticky_seconds(forward),
        "config": rest,
        "rest": {key: value for key, value in forward.items() if key not in known},
    }
