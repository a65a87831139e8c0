"""The first layer of a network on tables, which embeds the columns of words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import autograd as ag
from autograd.extend import callback
from nn.module import Module
from nn.random import Rng
from nn.typing import Array, Operand

from .container import Sequential
from .linear import Embedding
from .mlp import MLP

EMBEDDING_DIM = 8


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

    def __init__(self, levels: Sequence[int], embedding_dim: int = EMBEDDING_DIM, *, rng: Rng = None) -> None:
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


def table_network(
    features: int, levels: Sequence[int], sizes: Sequence[int], activation: str = "relu", *, dropout: float = 0.0,
    rng: Rng = None,
) -> Sequential:  # fmt: skip
    """Return a multi-layer perceptron for the features of a table, the last of which are indices of embeddings.

    Parameters
    ----------
    features : int
        The number of features, indices included.
    levels : sequence of int
        The number of indices of each of the last features.
    sizes, activation, dropout, rng
        As for `MLP`.

    Examples
    --------
    >>> table_network(3, [12], [16, 1], rng=0)(np.array([[0.5, 1.0, 11.0]])).shape
    (1, 1)
    """
    inputs = features + len(levels) * (EMBEDDING_DIM - 1)
    mlp = MLP(inputs, sizes, activation, dropout=dropout, rng=rng)
    return Sequential(ColumnEmbedding(levels, rng=rng), *mlp) if levels else mlp
