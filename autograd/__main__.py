"""The command line: ``python -m autograd explain "tanh(a*b + c)" a=2 b=-3 c=10``."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .cli import commands
from .cli.commands import Formula, UsageError
from .cli.doctor import examine, report
from .cli.parsing import ExpressionError, functions
from .drawing.draw import DIRECTIONS
from .drawing.render import RenderError
from .explaining.explanation import for_output, wants_color
from .explaining.formatting import cut, visible

FORMULA_HELP = (
    "such as 'tanh(a*b + c)'; or a file that ends in .txt; or - for standard input, which is read also when the "
    "formula is left out"
)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    whole = argparse.ArgumentParser(
        prog="python -m autograd",
        description="Explain, draw, play, check or compute the gradient of a formula.",
        epilog="A formula has numbers, names, + - * / ** and " + ", ".join(sorted(functions())) + ".",
    )
    subparsers = whole.add_subparsers(dest="command", required=True, metavar="command")
    helps = {
        "explain": "the chain rule on the formula, step by step",
        "draw": "the graph as a picture (-o graph.svg) or as DOT text",
        "play": "an interactive page of the forward and backward pass",
        "check": "the gradient against finite differences",
        "grad": "the value and the gradient",
    }
    for name, says in helps.items():
        command = subparsers.add_parser(name, help=says, description=says[0].upper() + says[1:] + ".")
        command.add_argument("formula", nargs="?", default="-", help=FORMULA_HELP)
        command.add_argument("variables", nargs="*", metavar="name=number", help="such as a=2 b=-3 c=10")
        command.add_argument("--json", action="store_true", help="print for a program to read")
        if name in ("explain", "draw", "play"):
            command.add_argument("-o", "--output", type=Path, metavar="FILE", help="write to this file")
        if name == "explain":
            command.add_argument("--wrt", metavar="NAME", help="derive the gradient of this variable only")
        if name == "draw":
            add_looks(command)
    doctor = subparsers.add_parser(
        "doctor", help="what this machine has and lacks", description="What this machine has and lacks."
    )
    doctor.add_argument("--json", action="store_true", help="print for a program to read")
    doctor.add_argument("extra", nargs="*", help=argparse.SUPPRESS)  # to be refused with the usage of doctor
    doctor.set_defaults(refuse=doctor.error)
    return whole


def add_looks(command: argparse.ArgumentParser) -> None:
    """Give a command the options of `autograd.draw` that make sense in a shell."""
    add = command.add_argument
    add("--theme", choices=("light", "dark", "print"), default="light", help="the colours; print needs none")
    add("--direction", choices=DIRECTIONS, default="LR", help="from left to right, from top to bottom, or backwards")
    add("--color", choices=("kind", "gradient"), default="kind", help="fill by kind, or by size of the gradient")
    add("--partials", action="store_true", help="write the local derivatives on the arrows")
    add("--formulas", action="store_true", help="write what each box computes, and the formulas of --partials")
    add("--path", action="append", default=[], metavar="NAME", help="highlight its ways to the result; repeatable")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0, 1 for a failure, 2 for wrong use, 130 for Ctrl-C."""
    if sys.stdout is None:  # closed by the caller
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  (it stays open)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _one_line_warning  # type: ignore[assignment]
            warnings.simplefilter("always")
            code = run(parser().parse_args(protected(sys.argv[1:] if arguments is None else arguments)))
        sys.stdout.flush()
        return code
    except UsageError as error:
        return complain(str(error), 2)
    except ExpressionError as error:
        return complain(f"{error}\n  {error.line}\n  {error.caret}", 2)
    except BrokenPipeError:  # the reader has had enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except (ArithmeticError, ValueError, RuntimeError, RenderError, OSError) as error:
        return complain(str(error), 1)


def protected(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with a space before a formula that starts with a minus sign, which is no option."""
    return [f" {a}" if re.match(r"-(?!-)[^=]*[*/+()]", a) and not a.startswith("-o") else a for a in arguments]


def complain(message: str, code: int) -> int:
    """Print an error in one line, and below it the place if there is one; return the exit code."""
    first, *rest = message.split("\n")
    text = "\n".join(["error: " + "".join(map(visible, cut(first, 400))), *rest])
    with contextlib.suppress(OSError):
        print(for_output(text, sys.stderr), file=sys.stderr)
    return code


def _one_line_warning(message: Any, *rest: Any) -> None:
    print(for_output(f"warning: {message}", sys.stderr), file=sys.stderr)


def run(options: argparse.Namespace) -> int:
    """Run the command that was asked for."""
    if options.command == "doctor":
        if options.extra:
            options.refuse(f"unrecognized arguments: {' '.join(options.extra)}")
        return doctor(options.json)
    return COMMANDS[options.command](given_formula(options), options)


def given_formula(options: argparse.Namespace) -> Formula:
    """Return the formula from the command line, a file or standard input."""
    text, variables = options.formula, list(options.variables)
    name, sign, number = text.partition("=")
    if sign and name.strip().isidentifier() and commands.is_number(number):  # the formula was left out
        text, variables = "-", [text, *variables]
    if text == "-" and sys.stdin.isatty():
        raise UsageError(f'there is no formula; write one, as in: python -m autograd {options.command} "a*b" a=2 b=3')
    if text == "-":
        text = read_text(sys.stdin.buffer.read(commands.MOST_BYTES + 1), "standard input")
    elif text.endswith(".txt"):
        try:
            with Path(text).open("rb") as file:
                text = read_text(file.read(commands.MOST_BYTES + 1), text)
        except OSError as error:
            raise UsageError(f"cannot read {text!r}: {error.strerror}") from None
    return commands.read_formula(text, variables)


def read_text(data: bytes, source: str) -> str:
    """Return the text of a file, of a size that a formula can have."""
    if len(data) > commands.MOST_BYTES:
        raise UsageError(f"{source} has more than {commands.MOST_BYTES:,} bytes; a formula has at most 2,000")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{source} is not text in UTF-8: byte {error.start}") from None


def show(text: str) -> None:
    """Print text, in ASCII where the output knows no more."""
    sys.stdout.write(for_output(text, sys.stdout))


def show_json(data: Any) -> None:
    """Print data for a program."""
    print(json.dumps(commands.plain_data(data), allow_nan=False))


def explain(formula: Formula, options: argparse.Namespace) -> int:
    """Print the explanation, or write it to a file."""
    page = commands.explained(formula, options.wrt)
    if options.output:
        commands.save_explanation(page, options.output)
    if options.json:
        show_json(commands.steps_for_programs(formula))
    elif options.output:
        show(f"{options.output}\n")
    else:
        page.show(color=wants_color(sys.stdout))
    return 0


def draw(formula: Formula, options: argparse.Namespace) -> int:
    """Write the picture, or print its DOT text."""
    look = {key: getattr(options, key) for key in ("direction", "color", "partials", "formulas")}
    text = commands.drawn(formula, options.output, options.theme, ways=options.path, **look)
    if options.json:
        written = {"file": str(options.output)} if options.output else {"dot": text}
        show_json(formula.summary() | {"gradients": formula.gradients()} | written)
    else:
        show(text)
    return 0


def play(formula: Formula, options: argparse.Namespace) -> int:
    """Write the interactive page."""
    path = options.output or Path("page.html")
    text = commands.played(formula, path)
    if options.json:
        show_json(formula.summary() | {"file": str(path), "bytes": path.stat().st_size})
    else:
        show(text)
    return 0


def check(formula: Formula, options: argparse.Namespace) -> int:
    """Compare the gradient with finite differences; 1 if they disagree."""
    rows = commands.check(formula)
    if options.json:
        show_json(formula.summary() | {"agrees": all(row["agrees"] for row in rows), "checks": rows})
    else:
        show(commands.check_text(formula, rows))
    return 0 if all(row["agrees"] for row in rows) else 1


def grad(formula: Formula, options: argparse.Namespace) -> int:
    """Print the value and the gradient."""
    if options.json:
        show_json(formula.summary() | {"gradients": formula.gradients()})
    else:
        show(commands.graded(formula))
    return 0


def doctor(as_json: bool) -> int:
    """Print what was found; 1 if something needed is missing."""
    findings = list(examine())
    if as_json:
        show_json([vars(finding) for finding in findings])
    else:
        show(report(findings))
    return int(any(finding.state == "wrong" for finding in findings))


COMMANDS: dict[str, Callable[[Formula, argparse.Namespace], int]] = {
    "explain": explain, "draw": draw, "play": play, "check": check, "grad": grad,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
