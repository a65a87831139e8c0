"""The engine of the interactive pages: its parser, passes, layout and diagnoses, compared with Python's."""

import json
from pathlib import Path

import numpy as np
import pytest
from pages import evaluated, needs_node

import autograd as ag
import nn
from autograd import PRIMITIVES, Tensor, Value, backward_steps, operations, topological_order, where
from autograd.cli.parsing import SHORT, ExpressionError, functions, parse
from autograd.drawing.player import operations_of_pages, page_data
from autograd.explaining.quiz import diagnose, questions
from autograd.extend import elementwise
from autograd.graph import apply
from autograd.rules import Elementwise

pytestmark = needs_node

# `product_if_taken` cannot be called with leaves: it is made by the backward pass
EVALUATED = {
    name
    for name, op in PRIMITIVES.items()
    if "scalar" in op.forms and op.forward.__module__.startswith("autograd.") and name != "product_if_taken"
}
FORMULA = "tanh(w1*x1 + w2*x2 + b)**2 + 0.1*(w1**2 + w2**2) + relu(w1 - x2) * sigmoid(b) + log(1 + exp(w2))"
NUMBERS = {"w1": -3.0, "w2": 1.0, "x1": 2.0, "x2": 0.5, "b": 6.88}
PASS = """given.map(nodes => {
  const graph = new Engine.Graph(nodes.map(Engine.unpacked)), values = graph.forward(graph.start());
  return [values[graph.root], graph.steps, graph.backward(values).steps.map(s => [s.up, s.local, s.share, s.total])];
})"""


def real(x):
    return float(x)  # also of "Infinity" and "NaN"


def close(a, b):
    a, b = real(a), real(b)
    return a == b or (a != a and b != b) or abs(a - b) <= 1e-12 * max(1.0, abs(a), abs(b))


def assert_same_passes(roots):
    """Compare the value of each root and every number of its backward pass with those of the page."""
    for root, (value, edges, steps) in zip(
        roots, evaluated(PASS, [page_data(r, {})["nodes"] for r in roots]), strict=True
    ):
        expected = list(backward_steps(root))
        assert close(value, root.data), root
        assert len(edges) == len(steps) == len(expected)
        for step, edge, found in zip(expected, edges, steps, strict=True):
            assert step.position == edge[1]
            for a, b in zip((step.upstream, step.local, step.contribution, step.total), found, strict=True):
                assert close(a, b), (root.op, step, a, b)


# --------------------------------------------------------------------------------------------------- formulas


def written(x):
    """Return an operand as text: a name, a number, or operation(operands, options)."""
    if not hasattr(x, "op"):
        return repr(float(x))
    return x.name if x.op is None else f"{x.op.name}({', '.join(map(written, [*x.args, *x.params.values()]))})"


EXPRESSIONS = json.loads(Path(__file__).with_name("expressions.json").read_text(encoding="utf-8"))
LETTERS = ["a", "b", "c", "w1", "w2", "x1", "x2", "x_1", "x_2", "θ", "α", "Δx", "é", "x", "μ", "σ"]


@pytest.mark.parametrize(("text", "expected"), EXPRESSIONS, ids=[text[:20] for text, _ in EXPRESSIONS])
def test_python_parses_the_corpus(text, expected):
    try:
        found = parse(text, dict.fromkeys(LETTERS, 0.7))
        found = written(found) if hasattr(found, "op") else False
    except ExpressionError as error:
        found = error.column if expected is not False else False
    except (ArithmeticError, ValueError):
        found = False
    assert found == expected


def test_javascript_parses_the_corpus():
    code = """given.map(text => {
      try {
        const nodes = Parser.parse(text);
        const written = x => {
          const node = Array.isArray(x) && nodes[x[0]];
          return !node ? x : node.op ? [node.op, [...node.args, ...node.params].map(written)] : node.name;
        };
        return ["graph", written([nodes.length - 1])];
      } catch (error) { if (!error.column) throw error; return ["error", error.column]; }
    })"""

    def text_of(x):
        return (
            f"{x[0]}({', '.join(map(text_of, x[1]))})"
            if isinstance(x, list)
            else x
            if isinstance(x, str)
            else repr(float(x))
        )

    found = evaluated(code, [text for text, _ in EXPRESSIONS])
    for (text, expected), (kind, result) in zip(EXPRESSIONS, found, strict=True):
        if isinstance(expected, str):
            assert (kind, text_of(result)) == ("graph", expected), text
        else:
            assert kind == "error", text
            assert expected is False or result == expected, text


def test_javascript_calls_the_operations_that_python_calls():
    public = {*operations.__all__} & {*evaluated("Object.keys(Engine.operations)")}
    assert public == (functions().keys() & EVALUATED) - SHORT.keys()
    for short, name in SHORT.items():
        arguments = ", ".join("ab"[: len(PRIMITIVES[name].rules)])
        assert evaluated(f"Parser.parse('{short}({arguments})').at(-1).op") == name


def test_formula_of_a_graph_parses_to_the_same_graph():
    formulas = [FORMULA, "-(a - b)**2/(2*c**2)", "a - (b - c) - -a", "leaky_relu(a, 0.2)*2**-b", "(-a)**2", "a/(b*c)/d"]
    code = """given.map(text => {
      const nodes = Parser.parse(text), graph = new Engine.Graph(nodes);
      const again = Parser.parse(Terms.typed(graph, Network.nameNodes(graph)));
      return JSON.stringify(nodes) === JSON.stringify(again);
    })"""
    assert evaluated(code, formulas) == [True] * len(formulas)


# ----------------------------------------------------------------------------------------------------- passes


@pytest.mark.filterwarnings("ignore::autograd.GradientWarning")  # of a second derivative that is nan
def test_every_operation_computes_what_the_engine_computes():
    """Forward and backward of each operation, on a grid of numbers, edge numbers among them."""
    grid = [-2.7, -0.5, -1e-9, 0.0, 0.3, 1.0, 2.5, 30.0, 700.0]
    roots = []
    for name in sorted(EVALUATED):
        op = PRIMITIVES[name]
        rng = np.random.default_rng(len(name))
        for row in ([x] * (len(op.rules) == 1) or list(rng.choice(grid, len(op.rules))) for x in grid):
            leaves = [Value(real(x)) for x in row]
            params = {"negative_slope": 0.2} if name == "leaky_relu" else {}
            try:
                with np.errstate(all="ignore"):
                    root = apply(op, tuple(leaves), params) * 3.0 + leaves[0] * 0.5
                    list(backward_steps(root))
            except (ValueError, ArithmeticError):  # outside the domain of the operation, or of its derivative
                continue
            roots.append(root)
    assert len(roots) > 5 * len(EVALUATED)
    with np.errstate(all="ignore"):
        assert_same_passes(roots)


def test_common_elementwise_operations_have_a_form_for_floats():
    modules = {f"autograd.operations.{name}" for name in ("elementwise", "comparing")}
    common = {n for n, op in PRIMITIVES.items() if isinstance(op, Elementwise) and op.forward.__module__ in modules}
    assert len(common) > 40
    assert common <= EVALUATED


def test_page_computes_random_values_like_the_engine():
    rng = np.random.default_rng(5)
    assert_same_passes(
        [parse(FORMULA, {k: real(x) for k, x in zip(NUMBERS, rng.normal(0, 2, 5), strict=True)}) for _ in range(20)]
    )


def test_branch_not_selected_by_where_has_zero_gradient():
    roots = []
    for x in (0.0, -1.0, 4.0):
        a = Value(x, name="a")
        roots.append(where(a > 0, (a * 1.0).maximum(1e-300).log(), a * 2.0) + (where(a > 0, a, 1.0)).log())
    assert_same_passes(roots)


def test_page_contains_an_operation_of_the_user_if_it_is_used():
    @elementwise(lambda y, x: 3.0 * x * x, scalar="x * x * x")
    def cubed_in_a_test(x):
        return x * x * x

    try:
        assert "cubed_in_a_test" not in operations_of_pages()
        code = "Engine.operations.cubed_in_a_test.rules[0].pull(8, 2)"
        assert evaluated(code, used={"cubed_in_a_test"}) == 12
    finally:
        del PRIMITIVES["cubed_in_a_test"]


# ----------------------------------------------------------------------------------------------------- arrays


def test_page_computes_graphs_of_arrays_like_the_engine():
    """Values, contributions and sums of each step, for operations on arrays of every kind."""
    rng = np.random.default_rng(0)
    x, w, b = (Tensor(rng.normal(size=s), requires_grad=True) for s in ((3, 2), (2, 4), (4,)))
    a = Tensor(1.5, requires_grad=True)
    z = x @ w + b
    mlp = nn.MLP(2, [3, 3, 1], activation="gelu", norm="layer", rng=0)
    batch = nn.MLP(2, [3, 1], activation="silu", norm="batch", rng=0)
    graphs = [
        (z.tanh() ** 2).mean(), ag.softmax(z, axis=1).max(axis=0).sum(), nn.CrossEntropyLoss()(z, np.array([0, 1, 3])),
        nn.BCEWithLogitsLoss()(mlp(x.data), np.ones((3, 1))), (batch(x.data) ** 2).mean(),
        ag.logsumexp(z, axis=0).sum(), ag.norm(x) * a, (x + a).prod(), x.var(axis=0).sum() / a,
        x[1:].sum() * x[0, 0], (x.reshape(2, 3) @ x).sum(), ag.where(x > 0, x, 0.1 * x).sum(),
        ag.einsum("ij,jk->i", x, w).sum(), ag.concatenate([x, x * a]).mean(), (x.T @ x).sum(), x.cumsum(0).sum(),
        (x * x).mean(), (b * b + ag.broadcast_to(b, (3, 4)) * z).sum(),
    ]  # fmt: skip
    code = """given.map(data => {
      const graph = new Engine.ArrayGraph(data), values = graph.forward(graph.start());
      const steps = graph.backward(values).steps.map(({ share, total }) => [share, total].map(Engine.elements));
      return [values.map(Engine.elements), steps];
    })"""
    for root, (values, steps) in zip(graphs, evaluated(code, [page_data(root, {}) for root in graphs]), strict=True):
        for node, found in zip(topological_order(root), values, strict=True):
            np.testing.assert_allclose(found, np.ravel(node.data), rtol=1e-12, atol=1e-12)
        for step, found in zip(backward_steps(root), steps, strict=True):
            for expected, part in zip((step.contribution, step.total), found, strict=True):
                np.testing.assert_allclose(part, np.ravel(expected), rtol=1e-12, atol=1e-12)


# ----------------------------------------------------------------------------------------------------- layout

OVERLAPS = """given.map(([count, edges]) => {
  const sizes = Array.from({ length: count }, (_, k) => ({ width: 100 + k % 3, height: k % 2 ? 58 : 112 }));
  const found = Layout.nested(sizes, edges, { path: "", boxes: [...sizes.keys()], frames: [] }), { places } = found;
  const right = p => p.x + p.width, top = p => p.y - p.height / 2, bottom = p => p.y + p.height / 2;
  const apart = (p, q) => right(p) <= q.x || right(q) <= p.x || bottom(p) <= top(q) || bottom(q) <= top(p);
  return [
    places.every((p, i) => places.every((q, j) => i <= j || apart(p, q))),
    edges.every(([a, b]) => places[a].x < places[b].x),
    places.every(p => p.x >= 0 && top(p) >= 0 && right(p) <= found.width && bottom(p) <= found.height),
    new Set(found.paths).size,
  ];
})"""


def test_boxes_do_not_overlap_and_edges_go_right():
    rng = np.random.default_rng(0)
    graphs = [
        (size, sorted({(int(rng.integers(k)), k) for k in range(1, size) for _ in range(2)}, key=lambda e: e[1]))
        for size in (1, 2, 5, 30, 120)
    ]
    for (_, edges), (apart, right, inside, paths) in zip(graphs, evaluated(OVERLAPS, graphs), strict=True):
        assert apart
        assert right
        assert inside
        assert paths == len(edges)


def test_two_edges_between_the_same_boxes_are_two_curves():
    assert evaluated(OVERLAPS, [(2, [(0, 1), (0, 1)])])[0][3] == 2


def test_frames_contain_their_boxes_and_do_not_overlap():
    code = """(() => {
      const hidden = j => `tanh(w${j}1*x1 + w${j}2*x2 + b${j})`;
      const text = `(w²11*${hidden(1)} + w²12*${hidden(2)} + w²13*${hidden(3)} + b²1 - t)**2`;
      const graph = new Engine.Graph(Parser.parse(text));
      const tree = Network.frameTree(graph), names = Network.nameNodes(graph);
      const edges = graph.nodes.flatMap((node, k) => (node.args || []).filter(Array.isArray).map(([a]) => [a, k]));
      const found = Layout.nested(graph.nodes.map(() => ({ width: 100, height: 58 })), edges, tree), problems = [];
      const across = (p, f) => p.x >= f.x && p.x + p.width <= f.x + f.width;
      const down = (p, f) => p.y - p.height / 2 >= f.y && p.y + p.height / 2 <= f.y + f.height;
      const visit = frame => {
        frame.frames.forEach(visit);
        const place = found.frames.get(frame.path);
        found.places.forEach((box, k) => {
          const inside = !place || (across(box, place) && down(box, place));
          if (inside !== frame.members.includes(k)) problems.push([frame.title, names[k]]);
        });
      };
      visit(tree);
      const titles = tree.frames.map(frame => [frame.title, ...frame.frames.map(inner => inner.title)]);
      const roles = Network.roles(graph, names).filter(Boolean);
      return { problems, titles, roles, names: names.filter(name => /^[hzy]/.test(name)) };
    })()"""
    found = evaluated(code)
    assert found["problems"] == []
    assert found["titles"] == [["Layer 1: 3 neurons", "Neuron 1", "Neuron 2", "Neuron 3"], ["Layer 2: 1 neuron"]]
    assert sorted(found["names"]) == ["h1", "h2", "h3", "y", "z1", "z2", "z3"]
    assert sorted(set(found["roles"])) == ["input", "parameter", "target"]
    assert found["roles"].count("parameter") == 13


def test_layout_of_thousands_of_nodes_finishes():
    code = """(() => {
      const nodes = [{ value: 1 }];
      for (let i = 1; i < 5000; i++) nodes.push({ op: "add", args: [[i - 1], [Math.max(0, i - 1 - i % 40)]] });
      const edges = nodes.flatMap((node, k) => (node.args || []).map(([a]) => [a, k]));
      const sizes = nodes.map(() => ({ width: 100, height: 58 }));
      return Layout.nested(sizes, edges, { path: "", boxes: [...nodes.keys()], frames: [] }).places.length;
    })()"""
    assert evaluated(code) == 5000


# -------------------------------------------------------------------------------------------------- diagnoses

DIAGNOSE = """given.map(([text, values, total, step, answer]) => {
  const graph = new Engine.Graph(Parser.parse(text, new Map(Object.entries(values))));
  const pass = graph.backward(graph.forward(graph.start()));
  const asked = Answers.contributions(graph).find(q => q.total === total && q.steps[q.steps.length - 1] === step);
  return [Answers.expected(asked, pass.steps), ...Answers.diagnose(graph, pass, asked, answer)];
})"""
AB = {"a": 2.0, "b": -3.0}
CASES = [  # formula, values, is the sum asked for, step, answer, diagnosis
    ("5*exp(0.1*a*b)", AB, False, 0, 5.0, "right"),
    ("5*(a*b)", AB, False, 1, 15.0, "sign"),
    ("5*(a*b)", AB, False, 1, -3.0, "upstream"),
    ("5*(a*b)", AB, False, 1, 5.0, "local"),
    ("5*(a*b)", AB, False, 1, 10.0, "swapped"),
    ("5*(a*b)", AB, False, 1, -30.0, "value"),
    ("5*(a*b)", AB, False, 1, 2.0, "added"),
    ("5*(a*b)", AB, False, 1, -15.04, "right"),
    ("5*(a*b)", AB, False, 1, -15.4, "rounded"),
    ("5*(a*b)", AB, False, 1, 77.0, "wrong"),
    ("5*(a*a + b*a)", {"a": 2.0, "b": -2.5}, False, 6, 7.5, "sum"),
    ("5*(a*a + b*a)", {"a": 2.0, "b": -2.5}, True, 6, 7.5, "right"),
    ("5*(a*a + b*a)", {"a": 2.0, "b": -2.5}, True, 6, 10.0, "path"),
    ("5*(a*a + b*a)", {"a": 2.0, "b": -2.5}, True, 6, -2.5, "path"),
    ("3*sin(a)", AB, False, 1, 3 * np.cosh(2.0), "operation"),
    ("3*sin(a)", AB, False, 1, 3 * np.cos(2.0), "right"),
]


def test_diagnoses_agree_in_python_and_javascript():
    found = evaluated(DIAGNOSE, [case[:5] for case in CASES])
    for (text, values, total, step, answer, expected), (correct, key, operation) in zip(CASES, found, strict=True):
        steps = list(backward_steps(parse(text, values)))
        (asked,) = (q for q in questions(steps) if (len(q.steps) > 1) is total and q.steps[-1] is steps[step])
        assert asked.expected == pytest.approx(correct, rel=1e-12)
        assert diagnose(answer, asked) == (key, operation), (text, answer)
        assert key == expected, (text, answer, operation)
