"""The folder of a run: the trained model, and how to encode a table for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from autograd import no_grad
from nn import checkpoint
from nn.data.columns import Column
from nn.functional import softmax
from nn.layers.mlp import MLP
from nn.module import Module
from nn.typing import Array, Settings

__all__ = ["Trained", "load_run"]


@dataclass
class Trained:
    """A model with the encoding of its inputs and the scale of its outputs."""

    model: Module
    columns: list[Column]
    target: str
    classes: list[str] | None
    scale: tuple[Array, Array]  # mean and standard deviation of the inputs
    target_scale: tuple[float, float]
    settings: Settings
    result: Settings = field(default_factory=dict)
    history: dict[str, list[float]] = field(default_factory=dict)

    def inputs(self, features: Array) -> Array:
        """Return encoded columns, standardised."""
        return np.asarray((features - self.scale[0]) / self.scale[1])

    def outputs(self, X: Array) -> Array:
        """Return the outputs for standardised inputs: probabilities of classes, or values of the target."""
        self.model.eval()
        with no_grad():
            raw = np.asarray(self.model(X).data)
        if self.classes is None:
            return np.asarray(raw[:, 0] * self.target_scale[1] + self.target_scale[0])
        return np.asarray(softmax(raw, 1))

    def save(self, path: Path) -> None:
        """Write everything to one checkpoint."""
        checkpoint.save(
            path, self.model, columns=[column.state_dict() for column in self.columns], target=self.target,
            classes=self.classes, scale=list(self.scale), target_scale=list(self.target_scale),
            settings=self.settings, result=self.result, history=self.history,
        )  # fmt: skip


def built(inputs: int, outputs: int, settings: Settings) -> MLP:
    """Return the untrained model of a run."""
    return MLP(inputs, [*settings["hidden"], outputs], activation=settings["activation"], rng=int(settings["seed"]))


def load_run(folder: Path) -> Trained:
    """Read the folder that `train` wrote.

    Raises
    ------
    ValueError
        If it is not the folder of a run, or its files are damaged.
    """
    path = folder / "model.npz"
    if not path.is_file():
        raise ValueError(
            f"{folder} is not the folder of a run: model.npz is missing; run python -m nn train ... --out {folder}"
        )
    saved = checkpoint.load(path)
    try:
        mean, std = saved["scale"]
        classes = saved["classes"]
        model = built(len(mean), 1 if classes is None else len(classes), saved["settings"])
        checkpoint.load(path, model)
        columns = [Column(**column) for column in saved["columns"]]
        shift, factor = saved["target_scale"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is a checkpoint, but not one of python -m nn train ({error})") from None
    return Trained(
        model, columns, saved["target"], classes, (mean, std), (shift, factor), saved["settings"], saved["result"],
        saved["history"],
    )  # fmt: skip
