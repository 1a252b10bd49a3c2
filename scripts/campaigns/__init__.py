"""Fault campaigns: every way in which a deployment can break, tried in turn, counted, and written down.

A campaign is a module of this package with a docstring, which opens its chapter of docs/reliability.md, and a
``run(budget: Budget) -> list[Row]``. ``scripts/faults`` runs the whole; a representative part runs in the tests.
"""
