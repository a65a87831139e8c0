"""A short mathematical document, written as plain text, Markdown, LaTeX or HTML.

It is a list of headings, paragraphs, equations and tables of terms; what they say comes from `explanation`.
"""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .boxes import Box, box, flattened, joined, width
from .notation import Term, array_in_full
from .typeset import latex, latex_text, mathml

__all__ = ["Document", "Equations", "Heading", "Line", "Paragraph", "Table"]

MARGIN = 88  # columns of text
PAGE = 118  # columns up to which the sides of an equation stay on one line

Item = str | Term
Paint = Callable[[str, str], str]


@dataclass(frozen=True)
class Heading:
    """A title (level 1) or the name of a section (level 2)."""

    items: tuple[Item, ...]
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """Prose with terms in it."""

    items: tuple[Item, ...]


@dataclass(frozen=True)
class Line:
    """One equation: equal sides, the first of which is the left, and a remark."""

    sides: tuple[Term, ...]
    note: str = ""


@dataclass(frozen=True)
class Equations:
    """Equations under each other, their signs aligned."""

    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Table:
    """Rows of cells under a header; the last column is the result of each row."""

    header: tuple[str, ...]
    rows: tuple[tuple[Item, ...], ...]


Block = Heading | Paragraph | Equations | Table


def plain(role: str, text: str) -> str:
    """Return text as it is: the paint of paper."""
    return text


@dataclass
class Document:
    """Blocks in order, and the four ways to write them."""

    blocks: list[Block] = field(default_factory=list)

    def text(self, paint: Paint = plain) -> str:
        """Return the document as aligned lines; `paint` is given the role of a piece and the piece."""
        pieces = [_TEXT[type(block)](block, paint) for block in self.blocks]
        return "\n".join("\n".join(line.rstrip() for line in lines) + "\n" for lines in pieces)

    def markdown(self) -> str:
        """Return the document as Markdown with mathematics between dollar signs."""
        return "\n".join(_MARKDOWN[type(block)](block) + "\n" for block in self.blocks)

    def latex(self) -> str:
        r"""Return the document as LaTeX, to stand in the body of one that says ``\usepackage{amsmath}``."""
        return "\n".join(_LATEX[type(block)](block) + "\n" for block in self.blocks)

    def html(self) -> str:
        """Return the document as a piece of HTML, its mathematics as MathML."""
        inner = "\n".join(_HTML[type(block)](block) for block in self.blocks)
        return f'<div class="chain-rule">\n<style>{STYLE}</style>\n{inner}\n</div>'


# ------------------------------------------------------------------------------------------------------ text


def _sentence(items: Sequence[Item]) -> str:
    return "".join(item if isinstance(item, str) else flattened(item) for item in items)


def _heading_text(block: Heading, paint: Paint) -> list[str]:
    title = _sentence(block.items)
    return [paint("title", title), paint("faint", ("═" if block.level == 1 else "─") * width(title))]


def _paragraph_text(block: Paragraph, paint: Paint) -> list[str]:
    return textwrap.wrap(_sentence(block.items), MARGIN, break_long_words=False, break_on_hyphens=False) or [""]


def _equations_text(block: Equations, paint: Paint) -> list[str]:
    rows = [[box(side) for side in line.sides] for line in block.lines]
    short = [all(len(b.lines) == 1 for b in row) and sum(b.width + 3 for b in row) <= PAGE for row in rows]
    fitting = [row for row, fits in zip(rows, short, strict=True) if fits]
    widths = [max((row[j].width for row in fitting if j < len(row)), default=0) for j in range(max(map(len, rows)))]
    if sum(widths) + 3 * len(widths) > PAGE:
        widths[1:] = [0] * len(widths[1:])
    widths[0] = max(row[0].width for row in rows)
    lines: list[str] = []
    after_tall = False
    for row, line, fits in zip(rows, block.lines, short, strict=True):
        note = paint("faint", f"   {line.note}") if line.note else ""
        lines += [""] if lines and (after_tall or not fits) else []
        lines += [_on_one_line(row, widths, note, paint)] if fits else _over_several_lines(row, widths[0], note, paint)
        after_tall = not fits
    return lines


def _on_one_line(row: list[Box], widths: list[int], note: str, paint: Paint) -> str:
    """Return one equation on one line, its sides in the columns of the others."""
    cells = [b.lines[0] + " " * (w - b.width) for b, w in zip(row, widths, strict=False)]
    cells[0] = " " * (widths[0] - row[0].width) + row[0].lines[0]
    if len(row) > 1:
        cells[-1] = paint("result", cells[-1] if note else cells[-1].rstrip())
    return "  " + " = ".join(cells) + note


def _over_several_lines(row: list[Box], indent: int, note: str, paint: Paint) -> list[str]:
    """Return one equation with a line, or several, for each of its sides."""
    lines: list[str] = []
    left = joined(" " * (2 + indent - row[0].width), row[0])
    for i, side in enumerate(row[1:]):
        last = i == len(row) - 2
        start = left if i == 0 else Box((" " * (2 + indent),))
        block = joined(start, " = ", side)
        lines += [paint("result", text) if last and i else text for text in block.lines]
        if i == 0 and note:
            lines[block.level - len(block.lines)] += note
    return lines


def _table_text(block: Table, paint: Paint) -> list[str]:
    cells = [[item if isinstance(item, str) else flattened(item) for item in row] for row in block.rows]
    widths = [max(map(width, column)) for column in zip(block.header, *cells, strict=True)]
    last = len(widths) - 1

    def padded(row: Sequence[str], role: str) -> str:
        pieces = [text + " " * (w - width(text)) for text, w in zip(row, widths, strict=True)]
        pieces[0] = " " * (widths[0] - width(row[0])) + row[0]
        pieces[last] = row[last]
        painted = [paint(role if j in (last, -1) or role == "faint" else "plain", p) for j, p in enumerate(pieces)]
        return "  " + "   ".join(painted)

    return [padded(block.header, "faint"), *(padded(row, "result") for row in cells)]


# -------------------------------------------------------------------------------------------------- Markdown


def _markdown_items(items: Sequence[Item]) -> str:
    escape = re.compile(r"([\\`*_{}\[\]<>#|$])")
    return "".join(escape.sub(r"\\\1", i) if isinstance(i, str) else f"${latex(i)}$" for i in items)


def _equations_markdown(block: Equations) -> str:
    lines = " \\\\\n".join(_latex_line(line) for line in block.lines)
    return f"$$\n\\begin{{aligned}}\n{lines}\n\\end{{aligned}}\n$$"


def _table_markdown(block: Table) -> str:
    rows = [" | ".join(_markdown_items([cell]).replace("|", r"\|") for cell in row) for row in block.rows]
    lines = [" | ".join(block.header), " | ".join("---" for _ in block.header), *rows]
    return "\n".join(f"| {line} |" for line in lines)


# ----------------------------------------------------------------------------------------------------- LaTeX


def _latex_items(items: Sequence[Item]) -> str:
    return "".join(latex_text(item) if isinstance(item, str) else f"${latex(item)}$" for item in items)


def _latex_line(line: Line) -> str:
    """Return one equation; its sides go under each other where one is a matrix."""
    left, *sides = map(latex, line.sides)
    tall = any(_has_matrix(side) for side in line.sides)
    written = f"{left} &= " + (" \\\\\n &= " if tall else " = ").join(sides) if sides else f"&{left}"
    return written + (rf" && \text{{{latex_text(line.note)}}}" if line.note else "")


def _has_matrix(term: Term) -> bool:
    if term.head == "array":
        return array_in_full(term.parts[0])
    return any(_has_matrix(part) for part in term.parts if isinstance(part, Term))


def _heading_latex(block: Heading) -> str:
    return rf"\{'section' if block.level == 1 else 'subsection'}*{{{_latex_items(block.items)}}}"


def _equations_latex(block: Equations) -> str:
    lines = " \\\\\n".join(_latex_line(line) for line in block.lines)
    return f"{{\\allowdisplaybreaks\n\\begin{{align*}}\n{lines}\n\\end{{align*}}}}"


def _table_latex(block: Table) -> str:
    rows = [" & ".join(_latex_items([cell]) for cell in row) + r" \\" for row in block.rows]
    header = " & ".join(rf"\textit{{{latex_text(name)}}}" for name in block.header) + r" \\ \hline"
    columns = "r" + "l" * (len(block.header) - 1)
    body = "\n".join([header, *rows])
    return (
        f"\\begin{{center}}\\footnotesize\\setlength{{\\tabcolsep}}{{3pt}}\n\\renewcommand{{\\arraystretch}}{{1.6}}\n"
        f"\\begin{{tabular}}{{{columns}}}\n{body}\n\\end{{tabular}}\n\\end{{center}}"
    )


# ------------------------------------------------------------------------------------------------------ HTML

STYLE = (
    ".chain-rule{max-width:64em;line-height:1.5;overflow-x:auto}"
    ".chain-rule table{border-collapse:collapse;margin:.5em 0 1em}"
    ".chain-rule td,.chain-rule th{padding:.3em .8em .3em 0;text-align:left;vertical-align:middle;border:0}"
    ".chain-rule td:first-child,.chain-rule th:first-child{text-align:right}"
    ".chain-rule th{font-weight:normal;opacity:.7;border-bottom:1px solid currentColor}"
    ".chain-rule small{opacity:.7}"
)


def _html_items(items: Sequence[Item]) -> str:
    return "".join(html.escape(item) if isinstance(item, str) else mathml(item) for item in items)


def _heading_html(block: Heading) -> str:
    tag = f"h{block.level + 1}"
    return f"<{tag}>{_html_items(block.items)}</{tag}>"


def _equations_html(block: Equations) -> str:
    rows = []
    for line in block.lines:
        left, *sides = line.sides
        cells = [f"<td>{mathml(left)}</td>"]
        cells += [f"<td>{mathml(Term('=', (Term('raw', ('',)), side)))}</td>" for side in sides]
        cells += [f"<td><small>{html.escape(line.note)}</small></td>"] if line.note else []
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return f'<table class="equations">\n{chr(10).join(rows)}\n</table>'


def _table_html(block: Table) -> str:
    header = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in block.header)
    rows = ["".join(f"<td>{_html_items([cell])}</td>" for cell in row) for row in block.rows]
    body = "\n".join(f"<tr>{row}</tr>" for row in rows)
    return f"<table>\n<thead><tr>{header}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


_TEXT: dict[type, Callable[..., list[str]]] = {
    Heading: _heading_text, Paragraph: _paragraph_text, Equations: _equations_text, Table: _table_text,
}  # fmt: skip
_MARKDOWN: dict[type, Callable[..., str]] = {
    Heading: lambda block: f"{'#' * (block.level + 1)} {_markdown_items(block.items)}",
    Paragraph: lambda block: _markdown_items(block.items),
    Equations: _equations_markdown,
    Table: _table_markdown,
}
_LATEX: dict[type, Callable[..., str]] = {
    Heading: _heading_latex,
    Paragraph: lambda block: _latex_items(block.items),
    Equations: _equations_latex,
    Table: _table_latex,
}
_HTML: dict[type, Callable[..., str]] = {
    Heading: _heading_html,
    Paragraph: lambda block: f"<p>{_html_items(block.items)}</p>",
    Equations: _equations_html,
    Table: _table_html,
}
