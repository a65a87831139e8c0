"""Training and evaluation modes of all modules of a model."""

import contextlib
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def preserved_modes(model: Any) -> Iterator[None]:
    """Restore the training or evaluation mode of every submodule at the end.

    Examples
    --------
    >>> import nn
    >>> model = nn.Sequential(nn.Linear(1, 1, rng=0), nn.Dropout().eval())
    >>> with preserved_modes(model):
    ...     _ = model.train()
    >>> model.training, model[1].training
    (True, False)
    """
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
