"""Find files, replace them atomically, and append to them."""

from __future__ import annotations

import contextlib
import os
import platform
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["append", "replacing", "write_atomically"]


def existing_file(path: str | os.PathLike[str], kind: str = "file") -> Path:
    """Return a path if it is a file, else raise FileNotFoundError."""
    reason = f"the {kind} does not exist"
    with contextlib.suppress(OSError, ValueError):
        if Path(path).is_file():
            return Path(path)
        if Path(path).is_dir():
            reason = f"a {kind} is required, but this is a folder"
    raise FileNotFoundError(2, reason, os.fspath(path))


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a new file for writing, which replaces `path` atomically after its contents are on disk.

    Parameters
    ----------
    path : str or Path
        The file to replace or create; the target of a symbolic link is replaced.  An existing file keeps its mode.

    Yields
    ------
    BinaryIO
        A new file in the same folder.  After any exception it is removed, and `path` is unchanged.

    Raises
    ------
    ValueError
        If `path` exists and is not a file.
    OSError
        If the folder is missing or writing fails; the message names `path`.

    Notes
    -----
    A crash of the machine between the two leaves either the old file or the new one, since contents are flushed
    before the rename and the folder after it (Pillai et al. 2014, *All File Systems Are Not Created Equal*).  New files
    that killed processes of this machine left in the folder are removed.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from autograd.files import replacing
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder) / "data") as file:
    ...         _ = file.write(b"1 2 3")
    ...     (Path(folder) / "data").read_bytes()
    b'1 2 3'
    """
    target = Path(path).resolve()
    if target.exists() and not target.is_file():
        kind = "a directory" if target.is_dir() else "a device or pipe"
        raise ValueError(f"cannot write to {os.fspath(path)!r}: it is {kind}; give the name of a file")
    if not target.parent.is_dir():
        raise FileNotFoundError(2, "the folder to write to does not exist", os.fspath(target.parent))
    _remove_abandoned(target.parent)
    # short, since a name may be of any length
    temporary = target.with_name(f".{_machine()}-{os.getpid()}-{os.urandom(8).hex()}.tmp")
    with _named_in_errors(path, os.fspath(temporary)):
        file = temporary.open("xb")  # an existing file belongs to another process
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


def write_atomically(path: str | os.PathLike[str], contents: bytes | str) -> None:
    """Write a file, a text as UTF-8, so that a reader finds either the old contents or the new ones.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder) / "data", "1 2 3")
    ...     (Path(folder) / "data").read_text()
    '1 2 3'
    """
    with replacing(path) as file:
        file.write(contents.encode("utf-8") if isinstance(contents, str) else contents)


def append(path: str | os.PathLike[str], line: str) -> None:
    r"""Append a line to a file; if the process is killed meanwhile, the line may be incomplete.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     append(Path(folder) / "log", "first")
    ...     append(Path(folder) / "log", "second")
    ...     (Path(folder) / "log").read_text()
    'first\nsecond\n'
    """
    with _named_in_errors(path), Path(path).open("ab") as file:
        file.write(f"{line}\n".encode())


@contextlib.contextmanager
def _named_in_errors(path: str | os.PathLike[str], *temporary: str) -> Iterator[None]:
    """Put `path` into errors of the system that contain a temporary name, or none as for a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename not in (None, *temporary):
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def _machine() -> str:
    """Return a short text that tells processes of this machine from those of others, or of containers."""
    return f"{zlib.crc32(platform.node().encode()):08x}"


def _remove_abandoned(folder: Path) -> None:
    """Remove temporary files of processes of this machine that no longer exist."""
    if os.name != "posix":  # elsewhere a signal of 0 would end the process
        return
    for path in folder.glob(f".{_machine()}-*.tmp"):
        process = path.name.split("-")[1]
        with contextlib.suppress(PermissionError):
            try:
                os.kill(int(process) if process.isdecimal() else os.getpid(), 0)
            except ProcessLookupError:
                path.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    """Flush the folder's entry to disk; only POSIX systems can open a folder for this."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
