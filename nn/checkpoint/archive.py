"""A tree of plain data and arrays in one `.npz` file, without pickle: what a checkpoint is made of.

The file is a zip of uncompressed members: `checkpoint.json` holds the tree, and every array is a `.npy` member that
`numpy.load` reads too.  What JSON cannot say is an object with one key that begins with ``$``::

    {"$array": "model/0.weight.npy"}   {"$number": ["<f4", "0000803f"]}   {"$float": "nan"}
    {"$tuple": [...]}   {"$items": [[key, value], ...]}
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import numpy as np

from .files import FilePath, read_npy_header

if TYPE_CHECKING:
    from zipfile import ZipInfo

__all__ = ["CheckpointError", "read_tree", "write_tree"]

Array = np.ndarray[Any, Any]
FORMAT, VERSION, MANIFEST = "chainrule checkpoint", 1, "checkpoint.json"
NUMBERS = "biufc"
DEEPEST = 60


class CheckpointError(ValueError):
    """A file that is no checkpoint, is damaged, or does not fit what it is loaded into; names the file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import nn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "model.npz")
    ...     _ = path.write_bytes(b"nothing of the kind")
    ...     try:
    ...         nn.checkpoint.load(path)
    ...     except CheckpointError as error:
    ...         print("model.npz" in str(error))
    True
    """


# ------------------------------------------------------------------------------------------------- writing


def write_tree(file: BinaryIO, values: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    """Write dicts, lists, tuples, numbers, strings, None and arrays of numbers.

    Parameters
    ----------
    file : BinaryIO
        Where to.
    values : dict
        What.  All of it is looked at before the first byte is written.
    about : dict
        More of the same, to be kept apart.

    Raises
    ------
    TypeError
        If something in it is none of these; its place is named.
    ValueError
        If an array holds objects, text or records, which only an unsafe reader could load.
    """
    import zipfile  # here, since it takes longer to load than all of nn

    arrays: dict[str, Array] = {}
    coded = {key: _coded(value, (key,), arrays) for key, value in values.items()}
    manifest = {"format": FORMAT, "version": VERSION, "values": coded, "about": _coded(about, ("about",), arrays)}
    text = json.dumps(manifest, allow_nan=False, indent=1)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        # A fixed date: equal states make equal files.
        date = (1980, 1, 1, 0, 0, 0)
        archive.writestr(zipfile.ZipInfo(MANIFEST, date), text)
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(name, date), "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)


def _coded(value: Any, place: tuple[Any, ...], arrays: dict[str, Array]) -> Any:
    """Return `value` as JSON can hold it; arrays go to `arrays` under the name of their place."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and not isinstance(value, np.generic):
        return value if math.isfinite(value) else {"$float": str(value)}
    if isinstance(value, (np.ndarray, np.generic)):
        return _placed(value, place, arrays)
    if len(place) > DEEPEST:
        raise ValueError(f"{_shown(place[:3])}... is nested more than {DEEPEST} deep, or contains itself")
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value) and not (len(value) == 1 and next(iter(value)).startswith("$")):
            return {key: _coded(part, (*place, key), arrays) for key, part in value.items()}
        return {
            "$items": [
                [_coded(key, (*place, "key"), arrays), _coded(part, (*place, key), arrays)]
                for key, part in value.items()
            ]
        }
    if isinstance(value, (list, tuple)):
        parts = [_coded(part, (*place, i), arrays) for i, part in enumerate(value)]
        return parts if isinstance(value, list) else {"$tuple": parts}
    hint = "; save its .item()" if hasattr(value, "requires_grad") else ""
    raise TypeError(
        f"{_shown(place)} is a {type(value).__name__}, which a checkpoint does not hold{hint}; it holds numbers, "
        "strings, None, arrays, dicts, lists, tuples, generators, and objects with state_dict() as parts of their own"
    )


def _placed(value: Any, place: tuple[Any, ...], arrays: dict[str, Array]) -> dict[str, Any]:
    """Keep an array and return what points to it; a NumPy number is short enough to be spelled out."""
    if value.dtype.kind not in NUMBERS or value.dtype.metadata:
        raise ValueError(
            f"{_shown(place)} has dtype {value.dtype}; arrays of objects, text and records are unsafe to load and are "
            "not saved; keep lists of strings or numbers instead"
        )
    if isinstance(value, np.generic):
        return {"$number": [value.dtype.str, value.tobytes().hex()]}
    name = "/".join(re.sub(r"[^A-Za-z0-9._-]|^\.+$", _escaped, str(part)) for part in place) + ".npy"
    if len(name) > 200 or name in arrays:  # 1 and "1" may both be keys of a dict
        name = f"array-{len(arrays)}.npy"
    arrays[name] = value.view(np.ndarray)
    return {"$array": name}


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogatepass"))


def _shown(place: tuple[Any, ...]) -> str:
    return str(place[0]) + "".join(f"[{part!r}]" for part in place[1:])


# ------------------------------------------------------------------------------------------------- reading


def read_tree(path: FilePath) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read everything in a file of `write_tree`, executing nothing.

    Parameters
    ----------
    path : str or Path
        Where from.

    Returns
    -------
    values, about : dict
        What was written, to the bit; arrays are fresh and writable.

    Raises
    ------
    CheckpointError
        If the file is something else, was cut off or changed, or was written by a newer version.
    FileNotFoundError
        If there is no such file.
    """
    if not Path(path).exists():
        raise FileNotFoundError(2, "there is no such checkpoint", os.fspath(path))
    try:
        with Path(path).open("rb") as file:
            return _Reader(file).trees()
    except CheckpointError as error:
        raise CheckpointError(f"{os.fspath(path)}: {error}") from None
    except Exception as error:
        # Damage may surface anywhere in `zipfile`, `json` and `numpy`, as nearly any kind of exception.
        reason = str(error) or type(error).__name__
        if "pickle" in reason:
            reason = "it is no array of numbers"
        raise CheckpointError(f"{os.fspath(path)}: not a checkpoint, or a damaged one ({reason})") from error


class _Reader:
    """One open file: members are checked against the file's own size before any is read."""

    def __init__(self, file: BinaryIO) -> None:
        import zipfile

        self.size = file.seek(0, os.SEEK_END)
        file.seek(0)
        start = file.read(8)
        if not zipfile.is_zipfile(file):
            raise CheckpointError(f"not a checkpoint, or a truncated one: {_kind(start)}")
        self.archive = zipfile.ZipFile(file)
        members = self.archive.infolist()
        self.members: dict[str, ZipInfo] = {member.filename: member for member in members}
        self.refuse_foreign()
        claimed = sum(member.file_size for member in members)
        if claimed > self.size or len(self.members) < len(members):
            raise CheckpointError(
                f"a damaged or forged file: its members claim {claimed:,} bytes, and the whole file has {self.size:,}"
            )
        self.unread = set(self.members) - {MANIFEST}

    def refuse_foreign(self) -> None:
        """Say what a zip without our manifest is."""
        if MANIFEST in self.members:
            return
        names = list(self.members)
        what = f"it is a zip file of {len(names)} members: {', '.join(names[:3])}"
        if any(name.endswith(".pkl") for name in names):
            what = "it holds pickled code, which is unsafe (PyTorch's .pt?); exchange weights by nn.exchange instead"
        elif names and all(name.endswith(".npy") for name in names):
            what = "it is another program's .npz; read it with numpy.load and give the arrays to load_state_dict"
            for name in names:
                try:
                    self.header(name)
                except CheckpointError as error:
                    what = str(error)
        raise CheckpointError(f"not a checkpoint: no member {MANIFEST}; {what}")

    def trees(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the values, and what is said about them."""
        manifest = json.loads(self.contents(MANIFEST))
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise CheckpointError(f"not a checkpoint: {MANIFEST} does not say {FORMAT!r}")
        version = manifest.get("version")
        if not isinstance(version, int) or version > VERSION:
            raise CheckpointError(
                f"it has format version {version}, and this program reads up to version {VERSION}; upgrade chainrule"
            )
        values, about = ({key: self.decoded(part) for key, part in manifest[n].items()} for n in ("values", "about"))
        if self.unread:
            raise CheckpointError(f"damaged or forged: nothing refers to its members {sorted(self.unread)[:5]}")
        return values, about

    def contents(self, name: str) -> bytes:
        """Return the bytes of a member after its checksum was found right."""
        if name not in self.members:
            raise CheckpointError(f"member {name!r} is missing")
        member = self.members[name]
        if member.compress_type:
            raise CheckpointError(f"member {name!r} is compressed, which no checkpoint is: a forged or repacked file")
        return self.archive.read(member)

    def decoded(self, value: Any) -> Any:
        """Return what `_coded` was given."""
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
        raise CheckpointError(f"{MANIFEST} holds the unknown mark {tag!r}")

    def header(self, name: str, stream: Any = None) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
        """Return shape, order and dtype of a `.npy` member, and refuse what is not numbers."""
        with contextlib.ExitStack() as stack:
            stream = stream or stack.enter_context(self.archive.open(name))
            shape, fortran, dtype = read_npy_header(stream)
        if dtype.kind not in NUMBERS:
            raise CheckpointError(f"array {name!r} has dtype {dtype}: unsafe, and not loaded; not a checkpoint of ours")
        return shape, fortran, dtype

    def array(self, name: str) -> Array:
        """Return an array whose header agrees with the bytes that are there."""
        data = self.contents(name)
        stream = io.BytesIO(data)
        shape, fortran, dtype = self.header(name, stream)
        claimed, there = math.prod(shape) * dtype.itemsize, len(data) - stream.tell()
        if min(shape, default=0) < 0 or claimed != there:
            raise CheckpointError(f"array {name!r} of shape {shape} claims {claimed:,} bytes but {there:,} are there")
        self.unread.discard(name)
        order: Literal["C", "F"] = "F" if fortran else "C"
        return np.ndarray(shape, dtype, data, stream.tell(), order=order).copy(order)


def _kind(start: bytes) -> str:
    """Say what a file that is no zip seems to be, by its first bytes."""
    if not start:
        return "the file is empty"
    if start[:2] == b"PK":
        return "the end of the file is missing"
    if start[:1] == b"\x80" and start[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        return "it is a pickle, which is unsafe and was not opened"
    if start[:6] == b"\x93NUMPY":
        return "it is a single array; read it with numpy.load"
    return f"it begins with {start!r}"
