"""The legal moves, kept by ``transitions``: nothing else of the lifecycle lives here, and nothing is saved here."""

from __future__ import annotations

from transitions import Machine, MachineError

from bluegreen.domain.deployment import Phase
from bluegreen.errors import RefusedError
from bluegreen.lifecycle.table import MOVES, Trigger


class _Model:
    state: str


class Lifecycle:
    def __init__(self) -> None:
        self._machine = Machine(
            model=None,
            states=[phase.value for phase in Phase],
            transitions=[
                {"trigger": move.trigger.value, "source": move.source.value, "dest": move.dest.value} for move in MOVES
            ],
            initial=Phase.PENDING.value,
            auto_transitions=False,
        )

    def move(self, phase: Phase, trigger: Trigger) -> Phase:
        """The phase the trigger leads to. Raises RefusedError where the table has no such move."""
        model = _Model()
        self._machine.add_model(model, initial=phase.value)
        try:
            self._machine.events[trigger.value].trigger(model)
        except MachineError as error:
            raise RefusedError(
                f"a deployment in phase {phase.value} cannot {trigger.value.replace('_', ' ')}",
                hint="bluegreen status shows where it stands",
            ) from error
        finally:
            self._machine.remove_model(model)
        return Phase(model.state)
