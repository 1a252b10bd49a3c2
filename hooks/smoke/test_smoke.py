"""Smoke test: green answers, quickly and with what was deployed, before anyone else sees it.

    hooks:
      test:
        - {pytest: {path: hooks/smoke}}

Change the paths to those that must work for your service to be called alive.
"""

from __future__ import annotations

import urllib.request
from typing import Any

import pytest

PATHS = ["/", "/health"]


@pytest.mark.parametrize("path", PATHS)
def test_page_is_answered(path: str, base_url: str, deployment: Any) -> None:
    request = urllib.request.Request(base_url + path, headers=deployment.headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200
        assert answer.read(), "an empty page"
