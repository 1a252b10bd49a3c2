"""What ``shift`` and ``gates``, each right by itself, get wrong together."""

from __future__ import annotations

from collections.abc import Iterator

from bluegreen.config.model import Configuration
from bluegreen.config.problems import Problem
from bluegreen.config.source import Node, find
from bluegreen.domain.facts import COMPARISON


def verdict_problems(model: Configuration, root: Node) -> Iterator[Problem]:
    comparisons = [index for index, gate in enumerate(model.gates) if COMPARISON in (gate.model_extra or {})]
    if model.shift.until_verdict is not None and not comparisons:
        path = ("shift", "until_verdict")
        text = f"needs a gate that gives one; add gates: [{{{COMPARISON}: {{}}}}], or use canary: {{percent, wait}}"
        yield Problem(path, text, find(root, path)[0].place)
    if comparisons and not any(0 < step.percent < 100 for step in model.shift.schedule()):
        place = ("gates", comparisons[0], COMPARISON)
        text = "compares green with blue while both have traffic, and this shift gives green everything at once"
        fix = "add shift: {until_verdict: {percent: 5, at_most: 30m}}, or a canary, linear or steps"
        yield Problem(place, f"{text}; {fix}", find(root, place)[0].place)
