"""The geometry of drawings, measured in Chromium with the font that the boxes are sized for."""

import base64
from types import SimpleNamespace

import numpy as np
import pytest

import autograd as ag
import nn
from autograd import Tensor, Value, draw
from autograd.cli.parsing import parse
from autograd.drawing.render import FONT, FONT_FILE

FORMULAS = (
    "a*b + c", "tanh(a*b + c)", "a*a + sin(a)*a", "(a + b)*(a - b)", "exp(-(a*a + b*b)/2)", "log(1 + exp(a))",
    "sigmoid(a*b + c) - a", "(a + b + c)*(a*b*c)", "sqrt(a*a + b*b)", "relu(a)*b - relu(b)*a", "a**3 - 2*a + c",
    "1/(1 + exp(-a*b))",
)  # fmt: skip
MEASURE = """async (font) => {
  await document.fonts.load(`10px '${font}'`);
  const box = (e) => { const b = e.getBBox(); return [b.x, b.y, b.x + b.width, b.y + b.height]; };
  const shape = (g) => g.querySelector("path, polygon, ellipse");
  const texts = (g) => [...g.querySelectorAll("text")].map(box);
  const along = (path) => {
    const length = path.getTotalLength(), count = Math.ceil(length / 5);
    const point = (i) => path.getPointAtLength((length * i) / count);
    return Array.from({ length: count + 1 }, (_, i) => [point(i).x, point(i).y]);
  };
  const title = (g) => g.querySelector("title").textContent;
  return [...document.querySelectorAll("svg")].map((svg) => ({
    boxes: [...svg.querySelectorAll(".node")].map((g) => [title(g), shape(g) ? box(shape(g)) : null, texts(g)]),
    edges: [...svg.querySelectorAll(".edge")].map((g) => [title(g), along(g.querySelector("path")), texts(g)]),
  }));
}"""


def scalars(formula):
    """Return the result of a formula after a backward pass."""
    root = parse(formula, {name: x for name, x in (("a", 0.4), ("b", 1.1), ("c", 1.8)) if name in formula})
    root.backward()
    return root


def corpus():
    """Yield some forty drawings: every kind, direction and zoom."""
    for i, formula in enumerate(FORMULAS):
        root = scalars(formula)
        yield f"{formula} {i}", draw(root, direction=("LR", "TB")[i % 2])
        yield f"{formula} partials", draw(root, partials=True, formulas=i % 2 == 0)
    X = np.linspace(-1, 1, 6).reshape(3, 2)
    model = nn.MLP(2, [4, 3, 1], activation="tanh", rng=0)
    residual = nn.Sequential(nn.Linear(2, 4, rng=0), nn.Residual(nn.Linear(4, 4, rng=1), nn.ReLU()), nn.LayerNorm(4))
    for part, name in ((model, "mlp"), (residual, "residual")):
        for zoom in ("layers", "tensors"):
            for direction in ("LR", "TB"):
                yield (
                    f"{name} {zoom} {direction}",
                    draw(part, X, loss=lambda y: (y * y).mean(), zoom=zoom, direction=direction),
                )
        yield f"{name} passes", nn.draw_passes(part, X, loss=lambda y: (y * y).mean())
    yield "scalars", draw(nn.MLP(2, [2, 1], rng=0), X[:1], zoom="scalars")
    yield "neurons", nn.draw_neurons(model, X[0])
    x = Tensor(X, requires_grad=True, name="ωΩ∂θ — a long name")
    for root in (ag.softmax(x, axis=1).sum(), (x @ x.T).mean(), ag.logsumexp(x * x, axis=0).sum()):
        root.backward()
        yield f"array {root.op}", draw(root, theme="dark")
    a, b = Value(1.0, name="a"), Value(2.0, name="b")
    yield "path", draw((a * b + a.exp()).tanh() / b, path=a)
    yield "color", draw((a * b + a.exp()).tanh() / b, color="gradient")


def overlap(one, other, slack=0.6):
    """Return whether two boxes (left, top, right, bottom) overlap by more than a line's width."""
    return all(one[i] + slack < other[i + 2] and other[i] + slack < one[i + 2] for i in (0, 1))


def faults(measured):
    """Yield what is wrong with a drawing."""
    boxes = [(name, box) for name, box, _ in measured["boxes"] if box]
    for name, box, texts in measured["boxes"]:
        for text in texts:
            if box and (text[0] < box[0] - 0.1 or text[2] > box[2] + 0.1):
                yield f"a text leaves the box {name} by {max(box[0] - text[0], text[2] - box[2]):.1f} px"
    for i, (name, box) in enumerate(boxes):
        for other, second in boxes[:i]:
            if overlap(box, second):
                yield f"the boxes {name} and {other} overlap"
    labels = [(title, text) for title, _, texts in measured["edges"] for text in texts]
    for i, (title, text) in enumerate(labels):
        for name, box in boxes:
            if overlap(text, box):
                yield f"the label of {title} covers the box {name}"
        for other, second in labels[:i]:
            if overlap(text, second, slack=2.0):  # the line height of a text exceeds its letters
                yield f"the labels of {title} and {other} overlap"
    for title, points, _ in measured["edges"]:
        ends = {end.partition(":")[0] for end in title.split("->")}
        path = np.array(points)
        for name, box in boxes:
            if name not in ends and ((path > np.add(box[:2], 1)) & (path < np.subtract(box[2:], 1))).all(axis=1).any():
                yield f"the arrow {title} passes through the box {name}"
        for other, text in labels:
            if title != other and ((path > np.add(text[:2], 3)) & (path < np.subtract(text[2:], 3))).all(axis=1).any():
                yield f"the arrow {title} passes through the label of {other}"


def test_boxes_labels_and_arrows_of_drawings_do_not_overlap(opened):
    names, drawings = zip(*corpus(), strict=True)
    assert len(names) >= 40
    font = base64.b64encode(FONT_FILE.read_bytes()).decode("ascii")
    style = f"<style>@font-face{{font-family:'{FONT}';src:url(data:font/ttf;base64,{font})}}</style>"
    pictures = "".join(drawing.svg()[drawing.svg().index("<svg") :] for drawing in drawings)
    page = opened(SimpleNamespace(html=f"<!doctype html><meta charset=utf-8>{style}{pictures}"))
    found = {name: [*faults(measured)] for name, measured in zip(names, page.evaluate(MEASURE, FONT), strict=True)}
    # the exponent must come second, but its arrow and that of the other operand cross
    assert found.pop("a**3 - 2*a + c partials") == ["the arrow n3->n2 passes through the label of n0->n2"]
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    ("second", "said"),
    [([5, 0, 15, 10], "overlap"), ([20, 0, 30, 10], "text leaves"), ([40, 0, 50, 10], "passes through")],
)
def test_faults_of_a_drawing_are_found(second, said):
    texts = [[18, 2, 29, 8]] if said == "text leaves" else []
    measured = {
        "boxes": [["n0", [0, 0, 10, 10], []], ["n1", second, texts], ["n2", [60, 0, 70, 10], []]],
        "edges": [["n0->n2", [[x, 5] for x in range(10, 60)], []]] if said == "passes through" else [],
    }
    assert said in next(faults(measured))
