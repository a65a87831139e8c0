"""`History`, the measurements of every epoch, and `Progress`, which prints them while training runs."""

import math
import shutil
import sys
from collections.abc import Mapping
from typing import Any

from nn.metrics import Metric, better
from nn.show.plotting import history_figure, saved
from nn.show.summary import html_table
from nn.typing import FilePath, State

MAX_LINES = 20  # printed for a long training, besides the last
CHOICES = ("auto", "bar", "lines", "none")


class History(dict[str, list[float]]):
    """Measurements by name: ``history["validation loss"][3]`` is that of the fourth epoch.

    Parameters
    ----------
    numbers : mapping of str to list of float, optional
        Measurements so far.
    metrics : mapping of str to function, optional
        The metrics by name; their attribute `better` decides what `best` means.

    Attributes
    ----------
    stopped : str
        Why training ended before its last epoch; empty if it did not.

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

    def __init__(
        self, numbers: Mapping[str, list[float]] | None = None, metrics: Mapping[str, Metric] | None = None
    ) -> None:
        super().__init__({key: list(values) for key, values in (numbers or {}).items()})
        self.metrics: Mapping[str, Metric] = metrics or {}
        self.stopped: str = ""

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the training."""
        return self.stopped == "interrupted"

    @property
    def epochs(self) -> int:
        """The number of completed epochs."""
        return max(map(len, self.values()), default=0)

    def add(self, numbers: Mapping[str, float]) -> None:
        """Append the measurements of one epoch; a new name is filled with nan for the epochs before."""
        done = self.epochs
        for key in {**self, **numbers}:
            column = self.setdefault(key, [])
            column += [math.nan] * (done - len(column))
            column.append(float(numbers.get(key, math.nan)))

    def better(self, key: str) -> str:
        """Return 'lower' or 'higher': the `better` attribute of the metric called `key`."""
        name = key.removeprefix("validation ")
        return better(self.metrics.get(name, name))

    def best(self, key: str = "validation loss") -> tuple[int, float]:
        """Return (epoch, value) of the best entry, see `better`; epochs count from 1.

        Parameters
        ----------
        key : str
            The name of the measurement.

        Raises
        ------
        KeyError
            If nothing was measured under this name.
        """
        if key not in self or not self[key]:
            raise KeyError(f"the history does not contain {key!r}, only {', '.join(self) or 'nothing'}")
        sign = 1.0 if self.better(key) == "lower" else -1.0
        return min(enumerate(self[key], 1), key=lambda e: math.inf if math.isnan(e[1]) else sign * e[1])

    def last(self) -> dict[str, float]:
        """Return the measurements of the latest epoch."""
        return {key: values[-1] for key, values in self.items() if values}

    def state_dict(self) -> State:
        """Return everything as plain lists."""
        return {"numbers": {key: list(values) for key, values in self.items()}, "stopped": self.stopped}

    def load_state_dict(self, state_dict: State) -> None:
        """Replace the contents by those of a `state_dict`."""
        self.clear()
        self.update({str(key): [float(x) for x in values] for key, values in state_dict["numbers"].items()})
        self.stopped = "" if state_dict["stopped"] == "interrupted" else state_dict["stopped"]

    def plot(self, path: FilePath | None = None, title: str = "") -> Any:
        """Draw every measurement by epoch, training and validation in one frame, and return the matplotlib figure.

        Parameters
        ----------
        path : str or Path, optional
            Where to save the figure; the suffix determines the format.
        title : str
            The heading.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        return saved(history_figure(self, title), path)

    def _repr_html_(self) -> str:
        """Return the last epochs as a table for notebooks."""
        rows = [[str(epoch + 1), *row] for epoch, row in enumerate(zip(*self.values(), strict=True))]
        return html_table(["epoch", *self], rows[-MAX_LINES:])


def format_numbers(numbers: Mapping[str, float]) -> str:
    """Return measurements as text: names and values with four digits, accuracies in percent.

    Examples
    --------
    >>> format_numbers({"loss": 0.25, "validation accuracy": 0.975, "lr": 0.001})
    'loss 0.25, validation accuracy 97.5%, lr 0.001'
    """
    return ", ".join(f"{k} {v:.1%}" if k.endswith(("accuracy", "f1")) else f"{k} {v:.4g}" for k, v in numbers.items())


class Progress:
    """Report every epoch of a training: a bar on a terminal, plain lines elsewhere.

    Parameters
    ----------
    epochs : int
        The number of epochs.
    mode : {'auto', 'bar', 'lines', 'none'}
        'auto' is a bar (tqdm) if standard error is a terminal and tqdm is installed, else lines on standard output.
    done : int
        The number of epochs completed by an earlier run.
    """

    def __init__(self, epochs: int, mode: str = "auto", done: int = 0) -> None:
        if mode not in CHOICES:
            raise ValueError(f"progress must be one of {', '.join(CHOICES)}, True or False, not {mode!r}")
        self.epochs: int = epochs
        self.mode = mode
        self.bar: Any = None
        if mode == "bar" or (mode == "auto" and sys.stderr is not None and sys.stderr.isatty()):
            self.bar = _bar(epochs, done, required=mode == "bar")

    def __call__(self, epoch: int, numbers: Mapping[str, float]) -> None:
        """Report a completed epoch."""
        text = format_numbers({k: v for k, v in numbers.items() if k not in ("lr", "seconds", "gradient norm")})
        if self.bar is not None:
            self.bar.set_postfix_str(text)
            self.bar.update()
        elif epoch in (1, self.epochs) or epoch % -(-self.epochs // MAX_LINES) == 0:
            self.write(f"epoch {epoch:{len(str(self.epochs))}}/{self.epochs}  {text}")

    def write(self, text: str) -> None:
        """Print a line of text above the bar, if there is one."""
        if self.bar is not None:
            self.bar.write(text, file=sys.stderr)
        elif self.mode != "none":
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    def close(self) -> None:
        """Finish the bar."""
        if self.bar is not None:
            self.bar.close()


def _bar(epochs: int, done: int, required: bool) -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        if required:
            raise ImportError("progress='bar' needs tqdm: pip install tqdm, or pass progress='lines'") from None
        return None
    width = shutil.get_terminal_size().columns  # 80 where the terminal does not report a width
    # Without tqdm's thread: while others run, `compile` cannot tell who draws from the global generators.
    bar: Any = type("Bar", (tqdm,), {"monitor_interval": 0})
    return bar(total=epochs, initial=done, unit="epoch", ncols=width)
