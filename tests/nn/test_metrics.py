"""Metrics against closed forms and scikit-learn's definitions, and their errors."""

import numpy as np
import pytest

from autograd import Tensor
from nn import metrics


def test_accuracy_accepts_logits_scores_and_classes():
    assert metrics.accuracy(Tensor([[0.0, 1.0], [2.0, 1.0]]), [1, 1]) == 0.5
    assert metrics.accuracy(np.array([[-1.0], [1.0]]), [[0], [1]]) == 1.0
    assert metrics.accuracy([1, 0, 2], [1, 0, 1]) == pytest.approx(2 / 3)
    assert metrics.accuracy([[0.9, 0.1]], [[1.0, 0.0]]) == 1.0


def test_confusion_matrix_counts_true_in_rows_and_predicted_in_columns():
    counts = metrics.confusion_matrix([0, 2, 2, 1], [0, 1, 2, 1], classes=4)
    assert counts.tolist() == [[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert metrics.confusion_matrix(np.zeros((2, 3)), [0, 0]).shape == (3, 3)


def test_metrics_of_other_array_types_use_their_array_interface():
    class Frame:
        _data = "internal"

        def __array__(self, dtype=None, copy=None):
            return np.array([0, 1, 1], dtype)

    assert metrics.accuracy([0, 1, 0], Frame()) == pytest.approx(2 / 3)
    assert metrics.accuracy([0, 1, 0], np.ma.masked_array([0, 1, 1])) == pytest.approx(2 / 3)


def test_f1_is_the_mean_over_classes_that_occur():
    # class 0: precision 1/2, recall 1; class 1: precision 1, recall 1/2
    assert metrics.f1_score([0, 0, 1], [0, 1, 1]) == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert metrics.f1_score(np.eye(5)[[0, 1]], [0, 1]) == 1.0


def test_r2_is_one_zero_or_negative():
    y = np.array([1.0, 2.0, 3.0, 6.0])
    assert metrics.r2_score(y, y) == 1.0
    assert metrics.r2_score(np.full(4, 3.0), y) == 0.0
    assert metrics.r2_score(-y, y) < 0
    assert metrics.r2_score(y[:, None], y) == 1.0
    assert metrics.r2_score([2.0, 2.0], [2.0, 2.0]) == 1.0
    assert metrics.r2_score([2.0, 3.0], [2.0, 2.0]) == 0.0
    both = np.stack([y, y], 1)
    assert metrics.r2_score(np.stack([y, np.full(4, 3.0)], 1), both) == 0.5


def test_errors_are_in_the_units_of_the_target():
    assert metrics.mean_absolute_error([0.0, 4.0], [1.0, 1.0]) == 2.0
    assert metrics.root_mean_squared_error([0.0, 4.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]) == pytest.approx(10**0.5 / 2)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: metrics.accuracy([1, 0], [1]), ValueError, "2 predictions"),
        (lambda: metrics.accuracy(np.zeros((0, 2)), []), ValueError, "are empty"),
        (lambda: metrics.predicted_classes(np.zeros((2, 2, 2))), ValueError, "shape"),
        (lambda: metrics.r2_score([1.0], [1.0, 2.0]), ValueError, "shape"),
        (lambda: metrics.r2_score([], []), ValueError, "are empty"),
        (lambda: metrics.confusion_matrix([0, 3], [0, 1], classes=2), ValueError, "0 to 1"),
        (lambda: metrics.named("acuracy"), ValueError, "choose from"),
        (lambda: metrics.named([3]), TypeError, "function"),
    ],
)
def test_metric_of_invalid_arguments_raises(call, error, said):
    with pytest.raises(error, match=said):
        call()


def test_metrics_are_found_by_name_function_or_mapping():
    assert list(metrics.named("accuracy")) == ["accuracy"]
    assert list(metrics.named(["r2", metrics.accuracy])) == ["r2", "accuracy"]
    assert list(metrics.named({"right": "accuracy"})) == ["right"]
