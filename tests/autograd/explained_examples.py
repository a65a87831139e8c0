"""The examples whose explanations are recorded beside the tests; run it to record them again."""

from pathlib import Path

import numpy as np

from autograd import Tensor, Value, log_softmax
from autograd.explaining.explanation import explain

GOLDEN = Path(__file__).parent / "golden"


def neuron():
    a, b, c = Value(2.0, name="a"), Value(-3.0, name="b"), Value(10.0, name="c")
    f = (a * b + c).tanh()
    f.name = "f"
    return f


def shared():
    x = Value(3.0, name="x")
    y = x * x + x.sin() * x
    y.name = "y"
    return y


def mlp():
    """Two layers, tanh, softmax and cross-entropy, on three points."""
    X = Tensor([[0.5, -1.0], [1.5, 2.0], [-0.5, 0.75]], name="X")
    W1 = Tensor([[0.1, -0.2, 0.3], [0.4, 0.5, -0.6]], requires_grad=True, name="W1")
    b1 = Tensor([0.1, 0.2, 0.3], requires_grad=True, name="b1")
    W2 = Tensor([[0.7, -0.8], [0.9, 1.0], [-1.1, 1.2]], requires_grad=True, name="W2")
    b2 = Tensor([0.0, 0.5], requires_grad=True, name="b2")
    A1 = X @ W1
    Z1 = A1 + b1
    H = Z1.tanh()
    A2 = H @ W2
    Z2 = A2 + b2
    logP = log_softmax(Z2)
    right = logP[np.arange(3), np.array([0, 1, 0])]
    L = -right.mean()
    for name, node in {"A1": A1, "Z1": Z1, "H": H, "A2": A2, "Z2": Z2, "logP": logP, "right": right, "L": L}.items():
        node.name = name
    return L


EXAMPLES = {
    "neuron": lambda: explain(neuron()),
    "neuron_wrt_a": lambda: explain(neuron(), wrt="a"),
    "shared_wrt_x": lambda: explain(shared(), wrt="x"),
    "mlp": lambda: explain(mlp()),
    "mlp_wrt_W1": lambda: explain(mlp(), wrt="W1"),
}
FORMS = {"txt": "text", "md": "markdown", "tex": "latex"}
RECORDED = [(name, suffix) for name in EXAMPLES for suffix in FORMS]


def record():
    GOLDEN.mkdir(exist_ok=True)
    for name, suffix in RECORDED:
        (GOLDEN / f"{name}.{suffix}").write_text(getattr(EXAMPLES[name](), FORMS[suffix]), encoding="utf-8")


if __name__ == "__main__":
    record()
