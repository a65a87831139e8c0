"""`draw_diff`, `draw_backward`, `neuron_diagram` and `pass_diagram`."""

import base64
import io
import re
import shutil
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from dots import NODE, attributes, boxes, edge_labels, frames, labels
from PIL import Image

import autograd as ag
from autograd import Tensor, Value
from autograd.drawing import render as r
from autograd.drawing.draw import Animation
from autograd.drawing.picture import THEMES

LIGHT = THEMES["light"]
SVG = "{http://www.w3.org/2000/svg}"
ENGINES = [
    pytest.param(r._graphviz, id="dot", marks=pytest.mark.skipif(not shutil.which("dot"), reason="no Graphviz")),
    pytest.param(r._embedded, id="embedded"),
]
HOSTILE = ['a"]; pwn [', "{x|y}<b>", "\\N\\", "&lt;", "😀 é א", "two\nlines", "", "nul\0"]


def fills(source):
    """(label, fill) of every box with a fill."""
    found = []
    for line in source.splitlines():
        if (node := NODE.match(line)) and (fill := re.search(r' fillcolor="(#\w+)"', line)):
            found.append((node[2].strip('"{}').replace("\\ ", " "), fill[1]))
    return found


def painted(source, fill):
    return [label for label, color in fills(source) if color == fill]


# Two graphs side by side.


def softmaxes(row):
    x = Tensor(np.array([row]), requires_grad=True, name="x")
    e, s = ag.exp(x), x - ag.max(x, axis=1, keepdims=True)
    shifted = ag.exp(s)
    return e / ag.sum(e, axis=1, keepdims=True), shifted / ag.sum(shifted, axis=1, keepdims=True)


def test_a_naive_and_a_stable_softmax_differ_in_the_shift():
    picture = ag.draw_diff(*softmaxes([1.0, 2.0, 3.0]), titles=("naive", "stable"), values=False)
    source = picture.source
    assert frames(source) == ["naive", "stable"]
    assert painted(source, LIGHT.removed[0]) == []
    assert painted(source, LIGHT.added[0]) == ["(1, 1)", r"max\naxis=1, keepdims=True", "(1, 3)", "-"]
    assert painted(source, LIGHT.changed[0]) == ["(1, 3)", "(1, 1)"] * 2  # e and its sum are other numbers
    same = [label for label in painted(source, LIGHT.inner[0]) if label == "(1, 3)"]
    assert len(same) == 2  # the results agree


def test_equal_graphs_have_no_colours():
    def f(a):
        return (a * 2).sin() + a

    source = ag.draw_diff(f(Value(3.0, name="a")), f(Value(3.0, name="a"))).source
    assert {fill for _, fill in fills(source)} == {LIGHT.inner[0]}


def test_diff_marks_a_leaf_with_other_data():
    source = ag.draw_diff(Value(3.0, name="a") * 2, Value(4.0, name="a") * 2).source
    assert painted(source, LIGHT.changed[0]) == ["a|3", "6", "a|4", "8"]


def test_diff_marks_nodes_of_the_first_graph_only():
    x = Value(3.0, name="x")
    source = ag.draw_diff((x + 1).exp(), x.exp()).source
    assert painted(source, LIGHT.removed[0]) == ["4", "+"]
    assert painted(source, LIGHT.added[0]) == []


def test_diff_accepts_other_shapes_and_dtypes():
    x = Tensor(np.ones(3), requires_grad=True, name="x")
    wider = Tensor(np.ones(4), requires_grad=True, name="x")
    for a, b in (
        (x.sum(), wider.sum()),
        (x[0:2] * x[np.array([0, 1])], x * np.array([True, False, True])),
        (Value(float("nan"), name="v") * 1, Value(float("inf"), name="v") * 1),
    ):
        assert len(fills(ag.draw_diff(a, b).source)) >= 4  # a leaf and a result on either side


def test_a_comparison_of_large_graphs_is_folded():
    x = y = Value(1.0, name="x")
    for _ in range(3000):
        y = y * x
    picture = ag.draw_diff(y, y + 1)
    assert "draw_diff(..., limit=None)" in picture.message
    assert len(labels(picture.source)) < 60


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("theme", list(THEMES))
def test_comparisons_draw_with_any_titles(engine, theme):
    for title in HOSTILE:
        a = Value(1.0, name=title)
        source = ag.draw_diff(a * 2, a + 1, titles=(title, title), theme=theme).source
        svg = ET.fromstring(engine(source, "svg", 30))
        kinds = [g.get("class").split()[0] for g in svg.iter(f"{SVG}g")]
        assert (kinds.count("node"), kinds.count("cluster")) == (8, 2)


def test_diff_of_other_objects_raises():
    with pytest.raises(TypeError, match="two Values or Tensors"):
        ag.draw_diff(Value(1.0), 2.0)
    with pytest.raises(ValueError, match="theme must be one of"):
        ag.draw_diff(Value(1.0), Value(1.0), theme="pink")


# draw_backward


@pytest.fixture
def animation():
    a, b = Value(2.0, name="a"), Value(-3.0, name="b")
    return ag.draw_backward(a * b + a, names={"a": a})


def texts(frame):
    return re.search(r'label="(step .*?|forward.*?|backward.*?|every.*?)" label', frame)[1]


def test_there_is_a_frame_for_every_step(animation):
    assert [texts(frame) for frame in animation.frames] == [
        "forward: every node has its value",
        "backward begins: ∂L/∂L = 1",
        "step 1 of 4:  ∂L/∂v1 = 1 · 1 = 1",
        "step 2 of 4:  ∂L/∂a = 1 · 1 = 1",
        "step 3 of 4:  ∂L/∂a += 1 · -3 (b) = -3",
        "step 4 of 4:  ∂L/∂b = 1 · 2 (a) = 2",
        "every gradient is complete",
    ]


def test_gradients_appear_in_the_frame_of_their_step(animation):
    shown = [next(label for label in labels(frame) if label.startswith("a|")) for frame in animation.frames]
    assert shown == ["a|2|grad", "a|2|grad", "a|2|grad", "a|2|grad 1", "a|2|grad -2", "a|2|grad -2", "a|2|grad -2"]
    assert [frame.count("dir=back") for frame in animation.frames] == [0, 0, 1, 1, 1, 1, 0]


def test_animation_ends_with_the_gradients_of_backward():
    a, b = Value(2.0, name="a"), Value(-3.0, name="b")
    f = ((a * b).tanh() + a / b).exp()
    last = ag.draw_backward(f).frames[-1]
    f.backward()
    assert {f"a|2|grad {a.grad:.4g}", f"b|-3|grad {b.grad:.4g}"} <= set(labels(last))


@pytest.mark.parametrize("engine", ENGINES)
def test_boxes_do_not_move_between_frames(animation, engine):
    places = set()
    for frame in animation.frames:
        svg = ET.fromstring(engine(frame, "svg", 30))
        groups = [g for g in svg.iter(f"{SVG}g") if "node" in g.get("class").split()]
        shapes = [next(e for e in g if e.tag in (f"{SVG}path", f"{SVG}polygon", f"{SVG}ellipse")) for g in groups]
        places.add(tuple(e.get("d") or e.get("points") or (e.get("cx"), e.get("cy")) for e in shapes))
    assert len(places) == 1


def test_animation_is_a_gif_that_repeats(tmp_path, animation):
    path = animation.save(tmp_path / "pass.gif", seconds=0.5)
    with Image.open(io.BytesIO(path.read_bytes())) as gif:
        assert (gif.format, gif.n_frames, gif.info["loop"]) == ("GIF", 7, 0)
        assert gif.info["duration"] == 500
    assert [p.name for p in tmp_path.iterdir()] == ["pass.gif"]


def test_a_notebook_shows_the_animation(animation, monkeypatch):
    bundle = animation._repr_mimebundle_()
    assert base64.b64decode(bundle["image/gif"]) == animation.gif()
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert animation._repr_mimebundle_() == {"text/plain": "<animation of 7 frames>"}


def test_animation_with_another_suffix_raises(animation, tmp_path):
    with pytest.raises(ValueError, match=r"\.gif"):
        animation.save(tmp_path / "pass.mp4")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        animation.save(tmp_path / "none" / "pass.gif")
    assert repr(animation) == "<animation of 7 frames>"
    assert isinstance(animation, Animation)


def test_animation_of_a_large_graph_raises():
    x = y = Value(1.0)
    for _ in range(70):
        y = y * x
    with pytest.raises(ValueError, match=r"71 nodes.*60"):
        ag.draw_backward(y)
    with pytest.raises(TypeError, match="Value or Tensor"):
        ag.draw_backward(3.0)


def test_animation_of_arrays():
    W = Tensor(np.ones((2, 3)), requires_grad=True, name="W")
    frames_of = ag.draw_backward((W @ np.ones(3)).sum()).frames
    assert len(frames_of) == 5
    assert "W|(2, 3)|all 1|grad all 1" in labels(frames_of[-1])


# Neurons, and both passes.


def test_weights_have_width_and_colour():
    source = ag.neuron_diagram([("in", 2), ("out", 1, [[2.0, -1.0]])]).source
    lines = re.findall(r"-> \w+ \[arrowhead=none color=\"(#\w{6})\w\w\" penwidth=([\d.]+)\]", source)
    assert lines == [(LIGHT.signs[0], "2.12"), (LIGHT.signs[1], "4.00")]  # the smaller one first


def test_neurons_show_output_and_sign_of_bias():
    source = ag.neuron_diagram([("in", 1, None, [0.5]), ("out", 2, [[1.0], [0.0]], [1.25, 0], [-1.0, 0.0])]).source
    assert labels(source, "circle") == ["0.5", "1.2", "0"]
    assert attributes(source, "1.2")["color"] == LIGHT.signs[0]
    assert labels(source, "plaintext") == ["in", "out"]


def test_wide_layers_are_shortened():
    picture = ag.neuron_diagram([("in", 100), ("out", 5, np.ones((5, 100)))], limit=6)
    assert len(labels(picture.source, "circle")) == 6 + 5
    assert r"⋮\n94 more" in labels(picture.source, "plaintext")
    assert picture.message == "94 of 105 neurons are not shown; limit=None shows all"


@pytest.mark.parametrize("weight", [0.0, float("nan"), float("inf"), 1e-300])
@pytest.mark.parametrize("engine", ENGINES)
def test_any_weight_draws(engine, weight):
    source = ag.neuron_diagram([("in", 1), ("out", 1, [[weight]])]).source
    assert engine(source, "svg", 30).count(b'class="node') == 4


def stage(title="Linear"):
    return [title, "2 → 1"], [("∂L/∂W", np.ones((1, 2)))], ("a", np.ones(3)), ("∂L/∂a", None)


def test_both_passes_go_opposite_ways():
    source = ag.pass_diagram((("x", None), ("∂L/∂x", None)), [stage(), stage("Tanh")]).source
    assert labels(source) == ["Linear|2 → 1|<b> ∂L/∂W all 1", "Tanh|2 → 1|<b> ∂L/∂W all 1"] or len(labels(source)) == 2
    forward = [line for line in source.splitlines() if "->" in line and "dir=back" not in line and "invis" not in line]
    backward = [line for line in source.splitlines() if "dir=back" in line]
    assert len(forward) == len(backward) == 4
    assert all(":f" in line for line in forward)
    assert all(":b" in line for line in backward)


def test_long_chains_are_shortened():
    picture = ag.pass_diagram((("x", None), ("∂L/∂x", None)), [stage() for _ in range(40)])
    assert picture.message == "33 of 40 layers are not shown"
    assert len(labels(picture.source)) == 7


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("theme", list(THEMES))
def test_figures_draw_with_any_text(engine, theme):
    for text in HOSTILE:
        source = ag.pass_diagram(
            ((text, None), (text, None)), [([text], [(text, None)], (text, None), (text, 1.0))]
        ).source
        assert engine(source, "svg", 30).count(b'class="node') == 5
        source = ag.neuron_diagram([(text, 2), (text, 1, [[1.0, -1.0]])], theme=theme).source
        assert ET.fromstring(engine(source, "svg", 30)) is not None
        assert len(boxes(source)[0]) == 5


@pytest.mark.parametrize("engine", ENGINES)
def test_any_text_beside_an_arrow_is_shown_literally(engine):
    for text in HOSTILE:
        x, y = Value(2.0, name=text), Value(3.0, name="y")
        source = ag.draw(x * y, partials=True, formulas=True).source
        assert len(boxes(source)[0]) == 4
        assert len(edge_labels(source)) == 2
        svg = ET.fromstring(engine(source, "svg", 30))
        assert [g.get("class").split()[0] for g in svg.iter(f"{SVG}g")].count("node") == 4
