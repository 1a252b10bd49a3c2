"""A whole configuration as data, with ways to change it and to read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bluegreen.config.load import Loaded, load
from bluegreen.errors import ConfigurationError
from bluegreen.wiring import known_kinds

ENVIRONMENT = {"TAG": "1.4.2", "TOKEN": "hush-hush", "PERCENT": "5", "WAIT": "5m", "PORT": "443"}


def small(**changes: Any) -> dict[str, Any]:
    """The least that loads, with ``changes`` at its top; a value of ... takes the key away."""
    base: dict[str, Any] = {
        "service": "orders",
        "cluster": "production",
        "slots": [
            {"target_group": "orders-1", "service": "orders-1"},
            {"target_group": "orders-2", "service": "orders-2"},
        ],
        "production": [{"load_balancer": "prod", "port": 443}],
    }
    return {key: value for key, value in (base | changes).items() if value is not ...}


def read_text(folder: Path, text: str | bytes, environment: Mapping[str, str] = ENVIRONMENT, **how: Any) -> Loaded:
    file = folder / "bluegreen.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(file, environment, known_kinds(), **how)


def read(folder: Path, environment: Mapping[str, str] = ENVIRONMENT, **changes: Any) -> Loaded:
    """JSON is YAML, so data is written as JSON."""
    return read_text(folder, json.dumps(small(**changes)), environment)


def problems_of_text(folder: Path, text: str | bytes, environment: Mapping[str, str] = ENVIRONMENT) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        read_text(folder, text, environment)
    assert caught.value.problems
    assert caught.value.exit_code == 2
    return tuple(problem.replace(str(folder) + "/", "") for problem in caught.value.problems)


def problems(folder: Path, environment: Mapping[str, str] = ENVIRONMENT, **changes: Any) -> tuple[str, ...]:
    return problems_of_text(folder, json.dumps(small(**changes)), environment)


def problem(folder: Path, environment: Mapping[str, str] = ENVIRONMENT, **changes: Any) -> str:
    """The only problem, without its place."""
    found = problems(folder, environment, **changes)
    assert len(found) == 1, found
    return found[0].split(": ", 1)[1]
