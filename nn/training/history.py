"""`History`: one list of numbers per quantity, an entry per epoch, and how the training ended."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from nn.show.plotting import history_figure, saved

__all__ = ["History"]


class History(dict[str, list[float]]):
    """What `fit` measured: ``history["validation loss"][3]`` is that of the fourth epoch.

    Attributes
    ----------
    stopped : str
        Why training ended before its last epoch; empty if it did not.
    interrupted : bool
        Whether Ctrl-C ended it.

    Examples
    --------
    >>> history = History()
    >>> history.add({"loss": 0.7, "validation loss": 0.9})
    >>> history.add({"loss": 0.5, "validation loss": 0.8})
    >>> history["loss"], history.epochs
    ([0.7, 0.5], 2)
    >>> history.best("validation loss")
    (2, 0.8)
    """

    def __init__(self, numbers: Mapping[str, list[float]] | None = None) -> None:
        super().__init__({key: list(values) for key, values in (numbers or {}).items()})
        self.stopped: str = ""
        self.interrupted: bool = False

    @property
    def epochs(self) -> int:
        """How many epochs were completed."""
        return max(map(len, self.values()), default=0)

    def add(self, numbers: Mapping[str, float]) -> None:
        """Append the numbers of one epoch; a quantity that was not there before starts with nan."""
        done = self.epochs
        for key, value in numbers.items():
            column = self.setdefault(key, [])
            column += [math.nan] * (done - len(column))
            column.append(float(value))
        for column in self.values():
            column += [math.nan] * (done + 1 - len(column))

    def best(self, key: str = "validation loss", mode: str | None = None) -> tuple[int, float]:
        """Return (epoch, value) of the best entry, epochs counted from 1.

        Parameters
        ----------
        key : str
            Which quantity.
        mode : {'min', 'max'}, optional
            What is best; by default the least of a loss or an error and the largest of anything else.

        Raises
        ------
        KeyError
            If there is no such quantity.
        """
        if key not in self or not self[key]:
            raise KeyError(f"the history has no {key!r}, only {', '.join(self) or 'nothing'}")
        sign = 1.0 if (mode or better(key)) == "min" else -1.0
        ranked = [math.inf if math.isnan(x) else sign * x for x in self[key]]
        epoch = min(range(len(ranked)), key=ranked.__getitem__)
        return epoch + 1, self[key][epoch]

    def last(self) -> dict[str, float]:
        """Return the numbers of the latest epoch."""
        return {key: values[-1] for key, values in self.items() if values}

    def state_dict(self) -> dict[str, Any]:
        """Return everything as plain lists."""
        return {"numbers": {key: list(values) for key, values in self.items()}, "stopped": self.stopped}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.clear()
        self.update({str(key): [float(x) for x in values] for key, values in state_dict["numbers"].items()})
        self.stopped = ""
        self.interrupted = False

    def plot(self, path: Any = None, title: str = "") -> Any:
        """Draw every quantity by epoch, training and validation in one frame, and return the matplotlib figure.

        Parameters
        ----------
        path : str or Path, optional
            Where to save it as well; the suffix says the format.
        title : str
            The heading.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        return saved(history_figure(self, title), path)


def better(key: str) -> str:
    """Return 'min' for what should fall (losses and errors), 'max' for what should rise.

    Examples
    --------
    >>> better("validation loss"), better("rmse"), better("accuracy")
    ('min', 'min', 'max')
    """
    falls = ("loss", "error", "mae", "rmse", "mse", "perplexity")
    return "min" if any(word in key.lower() for word in falls) else "max"
