"""`Monitor`: sample weights, gradients, updates and outputs of a training every few steps."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import detect_anomaly
from autograd.extend import raw_data
from autograd.files import write_atomically
from nn.layers.activation import Hardtanh, ReLU, ReLU6, Sigmoid, Softsign, Tanh, Threshold
from nn.layers.linear import Flatten, Identity
from nn.layers.norm import Dropout
from nn.module import Module
from nn.module.hooks import Handle
from nn.training.evaluation import nonfinite_input
from nn.typing import Array, Figure, FilePath, Hook, Leaf, Operand, Optimizer, State
from nn.validation import checked_integer

from .diagnosis import Report, diagnose
from .report import document, monitor_figure, monitored

if TYPE_CHECKING:
    from nn.training.run import Run

PLAIN = ("losses", "epochs", "anomaly", "bad_input", "first_bad", "units")
BINS = 41
SPOTS = 100  # elements per array in a histogram, evenly spaced
REACH = 6.0  # the outermost bins lie at sinh(6) = 200 standard deviations of the first sample
TINY = 1e-30  # below, the squares of float32 have no digits left

NOT_SAMPLED = (Dropout, Flatten, Identity)  # their outputs repeat their inputs
RECTIFIERS = (ReLU, ReLU6, Threshold)
SATURATION: dict[type[Module], tuple[float, float]] = {
    Sigmoid: (0.03, 0.97), Tanh: (-0.97, 0.97), Hardtanh: (-0.99, 0.99), Softsign: (-0.97, 0.97),
}  # fmt: skip


@dataclass
class Sample:
    """Measurements of one step; columns are parameters.

    Attributes
    ----------
    step : int
        The step, from 1.
    lr : float
        The learning rate of the first group.
    mean, std : ndarray, shape (2, parameters)
        Mean and standard deviation of every parameter and its gradient.
    norm : ndarray, shape (3, parameters)
        Norm of every parameter, its gradient and its update.
    used : ndarray of bool, shape (parameters,)
        Whether the parameter had a gradient.
    counts : dict of str to ndarray, shape (BINS,)
        Histograms, as ``counts["gradient 0.weight"]``: of parameters with two or more axes ('weight'; biases have too
        few elements), of their gradients, and of the outputs of modules ('output').
    layers : dict of str to dict
        Statistics of the output of every sampled module: mean, std, norm, for rectifiers alive (units that
        were not always 0), and for functions like tanh the share that is saturated.

    Examples
    --------
    >>> import numpy as np, nn, optim
    >>> model = nn.Linear(2, 1, rng=0)
    >>> optimizer = optim.SGD(model.parameters(), lr=0.1)
    >>> monitor = nn.Monitor(model, optimizer)
    >>> loss = nn.MSELoss()(model(np.ones((4, 2))), np.ones((4, 1)))
    >>> loss.backward()
    >>> optimizer.step()
    >>> monitor.step(loss)
    >>> sample = monitor.samples[0]
    >>> sample.step, sample.lr, sample.norm.shape
    (1, 0.1, (3, 2))
    """

    step: int
    lr: float
    mean: Array
    std: Array
    norm: Array
    used: Array
    counts: dict[str, Array]
    layers: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    @np.errstate(over="ignore")
    def ratios(self) -> Array:
        """The norm of the update of every parameter over that of the parameter."""
        return np.asarray(self.norm[2] / np.maximum(self.norm[0], 1e-300))


class Monitor:
    """Sample weights, gradients, updates, activations and the loss of a training, and diagnose problems.

    Parameters
    ----------
    model : Module
        The trained model.
    optimizer : Optimizer, optional
        Its optimizer, for the learning rate and the set of updated parameters.
    every : int
        The interval of samples in steps, starting with the first; the loss is recorded at each step.

    Attributes
    ----------
    losses : list of float
        One per step.
    samples : list of Sample
        One per sampled step.
    epochs : list of tuple
        (step, training loss, validation loss), from `epoch`.
    anomaly : str
        The origin of the first nan or inf, if there was one and it is known.

    Notes
    -----
    Between samples the model runs without hooks.  As a callback of `nn.training.fit` it needs no further code; in your
    own loop, call `step` after ``optimizer.step()`` and before the gradients are cleared.

    Examples
    --------
    >>> import numpy as np, nn, optim
    >>> X = np.linspace(-1, 1, 64)[:, None]
    >>> model = nn.MLP(1, [16, 1], activation="tanh", rng=0)
    >>> optimizer = optim.Adam(model.parameters(), lr=0.01)
    >>> monitor = Monitor(model, optimizer)
    >>> for _ in range(200):
    ...     optimizer.zero_grad()
    ...     loss = nn.MSELoss()(model(X), X**3)
    ...     loss.backward()
    ...     optimizer.step()
    ...     monitor.step(loss)
    >>> print(monitor.report())
    No problems detected in 200 steps: the loss went from ... to ....
    """

    def __init__(self, model: Module, optimizer: Optimizer | None = None, every: int = 10) -> None:
        if not isinstance(model, Module):
            raise TypeError(f"Monitor needs an nn.Module, not {type(model).__name__}")
        named = [(name, p) for name, p in model.named_parameters() if np.size(p.data)]
        if not named:
            raise ValueError("the model has no parameters")
        self.model: Module = model
        self.optimizer: Optimizer | None = optimizer
        self.every: int = checked_integer("Monitor", "every", every, 1)
        self.names: list[str] = [name for name, _ in named]
        self.parameters: list[Leaf] = [p for _, p in named]
        self.shapes: list[tuple[int, ...]] = [np.shape(p.data) for p in self.parameters]
        self.layers: dict[str, Module] = _watched(model)
        matrices = [i for i, shape in enumerate(self.shapes) if len(shape) > 1]
        self.shown: list[int] = matrices or list(range(len(self.shapes)))
        self._outputs: dict[str, Array] = {}  # the latest ones of the layers
        self._handles: list[Handle] = []
        self.reset()

    def reset(self) -> None:
        """Discard all measurements, and sample the next step."""
        self.losses: list[float] = []
        self.samples: list[Sample] = []
        self.epochs: list[tuple[int, float, float]] = []
        self.anomaly: str = ""
        self.bad_input: str = ""
        self.first_bad: int | None = None
        self.units: dict[str, float] = {}  # of the histograms
        self.least_loss: float = 0.0
        self._before = [p.data for p in self.parameters]
        self._arm()

    # ------------------------------------------------------------------------------------------------ sampling

    def step(self, loss: Operand, closure: Callable[[], object] | None = None) -> None:
        """Record the step just finished.

        Parameters
        ----------
        loss : Tensor or float
            The loss.
        closure : callable, optional
            Recomputes the loss and calls ``backward()``; called once if the loss is nan or inf, to locate its origin by
            `autograd.detect_anomaly`.
        """
        value = float(loss.item() if hasattr(loss, "item") else loss)
        self.losses.append(value)
        if value - value != 0.0 and self.first_bad is None:
            self.first_bad = len(self.losses)
            self.anomaly = self._provenance(closure)
        if self._handles:
            self._sample()
        if len(self.losses) % self.every == 0:
            self._arm()
        self._before = [p.data for p in self.parameters]

    def epoch(self, loss: float, validation_loss: float = math.nan) -> None:
        """Record the losses of the epoch just finished."""
        self.epochs.append((len(self.losses), float(loss), float(validation_loss)))

    def on_train_begin(self, run: Run) -> None:
        """As a callback of `fit`: discard the measurements of an earlier training, unless this one is resumed."""
        if not run.step:
            self.reset()
        if smoothing := getattr(run.loss, "label_smoothing", 0.0):  # the entropy of the smoothed labels
            classes = self.shapes[-1][0]
            shares = np.array([1 - smoothing + smoothing / classes, *[smoothing / classes] * (classes - 1)])
            self.least_loss = -float(shares @ np.log(shares))
        self._before = [p.data for p in self.parameters]

    def state_dict(self) -> State:
        """Return all measurements, so that the report of a resumed training covers all of it."""
        groups = itertools.groupby(self.samples, key=lambda sample: tuple(sample.layers))
        tables = [_stacked([vars(sample) for sample in group]) for _, group in groups]
        return {**{name: getattr(self, name) for name in PLAIN}, "samples": tables}

    def load_state_dict(self, state_dict: State) -> None:
        """Continue from a `state_dict`."""
        vars(self).update(state_dict)
        tables = state_dict["samples"]
        self.samples = [Sample(**_row(table, i)) for table in tables for i in range(len(table["step"]))]
        self.close()
        if len(self.losses) % self.every == 0:
            self._arm()

    def needs_step(self, step: int) -> bool:
        """As a callback of `fit`: return whether a step is sampled."""
        return (step - 1) % self.every == 0

    def on_step_end(self, run: Run) -> None:
        """As a callback of `fit`: record the steps just finished."""
        wrong = [k for k, value in enumerate(run.losses, len(self.losses) + 1) if not math.isfinite(value)]
        if wrong and self.first_bad is None:
            self.bad_input = nonfinite_input(run.batch)
            if wrong[0] <= len(self.losses) + len(run.losses) - 1:  # one of several, which cannot be repeated alone
                self.first_bad = wrong[0]
        self.losses += run.losses[:-1]
        self.step(run.last_loss, lambda: run.stepper.forward(run.batch)[0].backward())

    def on_epoch_end(self, run: Run) -> None:
        """As a callback of `fit`: record the epoch."""
        self.epoch(run.numbers["loss"], run.numbers.get("validation loss", math.nan))

    def on_train_end(self, run: Run) -> None:
        """As a callback of `fit`: remove the hooks."""
        self.close()

    def close(self) -> None:
        """Remove the hooks from the model; a later `step` adds them again."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._outputs.clear()

    def _arm(self) -> None:
        self.close()
        self._handles += [module.register_forward_hook(self._hook(name)) for name, module in self.layers.items()]

    def _hook(self, name: str) -> Hook:
        """Return a hook that stores the output of a training pass."""

        def hook(module: Module, args: object, output: Operand) -> None:
            if module.training and np.size(getattr(output, "data", ())):
                self._outputs[name] = np.asarray(raw_data(output))

        return hook

    def _sample(self) -> None:
        weights = [flattened(before) for before in self._before]
        used = np.array([p.grad is not None for p in self.parameters])
        slopes = [np.zeros(1) if p.grad is None else flattened(raw_data(p.grad)) for p in self.parameters]
        outputs = {name: flattened(self._outputs[name]) for name in self.layers if name in self._outputs}
        with np.errstate(all="ignore"):
            mean, std, norm = np.moveaxis(np.array([[moments(a) for a in row] for row in (weights, slopes)]), 2, 0)
            pairs = zip(self.parameters, self._before, strict=True)
            moved = [norm_of(flattened(p.data - before)) for p, before in pairs]
            layers = {name: _activity(self.layers[name], self._outputs[name], flat) for name, flat in outputs.items()}
            rows = (("weight", weights), ("gradient", slopes))
            arrays = {f"{what} {self.names[i]}": row[i] for what, row in rows for i in self.shown}
            counts = self._counted(arrays | {f"output {name}": flat for name, flat in outputs.items()})
        lr = math.nan if self.optimizer is None else float(self.optimizer.param_groups[0].get("lr", math.nan))
        self.samples.append(Sample(len(self.losses), lr, mean, std, np.array([*norm, moved]), used, counts, layers))
        self.close()

    def _counted(self, arrays: dict[str, Array]) -> dict[str, Array]:
        """Return the histograms of arrays, whose units are those of their first sample."""
        for name, flat in arrays.items():
            if name not in self.units:
                mean, std, _ = moments(flat)
                unit = std or abs(mean)
                self.units[name] = unit if 0 < unit < math.inf else 1.0
        values = np.array([spots(flat) for flat in arrays.values()])
        return dict(zip(arrays, histograms(values, np.array([self.units[name] for name in arrays])), strict=True))

    def _provenance(self, closure: Callable[[], object] | None) -> str:
        """Return the origin of a nan or inf, by repeating the step with its initial parameters."""
        bad = [name for name, p in zip(self.names, self._before, strict=True) if not np.isfinite(p).all()]
        if bad:
            return f"{bad[0]} contained nan or inf before this step: the gradient of an earlier step was not finite"
        kept = [(p, p.data, p.grad) for p in self.parameters]
        try:
            for p, before in zip(self.parameters, self._before, strict=True):
                p.data = before
            with detect_anomaly():
                if closure is not None:
                    closure()
        except FloatingPointError as error:
            return str(error)
        finally:
            for p, data, grad in kept:
                p.data, p.grad = data, grad
        return ""

    # ------------------------------------------------------------------------------------------------- reporting

    def histogram(self, name: str, what: str = "output", at: int = -1) -> tuple[Array, Array]:
        """Return counts and bin edges of a parameter, its gradient, or a module's output, in one sample."""
        return self.samples[at].counts[f"{what} {name}"], bin_edges(self.units[f"{what} {name}"])

    def report(self) -> Report:
        """Return the diagnosis of the training, with evidence and cures."""
        return diagnose(self)

    def plot(self, path: FilePath | None = None) -> Figure:
        """Draw loss, gradient flow, update ratios and activations, and return the matplotlib figure.

        Parameters
        ----------
        path : str or Path, optional
            Where to save the figure; the suffix determines the format.
        """
        return monitor_figure(self, path)

    def save_html(self, path: FilePath, title: str = "Training report") -> None:
        """Write the report with its figures as one self-contained HTML file."""
        write_atomically(path, document(title, monitored(self)))

    def _repr_html_(self) -> str:
        return "\n".join(monitored(self))


def _watched(model: Module) -> dict[str, Module]:
    """Return the modules to sample: activations and others without parameters, and the last."""
    leaves = {name or type(m).__name__: m for name, m in model.named_modules() if not any(True for _ in m.children())}
    last = list(leaves.values())[-1]
    chosen = {
        name: m
        for name, m in leaves.items()
        if not isinstance(m, NOT_SAMPLED) and (m is last or not any(True for _ in m.parameters()))
    }
    return chosen if len(chosen) > 1 else leaves


def _activity(module: Module, a: Array, flat: Array) -> dict[str, Any]:
    """Return the statistics of an output."""
    mean, std, norm = moments(flat)
    found: dict[str, Any] = {"mean": mean, "std": std, "norm": norm, "rows": len(a) if a.ndim > 1 else 1}
    if isinstance(module, RECTIFIERS):
        found["alive"] = (a != 0).reshape(-1, a.shape[-1] if a.ndim else 1).any(axis=0)
    for low, high in [bounds for kind, bounds in SATURATION.items() if isinstance(module, kind)]:
        found["saturated"] = (np.count_nonzero(flat < low) + np.count_nonzero(flat > high)) / flat.size
    return found


# --------------------------------------------------- the samples of the same layers, with an array for each statistic


def _stacked(rows: Sequence[State]) -> State:
    return {
        key: _stacked([row[key] for row in rows]) if isinstance(value, dict) else np.array([row[key] for row in rows])
        for key, value in rows[0].items()
    }


def _row(table: State, i: int) -> Any:
    return {
        key: _row(column, i) if isinstance(column, dict) else column[i] if column.ndim > 1 else column[i].item()
        for key, column in table.items()
    }


# ------------------------------------------------------- statistics, which must cost less than a training step


def moments(flat: Array) -> tuple[float, float, float]:
    """Return mean, standard deviation and norm of a vector.

    Examples
    --------
    >>> moments(np.array([3.0, -3.0, 3.0, -3.0]))
    (0.0, 3.0, 6.0)
    >>> moments(np.full(4, 2.0**-100, np.float32))[2] * 2.0**99
    1.0
    """
    norm = norm_of(flat)
    mean = float(np.add.reduce(flat)) / flat.size  # half the time of `mean`
    variance = norm * norm / flat.size - mean * mean
    return mean, math.sqrt(variance) if variance > 0 else variance * 0, norm


def norm_of(flat: Array) -> float:
    """Return the norm of a vector.

    Examples
    --------
    >>> norm_of(np.array([3.0, 4.0]))
    5.0
    """
    squares = float(flat.dot(flat))
    if flat.dtype != np.float64 and not TINY < squares < math.inf:
        flat = flat.astype(np.float64)
        squares = float(flat.dot(flat))
    return math.sqrt(squares)


def flattened(a: Any) -> Array:
    """Return the elements as a vector in memory order, without a copy if they are contiguous."""
    return a.ravel("K") if type(a) is np.ndarray else np.ravel(a)


def spots(flat: Array) -> Array:
    """Return `SPOTS` evenly spaced elements of a vector, repeated if it has fewer."""
    step = flat.size // SPOTS
    return flat[: step * SPOTS : step] if step else np.resize(flat, SPOTS)


def histograms(values: Array, scales: Array) -> Array:
    """Count values in bins that are uniform near 0 and grow with the distance from it.

    Parameters
    ----------
    values : ndarray, shape (k, n)
        k sets of values.
    scales : ndarray, shape (k,)
        The unit of each set.

    Returns
    -------
    ndarray of int, shape (k, BINS)
        Counts; values beyond the outermost bins are counted in them, and nan in the last.

    Examples
    --------
    >>> counts = histograms(np.array([[0.0, 0.0, 1e9]]), np.array([1.0]))
    >>> int(counts[0, BINS // 2]), int(counts[0, -1])
    (2, 1)
    """
    half = BINS // 2
    place = np.arcsinh(values / scales[:, None]) * (half / REACH)
    index = (np.fmax(np.fmin(place, half), -half) + (half + 0.5)).astype(np.int64)
    index += np.arange(len(values))[:, None] * BINS
    return np.bincount(index.ravel(), minlength=len(values) * BINS).reshape(-1, BINS)


def bin_edges(scale: float) -> Array:
    """Return the edges of the bins of `histograms`, one more than there are bins."""
    half = BINS // 2
    return np.asarray(scale * np.sinh((np.arange(BINS + 1) - half - 0.5) * (REACH / half)))
