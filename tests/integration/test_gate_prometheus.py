"""The ``prometheus`` gate over a real Prometheus that scrapes a real exporter, and over an HTTP double."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from bluegreen.analysis import Histogram, Interval, Side
from bluegreen.clock import SystemClock
from bluegreen.domain.spec import GateSpec
from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.alarm import AlarmBoard
from bluegreen.hooks.base import Gate, Reading, Watch
from bluegreen.hooks.registry import build_gate
from tests.contract.hook_kit import Release, serving, until

WITHOUT = os.environ.get("BLUEGREEN_WITHOUT_PROMETHEUS") == "1"
UNPACKED = Path(__file__).parents[2] / ".bluegreen" / "prometheus" / "usr" / "bin" / "prometheus"
WHY = "left out by BLUEGREEN_WITHOUT_PROMETHEUS"
COUNTS = """\
# TYPE http_requests_total counter
http_requests_total{service="orders",status="200"} 970
http_requests_total{service="orders",status="500"} 30
# TYPE unused_total counter
unused_total 0
# TYPE side_requests_total counter
side_requests_total{service="orders-1",status="200"} 1980
side_requests_total{service="orders-1",status="500"} 20
side_requests_total{service="orders-2",status="200"} 95
side_requests_total{service="orders-2",status="500"} 5
# TYPE side_seconds histogram
side_seconds_bucket{service="orders-1",le="0.1"} 1900
side_seconds_bucket{service="orders-1",le="0.5"} 1980
side_seconds_bucket{service="orders-1",le="+Inf"} 2000
side_seconds_bucket{service="orders-2",le="0.1"} 50
side_seconds_bucket{service="orders-2",le="0.5"} 90
side_seconds_bucket{service="orders-2",le="+Inf"} 100
"""


def real(test: Any) -> Any:
    """One server for all of these."""
    return pytest.mark.skipif(WITHOUT, reason=WHY)(pytest.mark.xdist_group("prometheus")(test))


def gate_of(url: str, query: str, **settings: object) -> Gate:
    clock = SystemClock()
    spec = GateSpec("rate", "prometheus", {"url": url, "query": query, "max": 5, "interval": "10ms", **settings})
    return build_gate(spec, {}, Path("/"), AlarmBoard(lambda: cast(Any, None), clock), clock)


def vector(samples: str) -> str:
    return f'{{"status": "success", "data": {{"resultType": "vector", "result": [{samples}]}}}}'


def read(url: str, query: str, **settings: object) -> Reading:
    return gate_of(url, query, error_limit=0, **settings).check(Watch())


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its URL, once it has scraped the counts above."""
    program = shutil.which("prometheus") or (str(UNPACKED) if UNPACKED.exists() else None)
    assert program, "there is no Prometheus: run scripts/prometheus, or set BLUEGREEN_WITHOUT_PROMETHEUS=1"
    folder = tmp_path_factory.mktemp("prometheus")
    with serving(Release({"/metrics": (200, COUNTS)})) as exporter:
        place = exporter.url.removeprefix("http://")
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n"
            f"scrape_configs: [{{job_name: orders, static_configs: [{{targets: ['{place}']}}]}}]\n"
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            listen = f"127.0.0.1:{probe.getsockname()[1]}"
        flags = ["--config.file=prometheus.yml", f"--storage.tsdb.path={folder}/data", f"--web.listen-address={listen}"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([program, *flags], cwd=folder, stdout=log, stderr=log)
        try:
            until(lambda: scraped(f"http://{listen}"), 30)
            yield f"http://{listen}"
        finally:
            process.kill()
            process.wait()


def scraped(url: str) -> bool:
    try:
        return read(url, "sum(http_requests_total)", max=10_000).state == "ok"
    except HookUnavailableError:
        return False


@real
def test_a_real_prometheus_answers_ok_firing_no_data_and_errors_as_four_things(prometheus: str) -> None:
    share = '100 * sum(http_requests_total{status="500"}) / sum(http_requests_total)'
    fine = read(prometheus, share)
    assert (fine.state, fine.detail, fine.numbers) == ("ok", f"{share} is 3, allowed is at most 5", {"value": 3})
    assert read(prometheus, share, max=2).state == "firing"
    assert read(prometheus, share, ok_max=1).state == "not_yet"
    assert read(prometheus, "scalar(sum(http_requests_total))", max=1000).state == "ok"


@real
@pytest.mark.parametrize("query", ["no_such_metric", "unused_total / unused_total"])
def test_of_a_real_prometheus_an_empty_vector_and_nothing_over_nothing_are_no_data(prometheus: str, query: str) -> None:
    assert read(prometheus, query).state == "no_data"
    assert read(prometheus, query, no_data="fire").state == "firing"


@real
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("http_requests_total", "answers 2 series"),
        ("sum(", "refused the query"),
        ("http_requests_total[1m]", "answers a matrix"),
    ],
)
def test_a_query_that_is_not_one_number_is_an_error_of_a_real_prometheus(
    prometheus: str, query: str, said: str
) -> None:
    with pytest.raises(HookUnavailableError, match=said):
        read(prometheus, query)


def comparison(url: str, **queries: str) -> Any:
    """What ``compare`` counts between two times; the counters stand still here, so their greatest value is told."""
    asked = {
        "requests": 'sum(max_over_time(side_requests_total{service="${side_service}"}[${period}]))',
        "errors": 'sum(max_over_time(side_requests_total{service="${side_service}",status="500"}[${period}]))',
        "latency": 'sum by (le) (max_over_time(side_seconds_bucket{service="${side_service}"}[${period}]))',
    }
    spec = GateSpec("versus", "compare", {"period": "1s", "prometheus": {"url": url, **asked, **queries}})
    facts = {"green_service": "orders-2", "blue_service": "orders-1", "green": "orders-2", "blue": "orders-1"}
    clock = SystemClock()
    board = AlarmBoard(lambda: cast(Any, None), clock)
    return cast(Any, build_gate(spec, {}, Path("/"), board, clock, facts=facts))._inner._source.intervals


@real
def test_a_real_prometheus_counts_both_sides_of_a_comparison(prometheus: str) -> None:
    intervals = comparison(prometheus)

    def newest() -> list[Interval]:
        end = float(int(SystemClock().now()))
        return cast(list[Interval], intervals(end - 1, end))

    until(lambda: newest()[0].blue.requests > 0, 10)
    (seen,) = newest()
    assert seen.green == Side(100, 5, Histogram((0.1, 0.5), (50, 40, 10)))
    assert seen.blue == Side(2000, 20, Histogram((0.1, 0.5), (1900, 80, 20)))


@real
@pytest.mark.parametrize(
    ("queries", "said"),
    [
        ({"requests": 'side_requests_total{service="${side_service}"} offset ${period} +'}, "refused the query"),
        ({"errors": 'max_over_time(side_requests_total{service="${side_service}"}[${period}])'}, "answers 2 series"),
        (
            {"latency": 'sum(max_over_time(side_seconds_bucket{service="${side_service}"}[${period}]))'},
            "must answer buckets",
        ),
    ],
)
def test_a_comparison_that_prometheus_cannot_count_is_unavailable(
    prometheus: str, queries: dict[str, str], said: str
) -> None:
    heard: list[str] = []

    def refused() -> bool:
        """On a busy machine a second may pass without a scrape: then there is nothing to refuse."""
        end = float(int(SystemClock().now()))
        try:
            comparison(prometheus, **queries)(end - 1, end)
        except HookUnavailableError as error:
            heard.append(error.message)
        return bool(heard)

    until(refused, 20)
    assert said in heard[0]


def test_a_prometheus_that_is_gone_is_an_error_and_not_ok() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{probe.getsockname()[1]}"
        with pytest.raises(HookUnavailableError, match="Prometheus at"):
            read(nobody, "up")


def test_the_query_goes_by_post_with_its_headers_below_a_path_prefix() -> None:
    four = vector('{"metric": {}, "value": [1, "4"]}')
    with serving(Release({"/prometheus/api/v1/query": (200, four)})) as double:
        url = f"{double.url}/prometheus/"
        assert read(url, 'up{job="a b"}', headers={"Authorization": "Bearer x"}).state == "ok"
        method, path, headers, body = double.seen[0]
    assert (method, path) == ("POST", "/prometheus/api/v1/query")
    assert headers["Authorization"] == "Bearer x"
    assert body == b"query=up%7Bjob%3D%22a+b%22%7D"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((502, "<html>bad gateway"), "not as Prometheus does"),
        ((200, "[]"), "not as Prometheus does"),
        ((200, "[" * 100_000), "not as Prometheus does"),
        ((200, '{"status": "success"}'), "not as Prometheus does"),
        ((200, '{"status": "success", "data": null}'), "not as Prometheus does"),
        ((503, '{"status": "error", "error": "query timed out"}'), "query timed out"),
        ((200, vector('{"metric": {}, "histogram": [1, {"count": "1"}]}')), "native histogram.*histogram_quantile"),
        ((200, vector('{"metric": {}, "value": [1, "abc"]}')), "a vector of what is no number"),
        ((200, vector('{"metric": {}, "value": [1]}')), "a vector of what is no number"),
        ((200, vector("null")), "a vector of what is no number"),
        ((200, '{"status": "success", "data": {"resultType": "scalar"}}'), "a scalar of what is no number"),
        ((200, '{"status": "success", "data": {}}'), "must answer one number"),
    ],
)
def test_what_is_no_answer_of_prometheus_is_an_error(answer: tuple[int, str], said: str) -> None:
    with serving(Release({"/api/v1/query": answer})) as double:
        with pytest.raises(HookUnavailableError, match=said):
            read(double.url, "up")
        with pytest.raises(HookUnavailableError, match=said):
            comparison(double.url)(0.0, 1.0)
