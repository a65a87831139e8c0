"""`repr` and `summary` of models."""

import numpy as np
import pytest

import nn
from autograd import Tensor
from nn.random import is_seeded
from nn.training import History


def mlp(**options):
    return nn.MLP(3, [4, 2], rng=0, **options)


def test_repr_counts_parameters():
    assert repr(mlp()) == (
        "MLP(  # 26 parameters\n"
        "  (0): Linear(in_features=3, out_features=4)  # 16 parameters\n"
        "  (1): ReLU()\n"
        "  (2): Linear(in_features=4, out_features=2)  # 10 parameters\n"
        ")"
    )
    assert repr(nn.Linear(1, 1, bias=False)) == "Linear(in_features=1, out_features=1, bias=False)  # 1 parameter"
    assert repr(nn.HuberLoss(delta=2.0)) == "HuberLoss(reduction='mean', delta=2.0)"
    assert repr(nn.Residual(nn.Tanh())) == "Residual(\n  (block): Tanh()\n)"


def test_summary_is_a_table_and_does_not_change_the_model():
    model = nn.Sequential(nn.MLP(4, [4, 3], norm="batch", dropout=0.5, residual=True, rng=0), nn.Softmax())
    model[0][0].block[0].requires_grad_(False)
    nn.manual_seed(3)
    expected = np.random.default_rng(3).random()
    table = nn.summary(model, 4)
    assert nn.random.as_generator().random() == expected
    assert not model[0][0].block[1].num_batches_tracked
    lines = repr(table).splitlines()
    assert lines[0].split() == ["layer", "output", "shape", "parameters", "memory"]
    assert "    0: Residual" in repr(table)
    assert table.parameters == sum(p.size for p in model.parameters()) == 43
    assert table.trainable == 43 - 20
    assert "parameters   43 (20 frozen)" in lines
    page = table._repr_html_()
    assert page.count("<tr>") == len(table.rows) + 1
    assert "<td>\N{EM SPACE}\N{EM SPACE}0: Residual</td>" in page
    assert "43 (20 frozen)" in page
    shapes = {row.path: row.output_shape for row in table.rows}
    assert shapes[""] == ("N", 3)
    assert shapes["0.0.block.1"] == ("N", 4)
    assert table.activation_bytes == 8 * (4 + 4 + 4 + 4 + 3 + 3)
    assert nn.summary(nn.Embedding(5, 2), (3,), dtype=int).rows[0].output_shape == ("N", 3, 2)
    assert nn.summary(nn.Bilinear(2, 3, 1), 2, 3).parameters == 7
    with pytest.raises(ValueError, match=r"expected input of shape \(..., 4\), got"):
        nn.summary(model, 5)
    with pytest.raises(TypeError, match="takes a Module"):
        nn.summary(3, 5)


def test_shared_weights_are_counted_once_in_the_summary():
    layer = nn.Linear(2, 2)
    other = nn.Linear(2, 2)
    other.weight = layer.weight
    assert nn.summary(nn.Sequential(layer, other), 2).parameters == 8


def test_summary_leaves_the_random_generator_as_it_was(monkeypatch):
    monkeypatch.setattr("nn.random._by_seed", False)
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 2))
    before = nn.get_rng_state()
    nn.summary(model, 3)
    assert nn.get_rng_state() == before
    assert not is_seeded()


def test_summary_of_data_instead_of_a_shape_names_the_call():
    for data, said in (
        (np.ones((5, 3)), r"got ndarray of shape \(5, 3\); write summary\(model, 3\)"),
        ([[1.0, 2.0, 3.0]], r"got list of shape \(1, 3\); write summary\(model, 3\)"),
        (Tensor(np.ones((5, 2, 3))), r"got Tensor .* summary\(model, \(2, 3\)\)"),
    ):
        with pytest.raises(TypeError, match=said):
            nn.summary(mlp(), data)
    assert nn.summary(mlp(), np.int64(3)).parameters == nn.summary(mlp(), [3]).parameters == 26


def test_a_notebook_shows_the_last_epochs_of_a_history():
    history = History()
    for epoch in range(30):
        history.add({"loss": 1 / (epoch + 1), "validation loss": 2.0})
    page = history._repr_html_()
    assert page.startswith("<table><tr><th>epoch</th><th>loss</th><th>validation loss</th></tr><tr><td>11</td>")
    assert page.endswith("<tr><td>30</td><td>0.0333</td><td>2</td></tr></table>")
    assert History()._repr_html_() == "<table><tr><th>epoch</th></tr></table>"
