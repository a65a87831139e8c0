"""Save and resume: model, optimizer, schedule, data order, generators and plain data in one file.

`save` writes the parts of a run under names of your choice; `load` restores them.  A resumed run computes the same
bits as one that never stopped.

Examples
--------
>>> import tempfile, numpy as np
>>> from nn import checkpoint
>>> from nn.module import Module, Parameter
>>> class Scale(Module):
...     def __init__(self, factor):
...         super().__init__()
...         self.factor = Parameter(factor)
>>> with tempfile.TemporaryDirectory() as folder:
...     checkpoint.save(f"{folder}/run.npz", model=Scale(3.0), rng=np.random.default_rng(0), step=120)
...     model, rng = Scale(1.0), np.random.default_rng()
...     checkpoint.load(f"{folder}/run.npz", model=model, rng=rng)
{'step': 120}
>>> model.factor, bool(rng.random() == np.random.default_rng(0).random())
(Tensor(3., requires_grad=True, name='factor'), True)
"""

from __future__ import annotations

import contextlib
import copy
import os
from typing import Any, TypeAlias

import numpy as np

from autograd.files import replacing
from nn.files import FilePath
from nn.module import Module
from nn.random import as_generator
from nn.typing import State

from .archive import CheckpointError, read_tree, write_tree

__all__ = ["CheckpointError", "load", "save"]

Saved: TypeAlias = tuple[Any, State]  # of a part: plain data, and a description


def save(path: FilePath, model: Any = None, /, **parts: Any) -> None:
    """Write parts of a run to one `.npz` file, which is replaced atomically.

    Parameters
    ----------
    path : str or Path
        The file; no suffix is added.
    model : object with ``state_dict()``, optional
        Short for ``model=model``.
    **parts
        Objects with ``state_dict()`` (model, optimizer, scheduler, averaged model, `DataLoader`), instances of
        `numpy.random.Generator`, and plain data: scalars, strings, None, numeric arrays, and dicts, lists and tuples
        of these.  Generators of the layers of a model are saved with it: their own, or that of `nn.manual_seed`.

    Raises
    ------
    TypeError
        If the type of a part, or of a value inside plain data, is not supported.
    ValueError
        If an array contains objects or text, or `path` is a directory.
    OSError
        If the file cannot be written; the previous one is unchanged.

    Notes
    -----
    The contents are written to a temporary file in the same folder, flushed to disk, and renamed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/run.npz", step=3, metrics={"loss": [0.5, 0.25]})
    ...     load(f"{folder}/run.npz")
    {'step': 3, 'metrics': {'loss': [0.5, 0.25]}}
    """
    states = {name: _state(part) for name, part in _named(model, parts).items()}
    values, about = ({name: state[i] for name, state in states.items()} for i in (0, 1))
    with replacing(path) as file:
        write_tree(file, values, about)


def load(path: FilePath, model: Any = None, /, **parts: Any) -> State:
    """Restore all parts of a run, or on any error none.

    Parameters
    ----------
    path : str or Path
        A file of `save`.
    model : object with ``load_state_dict()``, optional
        Short for ``model=model``.
    **parts
        Objects with ``load_state_dict()`` and generators, under the names used in `save`; modified in place.

    Returns
    -------
    dict
        The contents of the file that were not restored to a part: ``load(path, model=model)["step"]``.

    Raises
    ------
    CheckpointError
        A `ValueError`: the file is not a checkpoint, damaged, of a newer version, or does not match the parts.
        The parts are unchanged.
    FileNotFoundError
        If the file does not exist.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/run.npz", rng=np.random.default_rng(0), step=3)
    ...     load(f"{folder}/run.npz", rng=np.random.default_rng(1))["step"]
    3
    """
    targets = {name: part for name, part in _named(model, parts).items() if part is not None}
    for name, part in targets.items():
        if not (isinstance(part, np.random.Generator) or hasattr(part, "load_state_dict")):
            raise TypeError(
                f"{name} is a {type(part).__name__}, which cannot be modified in place; leave it out and use "
                f"load(...)[{name!r}]"
            )
    values, about = read_tree(path)
    try:
        if set(values) != set(about) or not all(isinstance(note, dict) and "kind" in note for note in about.values()):
            raise CheckpointError("not a checkpoint: the description of its parts is missing")
        _restore_all(targets, {name: (value, about[name]) for name, value in values.items()})
    except CheckpointError as error:
        raise CheckpointError(f"{os.fspath(path)}: {error}; nothing was loaded") from error.__cause__
    return {name: value for name, value in values.items() if name not in targets}


def _named(model: Any, parts: State) -> State:
    """Add a model given by position under the name 'model'."""
    if model is None:
        return parts
    if isinstance(model, np.random.Generator) or not hasattr(model, "state_dict"):
        raise TypeError(
            f"the second argument must be a model, not a {type(model).__name__}; the order is (path, model), and other "
            "parts are keyword arguments, as in step=3"
        )
    if "model" in parts:
        raise TypeError("model was given by position and by name")
    return {"model": model, **parts}


# -------------------------------------------------------------------------------------------------- one part


def _state(part: Any) -> Saved:
    """Return a part as plain data, and its description."""
    if isinstance(part, np.random.Generator):
        return part.bit_generator.state, {"kind": "generator"}
    if isinstance(part, type) or not hasattr(part, "state_dict"):
        return part, {"kind": "data"}
    own = {place: generator.bit_generator.state for place, generator in _generators(part).items()}
    return part.state_dict(), {"kind": "state", "class": type(part).__name__, "generators": own}


def _generators(part: object) -> dict[str, np.random.Generator]:
    """Return the generators that the modules of a model draw from, by path."""
    found: dict[str, np.random.Generator] = {}
    if isinstance(part, Module):
        for path, module in part.named_modules():
            for name, thing in vars(module).items():
                if name == "rng" and thing is None:  # a layer that draws from the generator of `manual_seed`
                    thing = as_generator()
                if isinstance(thing, np.random.Generator):
                    found[f"{path}.{name}" if path else name] = thing
    return found


def _restore_all(targets: State, found: dict[str, Saved]) -> None:
    """Restore every part; after a failure, restore the previous states."""
    for name, part in targets.items():
        _check(name, part, found)
    with contextlib.ExitStack() as undo:
        for name, part in targets.items():
            undo.callback(_restore, part, copy.deepcopy(_state(part)))
            try:
                _restore(part, found[name])
            except (ValueError, TypeError, KeyError, IndexError, RuntimeError, AttributeError) as error:
                was = found[name][1].get("class", "generator")
                raise CheckpointError(f"{name} was saved from a {was} and does not fit this one: {error}") from error
        undo.pop_all()


def _check(name: str, part: object, found: dict[str, Saved]) -> None:
    """Raise if the file does not contain a part, or contains another kind of it."""
    if name not in found:
        raise CheckpointError(f"it has no part {name!r}, only {', '.join(map(repr, found)) or 'nothing'}")
    about, wanted = found[name][1], "generator" if isinstance(part, np.random.Generator) else "state"
    if about["kind"] != wanted:
        raise CheckpointError(
            f"its part {name!r} is of kind {about['kind']}, but a {type(part).__name__} needs {wanted}"
        )
    saved = about.get("generators")
    missing = [place for place in _generators(part) if not isinstance(saved, dict) or place not in saved]
    if missing:
        raise CheckpointError(f"{name} was saved without the generators that this one has at {missing}")


def _restore(part: Any, saved: Saved) -> None:
    state, about = saved
    if isinstance(part, np.random.Generator):
        part.bit_generator.state = state
    elif isinstance(part, Module):
        part.load_state_dict(state, allow_nan=True)  # a diverged run is restored as it was
        for place, generator in _generators(part).items():
            generator.bit_generator.state = about["generators"][place]
    else:
        part.load_state_dict(state)
