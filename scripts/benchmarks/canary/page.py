"""docs/canary-verdicts.md: the tables of the study between what they mean and where they fall short."""

from __future__ import annotations

import math
import textwrap
from typing import Any

from scripts.benchmarks.canary.rivals import RULES
from scripts.benchmarks.canary.study import ALPHA, BAD, MINUTES, OURS, WEATHERS, names
from scripts.benchmarks.figures import Table

Found = dict[str, Any]

HEAD = """\
# Canary verdicts

Written by `scripts/bench canary --document` from the figures of its last run; `scripts/bench canary` simulates again
(some minutes; `--full` with four times the runs). Seeds are fixed: the same code gives the same figures.

`bluegreen.analysis` compares green with blue over the same time and answers *worse*, *not worse by more than the
margin*, or *not yet*, with evidence that is valid at every look: [why and how](decisions/sequential-tests.md). The gate
[`compare`](hooks.md#compare-a-gate) feeds it in a deployment, and `shift: until_verdict` ends by it. Here it
is put beside other rules in one simulation: an hour of a 5% canary, a look every five seconds, Poisson arrivals,
{healthy} runs of every healthy cell and {bad} of every bad one ({bad} of each for latency). A percentage of {healthy}
runs has a standard error of {error} points at 1%.

The other rules, restated from their descriptions, look each minute at the minute's values:

{rules}

Except for the last they look at green alone, so their threshold needs blue's rate to be known in advance. At *equal
false-abort rate* each rule's threshold is set, in the simulation, for the very world it is then tried in, so that at
most {alpha} of healthy canaries are aborted within the hour: knowledge that no user has, and a gift to the rules with a
fixed threshold. Rates take few values at low traffic, so some end well below {alpha}; no threshold would bring them
nearer. A time is the median from the beginning of the fault, and counts the runs that never caught it;
in brackets the share that was caught within the hour where it was not all (a dash: fewer than half).
"""

ENDING = """\
## Where it falls short

{behind}
- Part of the lead is only that it need not wait for a minute to end; *the same, minute values* shows what is left when
  it must, as with CloudWatch's metrics. At its nominal level that is two minutes at least, as for the alarm.
{equal_note}
- The levels suppose that, at given rates, requests fail independently of each other. Where one task of one side fails
  many requests at once (*incidents*: each of twenty tasks, of which green has one, fails half of its requests for ten
  seconds once an hour) the first table shows what is left of them: with one interval sufficing, most incidents on
  green's only task abort; with the usual two, few; with three, hardly any, at the cost of one more interval before any
  abort. The fixed rules abort for them as well; the rank test, to which a bad minute is only one rank, does not.
- A green less than about 15% worse than blue is not looked for: no bet is placed so low, and none would win within an
  hour but at the highest traffic.
- A fault that begins late is found later than one that was there from the beginning: the evidence that green was fine
  until then has to be outweighed. A fixed share of the money is kept for it (see ×5 after 30 min).
- At one request a second green gets 180 requests in the hour: nothing but a gross fault can be shown, by any rule.
- *Not worse* needs green's own requests: some thousands where errors are rare, which is why a canary of a small
  service ends by its bound in time, not by a verdict.
- Real traffic is worse than any simulation: dependence between users' requests, retries, caches that are cold on green.
- Kayenta's judge is meant to be run once, at the end, on an hour or more of values; here it is run again at every
  minute. Where most minutes of both sides have no error, its estimate of the shift is zero, and it stays silent.
"""


def tables(found: Found) -> list[Table]:
    return [
        _nominal(found["nominal"]),
        *(_equal(cell, "equal") for cell in found["errors"]),
        *(_equal(cell, "usual") for cell in found["errors"] if cell["rps"] == 100),
        *(_weather(cell) for cell in found["errors"] if len(cell["healthy"]) > 1),
        _latency(found["latency"]),
        _promotion(found["promotion"]),
        Table("An hour without a request", ("rule", "answer"), list(found["silence"].items())),
    ]


def page(found: Found) -> str:
    runs = found["runs"]
    parts = [
        HEAD.format(
            healthy=f"{runs['healthy']:,}",
            bad=f"{runs['bad']:,}",
            error=f"{100 * math.sqrt(0.01 * 0.99 / runs['healthy']):.1g}",
            alpha=f"{ALPHA:.0%}",
            rules="\n".join(_wrapped(f"- **{rule.name}**: {rule.words}.") for rule in RULES),
        ),
        "![Time until a bad canary is caught, at equal false-abort rates](canary-verdicts.svg)\n",
    ]
    for table in tables(found):
        parts.append(f"## {table.title}\n\n{table.text('github')}\n")
        if table.note:
            parts.append(f"{_wrapped(table.note)}\n")
    parts.append(ENDING.format(behind=_behind(found), equal_note=_wrapped(_equal_note(found))))
    return "\n".join(parts)


def behind(found: Found, own_name: str) -> list[str]:
    """The cells in which another rule was as soon, or sooner, at equal false-abort rate, in words."""
    lines = []
    for cell in found["errors"]:
        for fault, by_rule in cell["bad"].items():
            own = by_rule[own_name]["equal"]
            for name, other in by_rule.items():
                if name not in (OURS, MINUTES) and _sooner(other["equal"], own):
                    where = f"{fault}, {_percent(cell['base'])} errors, {cell['rps']:g} requests a second"
                    lines.append(f"{where}: *{name}* {_time(other['equal'])}, the verdict {_time(own)}")
    for cell in found["latency"] if own_name == OURS else ():
        own = cell["rules"][OURS]
        lines += [
            f"p99 ×1.5, {cell['rps']:g} requests a second: *{name}* {_time(other)}, the verdict {_time(own)}"
            for name, other in cell["rules"].items()
            if name != OURS and _sooner(other, own)
        ]
    return lines


# Private


def _nominal(rows: list[Found]) -> Table:
    by_world: dict[tuple[float, float], dict[str, Found]] = {}
    for row in rows:
        by_world.setdefault((row["base"], row["rps"]), {})[row["weather"]] = row["aborted"]
    cells = [
        (_percent(base), f"{rps:g}", *(_thrice(found.get(weather)) for weather in WEATHERS))
        for (base, rps), found in sorted(by_world.items(), reverse=True)
    ]
    note = (
        "Healthy canaries aborted within an hour of looks every five seconds: with 1 / **2** / 3 intervals that must "
        "speak against green (2 is usual). Weather moves both sides: *wave*: traffic and errors swing by 80% over the "
        "hour; *bursts*: errors ×20 for half a minute, six times; *doubled*: twice the errors from the tenth minute "
        "on. *Incidents* hit one task of one side: what the test does not promise."
    )
    title = f"False aborts of the verdict at its nominal {ALPHA:.0%}"
    return Table(title, ("errors of both", "requests a second", *WEATHERS), cells, note)


def _equal(cell: Found, setting: str) -> Table:
    words = {"equal": f"every rule set to abort at most {ALPHA:.0%} of healthy canaries", "usual": "as usually set"}
    title = f"{cell['rps']:g} requests a second, {_percent(cell['base'])} errors: {words[setting]}"
    rows = [
        (
            name,
            _percent(cell["healthy"]["flat"][name][setting]),
            *(_cell(cell["bad"][bad][name][setting]) for bad in BAD),
        )
        for name in names()
    ]
    return Table(title, ("rule", "healthy aborted", *BAD), rows)


def _weather(cell: Found) -> Table:
    """What the thresholds that were set in calm weather do in another."""
    rows = [(name, *(_percent(cell["healthy"][weather][name]["equal"]) for weather in WEATHERS)) for name in names()]
    title = (
        f"Healthy canaries aborted in other weather, {cell['rps']:g} requests a second, {_percent(cell['base'])} errors"
    )
    return Table(title, ("rule", *WEATHERS), rows, _WEATHER)


def _latency(cells: list[Found]) -> Table:
    rows = [
        (f"{cell['rps']:g}", name, _percent(found["healthy"]), _cell(found))
        for cell in cells
        for name, found in cell["rules"].items()
    ]
    nominal = ", ".join(f"{_percent(cell['nominal'])} at {cell['rps']:g}" for cell in cells)
    note = (
        f"The verdict at its nominal {ALPHA:.0%} aborted {nominal} requests a second; the others see each minute's p99."
    )
    return Table("p99 ×1.5, at equal false-abort rates", ("requests a second", "rule", "healthy", "×1.5"), rows, note)


def _promotion(cells: list[Found]) -> Table:
    rows = [
        (
            f"{cell['rps']:g}",
            _percent(cell["base"]),
            f"{cell['healthy']['share']:.0%}",
            "–" if cell["healthy"]["seconds"] is None else _cell({**cell["healthy"], "caught": 1.0}),
            _percent(cell["edge"]["share"]),
        )
        for cell in cells
    ]
    headers = ("requests a second", "errors of both", "shown within the hour", "median", "wrongly, at the margin")
    note = (
        "Healthy canaries shown to be not worse by more than the usual margin (half of blue's rate and a tenth of a "
        "point), and how often a green that is exactly that much worse is shown to be: nominal 5%."
    )
    return Table("How soon a healthy canary is shown to be good enough", headers, rows, note)


def _cell(found: Found) -> str:
    if found["caught"] is None:
        return "aborted before"
    if found["seconds"] is None:
        return f"– ({found['caught']:.0%})"
    caught = "" if found["caught"] >= 0.995 else f" ({found['caught']:.0%})"
    return f"{_time(found)}, {found['requests']:,.0f} req.{caught}"


def _time(found: Found) -> str:
    seconds = found["seconds"]
    if seconds is None:
        return f"never by the median, in {100 * found['caught']:.2g}% of the runs"
    return f"{seconds:g} s" if seconds < 60 else f"{int(seconds) // 60} min {int(seconds) % 60:02} s"


def _sooner(other: Found, own: Found) -> bool:
    """By the median; where neither has one, by the share that was caught."""
    if other["seconds"] is None:
        return own["seconds"] is None and (other["caught"] or 0) >= (own["caught"] or 0)
    return own["seconds"] is None or bool(other["seconds"] <= own["seconds"])


def _behind(found: Found) -> str:
    return "\n".join(
        f"- At equal false-abort rate another rule was sooner than {words}, or as soon, in:\n"
        + "\n".join(f"  - {line}" for line in behind(found, name) or ("no cell of these tables.",))
        for name, words in ((OURS, "the verdict"), (MINUTES, "the verdict fed once a minute"))
    )


def _equal_note(found: Found) -> str:
    own = [cell["healthy"]["flat"][OURS]["equal"] for cell in found["errors"]]
    return (
        f"- The equal rates are equal as measured on one set of runs; on another the verdict aborted from "
        f"{_percent(min(own))} to {_percent(max(own))}. At its nominal level it aborts less than it may: the price of "
        "a promise that holds for any number of looks."
    )


_WEATHER = (
    "Thresholds as set for equal false-abort rates in flat weather; for the verdict below its nominal one, hence more "
    "aborts by incidents here than in the first table. There three intervals all but end them."
)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 118, subsequent_indent="  " if text.startswith("- ") else "", break_on_hyphens=False)


def _thrice(found: Found | None) -> str:
    return "" if found is None else f"{_percent(found['1'])} / **{_percent(found['2'])}** / {_percent(found['3'])}"


def _percent(rate: float) -> str:
    return f"{100 * rate:.2g}%" if rate < 0.995 else "100%"
