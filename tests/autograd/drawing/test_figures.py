"""`draw_backward`, and labels of arrows."""

import base64
import io
import re
import shutil
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from dots import boxes, edge_labels, labels
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


@pytest.mark.parametrize("engine", ENGINES)
def test_any_text_beside_an_arrow_is_shown_literally(engine):
    for text in HOSTILE:
        x, y = Value(2.0, name=text), Value(3.0, name="y")
        source = ag.draw(x * y, partials=True, formulas=True).source
        assert len(boxes(source)[0]) == 4
        assert len(edge_labels(source)) == 2
        svg = ET.fromstring(engine(source, "svg", 30))
        assert [g.get("class").split()[0] for g in svg.iter(f"{SVG}g")].count("node") == 4
