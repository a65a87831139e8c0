"""Mistakes that everybody makes once: each is answered with what to write instead, and changes nothing."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import autograd as ag
import nn
import optim
from autograd import Tensor, Value, draw, explain
from autograd.cli.commands import main as autograd_command
from autograd.drawing.player import play
from nn import checkpoint
from nn.__main__ import main as nn_command
from nn.cli.options import train_parser
from nn.data import DataLoader
from nn.training import fit

X = np.random.default_rng(0).normal(size=(12, 3))
Y, LABELS = X[:, :1], (X[:, 0] > 0).astype(int)
WORDS = np.array(["yes", "no"] * 6)


@pytest.fixture(autouse=True)
def _somewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def mlp(*sizes, **options):
    return nn.MLP(3, list(sizes or (4, 1)), rng=0, **options)


def fitted(model=None, loss=None, optimizer=None, data=(X, Y), **options):
    model = model or mlp()
    optimizer = optimizer or optim.SGD(model.parameters(), lr=0.1)
    return fit(model, loss or nn.MSELoss(), optimizer, data, progress=False, **{"epochs": 1} | options)


def step():
    model = mlp()
    return ag.compile(lambda x, y: nn.MSELoss()(model(x), y), optimizer=optim.SGD(model.parameters()))


# use -> [(mistake, error, what the answer says)]
IN_PYTHON = {
    "explain and play": [
        (lambda: explain("a*b"), TypeError, ["operations on a Value", "python -m autograd"]),
        (lambda: explain(3.0), TypeError, ["operations on a Value"]),
        (lambda: play(Value(2.0) * 3, path="page.svg"), ValueError, ["ends in .html", "page.svg"]),
        (lambda: play(lambda x: x * x), TypeError, ["operations on a Value", "play(Value(2.0) * 3)"]),
        (lambda: Value(2.0) ^ 2, TypeError, ["write a power as x**y"]),
        (lambda: Value([1.0, 2.0]), TypeError, ["one float"]),
        (lambda: ag.grad(Value(2.0) * 3), TypeError, ["expected a function", "gradients(y, x)"]),
        (lambda: (Tensor([1.0, 2.0]) * 2).sum().backward(), RuntimeError, ["Tensor(..., requires_grad=True)"]),
    ],
    "compile": [
        (lambda: ag.compile(3), TypeError, ["compile takes a function", "not 3"]),
        (lambda: ag.compile(mlp()(X).sum()), TypeError, ["compile takes a function", "Tensor"]),
        (lambda: step().many((X, Y), [[0, 1]]), TypeError, ["write step.many(x, y, rows)"]),
        (lambda: step().many([X, X], [[0, 1]]), TypeError, ["write step.many(x, y, rows)"]),
    ],
    "draw": [
        (lambda: draw(mlp()), TypeError, ["draw(model, x)"]),
        (lambda: draw("loss"), TypeError, ["Value or Tensor", "operations on a Value"]),
        (lambda: draw(mlp(), np.ones((2, 5))), ValueError, ["expected input of shape (..., 3), got (2, 5)"]),
        (lambda: draw(Value(1.0) * 2).save("graph.jpg"), ValueError, [".svg, .png, .pdf, .tex, .dot, .mmd, .html"]),
        (
            lambda: draw(Value(1.0) * 2).save("pictures/graph.svg"),
            OSError,
            ["the folder to write to does not exist", "pictures"],
        ),
        (lambda: draw(Value(1.0) * 2, direction="down"), ValueError, ["LR, TB, RL, BT"]),
    ],
    "models": [
        (lambda: nn.MLP(3, 4, 1), TypeError, ["a list of integers such as [16, 16, 1]"]),
        (lambda: mlp(activation="rellu"), ValueError, ["'rellu'", "relu"]),
        (lambda: mlp()(X[:, :2]), ValueError, ["expected input of shape (..., 3), got ("]),
        (lambda: nn.Sequential([nn.Linear(3, 1)]), TypeError, ["Sequential(*layers)"]),
        (lambda: nn.Sequential(nn.Linear(3, 1), nn.ReLU), TypeError, ["write ReLU(...)"]),
        (lambda: nn.Dropout(50), ValueError, ["p must be in [0, 1], got 50"]),
        (lambda: mlp().fit(X, Y), AttributeError, ["nn.training.fit(model, loss, optimizer, (X, y))"]),
    ],
    "losses": [
        (lambda: nn.MSELoss()(mlp(), Y), TypeError, ["call the model first, model(x)"]),
        (lambda: nn.MSELoss(mlp()(X), Y), TypeError, ["MSELoss()(x, y)"]),
        (lambda: nn.CrossEntropyLoss(mlp(4, 2)(X), LABELS), TypeError, ["CrossEntropyLoss()(x, y)"]),
        (lambda: nn.BCEWithLogitsLoss(mlp()(X), Y), ValueError, ["'mean', 'sum', 'none'"]),
        (lambda: nn.CrossEntropyLoss()(mlp(4, 2)(X), LABELS[:, None]), ValueError, ["use target[:, 0]"]),
        (lambda: nn.CrossEntropyLoss()(mlp()(X), LABELS), IndexError, ["one output per class", "BCE"]),
        (lambda: nn.CrossEntropyLoss()(mlp(4, 2)(X), LABELS * 1.0), TypeError, ["astype(int)"]),
        (lambda: nn.BCELoss()(mlp()(X) * 9, LABELS[:, None]), ValueError, ["with_logits"]),
        (lambda: nn.MSELoss()(mlp()(X), Y[:, 0]), ValueError, ["target.reshape(prediction.shape)"]),
        *[
            (lambda mistake=mistake, words=words: mistake(words), TypeError, ["must be integers", "np.unique(labels"])
            for mistake in (
                nn.Embedding(2, 3),
                nn.data.one_hot,
                partial(nn.CrossEntropyLoss(), np.ones((12, 2))),
                partial(nn.metrics.accuracy, np.ones((12, 2))),
            )
            for words in (WORDS, WORDS.astype(object), WORDS.tolist())
        ],
    ],
    "optimizers": [
        (lambda: optim.Adam(mlp().parameters, lr=0.1), TypeError, ["call it: model.parameters()"]),
        (lambda: optim.Adam(mlp(), lr=0.1), TypeError, ["pass model.parameters()"]),
        (lambda: optim.Adam(mlp().parameters(), learning_rate=0.1), TypeError, ["'learning_rate'", "lr"]),
        (lambda: optim.Adam(mlp().parameters(), lr="0.1"), TypeError, ["lr must be a number", "'0.1'"]),
        (lambda: optim.lr_scheduler.StepLR(mlp(), 3), TypeError, ["StepLR(SGD(model.parameters()"]),
    ],
    "fit": [
        (lambda: fitted(loss=nn.MSELoss), TypeError, ["write MSELoss()"]),
        (lambda: fitted(loss=optim.SGD(mlp().parameters())), TypeError, ["type SGD; the order is fit(model, loss,"]),
        (lambda: fitted(optimizer="adam"), TypeError, ["optim.Adam(model.parameters())"]),
        (lambda: fitted(optimizer=optim.SGD(mlp().parameters(), lr=0.1)), ValueError, ["model.parameters()"]),
        (lambda: fitted(data=X), TypeError, ["(X, y)"]),
        (lambda: fitted(data=(X, Y[:5])), ValueError, ["12 rows", "5 rows"]),
        (lambda: fitted(data=(X.astype(str), Y)), TypeError, ["must hold numbers", "read_csv"]),
        (lambda: fitted(metrics="acuracy"), ValueError, ["'acuracy'", "accuracy"]),
        (lambda: DataLoader((X, Y), 4), TypeError, ["DataLoader(TensorDataset(X, y))"]),
        (lambda: nn.MLPClassifier().predict(X), ValueError, ["call fit(X, y) first"]),
        (lambda: nn.MLPClassifier().fit(WORDS[:, None], LABELS), ValueError, ["string to float", "pass a data frame"]),
        (lambda: nn.MLPRegressor().fit(WORDS.astype(object)[:, None], Y), ValueError, ["pass a data frame"]),
        (lambda: nn.MLPRegressor().fit(X, WORDS), ValueError, ["y must hold numbers", "use MLPClassifier"]),
    ],
    "checkpoints": [
        (lambda: checkpoint.save(mlp(), "run.npz"), TypeError, ["the order is (path, model)"]),
        (lambda: checkpoint.load("run.npz", mlp()), FileNotFoundError, ["checkpoint does not exist", "run.npz"]),
        (lambda: checkpoint.save("models/run.npz", mlp()), OSError, ["does not exist", "models"]),
        (lambda: mlp().load_state_dict("run.npz"), TypeError, ["a mapping from names to arrays"]),
    ],
}


@pytest.mark.parametrize(
    ("mistake", "kind", "says"),
    [pytest.param(*row, id=f"{use} {i}") for use, rows in IN_PYTHON.items() for i, row in enumerate(rows, 1)],
)
def test_mistake_in_python_raises_a_helpful_error(mistake, kind, says):
    with pytest.raises(kind) as caught:
        mistake()
    for words in says:
        assert words in str(caught.value)
    assert not list(Path.cwd().iterdir())


def test_diverging_training_warns_with_advice():
    model = mlp()
    with np.errstate(all="ignore"), pytest.warns(RuntimeWarning, match="lower the learning rate"):
        fitted(model, optimizer=optim.SGD(model.parameters(), lr=1e30), epochs=20)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["explain", "tanh(a*b)", "a=2,b=3"], "write a=2"),
        (["explain", "a*b", "a:2", "b=3"], "write name=number, as in a=2"),
        (["explain", "a*b", "a=2"], "give it a value: b=2"),
        (["explain", "a*pi", "a=2"], "pi=3.14159"),
        (["explain", "a*b", "a=2", "b=3", "c=4"], "c=4: the formula does not use it"),
        (["explain", "a^2", "a=2"], "a power is written **"),
        (["explain", "2a", "a=2"], "a product is written 2*a"),
        (["explain", "sin a", "a=2"], "sin is called with parentheses: sin(...)"),
        (["explain", "np.tanh(a)", "a=2"], "write tanh"),
        (["explain", "tahn(a)", "a=2"], "did you mean"),
        (["explain", "a*a", "a=2", "-o", "x.docx"], ".txt, .md, .tex, .html"),
        (["plot", "a*a", "a=2"], "'explain', 'draw', 'play'"),
        (["draw", "a*a", "a=2", "--path", "c"], "the variables of the formula are a"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_mistake_in_a_formula_prints_a_helpful_error(arguments, says, capsys):
    code, out, said = answer(autograd_command, arguments, capsys)
    assert (code, out) == (2, "")
    assert says in said
    assert "Traceback" not in said
    assert not list(Path.cwd().iterdir())


def answer(command, arguments, capsys):
    try:
        code = command(arguments)
    except SystemExit as stopped:
        code = stopped.code
    return code, *capsys.readouterr()


def test_formula_may_be_an_assignment(capsys):
    code, out, _ = answer(autograd_command, ["grad", "y = a*b", "a=2", "b=3"], capsys)
    assert code == 0
    assert "y = 6.0" in out


TABLE = "length,width,kind\n" + "".join(f"{i},{i % 5},{'xy'[i % 2]}\n" for i in range(30))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["data.csv"], "choose from 'train'|choose from train"),
        (["train"], "required: table"),
        (["train", "dta.csv"], "the CSV file does not exist: dta.csv"),
        (["train", "data.csv", "--target", "kin"], "its columns are length, width, kind"),
        (["train", "data.csv", "--hidden", "16x16"], "widths such as 16,16"),
        (["train", "data.csv", "--optimizer", "adamm"], "'adam'"),
        (["train", "data.csv", "--epochs", "1e3"], "an integer of at least 1"),
        (["train", "data.csv", "--target", "length", "--task", "classification"], "--task regression"),
        (["predict", "run", "data.csv"], "run python -m nn train ... --out run"),
        (["report", "data.csv"], "not the folder of a run"),
        (["sweep", "data.csv"], "is not JSON"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_mistake_with_a_table_prints_a_helpful_error(arguments, says, capsys):
    Path("data.csv").write_text(TABLE)
    code, _, said = answer(nn_command, arguments, capsys)
    assert code == 2
    assert re.search(says, said)
    assert "Traceback" not in said
    assert [p.name for p in Path.cwd().iterdir()] == ["data.csv"]


def test_optimizer_names_are_accepted_in_python_spelling():
    options = train_parser().parse_args(["data.csv", "--optimizer", "AdamW", "--activation", "Tanh"])
    assert (options.optimizer, options.activation) == ("adamw", "tanh")
