"""Check the exercises of the course and its notebooks."""

import importlib
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import optim
from autograd import Value, gradients, hvp
from autograd.cli.commands import main as autograd_command
from optim.lr_scheduler import CosineAnnealingLR, InverseTimeLR, Rates, StepLR, preview

DEMOS = Path(__file__).resolve().parents[2] / "demos"
CHAPTERS = sorted(DEMOS.glob("[0-9][0-9]_*.py"))


@pytest.fixture(scope="module")
def exercises():
    before = list(sys.path)
    sys.path.insert(0, str(DEMOS))
    yield importlib.import_module("exercises")
    sys.path[:] = before


def slope(function, *at):
    """Return the gradients of a function of Values."""
    leaves = [Value(x) for x in at]
    found = gradients(function(*leaves), leaves)
    return found[0] if len(at) == 1 else found


def first_trace(make, gradient, term):
    w = Value(0.0)
    w.grad = gradient
    return make([w]).trace(w)[term]


ORACLES = {
    "0.1": lambda: slope(lambda a, b: a / b, 6.0, 2.0),
    "0.2": lambda: slope(lambda a: a * a * a, 2.0),
    "0.3": lambda: slope(lambda a, b: (a * b + a) * (a * b), 2.0, -3.0)[0],
    "1.1": lambda: slope(lambda x: x**3, 2.0),
    "1.2": lambda: (2.1**3 - 1.9**3) / 0.2 - 12,
    "2.1": lambda: slope(lambda x: (x**2).sin(), 0.0),
    "3.1": lambda: slope(lambda a, b: a * b + a, 5.0, 2.0)[0],
    "3.2": lambda: slope(lambda a: a + a + a, 1.0),
    "5.1": lambda: slope(lambda w: (w * 3).tanh(), 0.0),
    "5.2": lambda: slope(lambda a: (a - 1) ** 2, 0.9),
    "6.3": lambda: slope(lambda s: (1 - s).relu(), 2.0),
    "7.3": lambda: slope(lambda z: -z.sigmoid().log(), 0.0),
    "8.1": lambda: slope(lambda x, y, z: -(x.exp() / (x.exp() + y.exp() + z.exp())).log(), 1.0, 1.0, 1.0)[0],
    "9.1": lambda: slope(lambda x: 4 * x**3, 1.0),
    "9.3": lambda: hvp(lambda v: v[0] * v[0] + 3 * v[0] * v[1], (np.ones(2),), (np.ones(2),))[0],
    "12.3": lambda: first_trace(lambda p: optim.Adam(p, lr=0.001), 5.0, "step"),
    "13.3": lambda: first_trace(optim.Adam, 3.0, "m"),
    "14.1": lambda: preview(StepLR(Rates(0.8), step_size=10, gamma=0.5), 26)[25],
    "14.2": lambda: preview(CosineAnnealingLR(Rates(1.0), T_max=100), 51)[50],
    "14.3": lambda: preview(InverseTimeLR(Rates(1.0), decay=0.1), 50).index(0.25),
}


def test_answers_agree_with_the_library(exercises):
    for name, oracle in ORACLES.items():
        assert exercises.diagnosis(name, oracle()) == "right", name


def test_every_chapter_has_three_exercises_with_solutions(exercises):
    names = [f"{int(path.name[:2])}.{i}" for path in CHAPTERS for i in (1, 2, 3)]
    assert list(exercises.EXERCISES) == names
    assert all(exercise.solution.endswith(".") for exercise in exercises.EXERCISES.values())


def test_a_hint_does_not_contain_the_answer(exercises):
    for name, exercise in exercises.EXERCISES.items():
        assert exercises.diagnosis(name, exercise.answer) == "right"
        wrong = [*exercise.hints, *(np.asarray(exercise.answer) * factor for factor in (-1, 3, 0.2))]
        for answer in wrong:
            text = exercises.diagnosis(name, answer)
            if not np.allclose(answer, exercise.answer):
                assert text.startswith("not yet: "), name
                assert f"{exercise.answer:g}" not in text.split() if np.ndim(exercise.answer) == 0 else True


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        ("3.1", ..., "not answered yet"),
        ("3.1", 2.0, "the path through the product only"),
        ("3.1", -3.0, "check the sign"),
        ("3.1", 30.0, "too large"),
        ("3.1", [1.0, 2.0], "expected one number"),
        ("3.1", "three", "expected a number"),
        ("0.1", [0.5, 7.0], "1 of 2 are right"),
        ("0.1", 0.5, "expected a list of 2 numbers"),
    ],
)
def test_a_wrong_answer_gets_a_hint(name, answer, said, exercises, capsys):
    exercises.check(name, answer)
    assert said in capsys.readouterr().out


def test_questions_are_asked_until_the_answer_is_right(exercises, monkeypatch, capsys):
    typed = iter(["nothing", "5", "3", "3.0", "17"])
    monkeypatch.setattr("builtins.input", lambda _: next(typed))
    assert exercises.main(["3"]) == 0
    assert capsys.readouterr().out.count("right: ") == 3


def test_a_chapter_can_be_shown_and_left_early(exercises, monkeypatch, capsys):
    typed = iter(["hint", "show", "quit"])
    monkeypatch.setattr("builtins.input", lambda _: next(typed))
    assert exercises.main(["3"]) == 0
    out = capsys.readouterr().out
    assert exercises.EXERCISES["3.1"].hints[2.0] in out
    assert f"solution: {exercises.EXERCISES['3.1'].solution}" in out
    monkeypatch.undo()
    monkeypatch.setattr("sys.stdin", io.StringIO())  # its end, as Ctrl-D
    assert exercises.main(["3"]) == 0


@pytest.mark.parametrize("arguments", [[], ["99"], ["3", "4"]])
def test_an_unknown_chapter_prints_the_usage(arguments, exercises, capsys):
    assert exercises.main(arguments) == 2
    assert capsys.readouterr().err == "usage: exercises.py 0..17\n"


def test_expressions_of_the_chapters_can_be_played(exercises, capsys):
    assert list(exercises.EXPRESSIONS) == [str(int(path.name[:2])) for path in CHAPTERS]
    for chapter, expression in exercises.EXPRESSIONS.items():
        formula, _, values = expression.strip('"').partition('" ')
        assert autograd_command(["grad", formula, *values.split()]) == 0, chapter
    assert "df/dk0" in capsys.readouterr().out


def test_notebooks_are_current_and_complete(exercises):
    notebooks = importlib.import_module("notebooks")
    assert notebooks.main(["--check"]) == 0, "run: make notebooks"
    assert [path.stem for path in sorted(notebooks.FOLDER.glob("*.ipynb"))] == [path.stem for path in CHAPTERS]
    for path in notebooks.FOLDER.glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        assert any(cell.get("outputs") for cell in cells), path


def test_a_changed_script_makes_its_notebook_stale(exercises, tmp_path):
    notebooks = importlib.import_module("notebooks")
    script = tmp_path / "03_fan_out.py"
    script.write_text((DEMOS / "03_fan_out.py").read_text(encoding="utf-8") + "\nprint(1 + 1)\n", encoding="utf-8")
    cells = notebooks.cells_of(script)
    assert not notebooks.is_current(notebooks.FOLDER / "03_fan_out.ipynb", cells)
    short = [("code", "x = 2\nprint(x)"), ("markdown", "text")]
    assert notebooks.executed(short) == [[{"output_type": "stream", "name": "stdout", "text": "2\n"}], []]
