"""`python -m autograd quiz`: its questions, hints, diagnoses and score."""

import io
import json

import pytest

from autograd.cli.commands import main
from autograd.explaining.quiz import DIAGNOSES


@pytest.fixture
def quiz(monkeypatch, capsys):
    """Run a quiz with lines of answers; return the exit code and the output."""

    def run(answers, *arguments):
        monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(answers)))
        code = main(["quiz", *arguments])
        return code, capsys.readouterr()

    return run


def test_correct_answers_give_a_full_score(quiz):
    code, printed = quiz(["5", "-15", "10"], "5*(a*b)", "a=2", "b=-3")
    assert code == 0
    assert printed.out.startswith("f = 5 * a * b\n")
    assert "Question 1 of 3: df/df * ∂f/∂v1 = ?" in printed.out
    assert printed.out.endswith("3 of 3 correct at the first attempt.\n")


@pytest.mark.parametrize(
    ("answer", "diagnosis"),
    [
        ("15", "sign"),
        ("-3", "upstream"),
        ("5", "local"),
        ("10", "swapped"),
        ("2", "added"),
        ("-15.4", "rounded"),
        ("77", "wrong"),
    ],
)
def test_wrong_answer_is_diagnosed_and_asked_again(quiz, answer, diagnosis):
    _, printed = quiz(["5", answer, "-15", "10"], "5*(a*b)", "a=2", "b=-3")
    assert DIAGNOSES[diagnosis] in printed.out
    assert "2 of 3 correct" in printed.out


def test_derivative_of_another_operation_is_named(quiz):
    _, printed = quiz(["5", "18.811"], "5*cos(a)", "a=2")
    assert DIAGNOSES["operation"].format(operation="sinh") in printed.out


def test_sum_over_paths_is_asked_after_the_last_contribution(quiz):
    _, printed = quiz(["1", "1", "2", "-3", "2", "2", "2", "1"], "a*a + b*a", "a=2", "b=-3")
    assert "df/da, the sum over its 3 paths = ?" in printed.out
    assert DIAGNOSES["path"] in printed.out


def test_hints_show_and_quit(quiz):
    _, printed = quiz(["hint", "hint", "5", "show", "what", "quit"], "5*(a*b)", "a=2", "b=-3")
    assert "∂f/∂v1 = 5; the upstream gradient is 1" in printed.out
    assert "Upstream times local = 1 * 5." in printed.out
    assert "The answer is -15." in printed.out
    assert printed.out.count("Type a number, or: hint") == 2
    assert printed.out.endswith("0 of 3 correct at the first attempt.\n")


def test_json_contains_the_answers(quiz):
    code, printed = quiz(["5", "15"], "5*(a*b)", "a=2", "b=-3", "--json")
    data = json.loads(printed.out)
    assert code == 0
    assert (data["score"], data["questions"]) == (1, 3)
    assert data["answers"][1] == {"expected": -15.0, "given": [["15", "sign"]]}
    assert "Question 2 of 3" in printed.err
