"""Hostile use of the command line: one test per fault."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import processes
import pytest

from autograd.cli.commands import main

ROOT = Path(__file__).parents[3]


@pytest.fixture
def run(capsys):
    """Run a command in this process: its exit code, output and errors, in which there is never a traceback."""

    def call(*arguments):
        try:
            code = main(list(arguments))
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return call


@pytest.mark.parametrize(
    "formula",
    ["tanh(a", "  ", "a+" * 5_000_000 + "a", "a*\0", "(" * 300 + "a" + ")" * 300, "+".join("a" * 10_000)],
    ids=["syntax", "nothing", "10 MB", "a zero byte", "300 parentheses", "10,000 terms"],
)
def test_invalid_formula_is_reported_at_its_column(run, formula):
    code, out, err = run("grad", formula, "a=1")
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert len(err) < 600
    if formula.strip():
        message, line, caret = err.splitlines()
        assert "column" in message
        assert len(caret.rstrip("^")) <= len(line)


def test_only_drawing_needs_the_package_graphviz():
    code = (
        "import sys; sys.modules['graphviz'] = None\n"
        "from autograd.cli.commands import main\n"
        "sys.exit([main([name, 'a * 2', 'a=1']) for name in ('explain', 'check', 'draw')] != [0, 0, 1])"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.stderr == "error: drawing needs the package graphviz: pip install graphviz\n"
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("formula", "piece"),
    [
        ("__import__('os').abort()", "__import__"),
        ("().__class__", "().__class__"),
        ("a.real", "a.real"),
        ("a[0]", "a[0]"),
        ("(lambda: a)()", "lambda"),
        ("f'{a}'", "f'{a}'"),
        ("(a := 1)", "a := 1"),
    ],
)
def test_code_instead_of_a_formula_is_rejected_unexecuted(run, monkeypatch, formula, piece):
    with monkeypatch.context() as without:
        for name in ("eval", "exec"):
            without.setattr(f"builtins.{name}", None)
        code, out, err = run("grad", formula, "a=1")
    assert (code, out) == (2, "")
    assert "not allowed" in err
    assert piece in err


@pytest.mark.parametrize(
    ("formula", "says"),
    [
        ("weigth * a", "did you mean weight"),
        ("tahn(a)", "did you mean"),
        ("tanh(a, a)", "tanh(x) was called with 2 arguments"),
        ("maximum(a)", "maximum(x, y) was called with 1 argument"),
    ],
    ids=["a variable", "an operation", "too many arguments", "too few"],
)
def test_misspelled_name_is_reported_with_a_suggestion(run, formula, says):
    code, out, err = run("grad", formula, "a=1", "weight=2")
    assert (code, out) == (2, "")
    assert says in err


@pytest.mark.parametrize(
    ("formula", "says"),
    [("1/0", "divide(1.0, 0.0)"), ("log(-1)", "log(-1.0)"), ("9**9**9", "power(9.0"), ("1e999", "too large")],
)
def test_arithmetic_error_is_reported_in_one_line(run, formula, says):
    code, out, err = run("grad", f"a + {formula}", "a=1")
    assert (code, out) == (1, "")
    assert says in err
    assert err.count("\n") == 1


def started(*arguments, **options):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, *arguments], cwd=ROOT, **pipes | options)


INTERRUPTED = """
import signal, sys
from autograd.cli.commands import COMMANDS, main
signal.signal(signal.SIGINT, signal.default_int_handler)
COMMANDS["grad"] = lambda *_: signal.raise_signal(signal.SIGINT)
sys.exit(main(["grad", "a*a", "a=1"]))
"""


def test_ctrl_c_exits_with_130_silently():
    with started("-c", INTERRUPTED) as running:
        out, err = running.communicate(timeout=processes.SECONDS)
    assert (running.returncode, out, err) == (128 + signal.SIGINT, b"", b"")


def test_closed_pipe_and_ascii_output_succeed_silently():
    formula = "+".join(f"tanh(a*{i})" for i in range(80))
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "TERM": "dumb"}
    with started("-m", "autograd", "explain", formula, "a=0.1") as running:
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(processes.SECONDS) == 0
    with started("-m", "autograd", "explain", "β*a", "β=2", "a=1", env=environment) as running:
        out, err = running.communicate(timeout=processes.SECONDS)
    assert (running.returncode, err) == (0, b"")
    assert "\x1b" not in out.decode("ascii")
