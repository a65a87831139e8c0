"""The folder of a run: the trained model with everything needed to use it again."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from autograd import no_grad
from nn import checkpoint
from nn.layers.mlp import MLP

from .tables import CodedColumn

__all__ = ["Trained", "load_run"]

Array = np.ndarray[Any, Any]


@dataclass
class Trained:
    """A model, and how a table becomes its inputs and its outputs predictions."""

    model: Any
    columns: list[CodedColumn]
    target: str
    classes: list[str] | None
    scale: tuple[Array, Array]  # mean and standard deviation of the inputs
    target_scale: tuple[float, float]
    settings: dict[str, Any]
    result: dict[str, Any] = field(default_factory=dict)
    history: dict[str, list[float]] = field(default_factory=dict)

    def inputs(self, numbers: Array) -> Array:
        """Return coded columns, standardised."""
        return np.asarray((numbers - self.scale[0]) / self.scale[1])

    def outputs(self, X: Array) -> Array:
        """Return what the model makes of standardised inputs: probabilities of classes, or numbers of the target."""
        self.model.eval()
        with no_grad():
            raw = np.asarray(self.model(X).data)
        if self.classes is None:
            return np.asarray(raw[:, 0] * self.target_scale[1] + self.target_scale[0])
        shifted = np.exp(raw - raw.max(axis=1, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))

    def save(self, path: Path) -> None:
        """Write everything to one checkpoint."""
        checkpoint.save(
            path,
            self.model,
            columns=[column.plain() for column in self.columns],
            target=self.target,
            classes=self.classes,
            scale=list(self.scale),
            target_scale=list(self.target_scale),
            settings=self.settings,
            result=self.result,
            history=self.history,
        )


def built(inputs: int, outputs: int, settings: dict[str, Any]) -> MLP:
    """Return the model of a run, with its first weights."""
    return MLP(inputs, [*settings["hidden"], outputs], activation=settings["activation"], rng=int(settings["seed"]))


def load_run(folder: Path) -> Trained:
    """Read what `train` left in a folder.

    Raises
    ------
    ValueError
        If it is no such folder, or its files are damaged.
    """
    path = folder / "model.npz"
    if not path.is_file():
        raise ValueError(
            f"{folder} is no folder of a run: it has no model.npz; python -m nn train ... --out {folder} makes one"
        )
    saved = checkpoint.load(path)
    try:
        mean, std = saved["scale"]
        classes = saved["classes"]
        model = built(len(mean), 1 if classes is None else len(classes), saved["settings"])
        checkpoint.load(path, model)
        columns = [CodedColumn(**column) for column in saved["columns"]]
        shift, factor = saved["target_scale"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is a checkpoint, but not one of python -m nn train ({error})") from None
    return Trained(
        model, columns, saved["target"], classes, (mean, std), (shift, factor), saved["settings"], saved["result"],
        saved["history"],
    )  # fmt: skip
