"""Comparison of the ranks before the first step: the first difference is reported."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from optim.flat_params import label
from optim.typing import Array, Comm, Data

Fact: TypeAlias = tuple[str, object]


class RanksDifferWarning(UserWarning):
    """Ranks started from different values; those of rank 0 were used.

    Examples
    --------
    >>> import warnings
    >>> warnings.simplefilter("error", RanksDifferWarning)  # a run whose ranks start differently stops
    """


def agree(comm: Comm, facts: Sequence[Fact], advice: str = "") -> None:
    """Raise ValueError on every rank if a fact differs between ranks.

    Parameters
    ----------
    comm : communicator
        Communicator of the ranks to compare; all of them must call.
    facts : sequence of (str, object)
        Description and value of each fact; values are compared by ``repr``.
    advice : str
        Advice appended to the message.

    Raises
    ------
    ValueError
        Names the first fact that differs, the first rank where it does, and both values.

    Examples
    --------
    >>> from optim.distributed import Alone
    >>> agree(Alone(), [("the batch size", 32)])
    """
    texts = [(name, _text(value)) for name, value in facts]
    digest = hashlib.blake2b(repr(texts).encode(), digest_size=16).hexdigest()
    if len(set(comm.allgather(digest))) == 1:
        return
    gathered = comm.allgather(texts)
    for place in range(max(map(len, gathered))):
        rows = [facts[place] if place < len(facts) else ("the number of facts", str(len(facts))) for facts in gathered]
        for rank, (name, value) in enumerate(rows):
            if (name, value) != rows[0]:
                shown, theirs = _apart(rows[0][1], value)
                raise ValueError(
                    f"rank {rank} differs from rank 0 in {name}: {theirs} on rank {rank}, {shown} on rank 0"
                    f"{'; ' if advice else ''}{advice}"
                )


def _text(value: object) -> str:
    """Return a value as text, without memory addresses, which differ between ranks."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", value if isinstance(value, str) else repr(value))


def _apart(a: str, b: str, most: int = 120) -> tuple[str, str]:
    """Return two texts, shortened to the surroundings of their first difference."""
    if max(len(a), len(b)) <= most:
        return a, b
    first = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    begin = max(first - most // 2, 0)
    dots = "..." if begin else ""
    return dots + a[begin : begin + most], dots + b[begin : begin + most]


def facts_of(optimizer: Any) -> list[Fact]:
    """Return the facts of an optimizer to compare: class, shapes and dtypes of the parameters, and options.

    Parameters
    ----------
    optimizer : Optimizer
        An optimizer or a wrapper.

    Returns
    -------
    list of (str, object)
        For `agree`.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import optim
    >>> facts_of(optim.SGD([SimpleNamespace(data=1.0, grad=0.0)], lr=0.1))[0]
    ('the optimizer', 'SGD')
    """
    kinds, inner = [], optimizer
    while inner is not None:
        kinds.append(type(inner).__name__)
        inner = getattr(inner, "inner", None)
    groups = optimizer.param_groups
    facts: list[Fact] = [("the optimizer", " of ".join(kinds))]
    facts += [("the lengths of the optimizer's groups", [len(group["params"]) for group in groups])]
    place = 0
    for group in groups:
        for p in group["params"]:
            data = p.data
            what = (data.shape, data.dtype.name) if isinstance(data, np.ndarray) else type(data).__name__
            facts.append((f"shape and type of {label(p, place)} of the optimizer", what))
            place += 1
    for i, group in enumerate(groups):
        options = {k: v for k, v in group.items() if k not in ("params", "param_names")}
        facts += [(f"{k!r} of the optimizer's group {i}", v) for k, v in options.items()]
    return [*facts, ("the number of steps the optimizer has taken", getattr(optimizer, "step_count", 0))]


def broadcast(
    comm: Comm, named: Sequence[tuple[str, Data]], *, repair: bool = True, stacklevel: int = 3
) -> list[Array] | None:
    """Compare arrays between all ranks; return those of rank 0 if they differ.

    Parameters
    ----------
    comm : communicator
        Communicator of all ranks; all must call.
    named : sequence of (str, array or float)
        Names used in messages, and values.
    repair : bool
        Use the values of rank 0, with a warning, instead of raising an error.
    stacklevel : int
        As for `warnings.warn`.

    Returns
    -------
    list of (array or float), or None
        The values of rank 0; None if those of all ranks are bit-identical.

    Raises
    ------
    ValueError
        If they differ and `repair` is false. The message contains the first array that differs, the index, the rank
        and both values.

    Warns
    -----
    RanksDifferWarning
        The same message, on rank 0, if they differ and `repair` is true.

    Examples
    --------
    >>> from optim.distributed import Alone
    >>> broadcast(Alone(), [("weight", np.ones(2))]) is None  # nothing to repair
    True
    """
    digest = hashlib.blake2b(digest_size=16)
    for _, data in named:
        digest.update(np.asarray(data, order="C").tobytes())
    if len(set(comm.allgather(digest.hexdigest()))) == 1:
        return None
    first: list[Array] = comm.bcast([np.asarray(data) for _, data in named], root=0)
    own = next((d for d in map(_difference, named, first) if d), None)
    rank, text = next((rank, text) for rank, text in enumerate(comm.allgather(own)) if text)
    text = f"rank {rank} differs from rank 0 in {text}"
    if not repair:
        raise ValueError(f"{text}; use the same seed on all ranks")
    if comm.rank == 0:
        warnings.warn(f"{text}; the values of rank 0 are used on all ranks", RanksDifferWarning, stacklevel=stacklevel)
    return [f if isinstance(d, np.ndarray) else f.item() for f, (_, d) in zip(first, named, strict=True)]


def _difference(named: tuple[str, Data], theirs: Array) -> str:
    """Return a description of the first difference to rank 0's array; empty if they are equal."""
    name, ours = named[0], np.asarray(named[1])
    if ours.tobytes() == theirs.tobytes():
        return ""
    apart = np.argwhere(np.atleast_1d((ours != theirs) & ~((ours != ours) & (theirs != theirs))))
    if not len(apart):  # nan with different bits, or -0.0 and 0.0
        return f"the bits of {name}"
    at = tuple(int(i) for i in apart[0])[: ours.ndim]
    where = f", first at {list(at)}" if at else ""
    return f"{name}{where}: {ours[at]} there, {theirs[at]} on rank 0"
