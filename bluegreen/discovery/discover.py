"""From a live world to what a configuration is written from: the reads in their order, the choices between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bluegreen.discovery.base import BalancerFacts, GroupFacts, RouteFacts, ServiceFacts, Source, group_name
from bluegreen.discovery.found import Found, GateFound, Pair, Routes, Wanted
from bluegreen.discovery.gates import gates_of
from bluegreen.discovery.pair import choose_cluster, choose_other, choose_service, no_such_cluster
from bluegreen.discovery.smoke import smoke_of
from bluegreen.discovery.sorting import sort_routes
from bluegreen.errors import AccessDeniedError, NotFoundError, RefusedError


def discover(source: Source, wanted: Wanted) -> Found:
    """Changes nothing. Raises UsageError where a choice is a person's, RefusedError where something is missing, and
    the AwsError family."""
    cluster, cluster_why = _cluster(source, wanted.cluster)
    services = _services(source, cluster)
    mine = choose_service(services, wanted.service, cluster)
    front = _Front(source)
    front.look_at(mine.groups)
    pair = choose_other(mine, services, front.beside(mine.groups), wanted.other, cluster)
    front.look_at(pair.groups)
    routes = sort_routes(front.routes, pair)
    gates, blind = _gates(source, pair, front.balancers)
    first, second = (front.group(arn) for arn in pair.groups)
    return Found(
        pair=pair,
        cluster=cluster,
        cluster_why=cluster_why,
        region=source.region,
        routes=routes,
        smoke=smoke_of(routes.test, second if routes.live == second.arn else first),
        gates=gates,
        blind=blind,
        notes=(*_notes(pair, routes), *_unlike(first, second), *([blind] if blind else [])),
    )


# Private


class _Front:
    """The load balancers in front of target groups, each read once."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.groups: list[GroupFacts] = []
        self.balancers: list[BalancerFacts] = []
        self.routes: list[RouteFacts] = []

    def look_at(self, arns: Sequence[str]) -> None:
        """Raises RefusedError for a load balancer that knows no weights of HTTP traffic."""
        known = {group.arn for group in self.groups}
        new = self._source.groups(wanted) if (wanted := [arn for arn in arns if arn not in known]) else ()
        self.groups += new
        seen = {balancer.arn for balancer in self.balancers}
        fronts = [arn for group in new for arn in group.balancers if arn not in seen]
        found = self._source.balancers(list(dict.fromkeys(fronts))) if fronts else ()
        for balancer in found:
            _refuse_other_kinds(balancer, arns)
            self.routes += self._source.routes(balancer)
        self.balancers += found

    def group(self, arn: str) -> GroupFacts:
        return next(group for group in self.groups if group.arn == arn)

    def beside(self, groups: Sequence[str]) -> list[str]:
        """The target groups that share a forward with one of these."""
        shared = [arn for route in self.routes if set(groups) & set(route.weights) for arn in route.weights]
        return [arn for arn in dict.fromkeys(shared) if arn not in groups]


def _refuse_other_kinds(balancer: BalancerFacts, groups: Sequence[str]) -> None:
    if balancer.kind == "application":
        return
    kind = "Network" if balancer.kind == "network" else balancer.kind.capitalize()
    raise RefusedError(
        f"target group {', '.join(group_name(group) for group in groups)} stands behind {balancer.name}, a {kind} Load "
        "Balancer: bluegreen init knows Application Load Balancers only",
        hint="docs/configuration.md has the keys, to write the configuration by hand; then bluegreen verify",
    )


def _cluster(source: Source, wanted: str | None) -> tuple[str, str]:
    if wanted is not None:
        return wanted, "as --cluster says"
    try:
        return choose_cluster(source.clusters(), source.region), "the only one in the region"
    except AccessDeniedError as error:
        error.hint = f"name the cluster with --cluster, or {error.hint}"
        raise


def _services(source: Source, cluster: str) -> Sequence[ServiceFacts]:
    try:
        return source.services(cluster)
    except NotFoundError as error:
        raise no_such_cluster(cluster, source.clusters(), source.region) from error


def _gates(source: Source, pair: Pair, balancers: Sequence[BalancerFacts]) -> tuple[tuple[GateFound, ...], str]:
    """A configuration without gates is worth having where alarms may not be read."""
    try:
        alarms = source.alarms()
    except AccessDeniedError as error:
        return (), f"no alarm was looked for: {error.message}"
    return gates_of(alarms, pair.groups, [balancer.arn for balancer in balancers]), ""


def _notes(pair: Pair, routes: Routes) -> tuple[str, ...]:
    checks: tuple[Callable[[Pair, Routes], list[str]], ...] = (_undecided, _foreign, _untested, _idle_routes)
    return tuple(note for check in checks for note in check(pair, routes))


def _undecided(pair: Pair, routes: Routes) -> list[str]:
    if routes.live is not None:
        return []
    return [
        "which slot is live cannot be told from the weights: send everything of the production routes to one slot, or "
        "finish the deployment that moves them; bluegreen verify refuses until then"
    ]


def _foreign(pair: Pair, routes: Routes) -> list[str]:
    chosen = [*routes.production, *([routes.test] if routes.test else [])]
    return [
        f"{each.route.name} also forwards to {group_name(arn)}, which is neither slot's: take it out of the forward"
        for each in chosen
        for arn in each.route.weights
        if arn not in pair.groups
    ]


def _unlike(first: GroupFacts, second: GroupFacts) -> list[str]:
    """A release that is healthy in one slot would not be in the other."""
    checks = [(each.health_path, each.health_port, each.health_codes) for each in (first, second)]
    if checks[0] == checks[1]:
        return []
    said = [f"{group_name(g.arn)} asks {g.health_path or 'no path'} for {g.health_codes}" for g in (first, second)]
    return [f"the target groups' health checks differ: {', '.join(said)}; give both the same"]


def _untested(pair: Pair, routes: Routes) -> list[str]:
    if routes.test is not None:
        return []
    return ["no test route was found: green is not tested before it gets traffic (docs/manual.md, A test route)"]


def _idle_routes(pair: Pair, routes: Routes) -> list[str]:
    return [f"{each.route.name} was left out: {each.why}" for each in routes.left_out]
