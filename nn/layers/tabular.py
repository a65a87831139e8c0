"""The first layer of a network on tables, which embeds the columns of words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import autograd as ag
from autograd.extend import callback
from nn.module import Module
from nn.random import Rng
from nn.typing import Array, Operand

from .linear import Embedding

__all__ = ["ColumnEmbedding"]


class ColumnEmbedding(Module):
    """Replace the last columns, which contain indices, by learned vectors (Guo & Berkhahn 2016).

    Parameters
    ----------
    levels : sequence of int
        The number of indices of each of the last columns.
    embedding_dim : int
        The length of a vector.
    rng : Generator, int or None
        Source of the initial vectors; None is the generator of `manual_seed`.

    Notes
    -----
    The vectors of index 0, which stands for unknown words, are initially 0.

    Examples
    --------
    >>> ColumnEmbedding([3, 12], 4, rng=0)(np.array([[0.5, 2.0, 11.0]])).shape
    (1, 9)
    """

    def __init__(self, levels: Sequence[int], embedding_dim: int = 8, *, rng: Rng = None) -> None:
        super().__init__()
        self.levels: list[int] = list(levels)
        self.first: Array = np.cumsum([0, *self.levels[:-1]])
        self.embedding: Embedding = Embedding(sum(self.levels), embedding_dim, rng=rng)
        table = self.embedding.weight.data.copy()
        table[self.first] = 0.0
        self.embedding.weight.data = table

    def forward(self, x: Operand) -> Operand:
        """Return the other columns, then the vectors."""
        count = len(self.levels)
        index = callback(lambda x: x[:, -count:].astype(np.int64) + self.first, x)
        vectors = self.embedding(index)
        return ag.concatenate([x[:, :-count], vectors.reshape(-1, count * self.embedding.embedding_dim)], axis=1)

    def extra_repr(self) -> str:
        """Return the options."""
        return f"{self.levels}"
