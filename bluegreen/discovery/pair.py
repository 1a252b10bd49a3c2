"""Which two ECS services are the two slots of one service: by name, or by the forward they stand in. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from itertools import groupby

from bluegreen.discovery.base import ServiceFacts, group_name
from bluegreen.discovery.found import Pair, SlotFound
from bluegreen.errors import RefusedError, UsageError

MANUAL = "docs/manual.md, The second slot, shows how to add it; configs/sandbox.yaml is a template with both"

_ROLE = re.compile(r"(?P<base>.+?)[-_](?P<role>1|2|a|b|blue|green)", re.IGNORECASE)
_FAMILIES = ({"1", "2"}, {"a", "b"}, {"blue", "green"})


def choose_cluster(names: Sequence[str], region: str) -> str:
    """The only one. Raises RefusedError where there is none, UsageError where there are several."""
    if not names:
        raise RefusedError(
            f"there is no ECS cluster in {region}", hint="name the region with --region, or the account with --profile"
        )
    if len(names) > 1:
        raise UsageError(
            f"which cluster? {region} has {_listed(names)}", hint=f"bluegreen init --cluster {sorted(names)[0]}"
        )
    return names[0]


def no_such_cluster(wanted: str, names: Sequence[str], region: str) -> UsageError:
    return UsageError(
        f"there is no ECS cluster {wanted} in {region}; there are: {_listed(names)}",
        hint=_nearest("--cluster ", wanted, names) or "name one of them with --cluster, or another --region",
    )


def choose_service(services: Sequence[ServiceFacts], wanted: str | None, cluster: str) -> ServiceFacts:
    """The service of that name, or one of the two that have it in common: ``orders`` of ``orders-1``, ``orders-2``.

    Raises UsageError that lists the services with a target group, where none is named or none has the name;
    RefusedError where it can be no slot.
    """
    exact = next((service for service in services if service.name == wanted), None)
    if exact is not None:
        _refuse_unfit(exact, cluster)
        return exact
    sharing = [service for service in _by_name(services) if service.groups and _split(service.name)[0] == wanted]
    if sharing:
        _refuse_unfit(sharing[0], cluster)
        return sharing[0]
    known = _names_to_type(services)
    if wanted is None:
        problem = f"which service? cluster {cluster} has {_shown(services)}"
        raise UsageError(problem, hint=f"bluegreen init {known[0] if known else 'SERVICE'}")
    raise UsageError(
        f"there is no ECS service {wanted} in cluster {cluster}; with a target group there are: {_shown(services)}",
        hint=_nearest("", wanted, [*known, *(service.name for service in services)]) or "check --cluster and --region",
    )


def choose_other(
    mine: ServiceFacts, services: Sequence[ServiceFacts], beside: Iterable[str], wanted: str | None, cluster: str
) -> Pair:
    """``beside`` are the target groups that share a forward with mine.

    Raises RefusedError where there is no second slot, or the wanted one can be none; UsageError where several could
    be it.
    """
    if wanted is not None:
        return _pair(mine, _named(mine, services, wanted, cluster), "as --other says")
    neighbours = [group for group in beside if group not in mine.groups]
    others = [service for service in _by_name(services) if service.name != mine.name]
    in_forward = [service for service in others if _can_be_beside(mine, service) and service.groups[0] in neighbours]
    siblings = [service for service in others if are_siblings(mine.name, service.name)]
    by_name = [service for service in siblings if _can_be_beside(mine, service)]
    candidates = in_forward or by_name
    if not candidates:
        raise RefusedError(_missing(mine, cluster, siblings, neighbours, others), hint=MANUAL)
    if len(candidates) > 1:
        raise UsageError(
            f"which is the other slot of {mine.name}? Several could be: {_listed([c.name for c in candidates])}",
            hint=f"bluegreen init {mine.name} --other {candidates[0].name}",
        )
    why = "they share a forward" if in_forward else "they share the name, no forward yet"
    return _pair(mine, candidates[0], why, guess=not in_forward)


def are_siblings(one: str, other: str) -> bool:
    """``orders-1`` and ``orders-2``, ``orders-blue`` and ``orders-green``, ``orders`` and ``orders-green``."""
    (base, role), (base_too, role_too) = _split(one), _split(other)
    if base != base_too or role == role_too:
        return False
    return "" in (role, role_too) or {role, role_too} in _FAMILIES


# Private


def _split(name: str) -> tuple[str, str]:
    found = _ROLE.fullmatch(name)
    return (found["base"], found["role"].lower()) if found else (name, "")


def _refuse_unfit(service: ServiceFacts, cluster: str) -> None:
    where = f"service {service.name} of cluster {cluster}"
    if service.unfit:
        raise RefusedError(f"{where} {service.unfit}", hint=service.way_out)
    if not service.groups:
        raise RefusedError(
            f"{where} registers its tasks in no target group, so no load balancer divides its traffic",
            hint="aws ecs update-service --load-balancers gives it one; then run bluegreen init again",
        )
    if len(service.groups) > 1:
        raise RefusedError(
            f"{where} registers its tasks in several target groups ({_groups(service)}); a slot has exactly one",
            hint="give each of them a service of its own, or keep one with aws ecs update-service --load-balancers",
        )


def _named(mine: ServiceFacts, services: Sequence[ServiceFacts], wanted: str, cluster: str) -> ServiceFacts:
    other = next((service for service in services if service.name == wanted), None)
    if other is None:
        names = [service.name for service in services if service.name != mine.name]
        raise UsageError(
            f"there is no ECS service {wanted} in cluster {cluster}; there are: {_listed(names)}",
            hint=_nearest("--other ", wanted, names) or "name one of them with --other",
        )
    _refuse_unfit(other, cluster)
    if other.name == mine.name or other.groups == mine.groups:
        raise RefusedError(
            f"{mine.name} and {other.name} share target group {_groups(mine)}; each slot needs a service and a target "
            "group of its own",
            hint=MANUAL,
        )
    return other


def _can_be_beside(mine: ServiceFacts, other: ServiceFacts) -> bool:
    return not other.unfit and len(other.groups) == 1 and other.groups != mine.groups


def _missing(
    mine: ServiceFacts,
    cluster: str,
    siblings: Sequence[ServiceFacts],
    neighbours: Sequence[str],
    others: Sequence[ServiceFacts],
) -> str:
    """What is missing, and what is nearly there."""
    base = _split(mine.name)[0]
    near = [f"service {sibling.name} {_why_not(mine, sibling)}" for sibling in siblings]
    served = {group for service in others for group in service.groups}
    near += [
        f"target group {group_name(group)} shares the forward, but no ECS service of the cluster registers tasks in it"
        for group in neighbours
        if group not in served
    ]
    found = "; ".join(near) or (
        f"no ECS service of cluster {cluster} shares its forward or is its sibling by name ({base}-2, {base}-green, …)"
    )
    return (
        f"service {mine.name} has no second slot: a second target group, and a second ECS service at desired count 0 "
        f"that registers its tasks there. {found[0].upper()}{found[1:]}"
    )


def _why_not(mine: ServiceFacts, sibling: ServiceFacts) -> str:
    if sibling.unfit:
        return sibling.unfit
    if not sibling.groups:
        return "is there, but registers its tasks in no target group"
    if len(sibling.groups) > 1:
        return f"is there, but registers its tasks in several target groups ({_groups(sibling)})"
    return f"is there, but registers its tasks in the same target group, {_groups(mine)}"


def _pair(mine: ServiceFacts, other: ServiceFacts, why: str, *, guess: bool = False) -> Pair:
    first, second = sorted((mine, other), key=lambda service: service.name)
    name = _split(mine.name)[0] if are_siblings(mine.name, other.name) else mine.name
    return Pair(_accepted(name), (_slot(first), _slot(second)), why, guess)


def _slot(service: ServiceFacts) -> SlotFound:
    return SlotFound(service.name, service.groups[0], group_name(service.groups[0]), service.desired)


def _accepted(name: str) -> str:
    """As bluegreen takes a service's name: ECS allows more."""
    return re.sub(r"^[^A-Za-z0-9]+", "", name)[:128] or "service"


def _by_name(services: Iterable[ServiceFacts]) -> list[ServiceFacts]:
    return sorted(services, key=lambda service: service.name)


def _families(services: Sequence[ServiceFacts]) -> list[tuple[str, list[str]]]:
    """Those with a target group, siblings together under the name they share."""
    names = sorted((*_split(service.name), service.name) for service in services if service.groups)
    return [(base, [name for _, _, name in members]) for base, members in groupby(names, key=lambda each: each[0])]


def _names_to_type(services: Sequence[ServiceFacts]) -> list[str]:
    return [base if len(members) > 1 else members[0] for base, members in _families(services)]


def _shown(services: Sequence[ServiceFacts]) -> str:
    shown = [
        f"{base} ({', '.join(members)})" if len(members) > 1 else members[0] for base, members in _families(services)
    ]
    return ", ".join(shown) or "none with a target group"


def _groups(service: ServiceFacts) -> str:
    return ", ".join(group_name(group) for group in service.groups)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _nearest(before: str, wanted: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(wanted, sorted(set(names)), n=1, cutoff=0.5)
    return f"did you mean {before}{close[0]}?" if close else ""
