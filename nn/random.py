"""Where random numbers come from: a generator that is passed in, or the one of `manual_seed`."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

__all__ = ["Rng", "as_generator", "get_rng_state", "is_seeded", "manual_seed", "set_rng_state"]

Rng: TypeAlias = "np.random.Generator | int | None"

# Shared by all threads and tasks of the process, as in PyTorch: `manual_seed` in the main thread governs workers, too.
_by_seed = False  # whether `manual_seed` or `set_rng_state` has been called
_generator: np.random.Generator | None = None  # made at the first draw: loading numpy.random takes its time


def manual_seed(seed: int) -> np.random.Generator:
    """Restart the generator that layers and initialisers draw from when no `rng` is given.

    From then on the networks of `nn.scalar` draw from it too, instead of from Python's `random`.

    Parameters
    ----------
    seed : int
        Not negative; the same seed gives the same bits on every platform.

    Returns
    -------
    numpy.random.Generator
        The generator, restarted.

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


def _seeded(seed: Any) -> np.random.Generator:
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise TypeError(f"a seed is an integer, not {seed!r:.60} ({type(seed).__name__})")
    if seed < 0:
        raise ValueError(f"a seed is not negative: {seed}")
    return np.random.default_rng(int(seed))


def _shared() -> np.random.Generator:
    global _generator
    if _generator is None:
        _generator = np.random.default_rng()
    return _generator


def is_seeded() -> bool:
    """Whether `manual_seed` or `set_rng_state` has said where the numbers begin."""
    return _by_seed


def as_generator(rng: Rng = None) -> np.random.Generator:
    """Return the generator that `rng` stands for.

    Parameters
    ----------
    rng : numpy.random.Generator, int or None
        A generator is used as it is and moves on, a seed makes a new one, None is the one of `manual_seed`.

    Returns
    -------
    numpy.random.Generator
        Where to draw from.

    Examples
    --------
    >>> as_generator(7).integers(10) == as_generator(7).integers(10)
    np.True_
    """
    if rng is None:
        return _shared()
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, bool) or not isinstance(rng, (int, np.integer)):
        raise TypeError(
            f"rng is a numpy.random.Generator, a seed or None, not {rng!r:.60} ({type(rng).__name__}); make one with "
            "np.random.default_rng(seed)"
        )
    return _seeded(rng)


def get_rng_state() -> dict[str, Any]:
    """Return the state of the generator of `manual_seed`, made of plain numbers and strings.

    Examples
    --------
    >>> state = get_rng_state()
    >>> first = as_generator().random()
    >>> set_rng_state(state)
    >>> first == as_generator().random()
    True
    """
    return dict(_shared().bit_generator.state)


def set_rng_state(state: dict[str, Any]) -> None:
    """Put the generator of `manual_seed` back into a state of `get_rng_state`.

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
