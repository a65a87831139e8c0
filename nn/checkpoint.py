"""Save and resume: model, optimizer, schedule, data order, generators and plain data in one file.

`save` writes the parts of a run under names of your choice; `load` restores them.  A resumed run computes the same
bits as one that never stopped.

The file is a zip of uncompressed members, written and read without pickle: `checkpoint.json` contains a tree of plain
data, and every array is a `.npy` member that `numpy.load` can read.  Values beyond JSON are objects with one key that
begins with ``$``::

    {"$array": "model/0.weight.npy"}   {"$number": ["<f4", "0000803f"]}   {"$float": "nan"}
    {"$tuple": [...]}   {"$items": [[key, value], ...]}

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
import io
import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias

import numpy as np

from nn.files import read_npy_header, replacing
from nn.module import Module
from nn.random import as_generator
from nn.typing import Array, FilePath, State

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
    return restored(path, {name: part for name, part in _named(model, parts).items() if part is not None})


def restored(path: FilePath, parts: State, contents: bytes | None = None) -> State:
    """Restore parts from a file, or from its contents as another process has read them; see `load`."""
    for name, part in parts.items():
        if not (isinstance(part, np.random.Generator) or hasattr(part, "load_state_dict")):
            raise TypeError(
                f"{name} is a {type(part).__name__}, which cannot be modified in place; leave it out and use "
                f"load(...)[{name!r}]"
            )
    try:
        with Path(path).open("rb") if contents is None else io.BytesIO(contents) as file:
            values, about = _Reader(file).trees()
    except FileNotFoundError:
        raise FileNotFoundError(2, "the checkpoint does not exist", os.fspath(path)) from None
    except CheckpointError as error:
        raise CheckpointError(f"{os.fspath(path)}: {error}") from None
    except Exception as error:  # damage can raise almost any exception in `zipfile`, `json` and `numpy`
        reason = "an array is not numeric" if "pickle" in str(error) else str(error) or type(error).__name__
        raise CheckpointError(f"{os.fspath(path)}: not a checkpoint, or a damaged one ({reason})") from error
    try:
        if set(values) != set(about) or not all(isinstance(note, dict) and "kind" in note for note in about.values()):
            raise CheckpointError("not a checkpoint: the description of its parts is missing")
        _restore_all(parts, {name: (value, about[name]) for name, value in values.items()})
    except CheckpointError as error:
        raise CheckpointError(f"{os.fspath(path)}: {error}; nothing was loaded") from error.__cause__
    return {name: value for name, value in values.items() if name not in parts}


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


FORMAT, VERSION, MANIFEST = "chainrule checkpoint", 1, "checkpoint.json"
NUMBERS = "biufc"
DEEPEST = 60
FOREIGN = "(files of other programs may contain unsafe code, and are not opened; nn.exchange reads weights)"


class CheckpointError(ValueError):
    """Raised for a file that is not a checkpoint, is damaged, or does not match the objects to restore.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import nn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "model.npz")
    ...     _ = path.write_bytes(b"some text")
    ...     try:
    ...         nn.checkpoint.load(path)
    ...     except CheckpointError as error:
    ...         print("model.npz" in str(error))
    True
    """


# ------------------------------------------------------------------------------------------------- writing


def write_tree(file: BinaryIO, values: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    """Write dicts, lists, tuples, scalars, strings, None and numeric arrays.

    Parameters
    ----------
    file : BinaryIO
        The file.
    values : dict
        The data, all of which is checked before the first byte is written.
    about : dict
        A description of the data.

    Raises
    ------
    TypeError
        If the type of a value is not supported; the message contains its place.
    ValueError
        If an array contains objects, text or records, which only an unsafe reader could load.
    """
    import zipfile  # not above: it takes longer to import than all of nn

    arrays: dict[str, Array] = {}
    coded = {key: _coded(value, (key,), arrays) for key, value in values.items()}
    manifest = {"format": FORMAT, "version": VERSION, "values": coded, "about": _coded(about, ("about",), arrays)}
    text = json.dumps(manifest, allow_nan=False, indent=1)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        # A fixed date, so that equal states produce equal files.
        date = (1980, 1, 1, 0, 0, 0)
        archive.writestr(zipfile.ZipInfo(MANIFEST, date), text)
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(name, date), "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)


def _coded(value: Any, place: tuple[Any, ...], arrays: dict[str, Array]) -> Any:
    """Return `value` as JSON; arrays are added to `arrays` under the name of their place."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and not isinstance(value, np.generic):
        return value if math.isfinite(value) else {"$float": str(value)}
    if isinstance(value, (np.ndarray, np.generic)):
        if value.dtype.kind not in NUMBERS or value.dtype.metadata:
            raise ValueError(
                f"{_shown(place)} has dtype {value.dtype}; arrays of objects, text and records are unsafe to load and "
                "are not saved; use lists of strings or numbers instead"
            )
        if isinstance(value, np.generic):
            return {"$number": [value.dtype.str, value.tobytes().hex()]}
        name = "/".join(re.sub(r"[^A-Za-z0-9._-]|^\.+", "_", str(part)) for part in place) + ".npy"
        if len(name) > 200 or name in arrays:  # 1 and "1" may both be keys of a dict
            name = f"array-{len(arrays)}.npy"
        arrays[name] = value.view(np.ndarray)
        return {"$array": name}
    if len(place) > DEEPEST:
        raise ValueError(f"{_shown(place[:3])}... is nested more than {DEEPEST} deep, or contains itself")
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value) and not (len(value) == 1 and next(iter(value)).startswith("$")):
            return {key: _coded(part, (*place, key), arrays) for key, part in value.items()}
        items = enumerate(value.items())
        return {"$items": [[_coded(part, (*place, i, j), arrays) for j, part in enumerate(pair)] for i, pair in items]}
    if isinstance(value, (list, tuple)):
        parts = [_coded(part, (*place, i), arrays) for i, part in enumerate(value)]
        return parts if isinstance(value, list) else {"$tuple": parts}
    hint = "; save its .item()" if hasattr(value, "requires_grad") else ""
    raise TypeError(
        f"{_shown(place)} is a {type(value).__name__}, which checkpoints do not support{hint}; supported are scalars, "
        "strings, None, arrays, dicts, lists, tuples, generators, and objects with state_dict() as separate parts"
    )


def _shown(place: tuple[Any, ...]) -> str:
    return str(place[0]) + "".join(f"[{part!r}]" for part in place[1:])


# ------------------------------------------------------------------------------------------------- reading


class _Reader:
    """Read an open file; the sizes of members are checked before any is read."""

    def __init__(self, file: BinaryIO) -> None:
        import zipfile

        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        start = file.read(8)
        if not zipfile.is_zipfile(file):
            raise CheckpointError(f"not a checkpoint, or a truncated one: it begins with {start!r} {FOREIGN}")
        self.archive = zipfile.ZipFile(file)
        members = self.archive.infolist()
        self.members: dict[str, Any] = {member.filename: member for member in members}
        if MANIFEST not in self.members:
            named = ", ".join([*self.members][:3])
            raise CheckpointError(f"not a checkpoint: a zip file of {len(members)} members, {named} {FOREIGN}")
        claimed = sum(member.file_size for member in members)
        if claimed > size or len(self.members) < len(members):
            raise CheckpointError(
                f"a damaged or forged file: its members claim {claimed:,} bytes, but the file has {size:,}"
            )

    def trees(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the values, and their description."""
        manifest = json.loads(self.contents(MANIFEST))
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise CheckpointError(f"not a checkpoint: {MANIFEST} has another format than {FORMAT!r}")
        version = manifest.get("version")
        if not isinstance(version, int) or version > VERSION:
            raise CheckpointError(
                f"it has format version {version}, and this program reads versions up to {VERSION}; upgrade chainrule"
            )
        values, about = ({key: self.decoded(part) for key, part in manifest[n].items()} for n in ("values", "about"))
        return values, about

    def contents(self, name: str) -> bytes:
        """Return the bytes of a member, after verifying its checksum."""
        if name not in self.members:
            raise CheckpointError(f"member {name!r} is missing")
        member = self.members[name]
        if member.compress_type:
            raise CheckpointError(f"member {name!r} is compressed, but checkpoints are not: a forged or repacked file")
        return self.archive.read(member)

    def decoded(self, value: Any) -> Any:
        """Return the value that `_coded` encoded."""
        if isinstance(value, list):
            return [self.decoded(part) for part in value]
        if not isinstance(value, dict):
            return value
        if len(value) != 1 or not (tag := next(iter(value))).startswith("$"):
            return {key: self.decoded(part) for key, part in value.items()}
        inner = value[tag]
        if tag == "$array":
            return self.array(inner)
        if tag == "$number":
            return np.frombuffer(bytes.fromhex(inner[1]), np.dtype(inner[0]))[0]
        if tag == "$float":
            return float(inner)
        if tag == "$tuple":
            return tuple(self.decoded(part) for part in inner)
        if tag == "$items":
            return {self.decoded(key): self.decoded(part) for key, part in inner}
        raise CheckpointError(f"{MANIFEST} contains the unknown tag {tag!r}")

    def array(self, name: str) -> Array:
        """Return an array, after comparing its header with the size of the data."""
        data = self.contents(name)
        stream = io.BytesIO(data)
        shape, fortran, dtype = read_npy_header(stream)
        if dtype.kind not in NUMBERS:
            raise CheckpointError(f"array {name!r} has dtype {dtype}: unsafe, and not loaded; not a checkpoint of ours")
        claimed, there = math.prod(shape) * dtype.itemsize, len(data) - stream.tell()
        if min(shape, default=0) < 0 or claimed != there:
            raise CheckpointError(f"array {name!r} of shape {shape} claims {claimed:,} bytes but has {there:,}")
        order: Literal["C", "F"] = "F" if fortran else "C"
        return np.ndarray(shape, dtype, data, stream.tell(), order=order).copy(order)
