"""Find, read and write files."""

import contextlib
import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from autograd.files import replacing as replacing  # writes a file atomically
from nn.typing import FilePath


def existing_file(path: FilePath, kind: str = "file") -> Path:
    """Return a path if it is a file, else raise FileNotFoundError."""
    reason = f"the {kind} does not exist"
    with contextlib.suppress(OSError, ValueError):
        if Path(path).is_file():
            return Path(path)
        if Path(path).is_dir():
            reason = f"a {kind} is required, but this is a folder"
    raise FileNotFoundError(2, reason, os.fspath(path))


def read_npy_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, Fortran order and dtype of a ``.npy`` file; raise ValueError if it is not one."""
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"unsupported .npy version {version}")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(file)
