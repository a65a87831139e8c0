"""Random generators: one that is passed as an argument, or the shared one of `manual_seed`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TypeAlias

import numpy as np

from .validation import checked_integer

Rng: TypeAlias = "np.random.Generator | int | None"

# Shared by all threads and tasks of the process, as in PyTorch: `manual_seed` in the main thread governs workers, too.
_by_seed = False  # whether `manual_seed` or `set_rng_state` has been called
_generator: np.random.Generator | None = None  # created at the first draw, since importing numpy.random is slow


def manual_seed(seed: int) -> np.random.Generator:
    """Seed the generator that layers and initializers use when no `rng` is given.

    From then on the networks of `nn.scalar` use it too, instead of Python's `random`.

    Parameters
    ----------
    seed : int
        At least 0; the same seed gives the same bits on every platform.

    Returns
    -------
    numpy.random.Generator
        The generator.

    Raises
    ------
    TypeError, ValueError
        If `seed` is not an integer, or negative.

    Examples
    --------
    >>> first = manual_seed(0).random()
    >>> first == manual_seed(0).random()
    True
    """
    global _generator, _by_seed
    _generator = _seeded(seed)
    _by_seed = True
    return _generator


def _seeded(seed: object) -> np.random.Generator:
    return np.random.default_rng(checked_integer("rng (a Generator, a seed or None)", "a seed", seed))


def _shared() -> np.random.Generator:
    global _generator
    if _generator is None:
        _generator = np.random.default_rng()
    return _generator


def is_seeded() -> bool:
    """Return whether `manual_seed` or `set_rng_state` has been called."""
    return _by_seed


def as_generator(rng: Rng = None) -> np.random.Generator:
    """Return a generator for the argument `rng` of a layer or initializer.

    Parameters
    ----------
    rng : numpy.random.Generator, int or None
        A generator is returned unchanged, a seed creates a new one, None is the generator of `manual_seed`.

    Returns
    -------
    numpy.random.Generator
        The generator.

    Examples
    --------
    >>> as_generator(7).integers(10) == as_generator(7).integers(10)
    np.True_
    """
    if rng is None:
        return _shared()
    return rng if isinstance(rng, np.random.Generator) else _seeded(rng)


@contextlib.contextmanager
def fork_rng() -> Iterator[None]:
    """Restore the generator of `manual_seed` at the end of a block.

    Examples
    --------
    >>> with fork_rng():
    ...     first = as_generator().random()
    >>> as_generator().random() == first
    True
    """
    state = get_rng_state()
    try:
        yield
    finally:
        _shared().bit_generator.state = state


def get_rng_state() -> Mapping[str, object]:
    """Return the state of the generator of `manual_seed` as a dict of integers and strings.

    Examples
    --------
    >>> state = get_rng_state()
    >>> first = as_generator().random()
    >>> set_rng_state(state)
    >>> first == as_generator().random()
    True
    """
    return dict(_shared().bit_generator.state)


def set_rng_state(state: Mapping[str, object]) -> None:
    """Restore the state of the generator of `manual_seed` from `get_rng_state`.

    Examples
    --------
    >>> state = get_rng_state()
    >>> first = as_generator().random()
    >>> set_rng_state(state)
    >>> as_generator().random() == first
    True
    """
    global _by_seed
    _shared().bit_generator.state = state
    _by_seed = True
