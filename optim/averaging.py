"""Averages of the weights: stochastic weight averaging (SWA) and exponential moving averages (EMA).

::

    averaged = AveragedModel(model)                  # SWA; avg_fn=get_ema_avg_fn(0.999) for EMA
    for batch in batches:
        ...
        optimizer.step()
        averaged.update_parameters(model)
    update_bn(batches, averaged)                     # only for models with batch normalization
    averaged(x)
"""

import copy
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from optim.checks import require_keys
from optim.flat_params import like
from optim.options import Portion, checked
from optim.typing import Array, Data, StateDict

Average: TypeAlias = Callable[[Data, Data, int], Data]

# Buffers of batch normalization, with the names used by PyTorch, and their initial values.
STATISTICS = {"running_mean": 0, "running_var": 1, "num_batches_tracked": 0}


def get_swa_avg_fn() -> Average:
    """Return the equal average of all models: ``avg + (new - avg) / (n + 1)``.

    Izmailov et al. 2018 (Averaging weights leads to wider optima), Algorithm 1.

    Examples
    --------
    >>> average = get_swa_avg_fn()
    >>> average(2.0, 8.0, 2)
    4.0
    """
    return lambda averaged, new, n: averaged + (new - averaged) / (n + 1)


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """Return the exponential moving average: ``decay * avg + (1 - decay) * new``.

    Polyak & Juditsky 1992 averaged equally; the exponential form is that of Tarvainen & Valpola 2017 (mean
    teacher), equation 2.  The bias to the first model is not corrected, as in PyTorch.

    Examples
    --------
    >>> average = get_ema_avg_fn(decay=0.75)
    >>> average(2.0, 8.0, 2)
    3.5
    """
    weight = checked("get_ema_avg_fn", "decay", decay, Portion)
    return lambda averaged, new, n: weight * averaged + (1.0 - weight) * new


class AveragedModel:
    """A copy of a model that holds a running average of its parameters.

    ::

        first update:  avg = p
        later:         avg = avg + (p - avg) / (n + 1)      # or avg_fn(avg, p, n)

    Parameters
    ----------
    model : module
        Any object with ``parameters()``; it is copied. Buffers are found by ``named_buffers()`` and
        ``named_modules()``, if it has them.
    avg_fn : callable, optional
        ``(averaged, new, n) -> averaged`` on floats or arrays, with n the number of averaged models; by default that
        of `get_swa_avg_fn`. `get_ema_avg_fn` returns one for an exponential average.
    use_buffers : bool, default False
        Average floating-point buffers (running statistics) instead of copying them.

    Attributes
    ----------
    module : module
        The averaged copy.
    n_averaged : int
        The number of averaged models.

    Notes
    -----
    Izmailov et al. 2018, Algorithm 1.  The keys of `state_dict` are those of PyTorch: ``n_averaged``, and the
    model's keys prefixed with ``module.``. PyTorch's `multi_avg_fn`, which fuses kernels, is not supported. Integer
    buffers, such as a count of batches, are always copied. Other attributes (`parameters`, `train`, `eval`, ...) are
    those of the copy.

    Examples
    --------
    >>> class Line:
    ...     def __init__(self, slope):
    ...         self.slope = Number(slope)
    ...     def parameters(self):
    ...         return [self.slope]
    >>> class Number:
    ...     def __init__(self, data):
    ...         self.data = data
    >>> model = Line(1.0)
    >>> averaged = AveragedModel(model)
    >>> for slope in (1.0, 2.0, 6.0):
    ...     model.slope.data = slope
    ...     averaged.update_parameters(model)
    >>> averaged.module.slope.data, averaged.n_averaged
    (3.0, 3)
    """

    def __init__(self, model: Any, avg_fn: Average | None = None, use_buffers: bool = False) -> None:
        if not callable(getattr(model, "parameters", None)):
            raise TypeError(f"AveragedModel needs a module with parameters(), got {type(model).__name__}")
        if avg_fn is not None and not callable(avg_fn):
            raise TypeError(f"avg_fn must be a function of (averaged, new, n) such as get_ema_avg_fn(), got {avg_fn!r}")
        self.module: Any = copy.deepcopy(model)
        self.n_averaged: int = 0
        self.avg_fn: Average = get_swa_avg_fn() if avg_fn is None else avg_fn
        self.use_buffers = use_buffers

    def update_parameters(self, model: Any) -> None:
        """Update the average with the present parameters of `model`, atomically.

        Raises
        ------
        ValueError
            If the parameters differ in number or shape from the averaged ones.
        """
        mine, theirs = list(self.module.parameters()), list(model.parameters())
        shapes, others = ([np.shape(p.data) for p in parameters] for parameters in (mine, theirs))
        if shapes != others:
            raise ValueError(f"the averaged parameters have shapes {shapes}, this model has {others}")
        averages = [self._average(p.data, new.data) for p, new in zip(mine, theirs, strict=True)]
        buffers = list(self._averaged_buffers(model))
        for parameter, average in zip(mine, averages, strict=True):
            parameter.data = average
        for owner, name, average in buffers:
            setattr(owner, name, average)
        self.n_averaged += 1

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the output of the averaged model."""
        return self.module(*args, **kwargs)

    def state_dict(self) -> StateDict:
        """Return the state of the averaged model and the number of averaged models."""
        state = {f"module.{key}": value for key, value in self.module.state_dict().items()}
        return {"n_averaged": np.array(self.n_averaged), **state}

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Restore a `state_dict`."""
        require_keys(state_dict, "AveragedModel", "n_averaged")
        count = int(state_dict["n_averaged"])
        if count < 0:
            raise ValueError(f"n_averaged must be in [0, inf), got {count}")
        self.module.load_state_dict(
            {key.removeprefix("module."): value for key, value in state_dict.items() if key != "n_averaged"}
        )
        self.n_averaged = count

    def __getattr__(self, name: str) -> Any:
        if name == "module" or name.startswith("__"):  # `module` is missing while the object is copied
            raise AttributeError(name)
        return getattr(self.module, name)

    def _average(self, averaged: Data, new: Data) -> Data:
        if self.n_averaged == 0:
            return like(new, averaged)
        average = self.avg_fn(averaged, new, self.n_averaged)
        if np.shape(average) != np.shape(averaged):
            raise ValueError(f"avg_fn returned shape {np.shape(average)} for a parameter of shape {np.shape(averaged)}")
        return like(average, averaged)

    def _averaged_buffers(self, model: Any) -> Iterator[tuple[object, str, Array]]:
        """Yield the owner, the name and the new value of every buffer."""
        if not hasattr(model, "named_buffers"):
            return
        owners, mine = dict(self.module.named_modules()), dict(self.module.named_buffers())
        for path, new in model.named_buffers():
            prefix, _, name = path.rpartition(".")
            averaged = self.use_buffers and np.asarray(new).dtype.kind == "f"
            yield owners[prefix], name, self._average(mine[path], new) if averaged else copy.deepcopy(new)


def update_bn(loader: Iterable[Sequence[Data]], model: Any) -> None:
    """Recompute the running statistics of batch normalization for the present weights.

    A model with averaged weights has other activations than each of the averaged models. The statistics are set to the
    mean over the batches; momentum and training mode are restored afterwards. Layers that are in evaluation mode while
    the model is not are frozen, and keep their statistics.

    Parameters
    ----------
    loader : iterable
        Batches of inputs, or of tuples whose first item is the input.
    model : module
        Modules with the buffers `running_mean`, `running_var` and `num_batches_tracked` are updated.

    Notes
    -----
    Izmailov et al. 2018, section 3.2. PyTorch's argument `device` is not supported.

    Examples
    --------
    >>> class Norm:
    ...     training, momentum = False, 0.1
    ...     running_mean, running_var, num_batches_tracked = 7.0, 2.0, 9
    ...     def modules(self):
    ...         return [self]
    ...     def train(self):
    ...         self.training = True
    ...     def __call__(self, x):
    ...         self.num_batches_tracked += 1
    ...         self.running_mean += (x - self.running_mean) / self.num_batches_tracked
    >>> norm = Norm()
    >>> update_bn([1.0, 2.0, 6.0], norm)
    >>> float(norm.running_mean), norm.momentum, norm.training
    (3.0, 0.1, False)
    """
    modes = [(module, module.training) for module in model.modules()]
    frozen = [module for module, training in modes if getattr(model, "training", False) and not training]
    active = [module for module, _ in modes if not any(module is other for other in frozen)]
    norms = [m for m in active if all(getattr(m, name, None) is not None for name in STATISTICS)]
    if not norms:
        return
    batches = iter(loader)
    first = next(batches, None)
    if first is None:
        raise ValueError("update_bn got no batch; is the loader an exhausted iterator?")
    momenta = [norm.momentum for norm in norms]
    try:
        model.train()
        for module in frozen:
            module.training = False
        for norm in norms:
            for name, start in STATISTICS.items():
                setattr(norm, name, np.full_like(getattr(norm, name), start))
            norm.momentum = None  # None means the cumulative average
        for batch in itertools.chain([first], batches):
            model(batch[0] if isinstance(batch, list | tuple) else batch)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for module, training in modes:
            module.training = training
