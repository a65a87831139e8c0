"""Formulas with their numbers: what is missing, left over or mistyped is named."""

import pytest

from autograd.cli.commands import UsageError, drawn, explained, read_formula
from autograd.cli.parsing import ExpressionError, names_in


def test_a_number_that_the_formula_does_not_use_is_named():
    with pytest.raises(UsageError, match=r"^y=3: the formula does not use it$"):
        read_formula("sin(x)*x", ["x=2", "y=3"])
    with pytest.raises(UsageError, match=r"^y=3, z=-1: the formula does not use them$"):
        read_formula("x*x", ["y=3", "x=2", "z=-1"])


@pytest.mark.parametrize("formula", ["x - x + 0*y", "where(greater(y, 1), x, 2*x)", "  y*x"])
def test_a_number_that_changes_nothing_is_used_all_the_same(formula):
    assert read_formula(formula, ["x=1", "y=2"]).variables["x"] == 1.0


def test_a_name_in_another_spelling_of_unicode_is_the_same_name():
    assert names_in("ﬁ*x") == {"fi", "x"}
    assert read_formula("ﬁ*x", ["fi=2", "x=1"]).variables == {"fi": 2.0, "x": 1.0}


def test_a_file_may_bring_numbers_for_more_than_its_formula():
    assert read_formula("a = 2\nb = 3\na*a\n", []).variables == {"a": 2.0}


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_without_a_formula_one_is_told_how_to_give_it(text):
    with pytest.raises(UsageError, match=r'empty; write one, as in: python -m autograd grad "a\*b" a=2 b=3'):
        read_formula(text, [])


@pytest.mark.parametrize(
    ("formula", "column", "says"),
    [
        ("2a", 2, "'2a' is no number; a product is written 2*a"),
        ("tanh(2 a) + 1", 8, "'2 a' is no number; a product is written 2*a"),
        ("1.5e3a*a", 6, "'1.5e3a' is no number; a product is written 1.5e3*a"),
        ("a + .5a", 7, "'.5a' is no number; a product is written .5*a"),
    ],
)
def test_a_product_without_its_star_is_shown_how_to_write(formula, column, says):
    with pytest.raises(ExpressionError) as error:
        read_formula(formula, ["a=3"])
    assert (error.value.column, error.value.message) == (column, says)


def test_a_digit_in_a_name_is_no_product():
    with pytest.raises(ExpressionError, match="invalid syntax"):
        read_formula("x2a +", ["x2a=3"])
    assert read_formula("x2a*2", ["x2a=3"]).root.data == 6.0


def test_one_variable_is_not_told_of_in_the_plural():
    with pytest.raises(ExpressionError, match="'b'; the only one is a; give it a number: b=2"):
        read_formula("a*b", ["a=1"])
    with pytest.raises(UsageError, match="--wrt q: there is no such variable in the formula; the only one is a"):
        explained(read_formula("a*a", ["a=1"]), "q")


def test_a_drawing_takes_the_options_of_draw():
    def dot(**options):
        return drawn(read_formula("tanh(a*b)", ["a=2", "b=3"]), None, "light", **options)

    plain = dot()
    assert "rankdir=LR" in plain
    assert "rankdir=TB" in dot(direction="TB")
    looks = [dot(partials=True), dot(formulas=True), dot(color="gradient"), dot(ways=["a"]), dot(ways=["a", "b"])]
    assert len({plain, *looks}) == 6
    with pytest.raises(UsageError, match="--path q: there is no such variable in the formula; there are a, b"):
        dot(ways=["q"])
