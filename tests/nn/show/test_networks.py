"""`draw_neurons` and `draw_passes` of models."""

import copy
import re
import shutil
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import autograd as ag
import nn
from autograd.drawing import render as r
from autograd.drawing.picture import THEMES

LIGHT = THEMES["light"]
ENGINES = [
    pytest.param(r._graphviz, id="dot", marks=pytest.mark.skipif(not shutil.which("dot"), reason="no Graphviz")),
    pytest.param(r._embedded, id="embedded"),
]
HOSTILE = ['a"]; pwn [', "{x|y}<b>", "\\N\\", "&lt;", "😀 é א", "two\nlines", "", "nul\0"]
X = np.random.default_rng(0).normal(size=(5, 3))


def circles(source):
    return re.findall(r'label=("[^"]*"|\S+) [^\n]*shape=circle', source)


def penwidths(source):
    return [float(w) for w in re.findall(r"arrowhead=none color=\S+ penwidth=([\d.]+)", source)]


def test_neurons_of_linear_layers():
    model = nn.MLP(3, [4, 2], activation="tanh", rng=0)
    source = nn.draw_neurons(model).source
    assert len(circles(source)) == 9
    assert len(penwidths(source)) == 3 * 4 + 4 * 2
    assert r"0 Linear\nTanh" in source


def test_each_neuron_shows_its_output():
    model = nn.MLP(3, [4, 2], activation="tanh", rng=0)
    hidden = np.tanh(X[:1] @ model[0].weight.data.T + model[0].bias.data)
    expected = [*X[0], *hidden[0], *model(X[:1]).data[0]]
    assert [c.strip('"') for c in circles(nn.draw_neurons(model, X[0]).source)] == [f"{v:.2g}" for v in expected]


def test_neurons_with_dropout_and_normalization():
    model = nn.MLP(3, [4, 2], norm="batch", dropout=0.5, rng=0)
    model(X)
    before = model.state_dict()
    nn.draw_neurons(model, X[0])
    assert all(np.array_equal(before[k], v) for k, v in model.state_dict().items())
    assert model.training


@pytest.mark.parametrize(
    ("model", "x", "says"),
    [
        (nn.Tanh(), None, "does not contain a Linear layer"),
        (nn.ModuleList([nn.Linear(2, 3), nn.Linear(4, 1)]), None, "not consecutive"),
        (nn.Linear(2, 3), [1.0], r"\(2,\), got \(1,\)"),
    ],
)
def test_model_without_neurons_raises(model, x, says):
    with pytest.raises(ValueError, match=says):
        nn.draw_neurons(model, x)


def test_other_objects_raise():
    with pytest.raises(TypeError, match="Module"):
        nn.draw_neurons(3)
    with pytest.raises(TypeError, match="Sequential"):
        nn.draw_passes(nn.Tanh())


def test_both_passes_without_input():
    source = nn.draw_passes(nn.MLP(3, [4, 2], rng=0)).source
    for text in ("0\\ Linear", "3\\ →\\ 4", "1\\ ReLU", "∂L/∂W0", "∂L/∂b2", "∂L/∂a1", "ŷ", "∂L/∂ŷ", "loss"):
        assert text in source


def test_both_passes_show_the_gradients_of_the_loss():
    model = nn.MLP(3, [4, 2], activation="tanh", rng=0)

    def loss(y):
        return (y * y).mean()

    source = nn.draw_passes(model, X, loss=loss).source
    assert all(p.grad is None for p in model.parameters())
    total = loss(model(X))
    total.backward()
    for p, name in ((model[0].weight, "W0"), (model[2].weight, "W2")):
        text = f"∂L/∂{name}\\ {p.grad.min():.4g}\\ …\\ {p.grad.max():.4g}"
        assert text in source
    assert f"L\\n{total.data:.4g}" in source


def test_any_sequential_is_drawn():
    blocks = nn.Sequential(nn.Residual(nn.Linear(3, 3, rng=0), nn.ReLU()), nn.BatchNorm1d(3), nn.Dropout(0.5))
    before = blocks.state_dict()
    source = nn.draw_passes(blocks, X, loss=lambda y: y.sum()).source
    assert "0\\ Residual" in source
    assert all(np.array_equal(before[k], v) for k, v in blocks.state_dict().items())
    embedding = nn.Sequential(nn.Embedding(5, 3, rng=0), nn.Linear(3, 1, rng=0))
    assert "0\\ Embedding" in nn.draw_passes(embedding, np.array([0, 1]), loss=lambda y: y.sum()).source


def test_passes_of_invalid_arguments_raise():
    with pytest.raises(ValueError, match="empty"):
        nn.draw_passes(nn.Sequential())
    with pytest.raises(ValueError, match="requires an input"):
        nn.draw_passes(nn.MLP(2, [1]), loss=abs)
    assert isinstance(nn.draw_passes(nn.MLP(2, [1])), type(ag.draw(ag.Value(1.0))))


def layer(weights, biases=None):
    """Return a `Linear` layer with these weights."""
    made = nn.Linear(len(weights[0]), len(weights), rng=0)
    made.weight.data = np.array(weights, float)
    made.bias.data = np.zeros(len(weights)) if biases is None else np.array(biases, float)
    return made


def test_weights_have_width_and_colour():
    source = nn.draw_neurons(layer([[2.0, -1.0]])).source
    lines = re.findall(r"-> \w+ \[arrowhead=none color=\"(#\w{6})\w\w\" penwidth=([\d.]+)\]", source)
    assert lines == [(LIGHT.signs[0], "2.12"), (LIGHT.signs[1], "4.00")]  # the smaller one first


def test_neurons_show_the_sign_of_their_bias():
    source = nn.draw_neurons(layer([[1.0], [0.0]], [-1.0, 0.0]), [2.25]).source
    assert circles(source) == ["2.2", "1.2", "0"]
    (line,) = (line for line in source.splitlines() if "label=1.2 " in line)
    assert f'color="{LIGHT.signs[0]}"' in line


def test_wide_layers_are_shortened():
    picture = nn.draw_neurons(nn.Linear(100, 5, rng=0), limit=6)
    assert len(circles(picture.source)) == 6 + 5
    assert r"⋮\n94 more" in picture.source
    assert picture.message == "94 of 105 neurons are not shown; limit=None shows all"


@pytest.mark.parametrize("weight", [0.0, float("nan"), float("inf"), 1e-300])
@pytest.mark.parametrize("engine", ENGINES)
def test_any_weight_draws(engine, weight):
    source = nn.draw_neurons(layer([[weight]])).source
    assert engine(source, "svg", 30).count(b'class="node') == 4


def test_both_passes_go_opposite_ways():
    source = nn.draw_passes(nn.Sequential(nn.Linear(2, 1, rng=0))).source
    forward = [line for line in source.splitlines() if "->" in line and "dir=back" not in line and "invis" not in line]
    backward = [line for line in source.splitlines() if "dir=back" in line]
    assert len(forward) == len(backward) == 4
    assert all(":f" in line for line in forward)
    assert all(":b" in line for line in backward)


@pytest.mark.parametrize("engine", ENGINES)
def test_networks_draw_with_any_text(engine):
    for text in HOSTILE:
        kind = type(text.replace("\0", "") or "empty", (nn.Linear,), {"extra_repr": lambda self, text=text: text})
        model = copy.copy(layer([[1.0, -1.0]]))
        model.__class__ = kind
        source = nn.draw_passes(nn.Sequential(model)).source
        assert engine(source, "svg", 30).count(b'class="node') == 8
        for theme in THEMES:
            source = nn.draw_neurons(nn.Sequential(model, nn.Tanh()), theme=theme).source
            assert len(ET.fromstring(engine(source, "svg", 30)).findall(".//*[@class='node']")) == 5


def test_networks_have_no_interactive_page(tmp_path):
    with pytest.raises(ValueError, match=r"\.svg"):
        nn.draw_neurons(nn.Linear(2, 1)).save(tmp_path / "neurons.html")
