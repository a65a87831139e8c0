"""`play`: an interactive page on which a small network is trained, as one file."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import autograd as ag
import optim
from autograd import Value
from nn import functional as F  # noqa: N812  (the customary name in PyTorch code)
from nn.data.dataset import as_array
from nn.functional.classification import logit_cross_entropy
from nn.functional.regression import huber_of_difference, log_cosh, squared_error
from nn.layers.container import Sequential
from nn.layers.linear import Identity, Linear
from nn.mlp import MLP
from nn.module import Module
from nn.typing import ArrayLike, FilePath, Operand, Settings

FOLDER = Path(__file__).with_name("page")
SCRIPTS = (
    "engine", "elements", "lanes", "generator", "perceptron", "experiments", "pictures", "controls", "derivation",
    "slow_motion", "sharing", "playground",
)  # fmt: skip
DATA_SETS = ("moons", "circles", "xor", "spiral", "sine", "digits")
STEPS = 300  # of which the factors of a schedule are exported, the last one holds for all others

ACTIVATIONS = ("relu", "tanh", "sigmoid", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus")
# Losses of one example for an output z and a target t, and what the targets are.
LOSSES: dict[str, tuple[str, Any]] = {
    "BCEWithLogitsLoss": ("binary", lambda z, t: composed(logit_cross_entropy(z, t))),
    "HingeLoss": ("signs", lambda z, t: ag.relu(1.0 - t * z)),
    "MSELoss": ("values", lambda z, t: composed(squared_error(z, t))),
    "L1Loss": ("values", lambda z, t: abs(z - t)),
    "HuberLoss": ("values", lambda z, t: composed(huber_of_difference(z - t))),
    "LogCoshLoss": ("values", lambda z, t: composed(log_cosh(z - t))),
}
# Class, options and a learning rate that suits the page.
OPTIMIZERS: dict[str, tuple[Any, Settings, float]] = {
    "SGD": (optim.SGD, {}, 0.3),
    "Momentum": (optim.SGD, {"momentum": 0.9}, 0.1),
    "Nesterov": (optim.SGD, {"momentum": 0.9, "nesterov": True}, 0.1),
    "Adagrad": (optim.Adagrad, {}, 0.1),
    "RMSprop": (optim.RMSprop, {}, 0.01),
    "Adadelta": (optim.Adadelta, {}, 1.0),
    "Adam": (optim.Adam, {}, 0.03),
    "AdamW": (optim.AdamW, {}, 0.03),
    "NAdam": (optim.NAdam, {}, 0.03),
    "Lion": (optim.Lion, {}, 0.01),
}
# Factors of the learning rate in step t.
SCHEDULES: dict[str, Callable[[int], float]] = {
    "cosine": lambda t: optim.lr_scheduler.functions.cosine(min(t, STEPS), STEPS),
    "exponential": lambda t: optim.lr_scheduler.functions.exponential_decay(t, 0.01 ** (1 / STEPS)),
    "step": lambda t: optim.lr_scheduler.functions.step_decay(t, STEPS // 3, 0.1),
    "warmup": lambda t: optim.lr_scheduler.functions.warmup(t, STEPS // 10),
    "inverse time": lambda t: optim.lr_scheduler.functions.inverse_time_decay(t, 10 / STEPS),
}


def play(
    model: Module | None = None, data: str | Sequence[ArrayLike] = "moons", *,
    validation: Sequence[ArrayLike] | None = None, path: FilePath | None = None,
) -> Any:  # fmt: skip
    """Create an interactive page on which a small network is trained.

    The page shows the neurons with their responses, the decision boundary or the regression curve, and the losses while
    it trains.  Data, layers, loss, optimizer and all other settings can be changed; a step can be watched in slow
    motion, with the gradients of each weight.

    Parameters
    ----------
    model : Module, optional
        A chain of `Linear` layers with one kind of activation between them, such as an `MLP`; training starts from its
        weights.  By default an `MLP` with two hidden layers of 8 units.
    data : {'moons', 'circles', 'xor', 'spiral', 'sine', 'digits'} or (x, y)
        The data set that is shown first; or inputs of shape (N, features), and targets of shape (N,): integers are
        classes, floats are values.
    validation : (x, y), optional
        Examples that are not trained on.
    path : str or path, optional
        The file to write; none by default.

    Returns
    -------
    Page
        With `.html`; notebooks display it.

    Raises
    ------
    ValueError
        If the data set is unknown, or its shape does not fit the model.
    TypeError
        If the model is not such a chain.
    OSError
        If the folder does not exist or cannot be written to; an existing file is then unchanged.

    Notes
    -----
    The page is one file without external resources.  It computes derivatives and updates with graphs recorded from the
    rules of `autograd` and `optim`.  It draws the orders of the rows as ``nn.training.fit(..., rng=seed)`` does, so
    that the losses from the exported weights are the same up to rounding.

    Examples
    --------
    >>> import nn
    >>> nn.play(nn.MLP(2, [4, 1], activation="tanh", rng=0), "circles")
    <page of a network 2-4-1>
    """
    sets = offered_sets(data, validation)
    first = data if isinstance(data, str) else "data"
    shown = sets[first]
    width, outputs = len(shown["x"][0]), max(shown["classes"], 1) if shown["classes"] != 2 else 1
    model = MLP(width, [8, 8, outputs], activation="tanh", rng=0) if model is None else model
    activations = {name: recorded(getattr(F, name)) for name in ACTIVATIONS}
    chain = exported_chain(model, activations)
    sizes = chain["sizes"]
    if (sizes[0], sizes[-1]) != (width, outputs):
        raise ValueError(f"the data need {width} inputs and {outputs} outputs, got {sizes[0]} and {sizes[-1]}")
    z, t = Value(0.5, name="z"), Value(1.0, name="t")
    losses = {name: {"targets": kind, **ag.page_graph(loss(z, t))} for name, (kind, loss) in LOSSES.items()}
    exported: dict[str, Any] = {
        "sets": sets, "first": first, "model": chain, "activations": activations, "losses": losses,
        "optimizers": {name: exported_rule(*entry) for name, entry in OPTIMIZERS.items()},
        "schedules": {name: [factor(t) for t in range(STEPS + 1)] for name, factor in SCHEDULES.items()},
    }  # fmt: skip
    content = f"a network {'-'.join(map(str, sizes))}"
    return ag.offline_page("playground", SCRIPTS, exported, folder=FOLDER, path=path, content=content)


# ------------------------------------------------------------------------------------------------------- the data


def data_set(data: Sequence[ArrayLike], validation: Sequence[ArrayLike] | None = None) -> Settings:
    """Return examples as data of a page: rows for training, then rows for validation."""
    parts = [data] if validation is None else [data, validation]
    if any(isinstance(part, str) or len(part) != 2 for part in parts):
        raise ValueError("data and validation must be pairs (x, y)")
    xs = [as_array(x, "x").astype(float) for x, _ in parts]
    ys = [as_array(y, "y") for _, y in parts]
    ys = [y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y for y in ys]
    for x, y in zip(xs, ys, strict=True):
        if x.ndim != 2 or y.shape != (len(x),) or not len(x):
            raise ValueError(f"x must have shape (N, features) and y (N,), got {x.shape} and {y.shape}")
    x, y = np.concatenate(xs), np.concatenate(ys)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("x and y must be finite")
    is_class = y.dtype.kind in "biu"
    if is_class and y.min() < 0:
        raise ValueError(f"classes must be integers from 0, got {y.min()}")
    classes = max(int(y.max()) + 1, 2) if is_class else 0
    return {"x": x.tolist(), "y": y.astype(float).tolist(), "classes": classes, "train": len(xs[0])}


def offered_sets(data: str | Sequence[ArrayLike], validation: Sequence[ArrayLike] | None) -> Settings:
    """Return the data sets of the page by name: the given one, or small ones to choose from."""
    if not isinstance(data, str):
        return {"data": data_set(data, validation)}
    if data not in DATA_SETS:
        raise ValueError(f"unknown data set {data!r}; choose from {', '.join(DATA_SETS)}, or pass (x, y)")
    if validation is not None:
        raise ValueError(f"the data set {data!r} contains examples for validation; pass validation with (x, y)")
    return dict(json.loads((FOLDER / ("digits.json" if data == "digits" else "toys.json")).read_text("ascii")))


# ------------------------------------------------------------------------------------- recorded graphs of scalars


def composed(y: Operand) -> Operand:
    """Return the result of an operation, recorded as the operations that it is composed of if a page needs these."""
    return y if "scalar" in y.op.forms else y.op.forward(*y.args, **y.params)


def recorded(function: Any) -> Any:
    """Return a function of one value as a graph."""
    y = function(Value(0.5, name="z"))
    return None if y.op is None else ag.page_graph(composed(y))


def exported_rule(kind: Any, options: Settings, lr: float) -> Settings:
    """Return an optimizer as graphs of its first step, in which a state may be missing, and of all others."""
    optimizer = kind([Value(0.5)], **options)
    group = optimizer.param_groups[0]
    group |= {"lr": Value(0.1, name="lr"), "weight_decay": Value(0.1, name="weight_decay")}
    p, g, t = Value(0.5, name="p"), Value(0.25, name="g"), Value(1.0, name="t")
    start = [x if x is None else float(x) for x in optimizer.initial_state(np.zeros(()), {**group, "lr": 0.1})]
    state = tuple([x if x is None else Value(x, name=n) for n, x in zip(optimizer.state_names, start, strict=True)])

    def step(state: tuple[Operand, ...]) -> tuple[tuple[Operand, ...], Settings]:
        q, update, new = optimizer.updated(p, g, state, group, t)
        kept = [(name, x) for name, x in zip(optimizer.state_names, new, strict=True) if isinstance(x, Value)]
        # the first part of a rule may be the gradient itself, which is a leaf
        return new, {"names": [name for name, _ in kept], **ag.page_graph(q - update, *[x for _, x in kept])}

    new, first = step(state)
    later = [Value(0.5, name=n) if isinstance(x, Value) else x for n, x in zip(optimizer.state_names, new, strict=True)]
    _, following = step(tuple(later))
    starts = {name: x for name, x in zip(optimizer.state_names, start, strict=True) if x is not None}
    return {"first": first, "next": following, "start": starts, "lr": lr, "name": kind.__name__, "options": options}


def exported_chain(model: Module, activations: Settings) -> Settings:
    """Return sizes, weights and activation of a chain of layers; add its activation to those of the page."""
    modules = list(model) if isinstance(model, Sequential) else [model]
    layers = [module for module in modules if isinstance(module, Linear)]
    between = [m for m in modules if not isinstance(m, (Linear, Identity))]
    kinds = {type(module).__name__: module for module in between}
    alternating = len(between) in (0, len(layers) - 1) and all(
        isinstance(module, Linear) == (i % 2 == 0 or not between) for i, module in enumerate(modules)
    )
    if not layers or len(kinds) > 1 or not alternating or any(list(m.parameters()) for m in between):
        raise TypeError("play needs a chain of Linear layers with one kind of activation between them, such as an MLP")
    sizes = [layers[0].in_features, *[layer.out_features for layer in layers]]
    name = next(iter(kinds), "identity").lower().replace("leakyrelu", "leaky_relu")
    if kinds:
        activations[name] = recorded(next(iter(kinds.values())))
    weights = [
        {"weight": x.weight.data.tolist(), "bias": [0.0] * x.out_features if x.bias is None else x.bias.data.tolist()}
        for x in layers
    ]
    return {"sizes": sizes, "layers": weights, "activation": name}
