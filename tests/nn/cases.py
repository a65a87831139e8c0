"""Table of every layer, activation and loss with every option that changes its results.

Names and options are those of PyTorch, so that `record_torch.py` creates reference values from the same table.  The
tests compare every case with the recorded values and gradients, with finite differences and with the scalar engine.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import nn

REDUCTIONS = ("mean", "sum", "none")


@dataclass(frozen=True)
class Case:
    """A module, its options and the kinds of its inputs."""

    key: str
    name: str
    options: dict[str, Any]
    inputs: tuple[tuple[str, tuple[int, ...]], ...]
    in_torch: bool = True
    training: bool = True
    random: bool = False  # not compared with references
    kinks: bool = False
    stops: bool = False  # blocks gradients by design
    fixed: tuple[int, ...] = field(default=())  # float inputs that receive no gradient here

    def rng(self) -> np.random.Generator:
        return np.random.default_rng(zlib.crc32(self.key.encode()))

    def module(self) -> nn.Module:
        """Return the module with random parameters, so that scales differ from 1 and shifts from 0."""
        rng = self.rng()
        made = getattr(nn, self.name)(**self.options)
        for p in made.parameters():
            p.data = rng.uniform(-1.0, 1.0, p.shape)
        return made.train(self.training)

    def arrays(self) -> list[np.ndarray]:
        rng = self.rng()
        return [drawn(kind, shape, rng) for kind, shape in self.inputs]

    def wanted(self, arrays: list[np.ndarray]) -> list[int]:
        """Return the positions of the differentiated inputs."""
        return [i for i, a in enumerate(arrays) if a.dtype.kind == "f" and i not in self.fixed]


def drawn(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Return an input of a kind; class indices are below 4."""
    if kind == "kinks":
        return KINKS.copy()
    if kind == "real":
        return rng.normal(0.0, 1.5, shape)
    if kind == "classes":
        return rng.integers(0, 4, shape)
    if kind == "labels":  # some of the classes in each row, then -1
        places = np.arange(shape[-1]) < rng.integers(1, shape[-1], (*shape[:-1], 1))
        return np.where(places, rng.permuted(np.broadcast_to(np.arange(shape[-1]), shape), axis=-1), -1)
    if kind == "signs":
        return np.where(rng.random(shape) < 0.5, -1.0, 1.0)
    if kind == "bits":
        return np.where(rng.random(shape) < 0.5, 0.0, 1.0)
    if kind == "unit":
        return rng.uniform(0.05, 0.95, shape)
    if kind == "positive":
        return rng.uniform(0.3, 2.0, shape)
    if kind == "counts":
        return rng.integers(0, 6, shape).astype(float)
    rows = rng.random(shape) + 0.1
    rows = rows / rows.sum(axis=1, keepdims=True)
    return rows if kind == "rows" else np.log(rows)


CASES: dict[str, Case] = {}


def add(name: str, inputs: Any, key: str = "", **options: Any) -> None:
    about = ("in_torch", "training", "random", "kinks", "stops", "fixed")
    settings = {k: options.pop(k) for k in about if k in options}
    text = ",".join(f"{k}={v if np.ndim(v) == 0 else np.asarray(v).tolist()}" for k, v in options.items())
    key = f"{name}({text}){key} {' '.join('x'.join(map(str, shape)) or '1' for _, shape in inputs)}"
    assert key not in CASES, key
    CASES[key] = Case(key, name, options, tuple(inputs), **settings)


def real(*shapes: tuple[int, ...]) -> list[tuple[str, tuple[int, ...]]]:
    return [("real", shape) for shape in shapes]


# ---------------------------------------------------------------------------------------------------- layers

add("Linear", real((5, 3)), in_features=3, out_features=4)
add("Linear", real((5, 3)), in_features=3, out_features=4, bias=False)
add("Linear", real((2, 3, 5)), in_features=5, out_features=2)
add("Linear", real((3,)), in_features=3, out_features=4)
add("Maxout", real((5, 3)), in_features=3, out_features=2, pool_size=3, in_torch=False)
add("Bilinear", real((3, 2), (3, 4)), in1_features=2, in2_features=4, out_features=3)
add("Bilinear", real((3, 2), (3, 1)), in1_features=2, in2_features=1, out_features=2, bias=False)
add("Embedding", [("classes", (3, 2))], num_embeddings=4, embedding_dim=3)
add("Embedding", [("classes", (7,))], num_embeddings=4, embedding_dim=3, padding_idx=1, stops=True)
add("Identity", real((2, 3)))
add("Flatten", real((2, 3, 2)))
add("Flatten", real((2, 3, 2)), start_dim=0, end_dim=1)
for momentum in (0.1, None):
    add("BatchNorm1d", real((5, 3)), num_features=3, momentum=momentum)
add("BatchNorm1d", real((4, 2, 3)), num_features=2)
add("BatchNorm1d", real((4, 2)), num_features=2, affine=False, eps=1e-3)
add("BatchNorm1d", real((4, 2)), num_features=2, bias=False)
add("BatchNorm1d", real((4, 2)), num_features=2, track_running_stats=False, training=False)
add("LayerNorm", real((4, 5)), normalized_shape=5)
add("LayerNorm", real((2, 3, 4)), normalized_shape=(3, 4))
add("LayerNorm", real((4, 5)), normalized_shape=5, bias=False, eps=0.1)
add("LayerNorm", real((4, 5)), normalized_shape=5, elementwise_affine=False)
add("GroupNorm", real((4, 6)), num_groups=2, num_channels=6)
add("GroupNorm", real((2, 4, 3)), num_groups=4, num_channels=4, eps=0.1)
add("GroupNorm", real((2, 4, 2, 3)), num_groups=1, num_channels=4, affine=False)
add("RMSNorm", real((4, 5)), normalized_shape=5)
add("RMSNorm", real((2, 3, 4)), normalized_shape=(3, 4), eps=0.1)
add("RMSNorm", real((4, 5)), normalized_shape=5, elementwise_affine=False)
for p in (0.0, 0.5):
    add("Dropout", real((4, 5)), p=p, training=False)
    add("Dropout", real((4, 5)), p=p, random=True, key=" in training")
    add("AlphaDropout", real((4, 5)), p=p, training=False)
    add("AlphaDropout", real((4, 5)), p=p, random=True, key=" in training")

# ----------------------------------------------------------------------------------------------- activations

for activation, options in {
    "ReLU": [{}], "ReLU6": [{}], "SELU": [{}], "SiLU": [{}], "Mish": [{}], "Sigmoid": [{}], "Tanh": [{}],
    "Hardsigmoid": [{}], "Hardswish": [{}], "Softsign": [{}], "Tanhshrink": [{}], "LogSigmoid": [{}],
    "LeakyReLU": [{}, {"negative_slope": 0.3}],
    "ELU": [{}, {"alpha": 0.7}],
    "CELU": [{}, {"alpha": 0.7}],
    "GELU": [{}, {"approximate": "tanh"}],
    "Hardtanh": [{}, {"min_val": -0.5, "max_val": 2.0}],
    "Softplus": [{}, {"beta": 2.0, "threshold": 1.0}],
    "Softshrink": [{}, {"lambd": 1.0}],
    "Hardshrink": [{}, {"lambd": 1.0}],
    "Threshold": [{"threshold": 0.25, "value": -7.0}],
    "PReLU": [{}, {"num_parameters": 4}],
}.items():  # fmt: skip
    for option in options:
        add(activation, real((3, 4)), **option)
add("GELU", real((2, 3, 2)))
add("PReLU", real((2, 3, 2)), num_parameters=3)
add("RReLU", real((3, 4)), training=False)
add("RReLU", real((3, 4)), lower=0.2, upper=0.4, random=True)
for activation in ("Softmax", "Softmin", "LogSoftmax", "GLU"):
    add(activation, real((3, 4)), dim=-1)
    add(activation, real((2, 3, 2)), dim=0)
add("SwiGLU", real((3, 4)), in_torch=False)
# Derivatives at kinks are compared with recorded values, not with finite differences.
KINKS = np.array([[-6.0, -3.0, -1.0, -0.5], [0.0, 0.5, 3.0, 6.0]])
for activation in (
    "CELU ELU Hardshrink Hardsigmoid Hardswish Hardtanh LeakyReLU PReLU ReLU ReLU6 SELU Softshrink".split()  # noqa: SIM905
):
    add(activation, [("kinks", KINKS.shape)], key=" at kinks", kinks=True)

# ---------------------------------------------------------------------------------------------------- losses

WEIGHTS = np.array([0.5, 2.0, 1.0, 0.25])
for reduction in REDUCTIONS:
    r = {"reduction": reduction}
    for loss in ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss"):
        add(loss, real((3, 4), (3, 4)), **r)
    add("SmoothL1Loss", real((3, 4), (3, 4)), beta=0.3, **r)
    add("SmoothL1Loss", real((3, 4), (3, 4)), beta=0.0, **r)
    add("HuberLoss", real((3, 4), (3, 4)), delta=0.3, **r)
    add("PoissonNLLLoss", [("real", (3, 4)), ("counts", (3, 4))], fixed=(1,), **r)
    add("PoissonNLLLoss", [("real", (3, 4)), ("counts", (3, 4))], fixed=(1,), full=True, **r)
    add("PoissonNLLLoss", [("real", (3, 4)), ("positive", (3, 4))], full=True, key=" positive", in_torch=False, **r)
    add("PoissonNLLLoss", [("positive", (3, 4)), ("counts", (3, 4))], fixed=(1,), log_input=False, **r)
    for shape in ((3, 4), (3, 1), (3,)):
        spec = [*real((3, 4), (3, 4)), ("positive", shape)]
        add("GaussianNLLLoss", spec, full=shape == (3,), **r)
    add("BCELoss", [("unit", (3, 4)), ("unit", (3, 4))], **r)
    add("BCELoss", [("unit", (3, 4)), ("bits", (3, 4))], fixed=(1,), weight=WEIGHTS, **r)
    add("BCEWithLogitsLoss", [("real", (3, 4)), ("unit", (3, 4))], **r)
    add("BCEWithLogitsLoss", [("real", (3, 4)), ("bits", (3, 4))], fixed=(1,), pos_weight=WEIGHTS, weight=WEIGHTS, **r)
    add("CrossEntropyLoss", [("real", (5, 4)), ("classes", (5,))], **r)
    add("CrossEntropyLoss", [("real", (4,)), ("classes", ())], **r)
    add("CrossEntropyLoss", [("real", (3, 4, 2)), ("classes", (3, 2))], **r)
    add("CrossEntropyLoss", [("real", (5, 4)), ("classes", (5,))], weight=WEIGHTS, label_smoothing=0.1, **r)
    add("CrossEntropyLoss", [("real", (9, 4)), ("classes", (9,))], ignore_index=2, weight=WEIGHTS, **r)
    add("CrossEntropyLoss", [("real", (9, 4)), ("classes", (9,))], ignore_index=2, label_smoothing=0.2, **r)
    add("CrossEntropyLoss", [("real", (5, 4)), ("rows", (5, 4))], key=" of probabilities", **r)
    add("CrossEntropyLoss", [("real", (5, 4)), ("rows", (5, 4))], weight=WEIGHTS, label_smoothing=0.1, key=" rows", **r)
    add("CrossEntropyLoss", [("real", (3, 4, 2)), ("rows", (3, 4, 2))], key=" rows", **r)
    add("NLLLoss", [("logrows", (5, 4)), ("classes", (5,))], **r)
    add("NLLLoss", [("logrows", (9, 4)), ("classes", (9,))], weight=WEIGHTS, ignore_index=2, **r)
    add("NLLLoss", [("logrows", (3, 4, 2)), ("classes", (3, 2))], weight=WEIGHTS, ignore_index=2, **r)
    add("NLLLoss", [("real", (4,)), ("classes", ())], **r)
    add("KLDivLoss", [("logrows", (3, 4)), ("rows", (3, 4))], **r)
    add("KLDivLoss", [("logrows", (3, 4)), ("logrows", (3, 4))], log_target=True, **r)
    add("HingeEmbeddingLoss", [("real", (3, 4)), ("signs", (3, 4))], fixed=(1,), margin=1.2, **r)
    add("SoftMarginLoss", [("real", (3, 4)), ("signs", (3, 4))], fixed=(1,), **r)
    add("MultiMarginLoss", [("real", (5, 4)), ("classes", (5,))], **r)
    add("MultiMarginLoss", [("real", (5, 4)), ("classes", (5,))], p=2, margin=0.7, weight=WEIGHTS, **r)
    add("MarginRankingLoss", [*real((6,), (6,)), ("signs", (6,))], fixed=(2,), margin=0.3, **r)
    add("CosineEmbeddingLoss", [*real((5, 3), (5, 3)), ("signs", (5,))], fixed=(2,), margin=0.1, **r)
    add("TripletMarginLoss", real((4, 3), (4, 3), (4, 3)), **r)
    add("TripletMarginLoss", real((4, 3), (4, 3), (4, 3)), swap=True, p=3.0, margin=3.0, **r)
    add("TripletMarginWithDistanceLoss", real((4, 3), (4, 3), (4, 3)), swap=True, **r)
    add("MultiMarginLoss", [("real", (4,)), ("classes", ())], **r)
    for shape in ((5, 4), (4,)):
        add("MultiLabelMarginLoss", [("real", shape), ("labels", shape)], **r)
        add("MultiLabelSoftMarginLoss", [("real", shape), ("bits", shape)], fixed=(1,), weight=WEIGHTS, **r)
    add("MAPELoss", real((3, 4), (3, 4)), eps=0.5, in_torch=False, **r)
    add("MSLELoss", [("positive", (3, 4)), ("positive", (3, 4))], in_torch=False, **r)
    add("QuantileLoss", real((3, 4), (3, 4)), quantile=0.8, in_torch=False, **r)
    add("CategoricalHingeLoss", [("real", (5, 4)), ("classes", (5,))], in_torch=False, **r)
    add("CategoricalHingeLoss", [("real", (5, 4)), ("rows", (5, 4))], fixed=(1,), in_torch=False, **r)
    add("CategoricalFocalLoss", [("real", (5, 4)), ("classes", (5,))], alpha=0.5, in_torch=False, **r)
    add("CategoricalFocalLoss", [("real", (5, 4)), ("rows", (5, 4))], gamma=1.5, in_torch=False, **r)
    for loss in ("HalfMSELoss", "LogCoshLoss"):
        add(loss, real((3, 4), (3, 4)), in_torch=False, **r)
    for loss in ("HingeLoss", "SquaredHingeLoss"):
        add(loss, [("real", (3, 4)), ("signs", (3, 4))], fixed=(1,), in_torch=False, **r)
    add("FocalLoss", [("real", (3, 4)), ("unit", (3, 4))], in_torch=False, **r)
    add("FocalLoss", [("real", (3, 4)), ("bits", (3, 4))], fixed=(1,), alpha=0.25, gamma=1.5, in_torch=False, **r)
add("TverskyLoss", [("unit", (3, 4)), ("bits", (3, 4))], fixed=(1,), alpha=0.3, beta=0.7, in_torch=False)
add("DiceLoss", [("unit", (3, 4)), ("unit", (3, 4))], in_torch=False)
add("KLDivLoss", [("logrows", (3, 4)), ("rows", (3, 4))], reduction="batchmean")
add("TripletMarginLoss", real((4, 3), (4, 3), (4, 3)), p=1.0)
add("TripletMarginLoss", real((4, 3), (4, 3), (4, 3)), p=math.inf)

RECORDED = {key: case for key, case in CASES.items() if case.in_torch and not case.random}
SMOOTH = {key: case for key, case in CASES.items() if not (case.kinks or case.stops)}
