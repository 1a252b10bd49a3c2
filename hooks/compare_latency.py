#!/usr/bin/env python3
"""Latency comparison: green must not be slower than blue, asked in turn so that both meet the same minute.

    hooks:
      before_shift:
        - command:
            run: [python3, hooks/compare_latency.py, --blue, "https://orders.example.com", --path, /health]

Blue is reached through the production route, green through the test route (BLUEGREEN_BASE_URL). It says no when
green's median or 95th percentile is more than ``--factor`` times blue's *and* more than ``--slack`` milliseconds
above it. Exit codes: 0 yes, 1 no, 75 could not ask (blue did not answer).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
import urllib.request

COULD_NOT_ASK = 75


def main() -> int:
    options = parse()
    header = dict([os.environ["BLUEGREEN_TEST_HEADER"].split(":", 1)]) if "BLUEGREEN_TEST_HEADER" in os.environ else {}
    green_headers = {name.strip(): value.strip() for name, value in header.items()}
    blue, green = [], []
    for _ in range(options.requests):
        try:
            blue.append(milliseconds(options.blue + options.path, {}))
        except OSError as error:
            print(f"blue did not answer: {error}")
            return COULD_NOT_ASK
        try:
            green.append(milliseconds(options.green + options.path, green_headers))
        except OSError as error:
            print(f"green did not answer: {error}")
            return 1
    return verdict(blue, green, options.factor, options.slack)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="green must not be slower than blue")
    parser.add_argument("--blue", required=True, help="the production route's URL")
    parser.add_argument("--green", default=os.environ.get("BLUEGREEN_BASE_URL"), help="the test route's URL")
    parser.add_argument("--path", default="/")
    parser.add_argument("--requests", type=int, default=50, help="for each of the two")
    parser.add_argument("--factor", type=float, default=1.5)
    parser.add_argument("--slack", type=float, default=20.0, help="milliseconds that never count as slower")
    options = parser.parse_args()
    if not options.green:
        parser.error("there is no test route: BLUEGREEN_BASE_URL is not set")
    return options


def milliseconds(url: str, headers: dict[str, str]) -> float:
    began = time.perf_counter()
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        answer.read()
    return (time.perf_counter() - began) * 1000


def verdict(blue: list[float], green: list[float], factor: float, slack: float) -> int:
    slower = False
    parts = []
    for name, of in (("median", statistics.median), ("p95", p95)):
        was, now = of(blue), of(green)
        slower |= now > was * factor and now > was + slack
        parts.append(f"{name} {was:.1f} ms → {now:.1f} ms")
    print(f"{'slower' if slower else 'not slower'}: {', '.join(parts)} ({len(blue)} requests each)")
    return 1 if slower else 0


def p95(times: list[float]) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * 0.95))]


if __name__ == "__main__":
    sys.exit(main())
