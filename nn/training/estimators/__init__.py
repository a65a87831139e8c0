"""`MLPClassifier` and `MLPRegressor`: multi-layer perceptrons with scikit-learn's methods and argument names.

They work in scikit-learn's pipelines and searches and pass its ``check_estimator``, without depending on it.
"""

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Self

import numpy as np

from nn.functional import softmax
from nn.metrics import r2_score
from nn.typing import Array, ArrayLike

from .base import Estimator
from .validation import checked_labels, checked_targets, class_weights

__all__ = ["MLPClassifier", "MLPRegressor"]


@dataclass(eq=False, repr=False)
class MLPClassifier(Estimator):
    """Multi-layer perceptron for classification, with softmax and cross-entropy.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
        Widths of the hidden layers.
    activation : str
        Any activation of `nn`: 'relu', 'tanh', 'logistic', 'gelu', ...
    solver : str
        The name of any optimizer of `optim` in lower case: 'adam', 'sgd' (with Nesterov momentum 0.9), 'lbfgs' (on all
        rows at once, one iteration per epoch), 'muon' (for hidden matrices, with AdamW for the rest), ...  The rate
        falls to 0 along a half cosine, except for solvers without a schedule ('schedulefreeadamw', 'lbfgs', ...).
    alpha : float or 'auto'
        L2 regularisation of the weights, not of the biases; 'auto' is 3 divided by the
        number of rows, or by the sum of their weights, and at most 0.015.
    batch_size : int or 'auto'
        Rows in a step; 'auto' depends on the number of rows.
    learning_rate_init : float or 'auto'
        The learning rate; 'auto' depends on the solver.
    max_iter : int or 'auto'
        The number of epochs; 'auto' makes about 600 steps, but at least 10 epochs.
    dropout : float or 'auto'
        The probability of dropout after every hidden activation; 'auto' is 0.1 from 100 rows on.
    categorical_features : 'auto', sequence of str or None
        The columns of a data frame that are categories although they contain numbers.  With 'auto' these are only
        columns of words and of a categorical dtype.  None treats a data frame as an array of numbers.
    random_state : int, Generator, RandomState or None
        The source of initial weights, order and split.
    tol, n_iter_no_change : float, int
        With `early_stopping`, training ends if the validation loss has not decreased by `tol` for so many epochs.
    verbose : bool
        Report every epoch.
    early_stopping : bool
        Stop by the loss of held-out rows, and restore the best model.
    validation_fraction : float
        The fraction of held-out rows, of each class the same.
    class_weight : mapping, 'balanced' or None
        Factors of the sample weights by label; 'balanced' gives all classes the same total weight.
    label_smoothing : float
        The part of each label that is spread evenly over all classes.

    Attributes
    ----------
    classes_ : ndarray
        The labels, sorted.
    module_, scaler_, columns_ : Module, RobustScaler, list of Column
        The trained network, the scaling of its inputs, and the encoding of a data frame.
    history_ : History
        The measurements of every epoch; `loss_curve_`, `loss_` and `n_iter_` as in scikit-learn, and with
        `early_stopping` also `validation_scores_` and `best_validation_score_`.

    Notes
    -----
    Data frames of pandas and polars may contain words, dates, booleans and missing values: up to ten words are encoded
    as columns of 0 and 1, more by learned vectors, dates by their parts, and a missing number by the median and, where
    there are at least 5, a column that marks them.  Columns that are constant or identify the rows are left out;
    `columns_` describes each.

    Features are scaled by median and quartiles with smooth clipping, so that units and outliers have little effect.
    scikit-learn scales nothing, and divides its penalty by the number of rows in a batch; here, as in PyTorch's weight
    decay, it is not divided.  An integer weight equals repeated rows, bit for bit if a batch contains all of them.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 2))
    >>> y = np.where(X[:, 0] * X[:, 1] > 0, "same", "different")
    >>> model = MLPClassifier((16,), learning_rate_init=0.02, alpha=0.0, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    >>> model.predict([[1.0, 1.0], [-1.0, 1.0]])
    array(['same', 'different'], dtype='<U9')
    """

    kind: ClassVar[str] = "classifier"

    _: KW_ONLY
    class_weight: Any = None
    label_smoothing: float = 0.05

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train one epoch more on these rows; the first call makes the network and determines the scaling.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.
        classes : array_like, optional
            All labels that any call will contain; by default those of the first call.

        Returns
        -------
        MLPClassifier
            Itself.
        """
        return self._partial_fit(X, y, sample_weight, classes)

    _target = staticmethod(checked_labels)

    def _outputs_for(self, y: Array, weight: Array | None, classes: ArrayLike | None) -> int:
        self.classes_: Array = np.unique(y if classes is None else np.asarray(classes))
        if len(self.classes_) < 2:
            name = type(self).__name__
            raise ValueError(f"{name} needs at least 2 classes, but the data have 1 class: {self.classes_[0]}")
        return len(self.classes_)

    def _encoded(self, y: Array, weight: Array | None) -> tuple[Array, Array | None, Array | None]:
        unseen = np.setdiff1d(y, self.classes_)
        if len(unseen):
            raise ValueError(f"y has the label {unseen[0]!r}, but the classes are {list(self.classes_)}; pass classes=")
        indices = np.searchsorted(self.classes_, y)
        return indices, class_weights(self.class_weight, self.classes_, indices, weight), indices

    def predict_proba(self, X: ArrayLike) -> Array:
        """Return the probability of every class, shape (n, classes), in the order of `classes_`."""
        return np.asarray(softmax(self._outputs(X), 1))

    def predict_log_proba(self, X: ArrayLike) -> Array:
        """Return the logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.predict_proba(X)))

    def predict(self, X: ArrayLike) -> Array:
        """Return the most probable label of every row."""
        best = self._outputs(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the accuracy."""
        weights = None if sample_weight is None else np.asarray(sample_weight, np.float64)
        return float(np.average(self.predict(X) == np.asarray(y).ravel(), weights=weights))


@dataclass(eq=False, repr=False)
class MLPRegressor(Estimator):
    """Multi-layer perceptron for regression, with the mean squared error.

    Parameters
    ----------
    hidden_layer_sizes, activation, solver, ...
        As for `MLPClassifier`, without `class_weight` and `label_smoothing`.

    Notes
    -----
    Targets are standardized, so that `loss_curve_` and `tol` do not depend on their units.

    Examples
    --------
    >>> X = np.linspace(-1, 1, 100)[:, None]
    >>> model = MLPRegressor((32,), learning_rate_init=0.02, alpha=0.0, random_state=0).fit(X, X[:, 0] ** 2)
    >>> model.score(X, X[:, 0] ** 2) > 0.95
    True
    """

    kind: ClassVar[str] = "regressor"

    def partial_fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train one epoch more on these rows; the first call makes the network and determines the scaling.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.

        Returns
        -------
        MLPRegressor
            Itself.
        """
        return self._partial_fit(X, y, sample_weight)

    _target = staticmethod(checked_targets)

    def _outputs_for(self, y: Array, weight: Array | None, classes: ArrayLike | None) -> int:
        """Determine the scale of the targets."""
        self._flat = y.ndim == 1
        columns = y.reshape(len(y), -1)
        self._shift = np.average(columns, axis=0, weights=weight)
        spread = np.sqrt(np.average((columns - self._shift) ** 2, axis=0, weights=weight))
        self._factor = np.where(spread > 0, spread, 1.0)
        return columns.shape[1]

    def _encoded(self, y: Array, weight: Array | None) -> tuple[Array, Array | None, Array | None]:
        return np.asarray((y.reshape(len(y), -1) - self._shift) / self._factor), weight, None

    def predict(self, X: ArrayLike) -> Array:
        """Return the predictions, of the shape of `y` in `fit`."""
        outputs: Array = self._outputs(X) * self._factor + self._shift
        return outputs[:, 0] if self._flat else outputs

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the coefficient of determination (R2)."""
        return r2_score(self.predict(X), y, sample_weight)
