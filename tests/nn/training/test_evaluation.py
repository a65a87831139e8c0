"""`evaluate`: metrics get the meaning of outputs from the loss, and data without a batch are refused."""

import numpy as np
import pytest

import nn
from nn.training import evaluate


def test_metrics_know_the_kind_of_output_from_the_loss():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    signs = np.sign(x)
    for output, loss, target in (
        (nn.Sigmoid(), nn.BCELoss(), (x > 0).astype(float)),
        (nn.Identity(), nn.BCEWithLogitsLoss(), np.where(x > 0, 0.9, 0.1)),
        (nn.Identity(), nn.HingeLoss(), signs),
        (nn.Identity(), nn.SquaredHingeLoss(), signs),
        (nn.Identity(), nn.SoftMarginLoss(), signs),
        (nn.Identity(), nn.FocalLoss(), (x > 0).astype(float)),
        (nn.Identity(), nn.MSELoss(), None),
        (nn.Identity(), nn.CrossEntropyLoss(ignore_index=1), np.where(x[:, 0] > x[:, 1], 0, 1)),
    ):
        inputs = x[:, :1] if target is None else x  # one column of values near the labels -1 and 1
        measured = evaluate(output, loss, (inputs, np.sign(inputs) if target is None else target), ["accuracy", "f1"])
        assert (measured["accuracy"], measured["f1"]) == (1.0, 1.0), type(loss).__name__


def test_evaluating_no_batch_is_refused():
    batches = iter([(np.ones((2, 1)), np.ones((2, 1)))])
    assert evaluate(nn.Identity(), nn.MSELoss(), batches)["loss"] == 0.0
    with pytest.raises(ValueError, match="no batch; is it an exhausted iterator"):
        evaluate(nn.Identity(), nn.MSELoss(), batches)
