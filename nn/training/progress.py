"""Showing how far a training is: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from typing import Any

__all__ = ["Progress", "line"]

LINES = 20  # how many plain lines a long training prints at most, beside the last


def line(numbers: Mapping[str, float]) -> str:
    """Return measured numbers as text.

    Examples
    --------
    >>> line({"loss": 0.25, "validation accuracy": 0.975, "lr": 0.001, "seconds": 0.1})
    'loss 0.25  validation accuracy 97.5%'
    """
    shown = {key: value for key, value in numbers.items() if key not in ("lr", "seconds", "gradient norm")}
    return "  ".join(f"{k} {v:.1%}" if k.endswith(("accuracy", "f1")) else f"{k} {v:.4g}" for k, v in shown.items())


class Progress:
    """Report every epoch of a training.

    Parameters
    ----------
    epochs : int
        How many there will be.
    mode : {'auto', 'bar', 'lines', 'none'}
        'auto' is a bar (tqdm) if errors go to a terminal and it is installed, else lines on standard output.
    done : int
        How many were done before.
    """

    def __init__(self, epochs: int, mode: str = "auto", done: int = 0) -> None:
        choices = ("auto", "bar", "lines", "none")
        if mode not in choices:
            raise ValueError(f"progress must be one of {', '.join(choices)}, True or False, not {mode!r}")
        self.epochs: int = epochs
        self.mode = mode
        self.bar: Any = None
        if mode == "bar" or (mode == "auto" and sys.stderr is not None and sys.stderr.isatty()):
            self.bar = _bar(epochs, done, required=mode == "bar")

    def __call__(self, epoch: int, numbers: Mapping[str, float]) -> None:
        """Report an epoch that is finished."""
        if self.mode == "none":
            return
        if self.bar is not None:
            self.bar.set_postfix_str(line(numbers))
            self.bar.update()
        elif epoch in (1, self.epochs) or epoch % -(-self.epochs // LINES) == 0:
            self.say(f"epoch {epoch:{len(str(self.epochs))}}/{self.epochs}  {line(numbers)}")

    def say(self, text: str) -> None:
        """Write a line of text, without harming the bar."""
        if self.mode == "none":
            return
        if self.bar is not None:
            self.bar.write(text, file=sys.stderr)
        else:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    def close(self) -> None:
        """Leave the bar as it is and go to a new line."""
        if self.bar is not None:
            self.bar.close()


def _bar(epochs: int, done: int, required: bool) -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        if required:
            raise ImportError("a progress bar needs tqdm: pip install tqdm; progress='lines' needs nothing") from None
        return None
    width = shutil.get_terminal_size().columns  # where a terminal does not know its width, this still says 80
    return tqdm(total=epochs, initial=done, unit="epoch", ncols=width)
