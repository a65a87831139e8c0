"""Saving and resuming: model, optimizer, schedule, data order, generators and numbers in one file.

`save` takes whatever makes up a run, under names of your choice; `load` puts it back.  A run that continues in a new
process computes the same bits as one that never stopped.

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

import copy
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from .archive import CheckpointError, read_tree, write_tree
from .files import FilePath, replacing
from .module import Module

__all__ = ["CheckpointError", "load", "save"]


def save(path: FilePath, model: Any = None, /, **parts: Any) -> None:
    """Write parts of a run to one `.npz` file; what was there before stays whole until the new file is.

    Parameters
    ----------
    path : str or Path
        Where to; the name is used as it is.
    model : object with ``state_dict()``, optional
        Short for ``model=model``.
    **parts
        Each under a name that `load` will ask for: an object with ``state_dict()`` (model, optimizer, scheduler,
        averaged model, `DataLoader`), a `numpy.random.Generator`, or plain data: numbers, strings, None, arrays of
        numbers, and dicts, lists and tuples of these.  Generators that a module holds are saved with it.

    Raises
    ------
    TypeError
        If a part, or something inside plain data, is none of these.
    ValueError
        If an array holds objects or text, or `path` is a directory.
    OSError
        If the file cannot be written; the previous one is as it was.

    Notes
    -----
    The contents go to a temporary file in the same folder, are flushed to the disk, and take the name in one step.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/run.npz", step=3, metrics={"loss": [0.5, 0.25]})
    ...     load(f"{folder}/run.npz")
    {'step': 3, 'metrics': {'loss': [0.5, 0.25]}}
    """
    tree = {name: _saved(name, part) for name, part in _named(model, parts).items()}
    with replacing(path) as file:
        write_tree(file, {"parts": tree})


def load(path: FilePath, model: Any = None, /, **parts: Any) -> dict[str, Any]:
    """Put the parts of a run back, all of them or, if anything is wrong, none.

    Parameters
    ----------
    path : str or Path
        A file of `save`.
    model : object with ``load_state_dict()``, optional
        Short for ``model=model``.
    **parts
        Objects with ``load_state_dict()`` and generators, under the names they were saved by; changed in place.

    Returns
    -------
    dict
        Everything in the file that was not put back into a part: ``load(path, model=model)["step"]``.

    Raises
    ------
    CheckpointError
        A `ValueError`: the file is no checkpoint, damaged, of a newer version, lacks a part, or does not fit one.
        No object was changed.
    FileNotFoundError
        If there is no such file.

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
                f"{name} is a {type(part).__name__}, which cannot be changed in place; leave it out and take "
                f"load(...)[{name!r}]"
            )
    tree = read_tree(path)
    try:
        found = _found(tree)
        _restore_all(targets, found)
    except CheckpointError as error:
        raise CheckpointError(f"{os.fspath(path)}: {error}; nothing was loaded") from error.__cause__
    return {name: part["value"] for name, part in found.items() if name not in targets}


def _named(model: Any, parts: dict[str, Any]) -> dict[str, Any]:
    """Put a model given by position under its name, first."""
    if model is None:
        return parts
    if isinstance(model, np.random.Generator) or not hasattr(model, "state_dict"):
        raise TypeError(f"the second argument is a model, not a {type(model).__name__}; give other parts by name")
    if "model" in parts:
        raise TypeError("model is given twice: by position and by name")
    return {"model": model, **parts}


# -------------------------------------------------------------------------------------------------- one part


def _saved(name: str, part: Any) -> dict[str, Any]:
    """Return a part as plain data, with what it was."""
    if isinstance(part, np.random.Generator):
        return {"kind": "generator", "value": part.bit_generator.state}
    if isinstance(part, type) or not hasattr(part, "state_dict"):
        return {"kind": "data", "value": part}
    own = {place: generator.bit_generator.state for place, generator in _generators(part).items()}
    return {"kind": "state", "class": type(part).__name__, "value": part.state_dict(), "generators": own}


def _generators(part: Any) -> dict[str, np.random.Generator]:
    """Return the generators that the modules of a model hold, each once, by path."""
    found: dict[str, np.random.Generator] = {}
    if isinstance(part, Module):
        for path, module in part.named_modules():
            for name, thing in vars(module).items():
                if isinstance(thing, np.random.Generator) and all(thing is not g for g in found.values()):
                    found[f"{path}.{name}" if path else name] = thing
    return found


def _found(tree: dict[str, Any]) -> dict[str, Any]:
    """Return the parts in a file, after checking that they are described as `_saved` does."""
    found = tree.get("parts")
    if not isinstance(found, dict) or not all(
        isinstance(p, dict) and {"kind", "value"} <= set(p) for p in found.values()
    ):
        raise CheckpointError("not a checkpoint: its parts are not described")
    return found


def _restore_all(targets: dict[str, Any], found: dict[str, Any]) -> None:
    """Put every part back; after a failure, put back what was there before."""
    for name, part in targets.items():
        _look(name, part, found)
    undo: list[Callable[[], Any]] = []
    try:
        for name, part in targets.items():
            undo.append(_undo(part))
            try:
                _restore(part, found[name])
            except (ValueError, TypeError, KeyError, IndexError, RuntimeError, AttributeError) as error:
                was = found[name].get("class", found[name]["kind"])
                raise CheckpointError(f"{name} was saved from a {was} and does not fit this one: {error}") from error
    except BaseException:
        for back in reversed(undo):
            back()
        raise


def _look(name: str, part: Any, found: dict[str, Any]) -> None:
    """Refuse a part that the file does not have, or has as something else."""
    if name not in found:
        raise CheckpointError(f"it has no part {name!r}, only {', '.join(map(repr, found)) or 'nothing'}")
    wanted = "generator" if isinstance(part, np.random.Generator) else "state"
    if found[name]["kind"] != wanted:
        raise CheckpointError(f"its part {name!r} is {found[name]['kind']}, and a {type(part).__name__} needs {wanted}")
    saved, own = list(found[name].get("generators", ())), list(_generators(part))
    if saved != own:
        raise CheckpointError(f"{name} was saved with generators at {saved}, and this one has them at {own}")


def _undo(part: Any) -> Callable[[], Any]:
    """Return a function that gives a part the state it has now."""
    now = copy.deepcopy(_saved("", part))
    return lambda: _restore(part, now)


def _restore(part: Any, saved: dict[str, Any]) -> None:
    if isinstance(part, np.random.Generator):
        part.bit_generator.state = saved["value"]
        return
    if isinstance(part, Module):  # a run that met nan is kept as it was
        part.load_state_dict(saved["value"], allow_nan=True)
    else:
        part.load_state_dict(saved["value"])
    for place, generator in _generators(part).items():
        generator.bit_generator.state = saved["generators"][place]
