"""Which schedules step after every step and which after every epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["Schedules"]

PER_STEP = ("OneCycleLR", "CyclicLR")  # counted in steps by those who invented them
WHEN = ("step", "epoch")


class Schedules:
    """Schedules by when they step.

    Parameters
    ----------
    given : scheduler, list of them, mapping from 'step' and 'epoch' to either, or None
        Without a mapping, `OneCycleLR` and `CyclicLR` step after every step and all others after every epoch.

    Raises
    ------
    TypeError, ValueError
        If something has no ``step()``, or a key is neither 'step' nor 'epoch'.

    Examples
    --------
    >>> from optim import lr_scheduler
    >>> rates = lr_scheduler.Rates(0.1)
    >>> schedules = Schedules({"step": lr_scheduler.LinearLR(rates), "epoch": lr_scheduler.ReduceLROnPlateau(rates)})
    >>> len(schedules.step), len(schedules.epoch)
    (1, 1)
    """

    def __init__(self, given: Any) -> None:
        self.step: list[Any] = []
        self.epoch: list[Any] = []
        if isinstance(given, Mapping):
            wrong = [key for key in given if key not in WHEN]
            if wrong:
                raise ValueError(f"scheduler as a mapping has the keys 'step' and 'epoch', not {wrong[0]!r}")
            for when in WHEN:
                getattr(self, when).extend(self._listed(given.get(when)))
        else:
            for schedule in self._listed(given):
                (self.step if type(schedule).__name__ in PER_STEP else self.epoch).append(schedule)

    @staticmethod
    def _listed(given: Any) -> list[Any]:
        found = [] if given is None else list(given) if isinstance(given, list | tuple) else [given]
        for schedule in found:
            if not hasattr(schedule, "step") or not hasattr(schedule, "get_last_lr"):
                raise TypeError(f"a scheduler has step() and get_last_lr(), unlike {schedule!r:.60}")
        return found

    @property
    def all(self) -> list[Any]:
        """All of them, in a fixed order."""
        return self.step + self.epoch

    @staticmethod
    def advance(schedules: list[Any], metric: float) -> None:
        """Step some of them; one that waits for a plateau is given the metric."""
        for schedule in schedules:
            if type(schedule).__name__ == "ReduceLROnPlateau":
                schedule.step(metric)
            else:
                schedule.step()

    def facts(self) -> list[tuple[str, dict[str, Any]]]:
        """Return kind and state of each, for ranks to compare."""
        return [(type(schedule).__name__, schedule.state_dict()) for schedule in self.all]

    def state_dict(self) -> list[dict[str, Any]]:
        """Return the state of each."""
        return [schedule.state_dict() for schedule in self.all]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        """Go on from states that `state_dict` returned."""
        if len(states) != len(self.all):
            raise ValueError(f"{len(states)} schedules were saved, and there are {len(self.all)} now")
        for schedule, state in zip(self.all, states, strict=True):
            schedule.load_state_dict(state)
