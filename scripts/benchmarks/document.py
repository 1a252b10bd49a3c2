"""docs/performance.md: the tables of the figures that were kept, between what they mean and where they fall short."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from scripts.benchmarks import calls, overhead, rollback, sandbox, startup, wire
from scripts.benchmarks.figures import Result, Table

PARTS: tuple[tuple[str, ModuleType], ...] = (
    ("rollback", rollback),
    ("wire", wire),
    ("overhead", overhead),
    ("calls", calls),
    ("startup", startup),
    ("sandbox", sandbox),
)

HEAD = """\
# Performance

Written by `scripts/bench --document` from the figures of its last run; `scripts/bench NAME` measures one part again.

No test depends on a time. What is compared is measured in turn, in one run, on one endpoint (the sandbox, so the
network costs next to nothing), and what counts is the ratio of the medians. The machine was small and shared:
{machine}. A figure in milliseconds says little about another machine; the ratios should hold.
"""

GAINED = """\
## What made the rollback and the deployment faster

The first two, in `bluegreen/cli/main.py`, brought a rollback from 0.97 of the wall time of `aws` (0.87 of its CPU time)
to 0.72 (0.66); the machine of this page lets `aws` start quicker than that one did.

- The process ends without taking every object apart (`leave`): after what is registered for the end has run and the
  output is written. The interpreter's own way took a quarter of the wall time, most of it in botocore's objects.
- The garbage collector runs more seldom.
- botocore's models are decoded with msgspec, which the records need anyway: creating the two clients takes 27 ms
  instead of 48 (`bluegreen/aws/clients.py`).
- What need not wait for each other is read at once (`bluegreen/together.py`): the routes and both answers on blue's
  health. Here that gains little; against AWS it saves two round trips of a rollback, and more than half of a
  deployment's.
- The read that a write starts from is the one judged for drift, so none is made before it; a step that is over goes on
  in the same tick. A deployment with a canary made 94 calls, and makes 81.
- A configuration builds the models of the hooks and gates that it names, a rollback imports only the step it runs.

Modules are compiled once, at installation: where `PYTHONDONTWRITEBYTECODE` is set, or the installation cannot be
written to by whoever runs it first, a rollback compiles bluegreen's modules each time, which doubles what their import
takes.
"""

SHORT = """\
## Where it falls short

- The endpoint is on the same machine. Against AWS every call costs a round trip, and every service a TLS handshake:
  the rollback makes five calls that `aws elbv2 modify-listener` does not make (the route is read, blue's health is
  asked of ECS and of ELB, the route is read again right before the write, the write is read back); the first three at
  the same time. Its advantage shrinks by two round trips before the write and one after it. That is the price of safety
  rules 1 to 3; none was left out. ECS could be left out when ELB says that blue is healthy; then nobody would see that
  someone else had set blue to another release before *SAFE* is said of it.
- A second is a second of some machine. Of the same afternoon: while `aws --version` took 328 ms here, a deployment's
  own time was 0.81 s; while it took 540 ms, it was 1.06 s, and 1.12 s with the code of the 0.81.
- `aws` is version 1, from PyPI, in the same virtual environment. Version 2 is another program and was not measured.
- The record is in SQLite. With DynamoDB each of its reads and writes is a call too, and a third client is made.
- The restored deployments are copies of one real one (its record, its weights); nothing else is imitated, but a
  rollback directly after the shift, with green still warming up, is not among them.
- With two cores, the sandbox's API, its proxy, its tasks and the process that is measured share them.
"""


def page(kept: Mapping[str, Result]) -> str:
    """The whole page; a part that was never measured says so."""
    parts = [HEAD.format(machine=_machines(kept))]
    for name, benchmark in PARTS:
        if name not in kept:
            parts.append(f"## {name}\n\nNot measured yet: `scripts/bench {name}`.\n")
            continue
        parts += [_section(table) for table in benchmark.tables(kept[name])]
    return "\n".join([*parts, GAINED, SHORT])


# Private


def _section(table: Table) -> str:
    note = f"{table.note}\n\n" if table.note else ""
    return f"## {table.title}\n\n{note}{table.text('github')}\n"


def _machines(kept: Mapping[str, Result]) -> str:
    machines = [each["machine"] for each in kept.values()]
    if not machines:
        return "nothing was measured"
    one = machines[0]
    loads = sorted(each["load"] for each in machines)
    return (
        f"{one['cpus']} cores, {one['system']}, Python {one['python']}, "
        f"load average {loads[0]:g} to {loads[-1]:g} when the parts began"
    )
