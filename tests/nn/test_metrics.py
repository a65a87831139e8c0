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
        (lambda: metrics.named("acuracy"), ValueError, "did you mean 'accuracy'"),
        (lambda: metrics.named("depth"), ValueError, "choose from"),
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


def test_classes_follow_from_the_kind_of_output():
    right, labels = [0.2, 0.9, 0.6], np.array([0, 1, 1])
    assert metrics.accuracy(right, labels, "probabilities") == 1.0
    with pytest.warns(UserWarning, match="if they are probabilities, pass output_kind='probabilities'"):
        assert metrics.accuracy(right, labels) == pytest.approx(2 / 3)  # logits
    assert metrics.accuracy(right, labels, "values") == 1.0
    assert metrics.accuracy([-0.2, 0.3, -0.1], 2 * labels - 1, "values") == pytest.approx(2 / 3)
    assert metrics.accuracy([-0.2, 0.3, 0.1], 2 * labels - 1, "logits") == 1.0
    assert metrics.accuracy([-0.2, 0.3, 0.1], np.clip(labels, 0.1, 0.9), "logits") == 1.0
    several = np.array([[0.2, 0.9], [0.8, 0.7], [0.1, 0.3]])
    assert metrics.accuracy(several, [[0, 1], [1, 1], [1, 0]], "probabilities") == pytest.approx(5 / 6)
    assert metrics.accuracy(several, [1, 0, 1], "scores") == 1.0


def test_f1_of_several_labels_is_the_mean_over_labels():
    output, target = np.array([[1, -1], [1, 1], [-1, -1.0]]), np.array([[1, 1], [0, 1], [0, 0]])
    each = [metrics.f1_score(output[:, i], target[:, i]) for i in range(2)]
    assert metrics.f1_score(output, target, "logits") == pytest.approx(np.mean(each))


def test_outputs_of_nan_are_not_a_class():
    nan = float("nan")
    assert metrics.predicted_classes([[nan, 1.0], [0.0, 1.0]]).tolist() == [-1, 1]
    assert metrics.accuracy([nan, nan], [0, 1]) == 0.0
    assert metrics.accuracy([[nan, 1.0], [1.0, 0.0]], [0, 0]) == 0.5
    # class 0 occurs once and is missed; class 1 is found
    assert metrics.f1_score([nan, 1.0], [0, 1]) == 0.5
    with pytest.raises(ValueError, match="from -1 to 1, outside 0 to 1; nan is class -1"):
        metrics.confusion_matrix([nan, 1.0], [0, 1])


def test_ignored_rows_are_left_out_of_the_accuracy():
    output = np.eye(3)[[0, 1, 2, 2]]
    assert metrics.accuracy(output, [0, 1, -100, 1], ignore_index=-100) == pytest.approx(2 / 3)
    assert metrics.f1_score(output, [0, 1, -100, 2], ignore_index=-100) == 1.0


def test_targets_that_are_not_labels_are_refused():
    for output, target, kind, said in (
        ([0.5, 2.0], [1.0, 3.7], None, "run from 1.0 to 3.7"),
        ([0.5, 2.0, 1.0], [0, 1, 2], None, "a column of scores for each class"),
        ([[1.0, 2.0], [0.0, 1.0]], [[1, 1], [0, 1]], None, "several labels or none"),
        ([[1.0, 2.0], [0.0, 1.0]], [0.5, 1.0], None, "must be integers, got 0.5"),
        ([1.0], [float("nan")], None, "run from nan"),
        ([1.0], [1], "probability", "must be one of 'scores'"),
    ):
        with pytest.raises(ValueError, match=said):
            metrics.accuracy(output, target, kind)
