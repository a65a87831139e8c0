"""The positions of rows in a CSV file: one pass over its bytes, so that any block can be read on its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nn.files import FilePath, existing_file
from nn.typing import Array
from nn.validation import checked_integer

PIECE = 1 << 20
NEWLINE, QUOTE, SPACE = 10, 34, 32


class CSVIndex(NamedTuple):
    r"""The position of each block of rows in a CSV file.

    Attributes
    ----------
    rows : int
        Rows in the file.
    block : int
        Rows in a block; the last one may have fewer.
    offsets : ndarray of int, shape (blocks + 1,)
        The first byte of each block, and the end of the last.
    lines : ndarray of int, shape (blocks,)
        The number of lines above each block.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from nn.data import index_csv
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "table.csv")
    ...     _ = path.write_text("a,b\n1,2\n3,4\n5,6\n")
    ...     index = index_csv(path, block=2)
    >>> index.rows, index.offsets
    (3, array([ 4, 12, 16]))
    """

    rows: int
    block: int
    offsets: Array
    lines: Array

    def __repr__(self) -> str:
        return f"CSVIndex({self.rows} rows in {len(self.lines)} blocks of {self.block})"


def index_csv(
    path: FilePath, block: int = 8192, *, header: bool = True, skip_lines: int = 0, encoding: str = "utf-8-sig"
) -> CSVIndex:
    r"""Find the rows of a CSV file, without reading their cells.

    Parameters
    ----------
    path : str or Path
        The file; not a compressed one, which can only be read from the start.
    block : int
        Rows in a block.
    header, skip_lines, encoding
        As in `read_csv`.

    Returns
    -------
    CSVIndex
        Small, and the same on every machine: one rank may create it and send it to the others.

    Raises
    ------
    ValueError
        If the file is compressed, its encoding has line ends of several bytes, or it has no rows.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "table.csv"
    ...     _ = file.write_text("a,b\n" + "1,2\n" * 5)
    ...     index_csv(file, block=2)
    CSVIndex(5 rows in 3 blocks of 2)
    """
    name, block = os.fspath(path), checked_integer("index_csv", "block", block, 1)
    existing_file(path, "CSV file")
    if Path(path).suffix.lower() == ".gz":
        raise ValueError(f"{name} is compressed, and can only be read from the start: decompress it first (gunzip)")
    if not "a\n".encode(encoding).endswith(b"a\n"):
        raise ValueError(f"{name}: encoding {encoding} has line ends of several bytes; save the file as UTF-8")
    wanted = int(header)  # records above the first row
    rows, end, offsets, lines = -wanted, 0, list[int](), list[int]()
    for starts, above, end in _records(Path(path), checked_integer("index_csv", "skip_lines", skip_lines, 0)):  # noqa: B007 - the last
        first = (-rows) % block if rows > 0 else -rows  # in this piece, the first record that begins a block
        offsets += starts[first::block].tolist()
        lines += above[first::block].tolist()
        rows += len(starts)
    if rows < 1:
        raise ValueError(f"{name}: the file has no rows")
    return CSVIndex(rows, block, np.array([*offsets, end], np.int64), np.array(lines, np.int64))


def _records(path: Path, skip: int) -> Iterator[tuple[Array, Array, int]]:
    """Yield, for each piece of a file, the first byte of each nonblank record, the lines above it, and the end."""
    begin = line = 0
    quoted, left = False, b""
    with path.open("rb") as file:
        for _ in range(skip):
            begin += len(file.readline())
            line += 1
        while True:
            piece = file.read(PIECE)
            data = left + piece
            ends, quoted_after = _ends(data, quoted, len(left))
            if not piece and data and (not len(ends) or ends[-1] < len(data)):
                ends = np.append(ends, len(data))  # the last line is not terminated
            if len(ends):
                starts = np.r_[0, ends[:-1]]
                raw = np.flatnonzero(np.frombuffer(data, np.uint8, ends[-1]) == NEWLINE)
                filled = np.maximum.reduceat(np.frombuffer(data, np.uint8, ends[-1]), starts) > SPACE
                found = starts[filled]
                yield begin + found, line + np.searchsorted(raw, found), begin + int(ends[-1])
                line += len(raw)
                begin += int(ends[-1])
                data = data[ends[-1] :]
            left, quoted = data, quoted_after
            if not piece:
                return


def _ends(data: bytes, quoted: bool, seen: int) -> tuple[Array, bool]:
    """Return the ends of records (line ends outside of quotes), and whether the data end within quotes.

    The first `seen` bytes were searched before and contain no end; `quoted` is the state after them.
    """
    new = np.frombuffer(data, np.uint8, offset=seen) if len(data) > seen else np.empty(0, np.uint8)
    ends = np.flatnonzero(new == NEWLINE)
    quotes = np.flatnonzero(new == QUOTE)
    if len(quotes) or quoted:
        before = np.searchsorted(quotes, ends)
        ends = ends[(before + quoted) % 2 == 0]
        quoted = bool((len(quotes) + quoted) % 2)
    return seen + ends + 1, quoted
