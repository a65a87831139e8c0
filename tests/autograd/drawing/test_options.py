"""`draw`: derivatives on edges, formulas, paths, shades and repetitions."""

import graphlib
import re
import shutil
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from dots import attributes, boxes, edge_labels, frames, labels
from hypothesis import given, strategies as st

import autograd as ag
from autograd import Tensor, Value
from autograd.drawing import render as r
from autograd.drawing.folding import runs
from autograd.drawing.picture import THEMES
from autograd.extend import drawn_by

ENGINES = [
    pytest.param(r._graphviz, id="dot", marks=pytest.mark.skipif(not shutil.which("dot"), reason="no Graphviz")),
    pytest.param(r._embedded, id="embedded"),
]


@pytest.fixture
def leaves():
    return [Value(x, name=name) for x, name in ((2.0, "a"), (-3.0, "b"), (10.0, "c"))]


@pytest.fixture
def f(leaves):
    a, b, c = leaves
    f = (a * b + c).tanh()
    f.name = "f"
    return f


def test_partials_label_the_arrows_into_an_operation(f):
    assert edge_labels(ag.draw(f, partials=True).source) == ["-3", "2", "1", "1", "0.001341"]
    assert edge_labels(ag.draw(f).source) == []


def test_partials_with_formulas_show_the_rules(f):
    assert edge_labels(ag.draw(f, partials=True, formulas=True).source)[::2] == ["b = -3", "1", "1 - f * f = 0.001341"]


def test_arrow_without_gradient_has_no_partial():
    x, y = Value(2.0, name="x"), Tensor([1.0, 2.0], name="data")
    assert edge_labels(ag.draw(x * y, partials=True).source) == ["[1, 2]"]
    assert edge_labels(ag.draw(y * y, partials=True).source) == []


def test_the_partial_of_an_array_operation_is_a_summary_or_a_formula():
    W = Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True, name="W")
    x = Tensor(np.ones((3, 1)), name="x")
    (text,) = edge_labels(ag.draw(W @ x, partials=True).source)
    assert "x" in text
    assert edge_labels(ag.draw(ag.exp(W), partials=True).source) == ["1 … 148.4"]


def test_partials_and_shades_do_not_change_grad(f, leaves):
    before = [leaf.grad for leaf in leaves]
    ag.draw(f, partials=True, color="gradient")
    assert [leaf.grad for leaf in leaves] == before


def test_formulas_number_unnamed_nodes(f):
    shown = labels(ag.draw(f, formulas=True, values=False, gradients=False).source)
    assert shown == ["a", "b", "v1|a * b", "c", "v2|a * b + c", "f|tanh(a * b + c)"]


def test_a_long_formula_shows_the_last_operation_only():
    x = Value(1.5, name="quantity")
    y = x
    for _ in range(30):
        y = (y * x).sin()
    last = labels(ag.draw(y, formulas=True, values=False, gradients=False).source)[-1]
    assert re.fullmatch(r"L\|sin\(v\d+\)", last)


def test_formulas_of_a_deep_graph_do_not_recurse():
    y = x = Value(1.0, name="x")
    for _ in range(5000):
        y = y + x
    assert any("x + x" in label for label in labels(ag.draw(y, formulas=True).source))


@pytest.mark.parametrize("theme", list(THEMES))
def test_path_highlights_from_the_leaf_to_the_result(f, leaves, theme):
    source = ag.draw(f, path=leaves[0], theme=theme, values=False, gradients=False).source
    marked = [label for label in ("a", "f") if attributes(source, label).get("penwidth") == "2.2"]
    assert marked == ["a", "f"]
    assert "penwidth" not in attributes(source, "b")
    nodes, _ = boxes(source)
    assert len(re.findall(r"->.*penwidth=2.2", source)) == 6  # a * ab + abc tanh f
    assert len(nodes) == 9


def test_path_accepts_several_nodes(f, leaves):
    source = ag.draw(f, path=leaves[:2], gradients=False).source
    assert [attributes(source, x).get("penwidth") for x in "abc"] == ["2.2", "2.2", None]


def test_path_from_another_graph_raises(f):
    with pytest.raises(ValueError, match="does not depend"):
        ag.draw(f, path=Value(1.0))


def test_shades_follow_sign_and_magnitude():
    a, b = Value(1.0, name="a"), Value(1.0, name="b")
    c = Value(1.0, name="c")
    source = ag.draw(1000 * a + 0.01 * b - 1000 * c, color="gradient", gradients=False).source
    fill = [attributes(source, x)["fillcolor"] for x in "cba"]
    assert fill == list(THEMES["light"].shades)
    assert all(f"label={text}" in source.replace('"', "") for text in ("-1e+03", "-10", "0", "10", "1e+03"))


def test_a_fan_out_shows_the_terms_of_its_gradient():
    a, b = Value(2.0, name="a"), Value(-3.0, name="b")
    y = a * b + a
    assert "+1" not in ag.draw(y).source  # before the backward pass
    assert "grad" not in ag.draw(y).source
    y.backward()
    source = ag.draw(y).source
    assert sorted(filter(None, edge_labels(source))) == ["+1", "-3"]
    assert "+1" not in ag.draw(y, partials=True).source
    assert "+1" not in ag.draw(y, gradients=False).source
    a.grad = 5.0  # another gradient than that of the graph
    assert "+1" not in ag.draw(y).source


def test_values_are_blue_and_gradients_red():
    theme = THEMES["light"]
    x = Value(-2.0, name="grade")
    y = x * Value(3.0, name="4.weight")
    y.backward()
    texts = re.findall(r'fill="([^"]+)">([^<]+)</text>', ag.draw(y).svg())
    colours = {text.replace("&#45;", "-"): fill for fill, text in texts}
    expected = dict.fromkeys(("-2", "3", "-6"), theme.forward) | dict.fromkeys(("grad 3", "grad -2"), theme.accent)
    assert {text: colours[text] for text in expected} == expected
    assert colours["grade"] == colours["4.weight"] == theme.ink


def test_shades_where_every_gradient_is_nan_or_zero():
    x = Value(0.0, name="x")
    for y in (x * 0.0, x * float("nan"), x * float("inf")):
        assert "fillcolor" in ag.draw(y, color="gradient").source


def test_several_results_share_one_reverse_pass():
    x = Value(3.0, name="x")
    source = ag.draw([x * x, 2 * x], color="gradient", gradients=False).source
    assert "label=8 " in source


@pytest.mark.parametrize(
    ("options", "says"),
    [({"color": "pink"}, "kind, gradient, got 'pink'"), ({"zoom": "atoms"}, "layers, tensors, scalars, got 'atoms'")],
)
def test_invalid_option_raises_with_the_choices(f, options, says):
    with pytest.raises(ValueError, match=says):
        ag.draw(f, **options)


@pytest.mark.parametrize("options", [{"zoom": "layers"}, {"loss": abs}])
def test_options_of_models_raise_for_results(f, options):
    with pytest.raises(TypeError, match=r"draw\(model, x\)"):
        ag.draw(f, **options)
    with pytest.raises(TypeError, match=r"draw\(model, x\)"):
        ag.draw(f, 1.0)


# What is repeated.


@pytest.mark.parametrize(
    ("signs", "found"),
    [
        ([], []),
        ([1], []),
        ([1, 1], []),
        ([1, 1, 1], [(0, 1, 3)]),
        ([1, 2, 1, 2], []),
        ([9, 1, 2, 1, 2, 1, 2, 1], [(1, 2, 3)]),
        ([1, 1, 1, 2] * 3, [(0, 4, 3)]),
        ([1, 2, 3] * 4 + [5] * 7, [(0, 3, 4), (12, 1, 7)]),
        (list(range(50)), []),
    ],
)
def test_runs_finds_repetitions(signs, found):
    assert list(runs(signs)) == found


def loop(steps, body):
    x = Value(0.5, name="x")
    y = x
    for _ in range(steps):
        y = body(y, x)
    return y


def test_loops_of_several_operations_are_drawn_once():
    picture = ag.draw(loop(2000, lambda y, x: (y * x).sin() + 1))
    assert frames(picture.source) in (["× 1,999"], ["× 1,998"])
    assert len(labels(picture.source)) < 12


def test_loops_in_loops_are_frames_in_frames():
    def outer(y, x):
        for _ in range(10):
            y = y * x
        return y.sin() + x

    shown = frames(ag.draw(loop(100, outer)).source)
    assert any(label in ("× 98", "× 99") for label in shown)
    assert any(label in ("× 9", "× 10") for label in shown)


def test_operations_connected_differently_are_not_folded():
    fibonacci = [Value(1.0), Value(1.0)]
    for _ in range(600):
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    assert len(frames(ag.draw(fibonacci[-1]).source)) == 1
    x = y = Value(1.0)
    for i in range(600):
        y = y * x if i % 2 else y + x
    assert len(labels(ag.draw(y).source, "ellipse")) <= 4


def test_powers_with_different_exponents_are_not_folded():
    x = y = Value(0.1)
    for i in range(600):
        y = y ** (2 + i % 3) + x
    assert len(labels(ag.draw(y).source, "ellipse")) >= 6


def test_a_small_graph_is_never_folded():
    assert frames(ag.draw(loop(100, lambda y, x: y + x)).source) == []


def test_a_loop_over_examples_of_a_scalar_network_is_drawn_once():
    w = [Value(0.1 * i, name=f"w{i}") for i in range(4)]
    total = Value(0.0)
    for i in range(200):
        total = total + ((w[0] * (i / 7) + w[1]).tanh() * w[2] + w[3] - i % 3) ** 2
    picture = ag.draw(total)
    assert any(label.startswith("× 19") for label in frames(picture.source))
    assert len(labels(picture.source)) < 40
    assert {"w0|0", "w3|0.3"} <= set(labels(picture.source))


# Any program at all: what is drawn has no cycle, and nothing is lost from the count.


class Program:
    """Random operations in random nested parts, some of them in loops."""

    def __init__(self, seed, steps):
        self.rng = np.random.default_rng(seed)
        self.steps = steps

    def body(self, recorder, pool, depth, path):
        for _ in range(int(self.rng.integers(1, 4))):
            kind = self.rng.integers(5)
            if kind == 0 and depth < 3:
                recorder.enter(f"{path}.{self.rng.integers(3)}", "Part")
                self.body(recorder, pool, depth + 1, f"{path}.p")
                recorder.leave()
            elif kind == 1:
                step, state = int(self.rng.integers(1, 9)), self.rng.bit_generator.state
                for _ in range(step):  # the same again
                    self.rng.bit_generator.state = state
                    self.operate(pool)
            else:
                self.operate(pool)

    def operate(self, pool):
        a, b = pool[-int(self.rng.integers(1, min(4, len(pool)) + 1))], pool[-1]
        pool.append([lambda: a + b, lambda: b.sin(), lambda: b * 2.0, lambda: a * Value(0.5)][self.rng.integers(4)]())


@drawn_by(Program)
def run_program(program, inputs, recorder, **options):
    pool = list(inputs)
    recorder.enter("", "Program")
    for _ in range(program.steps):
        program.body(recorder, pool, 0, "a")
    recorder.leave()
    return pool[-1:]


@given(
    seed=st.integers(0, 10**6),
    steps=st.integers(1, 40),
    limit=st.sampled_from([None, 1, 7, 500]),
    expand=st.sampled_from([(), True, 0, 1, 2, "*.1"]),
    zoom=st.sampled_from(["layers", "tensors"]),
)
def test_any_program_is_drawn_without_cycles(seed, steps, limit, expand, zoom):
    inputs = [Value(1.0, name="x"), Value(2.0, name="y")]
    options = {"limit": limit, "expand": expand, "zoom": zoom, "partials": True}
    picture = ag.draw(Program(seed, steps), *inputs, **options)
    nodes, edges = boxes(picture.source)
    assert {name for edge in edges for name in edge} <= set(nodes)
    sorter = graphlib.TopologicalSorter()
    for tail, head in edges:
        sorter.add(head, tail)
    sorter.prepare()  # raises CycleError
    assert len(nodes) >= 1
    if expand is True and limit is None:
        assert len(labels(picture.source)) == picture.nodes
        assert "×" not in picture.source


def test_the_same_program_gives_the_same_bytes():
    first, second = (ag.draw(Program(3, 30), Value(1.0), Value(2.0)).source for _ in range(2))
    assert first == second


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("seed", "steps", "expand"), [(836405, 23, 1), (314200, 22, 2), (246002, 23, 2)])
def test_frames_keep_every_edge(engine, seed, steps, expand):
    # These made `dot` give up before frames were ranked the new way.
    picture = ag.draw(Program(seed, steps), Value(1.0), Value(2.0), expand=expand, direction="TB")
    nodes, edges = boxes(picture.source)
    svg = engine(picture.source, "svg", 30)
    assert (svg.count(b'class="node'), svg.count(b'class="edge"')) == (len(nodes), len(edges))


class Difference:
    """Subtracts in a part of its own."""


@drawn_by(Difference)
def run_difference(thing, inputs, recorder, **options):
    recorder.enter("", "Difference")
    result = inputs[1] * 2 - inputs[0] * 2
    recorder.leave()
    return [result]


@pytest.mark.parametrize("engine", ENGINES)
def test_operands_lie_in_their_order_in_frames_too(engine):
    a, b = Value(1.0, name="a"), Value(2.0, name="b")
    for first, second in ((a, b), (b, a)):
        source = ag.draw(Difference(), first, second, expand=True, gradients=False, values=False).source
        svg = ET.fromstring(engine(source, "svg", 30))
        height = {t.text: float(t.get("y")) for t in svg.iter("{http://www.w3.org/2000/svg}text")}
        assert height[second.name] < height[first.name]


@pytest.mark.parametrize(("direction", "label"), [("LR", "=-3]"), ("TB", '="  -3 "]'), ("BT", '="  -3 "]')])
def test_labels_are_padded_beside_vertical_arrows(direction, label):
    picture = ag.draw(Value(2.0) * Value(-3.0), partials=True, direction=direction)
    assert f"[label{label}" in picture.source
