"""Writing a file so that its old contents are whole until the new ones are."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["FilePath", "replacing"]

FilePath = str | os.PathLike[str]


@contextlib.contextmanager
def replacing(path: FilePath) -> Iterator[BinaryIO]:
    """Give a file to write to, which takes the place of `path` in one step after everything reached the disk.

    Parameters
    ----------
    path : str or Path
        What to replace or create; a symbolic link keeps pointing to where it points.  An existing file keeps its mode.

    Yields
    ------
    BinaryIO
        A new file beside `path`.  After an exception of any kind it is removed and `path` is as it was.

    Raises
    ------
    ValueError
        If `path` is something other than a file.
    OSError
        If the folder is missing or writing fails; its text names `path`.

    Notes
    -----
    A crash of the machine between the two leaves either the old file or the new one, since contents are flushed
    before the rename and the folder after it (Pillai et al. 2014, *All File Systems Are Not Created Equal*).

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder) / "numbers") as file:
    ...         _ = file.write(b"1 2 3")
    ...     (Path(folder) / "numbers").read_bytes()
    b'1 2 3'
    """
    target = Path(path).resolve()
    if target.exists() and not target.is_file():
        kind = "a directory" if target.is_dir() else "no ordinary file"
        raise ValueError(f"cannot write to {os.fspath(path)!r}: it is {kind}; give the name of a file")
    if not target.parent.is_dir():
        raise FileNotFoundError(2, "the folder to write to does not exist", os.fspath(target.parent))
    temporary = target.with_name(f".{os.urandom(8).hex()}.tmp")  # short, since a name may be of any length
    with _named_in_errors(path):
        file = temporary.open("xb")  # never one that is there: it would be somebody else's
        try:
            with file:
                if target.exists():
                    temporary.chmod(stat.S_IMODE(target.stat().st_mode))
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _flush_folder(target.parent)


@contextlib.contextmanager
def _named_in_errors(path: FilePath) -> Iterator[None]:
    """Name `path` in errors of the system, which for a full disk say no name and else the temporary one."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            error.filename, error.filename2 = os.fspath(path), None
        raise


def _flush_folder(folder: Path) -> None:
    """Make the new name itself last; only POSIX systems can open a folder for this."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
