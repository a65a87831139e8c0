"""Read and write a tree of plain data and arrays in one `.npz` file, without pickle: the format of checkpoints.

The file is a zip of uncompressed members: `checkpoint.json` contains the tree, and every array is a `.npy` member that
`numpy.load` can read.  Values beyond JSON are objects with one key that begins with ``$``::

    {"$array": "model/0.weight.npy"}   {"$number": ["<f4", "0000803f"]}   {"$float": "nan"}
    {"$tuple": [...]}   {"$items": [[key, value], ...]}
"""

import io
import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import numpy as np

from nn.files import FilePath, read_npy_header
from nn.typing import Array

if TYPE_CHECKING:
    from zipfile import ZipInfo

FORMAT, VERSION, MANIFEST = "chainrule checkpoint", 1, "checkpoint.json"
NUMBERS = "biufc"
DEEPEST = 60


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
        f"{_shown(place)} is a {type(value).__name__}, which checkpoints do not support{hint}; supported are scalars, "
        "strings, None, arrays, dicts, lists, tuples, generators, and objects with state_dict() as separate parts"
    )


def _placed(value: Any, place: tuple[Any, ...], arrays: dict[str, Array]) -> dict[str, Any]:
    """Add an array to `arrays` and return a reference to it; a NumPy scalar is written in hexadecimal."""
    if value.dtype.kind not in NUMBERS or value.dtype.metadata:
        raise ValueError(
            f"{_shown(place)} has dtype {value.dtype}; arrays of objects, text and records are unsafe to load and are "
            "not saved; use lists of strings or numbers instead"
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
    """Read a file of `write_tree`, without executing code.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    values, about : dict
        The data, to the bit; arrays are new and writable.

    Raises
    ------
    CheckpointError
        If the file is not a checkpoint, is damaged, or was written by a newer version.
    FileNotFoundError
        If the file does not exist.
    """
    if not Path(path).exists():
        raise FileNotFoundError(2, "the checkpoint does not exist", os.fspath(path))
    try:
        with Path(path).open("rb") as file:
            return _Reader(file).trees()
    except CheckpointError as error:
        raise CheckpointError(f"{os.fspath(path)}: {error}") from None
    except Exception as error:
        # Damage can raise almost any exception in `zipfile`, `json` and `numpy`.
        reason = str(error) or type(error).__name__
        if "pickle" in reason:
            reason = "an array is not numeric"
        raise CheckpointError(f"{os.fspath(path)}: not a checkpoint, or a damaged one ({reason})") from error


class _Reader:
    """Read an open file; the sizes of members are checked before any is read."""

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
                f"a damaged or forged file: its members claim {claimed:,} bytes, but the file has {self.size:,}"
            )
        self.unread = set(self.members) - {MANIFEST}

    def refuse_foreign(self) -> None:
        """Raise a CheckpointError that describes a zip without our manifest."""
        if MANIFEST in self.members:
            return
        names = list(self.members)
        what = f"it is a zip file of {len(names)} members: {', '.join(names[:3])}"
        if any(name.endswith(".pkl") for name in names):
            what = "it contains pickled code, which is unsafe (PyTorch's .pt?); exchange weights by nn.exchange instead"
        elif names and all(name.endswith(".npy") for name in names):
            what = "it is the .npz file of another program; read it with numpy.load, and use load_state_dict"
        raise CheckpointError(f"not a checkpoint: no member {MANIFEST}; {what}")

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
        if self.unread:
            raise CheckpointError(f"damaged or forged: unused members {sorted(self.unread)[:5]}")
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
        self.unread.discard(name)
        order: Literal["C", "F"] = "F" if fortran else "C"
        return np.ndarray(shape, dtype, data, stream.tell(), order=order).copy(order)


def _kind(start: bytes) -> str:
    """Describe a file that is not a zip by its first bytes."""
    if not start:
        return "the file is empty"
    if start[:2] == b"PK":
        return "the end of the file is missing"
    if start[:1] == b"\x80" and start[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        return "it is a pickle, which is unsafe and was not opened"
    if start[:6] == b"\x93NUMPY":
        return "it is a single array; read it with numpy.load"
    return f"it begins with {start!r}"
