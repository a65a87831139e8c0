"""Formulas of recorded graphs and of derivative rules, and formulas typed by a user."""

import ast
import math
import random

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from autograd import PRIMITIVES, Tensor, Value, concatenate, power, relu, softmax, tanh, where
from autograd.cli.parsing import ExpressionError, UsageError, functions, parse, variables_of
from autograd.explaining.formula import formula, operands_and_options, record_rule, term_of
from autograd.explaining.typeset import Term, flattened, latex, named, number, tidy
from autograd.messages import GradientWarning
from autograd.rules import Elementwise

GIVEN = {"a": 2.0, "b": -3.0, "c": 10.0}
NAMES = {"a": Value(2.0), "b": Value(3.0), "c": Value(0.5)}


# ------------------------------------------------------------------------------------- a graph as a formula


@pytest.mark.parametrize(
    "text",
    [
        "tanh(a * b + c)",
        "a - (b - c)",
        "a - b - c",
        "a / (b / c)",
        "a / b / c",
        "a * (b / c)",
        "a * b / c",
        "(a + b) * c",
        "a**b**c",
        "(a**b)**c",
        "-a**2",
        "(-a)**2",
        "-(a + b)",
        "a - -b",
        "a * -b",
        "a**-b",
        "-a * b",
        "2 * a - 3",
        "a + (b + c)",
        "a * (b * c)",
        "-(-a)",
        "exp(-a) / (1 + exp(-a))",
        "where(greater(a, b), a, b)",
    ],
)
def test_formula_evaluates_to_the_same_value(text):
    root = parse(text, GIVEN | {"b": 3.0, "c": 0.5})
    again = parse(formula(root).replace("[a > b]", "greater(a, b)"), GIVEN | {"b": 3.0, "c": 0.5})
    assert again.data == root.data


@given(st.integers(0, 10**9))
@settings(max_examples=60)
def test_random_formula_round_trips(seed):
    rng = random.Random(seed)

    def grow(depth):
        if depth == 0 or rng.random() < 0.2:
            return rng.choice(["a", "b", "c", "2", "0.5"])
        kind = rng.randrange(7)
        if kind < 5:
            return f"({grow(depth - 1)}) {rng.choice(['+', '-', '*', '/', '*'])} ({grow(depth - 1)})"
        return f"-({grow(depth - 1)})" if kind == 5 else f"tanh({grow(depth - 1)})"

    text = "a*1.0 + " + grow(4)
    try:
        root = parse(text, GIVEN)
    except ArithmeticError:  # a division by zero
        return
    again = parse(formula(root), GIVEN)
    assert again.data == pytest.approx(root.data, rel=1e-3, nan_ok=True)  # constants are written in six digits


def test_a_formula_takes_names_from_the_caller_and_latex_as_style():
    a, b = Value(2.0), Value(3.0)
    assert formula(a * b, names={"a": a, "b": b}) == "a * b"
    assert formula((a + b) / b, names={"a": a, "theta1": b}, style="latex") == r"\frac{a + \theta_{1}}{\theta_{1}}"
    assert formula(a) == "x1"
    with pytest.raises(ValueError, match="text"):
        formula(a, style="html")


def test_a_long_formula_stops_at_its_last_operation():
    x = Value(1.0, name="x")
    y = x
    for _ in range(5000):
        y = y * x
    assert formula(y) == "v4999 * x"


def test_array_operations_read_as_mathematics():
    X, W = Tensor(np.ones((2, 3)), name="X"), Tensor(np.ones((3, 2)), requires_grad=True, name="W")
    assert formula(X @ W) == "X @ W"
    assert formula(W.T) == "Wᵀ"
    assert formula((X @ W).sum(axis=0)) == "sum(X @ W, axis=0)"
    assert formula((X @ W)[0, 1:]) == "(X @ W)[0, 1:]"
    assert formula(softmax(W)) == "softmax(W)"
    assert formula(relu(W) ** 2) == "relu(W)**2"
    assert formula(concatenate([W, W], 1)) == "concatenate(W, W, axis=1)"
    assert formula(W * np.ones((3, 2))) == "W * ((3, 2): all 1)"
    assert latex(Term("transpose", (Term("+", (named("A"), named("B"))),))) == r"\left(A + B\right)^{\top}"


def rule_formulas(name):
    """Return the derivative rules of an elementwise operation as text, in the names of its operands and result."""
    op = PRIMITIVES[name]
    names, options = operands_and_options(op)
    labels = [*map(named, ("g", "z" if "y" in names else "y", *names))]
    texts = []
    for i, rule in enumerate(op.rules_for(len(names))):
        if rule is not None and not isinstance(rule, (int, float)):
            recorded, known = record_rule(op, i, 0.5, [0.5] * len(names), options, labels)
            term = term_of(recorded, known.get) if known is not None else None
            texts.append(None if term is None else flattened(tidy(term)))
    return texts


def test_every_elementwise_rule_reads_as_a_formula():
    for name, op in PRIMITIVES.items():
        if isinstance(op, Elementwise) and op.forward.__module__.startswith("autograd."):
            assert None not in rule_formulas(name), name


@pytest.mark.parametrize(
    ("name", "rules"),
    [("tanh", ["1 - y * y"]), ("divide", ["1 / y", "-z / y"]), ("sigmoid", ["y * (1 - y)"]), ("relu", ["[y > 0]"])],
)
def test_a_rule_reads_as_it_is_written(name, rules):
    assert rule_formulas(name) == rules


def test_tidying_drops_ones_and_zeros_only():
    x, one, zero = named("x"), number(1), number(0)
    for term in (
        Term("*", (one, x)),
        Term("/", (x, one)),
        Term("**", (x, one)),
        Term("+", (zero, x)),
        Term("-", (x, zero)),
    ):
        assert tidy(term) == x
    for term in (Term("/", (one, x)), Term("-", (zero, x)), Term("**", (one, x)), Term("*", (zero, x))):
        assert tidy(term) == term


def test_greek_and_indices_are_set_as_such():
    assert latex(named("alpha1")) == r"\alpha_{1}"
    assert latex(named("loss")) == r"\mathit{loss}"
    assert flattened(number(1e-9)) == "1e-09"
    assert latex(number(-2.5e-9)) == r"-2.5 \times 10^{-9}"
    assert latex(number(math.inf)) == r"\infty"


# ------------------------------------------------------------------------------------- what a user types


def test_a_typed_formula_is_a_graph_with_gradients():
    f = parse("tanh(a*b + c)", GIVEN)
    f.backward()
    a, b, c = Value(2.0), Value(-3.0), Value(10.0)
    g = tanh(a * b + c)
    g.backward()
    assert (f.data, f.name) == (g.data, "f")
    assert {node.name for node in f._prev} == {""}


@pytest.mark.parametrize("name", sorted(set(functions()) - {"where", "clip"}))
def test_every_operation_of_the_table_can_be_typed(name):
    for x in (0.5, 2.0):
        op = functions()[name]
        arguments = "a, b" if isinstance(op, Elementwise) and len(op.rules) == 2 else "a"
        try:
            value = parse(f"{name}({arguments})", {"a": x, "b": 1.5})
        except ExpressionError:
            value = parse(f"{name}(a, b)", {"a": x, "b": 1.5})
        except ArithmeticError:
            continue
        assert math.isfinite(value.data)


SYNTAX = [
    ("", 1),
    ("   ", 4),
    ("a +", 4),
    ("((((", 4),
    ("a b", 3),
    ("a" * 10_000_000, 2001),
    ("a\0b", 2),
    ("a\n+", 2),
    ("+".join(["a"] * 10_000), 2001),
    ("-" * 1999 + "a", 101),
    ("(" * 250 + "a" + ")" * 250, None),
    ("a ** ", None),
    ("**".join(["a"] * 600), None),
    ("-" * 150 + "a", None),
    ("+".join(["a"] * 400), None),
    ("1 if", None),
    ("max(" * 90 + "a", None),
    ("\ud800", 1),
    ("\x1b[31m", 1),
    ("*".join(["(a+a)"] * 300), None),
]


@pytest.mark.parametrize(("text", "column"), SYNTAX, ids=[f"{t[:12]!a}x{len(t)}" for t, _ in SYNTAX])
def test_invalid_formula_raises_at_its_column(text, column):
    with pytest.raises(ExpressionError) as caught:
        parse(text, GIVEN)
    error = caught.value
    assert f"column {error.column}" in str(error)
    assert len(str(error)) < 300
    assert "\n" not in str(error)
    assert error.caret.endswith("^")
    assert len(error.line) <= 60
    if column is not None and text.strip():
        assert error.column == column


REFUSED = [
    "__import__('os')",
    "().__class__",
    "a.real",
    "a[0]",
    "lambda: a",
    "f'{a}'",
    "(a := 1)",
    "[a for a in b]",
    "'a'",
    "True",
    "None",
    "1j",
    "...",
    "b'x'",
    "a if b else c",
    "a < b",
    "a and b",
    "not a",
    "~a",
    "a // b",
    "a % b",
    "a @ b",
    "a ^ b",
    "a | b",
    "a << b",
    "{a}",
    "{a: b}",
    "[a]",
    "(a, b)",
    "tanh(*a)",
    "tanh(x=a)",
    "tanh(**a)",
    "(tanh)(a)(b)",
    "a.tanh()",
    "2(a)",
    "open('x')",
    "exec('1')",
    "eval('1')",
    "__builtins__",
    "leaky_relu(a, b)",
    "await a",
]


@pytest.mark.parametrize("text", REFUSED)
def test_unsupported_syntax_raises_without_evaluation(text, monkeypatch):
    monkeypatch.setattr("builtins.eval", None)
    monkeypatch.setattr("builtins.open", None)
    with pytest.raises(ExpressionError) as caught:
        parse(text, GIVEN)
    message = str(caught.value)
    assert "not allowed" in message or "unknown" in message or "invalid syntax" in message


def test_every_syntax_node_is_parsed_or_raises():
    for name in (name for name in dir(ast) if not name.startswith("_")):
        kind = getattr(ast, name)
        if isinstance(kind, type) and issubclass(kind, ast.expr) and kind is not ast.expr:
            assert name in {
                "Constant",
                "Name",
                "UnaryOp",
                "BinOp",
                "Call",
                "Attribute",
                "Subscript",
                "Lambda",
                "NamedExpr",
                "JoinedStr",
                "Compare",
                "BoolOp",
                "IfExp",
                "ListComp",
                "SetComp",
                "DictComp",
                "GeneratorExp",
                "List",
                "Tuple",
                "Dict",
                "Set",
                "Await",
                "Yield",
                "YieldFrom",
                "Starred",
                "FormattedValue",
                "Slice",
                "Num",
                "Str",
                "Bytes",
                "NameConstant",
                "Ellipsis",
                "TemplateStr",
                "Interpolation",
            }, "a new kind of expression: refuse it by its name"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("aa * b", "did you mean a?"),
        ("d", "give it a value: d=2"),
        ("tahn(a)", "did you mean tan or tanh"),
        ("sgimoid(a)", "sigmoid"),
        ("tanh(a, b)", "tanh(x) was called with 2 arguments"),
        ("tanh()", "0 arguments"),
        ("maximum(a)", "maximum(x, y) was called with 1 argument"),
        ("tanh", "call it: tanh(x)"),
        ("leaky_relu(a, 0.1, 0.2)", "leaky_relu(x, negative_slope=0.01)"),
        ("where(a > b, a, b)", "greater(a, b)"),
        ("a ^ 2", "a power is written **"),
        ("matmul(a, b)", "unknown operation 'matmul'"),
    ],
)
def test_error_suggests_the_correction(text, says):
    with pytest.raises(ExpressionError) as caught:
        parse(text, GIVEN)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1/0", "divide(1.0, 0.0)"),
        ("a/(b + 3)", "divide(2.0, 0.0)"),
        ("log(-1)", "log(-1.0)"),
        ("sqrt(b)", "sqrt(-3.0)"),
        ("9**9**9", "power(9.0, 387420489.0)"),
        ("1e999", "too large"),
        ("1" + "0" * 400, "too large"),
        ("exp(1000*a)", "exp(2000.0)"),
        ("(-8)**0.5", "power(-8.0, 0.5)"),
    ],
)
def test_failing_arithmetic_names_operation_and_operands(text, says):
    with pytest.raises(ArithmeticError) as caught:
        parse(text, GIVEN)
    assert not isinstance(caught.value, ExpressionError)
    assert says in str(caught.value)


def test_what_a_where_leaves_out_may_fail():
    x = Value(0.0)
    y = parse("where(less(x, 1), x, 1/x + log(-x - 1))", {"x": x})
    with np.errstate(all="ignore"):
        y.backward()
    assert (y.data, x.grad) == (0.0, 1.0)
    with pytest.raises(ArithmeticError, match=r"divide\(1.0, 0.0\) is inf"):
        parse("where(less(x, 1), 1/x, 1)", {"x": 0.0})
    assert parse("x + 1", {"x": math.inf}).data == math.inf


def test_integers_become_floats():
    with pytest.raises(OverflowError):
        parse("1e400", {})
    assert parse("7", {}) == 7.0
    assert parse("9**9", {}) == 9.0**9
    assert parse("greater(2, 1)", {}) == 1.0


def test_a_column_counts_characters_and_identifiers_are_folded():
    with pytest.raises(ExpressionError) as caught:
        parse("é * ß + q", {"é": 1.0, "ß": 2.0})
    assert caught.value.column == 9
    assert parse("\uff41 * 2", {"a": 3.0}).data == 6.0
    assert parse("a * 2", {"\uff41": 3.0}).data == 6.0


def test_an_exponent_that_needs_a_gradient_over_a_negative_base_warns():
    with pytest.warns(GradientWarning):
        parse("b**a", GIVEN).backward()


def test_nodes_may_be_given_as_variables():
    a = Value(2.0, name="mine")
    f = parse("where(greater(a, 1), a*a, 0)", {"a": a})
    f.backward()
    assert (f.data, a.grad) == (4.0, 4.0)
    assert where(a > 1, a * a, 0.0).data == power(a, 2).data


@pytest.mark.parametrize(
    "texts",
    [["a"], ["=2"], ["1=2"], ["a=b"], ["a=1", "a=2"], ["lambda=1"], ["a=inf"], ["a=nan"], ["a=1e999"], ["a b=1"]],
)
def test_invalid_assignment_raises(texts):
    with pytest.raises(UsageError, match=r"assignment|variable|twice"):
        variables_of(texts)


def test_a_plus_in_front_changes_nothing():
    x = Value(2.0)
    assert +x is x
    assert parse("+a * 2", {"a": 3.0}).data == 6.0


def test_a_formula_that_is_wide_is_refused():
    terms = ["a"] * 512
    while len(terms) > 1:
        terms = [f"({x}+{y})" for x, y in zip(terms[::2], terms[1::2], strict=True)]
    with pytest.raises(ExpressionError, match="at most 2,000"):
        parse(terms[0], {"a": 1.0})
