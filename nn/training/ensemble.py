"""The mean of several networks, as one module."""

import math
from collections.abc import Sequence

import autograd as ag
from nn.functional import log_softmax
from nn.layers.container import ModuleList
from nn.module import Module
from nn.typing import Operand


class Ensemble(Module):
    """The mean of the outputs of several networks, or of their probabilities.

    Parameters
    ----------
    members : sequence of Module
        The networks.
    classify : bool
        Outputs are logits: return the logarithm of the mean probabilities, which are again logits.

    Examples
    --------
    >>> import numpy as np, nn
    >>> members = [nn.MLP(2, [1], rng=seed) for seed in (0, 1)]
    >>> x = np.ones((3, 2))
    >>> bool(np.allclose(Ensemble(members)(x).data, (members[0](x) + members[1](x)).data / 2))
    True
    """

    def __init__(self, members: Sequence[Module], classify: bool = False) -> None:
        super().__init__()
        self.members: ModuleList = ModuleList(members)
        self.classify: bool = classify

    def forward(self, x: Operand) -> Operand:
        """Return the combined outputs."""
        outputs = [member(x) for member in self.members]
        if not self.classify:
            return ag.stack(outputs).mean(axis=0)
        logarithms = ag.stack([log_softmax(output, 1) for output in outputs])
        return ag.logsumexp(logarithms, axis=0) - math.log(len(outputs))
