"""`draw` of models: frames, boxes and repetitions at every zoom; the model does not change."""

import re
import shutil
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

import autograd as ag
import nn
from autograd.drawing import render as r
from autograd.drawing.picture import THEMES

sys.path.append(str(Path(__file__).parents[2] / "autograd"))
from dots import attributes, boxes, edge_labels, frames, labels

SVG = "{http://www.w3.org/2000/svg}"
ENGINES = [
    pytest.param(r._graphviz, id="dot", marks=pytest.mark.skipif(not shutil.which("dot"), reason="no Graphviz")),
    pytest.param(r._embedded, id="embedded"),
]
X = np.random.default_rng(0).normal(size=(10, 4))
TARGET = np.arange(10) % 3


def loss(output):
    return nn.CrossEntropyLoss()(output, TARGET)


@pytest.fixture
def model():
    return nn.MLP(4, [8, 3], activation="tanh", rng=0)


class Block(nn.Module):
    def __init__(self, width, rng):
        super().__init__()
        self.net = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width, rng=rng), nn.ReLU())

    def forward(self, x):
        return x + self.net(x)


@pytest.fixture
def deep():
    return nn.Sequential(nn.Linear(4, 6, rng=0), *(Block(6, i) for i in range(48)), nn.Linear(6, 3, rng=1))


def test_layers_are_boxes_in_the_frame_of_the_model(model):
    source = ag.draw(model, X).source
    assert frames(source) == ["MLP"]
    assert labels(source) == [
        "x|(10, 4)|-2.325 … 1.493",
        "0 Linear|4 → 8|40 parameters",
        "1 Tanh",
        "2 Linear|8 → 3|27 parameters|→ (10, 3)",
    ]
    assert boxes(source)[1] == [("n0", "n1"), ("n1", "n2"), ("n2", "n3")]
    assert edge_labels(source) == ["(10, 8)", "(10, 8)"]


def test_tensors_are_frames_in_frames(model):
    source = ag.draw(model, X, zoom="tensors").source
    assert frames(source) == ["MLP", "0 Linear", "1 Tanh", "2 Linear"]
    assert labels(source, "ellipse") == ["xWᵀ+b", "tanh", "xWᵀ+b"]
    assert [label.split("|")[0] for label in labels(source) if "weight" in label] == ["0.weight", "2.weight"]


def test_scalars_show_the_gradients_of_the_tensors(model):
    x, target = X[:1], TARGET[:1]

    def squares(output):
        return ((output - target) ** 2).sum()

    numbers = {}
    source = ag.draw(model, x, zoom="scalars", loss=squares, limit=None).source
    for label in labels(source):
        if found := re.match(r"([\d.]+(?:weight|bias)\[.*?\])\|.*\|grad (.*)", label):
            numbers[found[1]] = float(found[2])
    squares(model(x)).backward()
    expected = {
        f"{name}[{', '.join(map(str, i))}]": p.grad[i]
        for name, p in model.named_parameters()
        for i in np.ndindex(p.shape)
    }
    assert numbers.keys() == expected.keys()
    assert numbers == {name: pytest.approx(g, rel=1e-3) for name, g in expected.items()}


def test_the_gradients_shown_are_those_of_the_loss(model):
    source = ag.draw(model, X, loss=loss, zoom="tensors").source
    assert all(p.grad is None for p in model.parameters())
    loss(model(X)).backward()
    g = model[0].bias.grad
    assert f"|grad {g.min():.4g} … {g.max():.4g}" in "".join(labels(source))


def test_without_a_loss_the_gradients_are_the_stored_ones(model):
    assert "grad" not in ag.draw(model, X, zoom="tensors").source
    loss(model(X)).backward()
    assert ag.draw(model, X, zoom="tensors").source.count(r"grad\ ") == 4


@pytest.mark.parametrize(
    ("expand", "shown"),
    [
        (0, []),
        (1, ["Sequential", "× 48"]),
        (None, ["Sequential", "× 48", "1 Block", "1.net Sequential"]),
        ("1.net.1", ["Sequential", "× 48", "1 Block", "1.net Sequential", "1.net.1 Linear"]),
        (["0", "4*"], ["Sequential", "0 Linear", "× 48", "1 Block", "1.net Sequential", "49 Linear"]),
    ],
)
def test_parts_are_opened(deep, expand, shown):
    assert frames(ag.draw(deep, X, expand=expand).source) == shown


def test_everything_can_be_opened(deep):
    source = ag.draw(deep, X, expand=True, limit=None).source
    assert len(frames(source)) == 1 + 2 + 48 * 5
    assert "×" not in source


def test_a_closed_model_is_one_box(model):
    assert labels(ag.draw(model, X, expand=0).source) == [
        "x|(10, 4)|-2.325 … 1.493",
        "MLP|67 parameters|→ (10, 3)",
    ]


def test_repeated_blocks_are_drawn_once(deep):
    picture = ag.draw(deep, X, loss=loss)
    assert len(labels(picture.source)) < 15
    assert picture.message == ""
    source = ag.draw(nn.MLP(4, [4] * 7, rng=0), X).source
    assert frames(source) == ["MLP", "× 6"]  # the seventh is the result


def test_layers_of_other_widths_are_not_repetitions():
    assert frames(ag.draw(nn.MLP(4, [5, 6, 7, 8], rng=0), X).source) == ["MLP"]


def test_a_module_called_twice_has_two_boxes():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 4, rng=0)

        def forward(self, x):
            return self.layer(self.layer(x).tanh())

    shown = labels(ag.draw(Twice(), X).source)
    assert "layer Linear|4 → 4|20 parameters" in shown
    assert any(label.startswith("layer Linear (call 2)") for label in shown)


def test_path_accepts_a_parameter_of_the_model(model):
    source = ag.draw(model, X, path=model[0].weight, zoom="tensors", loss=loss).source
    assert attributes(source, "0.weight")["penwidth"] == "2.2"
    assert "penwidth" not in attributes(source, "2.weight")
    source = ag.draw(model, X[:1], path=model[2].bias, zoom="scalars", loss=lambda y: (y * y).sum()).source
    assert attributes(source, r"2.bias[0]")["penwidth"] == "2.2"


def test_names_apply_to_the_parameters_of_the_model(model):
    assert "first|" in "\n".join(labels(ag.draw(model, X, zoom="tensors", names={"first": model[0].weight}).source))


def test_drawing_leaves_the_model_as_it_was():
    model = nn.MLP(4, [8, 3], norm="batch", dropout=0.5, rng=0)
    before, state = model.state_dict(), nn.get_rng_state()
    first = ag.draw(model, X, loss=loss, zoom="tensors").source
    assert ag.draw(model, X, loss=loss, zoom="tensors").source == first
    after = model.state_dict()
    assert all(np.array_equal(before[key], after[key]) for key in before)
    assert str(nn.get_rng_state()) == str(state)
    assert all(part._hooks is None for part in model.modules())


def test_micrograds_networks_are_drawn_too():
    model = nn.scalar.MLP(2, [3, 1], rng=0)
    assert frames(ag.draw(model, [1.0, 2.0]).source) == ["MLP", "layers.0 Layer", "× 3", "layers.1 Layer"]
    assert len(ag.topological_order(model([1.0, 2.0]))) > 20


def test_several_inputs_have_names():
    source = ag.draw(nn.Bilinear(4, 4, 2, rng=0), X, X).source
    assert [label.split("|")[0] for label in labels(source)][:2] == ["x1", "x2"]


def test_integers_are_not_drawn_as_variables():
    source = ag.draw(nn.Sequential(nn.Embedding(5, 3, rng=0), nn.Linear(3, 2, rng=0)), np.array([1, 2])).source
    assert "0 Embedding" in "\n".join(labels(source))


def test_scalars_of_a_batch_are_folded_to_one_example_of_one_neuron():
    model = nn.MLP(2, [4, 3, 1], activation="tanh", rng=1)
    x = np.linspace(-1, 1, 10).reshape(5, 2)
    folded = ag.draw(model, x, zoom="scalars")
    assert {"× 20", "× 15"} <= set(frames(folded.source))
    assert "repetitions, marked ×" in folded.message
    assert len(boxes(folded.source)[0]) < 100
    assert ag.draw(model, x, zoom="scalars", expand=True).message == ""
    assert ag.draw(model, x[:1], zoom="scalars").message == ""


def test_loss_of_many_outputs_is_folded():
    model = nn.MLP(4, [5, 10], rng=0)
    picture = ag.draw(model, np.ones((3, 4)), zoom="scalars", loss=lambda z: (z * z).mean())
    assert picture.count < 80
    assert "× 29" in picture.source  # the squares of 30 outputs, and their sum


def test_large_models_are_folded():
    picture = ag.draw(nn.MLP(64, [32, 10], rng=0), np.ones((1, 64)), zoom="scalars")
    assert "are repetitions, marked ×" in picture.message
    assert len(labels(picture.source)) < 150


@pytest.mark.parametrize("thing", [3, "x", object(), nn.Tanh, None])
def test_draw_of_other_objects_with_inputs_raises(thing):
    with pytest.raises(TypeError, match="draw takes a Value or Tensor"):
        ag.draw(thing, X)


def test_model_without_input_raises(model):
    with pytest.raises(TypeError, match=r"draw\(model, x\)"):
        ag.draw(model)
    with pytest.raises(TypeError, match="nothing to draw"):
        ag.draw(nn.Sequential(), 3)


def test_error_in_forward_is_raised(model):
    with pytest.raises(ValueError, match="4"):
        ag.draw(model, np.ones((2, 5)))
    assert ag.is_grad_enabled()
    assert ag.draw(model, X).message == ""


@pytest.mark.parametrize("zoom", ["layers", "tensors", "scalars"])
@pytest.mark.parametrize("theme", list(THEMES))
@pytest.mark.parametrize("engine", ENGINES)
def test_every_zoom_and_theme_draws(engine, theme, zoom):
    model = nn.MLP(2, [2, 1], activation="tanh", rng=0)
    source = ag.draw(model, X[:1, :2], zoom=zoom, theme=theme, partials=True, color="gradient").source
    svg = ET.fromstring(engine(source, "svg", 30))
    kinds = [g.get("class").split()[0] for g in svg.iter(f"{SVG}g")]
    assert kinds.count("node") == len(boxes(source)[0])
    assert kinds.count("cluster") == len(frames(source))


@pytest.mark.parametrize("engine", ENGINES)
def test_hostile_names_of_modules_are_text(engine):
    nasty = 'a"]; pwn [label="{x|y}<b>\\'
    model = nn.Sequential({nasty: nn.Linear(4, 3, rng=0), "b": nn.Sequential({nasty: nn.Tanh()})})
    for zoom in ("layers", "tensors"):
        source = ag.draw(model, X, zoom=zoom).source
        svg = ET.fromstring(engine(source, "svg", 30))
        assert [g.get("class").split()[0] for g in svg.iter(f"{SVG}g")].count("node") == len(boxes(source)[0])
        text = " ".join("".join(t.itertext()) for t in svg.iter(f"{SVG}text")).replace("\xa0", " ")
        assert nasty in text
