"""What a hook's settings get wrong together with its place, or with the keys beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bluegreen.config.explain import key_place
from bluegreen.config.kinds import at, flattened
from bluegreen.config.problems import Path, Problem
from bluegreen.config.source import Node
from bluegreen.config.values import seconds_of
from bluegreen.domain.spec import HookPoint

WITHOUT_STAGE = (HookPoint.ON_ROLLBACK, HookPoint.ON_SUCCESS)
"""ECS has no lifecycle stage for them."""


def hook_problems(root: Node, data: object) -> Iterator[Problem]:
    """``data`` is the file's content with its variables filled in."""
    for point in HookPoint:
        path = ("hooks", point.value)
        for place, item in flattened(at(data, path)):
            if isinstance(item, Mapping):
                yield from _cut_short(root, (*path, *place), item)
                if point in WITHOUT_STAGE:
                    yield from _without_stage(root, (*path, *place), item)


# Private


def _cut_short(root: Node, path: Path, item: Mapping[str, object]) -> Iterator[Problem]:
    approval = item.get("approval")
    deadline = approval.get("deadline") if isinstance(approval, Mapping) else None
    asked, allowed = seconds_of(str(deadline or "")), seconds_of(str(item.get("timeout", "")))
    if asked is not None and allowed is not None and allowed < asked:
        text = "is shorter than the approval's own deadline, which would be cut; remove it, or give only timeout"
        yield Problem((*path, "timeout"), text, key_place(root, (*path, "timeout")))


def _without_stage(root: Node, path: Path, item: Mapping[str, object]) -> Iterator[Problem]:
    if "lambda" not in item:
        return
    written = item["lambda"]
    settings = written if isinstance(written, Mapping) else {}
    if settings.get("contract", "ecs") == "ecs" and settings.get("stage") is None:
        text = f"needs stage: ECS has no lifecycle stage for {path[1]}; name the one that the function is to be told"
        yield Problem((*path, "lambda"), text, key_place(root, (*path, "lambda")))
