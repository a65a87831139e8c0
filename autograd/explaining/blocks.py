"""Paragraphs, equations and tables of an explanation, as plain text, Markdown and LaTeX.

`explanation` writes the contents.
"""

import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from .typeset import Box, Term, box, flattened, is_written_out, joined, latex, latex_text, width

MARGIN = 88  # columns of a paragraph
PAGE = 118  # columns up to which the sides of an equation stay on one line
Item = str | Term
Paint = Callable[[str, str], str]
MARKDOWN_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|$])")


def written(words: Callable[[str], str], *items: Item) -> str:
    """Return words and terms on one line, the terms as text if the words are, and as mathematics otherwise."""
    term = flattened if words is str else lambda item: f"${latex(item)}$"
    return "".join(words(item) if isinstance(item, str) else term(item) for item in items)


markdown_words: Callable[[str], str] = partial(MARKDOWN_SPECIAL.sub, r"\\\1")


def in_columns(cells: Sequence[str], widths: Sequence[int], separator: str, paint: Paint, note: str = "") -> str:
    """Return a row of text: the first cell to the right, the others to the left, the last one painted as the result."""
    padded = [cell + " " * (w - width(cell)) for cell, w in zip(cells, widths, strict=False)]
    padded[0] = " " * (widths[0] - width(cells[0])) + cells[0]
    if len(cells) > 1:
        padded[-1] = paint("result", padded[-1] if note else cells[-1])
    return "  " + separator.join(padded) + note


class Paragraph:
    """Prose with terms in it; with a level the title (1) or the heading of a section (2)."""

    def __init__(self, *items: Item, level: int = 0) -> None:
        self.items = items
        self.level = level

    def _text(self, paint: Paint) -> list[str]:
        text = written(str, *self.items)
        if self.level:
            return [paint("title", text), paint("faint", ("═" if self.level == 1 else "─") * width(text))]
        return textwrap.wrap(text, MARGIN, break_long_words=False, break_on_hyphens=False) or [""]

    def _markdown(self) -> str:
        return (f"{'#' * (self.level + 1)} " if self.level else "") + written(markdown_words, *self.items)

    def _latex(self) -> str:
        text = written(latex_text, *self.items)
        return rf"\{'sub' * (self.level - 1)}section*{{{text}}}" if self.level else text


class Line:
    """One equation: equal sides, of which the first is the left one, and a note."""

    def __init__(self, *sides: Term, note: str = "") -> None:
        self.sides = sides
        self.note = note

    def _latex(self) -> str:
        """Return the equation; its sides go below each other where one is a matrix."""
        left, *sides = map(latex, self.sides)
        tall = any(has_matrix(side) for side in self.sides)
        written = f"{left} &= " + (" \\\\\n &= " if tall else " = ").join(sides) if sides else f"&{left}"
        return written + (rf" && \text{{{latex_text(self.note)}}}" if self.note else "")


def has_matrix(term: Term) -> bool:
    """Return whether an array is written out in a term."""
    if term.head == "array":
        return is_written_out(term.parts[0])
    return any(has_matrix(part) for part in term.parts if isinstance(part, Term))


class Equations:
    """Equations below each other, their signs aligned."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self.lines: tuple[Line, ...] = tuple(lines)

    def _text(self, paint: Paint) -> list[str]:
        rows = [[box(side) for side in line.sides] for line in self.lines]
        short = [all(len(b.lines) == 1 for b in row) and sum(b.width + 3 for b in row) <= PAGE for row in rows]
        fitting = [row for row, fits in zip(rows, short, strict=True) if fits]
        widths = [max((row[j].width for row in fitting if j < len(row)), default=0) for j in range(max(map(len, rows)))]
        if sum(widths) + 3 * len(widths) > PAGE:
            widths[1:] = [0] * len(widths[1:])
        widths[0] = max(row[0].width for row in rows)
        lines: list[str] = []
        after_tall = False
        for row, line, fits in zip(rows, self.lines, short, strict=True):
            note = paint("faint", f"   {line.note}") if line.note else ""
            lines += [""] if lines and (after_tall or not fits) else []
            if fits:
                lines.append(in_columns([b.lines[0] for b in row], widths, " = ", paint, note))
            else:
                lines += self._in_rows(row, widths[0], note, paint)
            after_tall = not fits
        return lines

    def _in_rows(self, row: list[Box], indent: int, note: str, paint: Paint) -> list[str]:
        """Return an equation with every side below the one before it."""
        lines: list[str] = []
        for i, side in enumerate(row[1:]):
            start = [" " * (2 + indent)] if i else [" " * (2 + indent - row[0].width), row[0]]
            block = joined([*start, " = ", side])
            lines += [paint("result", text) if 0 < i == len(row) - 2 else text for text in block.lines]
            if i == 0 and note:
                lines[block.level - len(block.lines)] += note
        return lines

    def _markdown(self) -> str:
        return f"$$\n\\begin{{aligned}}\n{self._lines()}\n\\end{{aligned}}\n$$"

    def _latex(self) -> str:
        return f"{{\\allowdisplaybreaks\n\\begin{{align*}}\n{self._lines()}\n\\end{{align*}}}}"

    def _lines(self) -> str:
        return " \\\\\n".join(line._latex() for line in self.lines)


class Table:
    """Rows of cells below a header; the last column is the result of each row."""

    def __init__(self, header: Sequence[str], rows: Iterable[Sequence[Item]]) -> None:
        self.header = header
        self.rows: tuple[Sequence[Item], ...] = tuple(rows)

    def _text(self, paint: Paint) -> list[str]:
        cells = [[written(str, item) for item in row] for row in self.rows]
        widths = [max(map(width, column)) for column in zip(self.header, *cells, strict=True)]
        header = in_columns(self.header, widths, "   ", lambda role, text: text)
        return [paint("faint", header), *(in_columns(row, widths, "   ", paint) for row in cells)]

    def _markdown(self) -> str:
        rows = [" | ".join(written(markdown_words, cell).replace("|", r"\|") for cell in row) for row in self.rows]
        lines = [" | ".join(self.header), " | ".join("---" for _ in self.header), *rows]
        return "\n".join(f"| {line} |" for line in lines)

    def _latex(self) -> str:
        rows = [" & ".join(written(latex_text, cell) for cell in row) + r" \\" for row in self.rows]
        header = " & ".join(rf"\textit{{{latex_text(name)}}}" for name in self.header) + r" \\ \hline"
        body = "\n".join([header, *rows])
        return (
            f"\\begin{{center}}\\footnotesize\\setlength{{\\tabcolsep}}{{3pt}}\n\\renewcommand{{\\arraystretch}}{{1.6}}\n"
            f"\\begin{{tabular}}{{r{'l' * (len(self.header) - 1)}}}\n{body}\n\\end{{tabular}}\n\\end{{center}}"
        )


Block = Paragraph | Equations | Table
