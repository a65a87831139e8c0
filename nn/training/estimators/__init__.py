"""`MLPClassifier` and `MLPRegressor`: multi-layer perceptrons with scikit-learn's methods and argument names.

They work in scikit-learn's pipelines and searches and pass its ``check_estimator``, without depending on it.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any, ClassVar, Self

import numpy as np

import optim
from autograd import no_grad
from nn.functional import softmax
from nn.layers.mlp import MLP
from nn.loss import CrossEntropyLoss, MSELoss
from nn.metrics import accuracy, r2_score
from nn.training import EarlyStopping, fit
from nn.typing import Array, ArrayLike, Loss, Optimizer, State

from .validation import checked_inputs, checked_labels, checked_rows, checked_targets, feature_names

__all__ = ["MLPClassifier", "MLPRegressor"]


class _NotFittedError(ValueError, AttributeError):
    """Raised by predictions before `fit`."""


class _Estimator:
    """Base class: arguments, training and the interface that scikit-learn expects."""

    kind: ClassVar[str]

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 1e-4,
        batch_size: int | str = "auto",
        learning_rate_init: float = 1e-3,
        max_iter: int = 200,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change

    # ------------------------------------------------------------------------------------------- arguments

    @classmethod
    def _argument_names(cls) -> list[str]:
        return sorted(name for name in inspect.signature(cls.__init__).parameters if name != "self")

    def get_params(self, deep: bool = True) -> State:
        """Return the arguments by name; `deep` has no effect."""
        return {name: getattr(self, name) for name in self._argument_names()}

    def set_params(self, **params: object) -> Self:
        """Change arguments; returns the estimator.

        Raises
        ------
        ValueError
            If an argument is unknown.
        """
        names = self._argument_names()
        for name, value in params.items():
            if name not in names:
                raise ValueError(f"{type(self).__name__} has no argument {name!r}; it has {', '.join(names)}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self).__init__).parameters
        changed = [(n, v) for n, v in self.get_params().items() if repr(v) != repr(defaults[n].default)]
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in changed)})"

    def __sklearn_tags__(self) -> Any:
        """Return the tags of the estimator; called by scikit-learn only."""
        from sklearn.utils import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
            ClassifierTags,
            InputTags,
            RegressorTags,
            Tags,
            TargetTags,
        )

        classifies = self.kind == "classifier"
        return Tags(
            estimator_type=self.kind,
            target_tags=TargetTags(required=True, multi_output=not classifies),
            classifier_tags=ClassifierTags() if classifies else None,
            regressor_tags=None if classifies else RegressorTags(),
            input_tags=InputTags(),
        )

    # -------------------------------------------------------------------------------------------- training

    def _fit(self, X: Array, y: Array, outputs: int, loss: Loss) -> None:
        """Train a new model."""
        rng = self._generator()
        widths = [self.hidden_layer_sizes] if np.ndim(self.hidden_layer_sizes) == 0 else list(self.hidden_layer_sizes)
        self.module_: MLP = MLP(X.shape[1], [*map(int, widths), outputs], activation=self._activation(), rng=rng)
        optimizer = self._optimizer()
        validation = None
        if self.early_stopping:
            count = max(1, round(self.validation_fraction * len(X)))
            order = rng.permutation(len(X))
            validation = X[order[:count]], y[order[:count]]
            X, y = X[order[count:]], y[order[count:]]
        stop = EarlyStopping(int(self.n_iter_no_change), min_delta=float(self.tol), restore=self.early_stopping)
        size = min(200, len(X)) if self.batch_size == "auto" else min(int(self.batch_size), len(X))
        history = fit(
            self.module_, loss, optimizer, (X, y), validation=validation, epochs=int(self.max_iter), batch_size=size,
            rng=rng, l2=float(self.alpha), early_stopping=stop, progress="auto" if self.verbose else "none",
        )  # fmt: skip
        self.history_ = history
        self.loss_curve_: list[float] = history["loss"]
        self.loss_: float = history["loss"][-1] if history["loss"] else float("nan")
        self.n_iter_: int = history.epochs
        self.n_layers_: int = len(widths) + 2

    def _generator(self) -> np.random.Generator:
        state = self.random_state
        if isinstance(state, np.random.RandomState):
            return np.random.default_rng(int(state.randint(2**31)))
        return np.random.default_rng(state)

    def _activation(self) -> str:
        """Return the name of the activation here; scikit-learn calls the sigmoid 'logistic'."""
        return "sigmoid" if self.activation == "logistic" else self.activation

    def _optimizer(self) -> Optimizer:
        rate = float(self.learning_rate_init)
        if self.solver == "sgd":
            return optim.SGD(self.module_.parameters(), lr=rate, momentum=0.9, nesterov=True)
        table = {name.lower(): getattr(optim, name) for name in optim.__all__ if name[0].isupper()}
        if self.solver not in table:
            raise ValueError(f"solver {self.solver!r} is unknown; choose from {', '.join(sorted(table))}")
        optimizer: Optimizer = table[self.solver](self.module_.parameters(), lr=rate)
        return optimizer

    def _note_inputs(self, X: ArrayLike, array: Array) -> None:
        self.n_features_in_: Any = array.shape[1]
        names = feature_names(X)
        if names is not None:
            self.feature_names_in_ = names
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def _outputs(self, X: ArrayLike) -> Array:
        """Return the outputs of the model."""
        if not hasattr(self, "module_"):
            found = getattr(sys.modules.get("sklearn.exceptions"), "NotFittedError", _NotFittedError)
            raise found(f"this {type(self).__name__} is not fitted yet; call fit(X, y) first")
        array = checked_inputs(X, type(self).__name__, self.n_features_in_, getattr(self, "feature_names_in_", None))
        self.module_.eval()
        with no_grad():
            return np.asarray(self.module_(array).data)


class MLPClassifier(_Estimator):
    """Multi-layer perceptron for classification, with softmax and cross-entropy.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
        Widths of the hidden layers.
    activation : str
        Any activation of `nn`: 'relu', 'tanh', 'logistic', 'gelu', ...
    solver : str
        'adam', 'sgd' (with Nesterov momentum 0.9), or the name of any optimizer of `optim` in lower case.
    alpha : float
        L2 regularisation of the weights, not of the biases.
    batch_size : int or 'auto'
        Rows in a step; 'auto' is ``min(200, rows)``.
    learning_rate_init : float
        The learning rate.
    max_iter : int
        The maximum number of epochs.
    random_state : int, Generator, RandomState or None
        The source of initial weights, order and split.
    tol, n_iter_no_change : float, int
        Training ends if the loss, or with `early_stopping` that of the validation rows, has not decreased by `tol`
        for this number of epochs.
    verbose : bool
        Report every epoch.
    early_stopping : bool
        Stop by the loss of held-out rows, and restore the best model.
    validation_fraction : float
        The fraction of held-out rows.

    Attributes
    ----------
    classes_ : ndarray
        The labels, sorted.
    module_ : MLP
        The trained network.
    history_ : History
        The measurements of every epoch; `loss_curve_`, `loss_` and `n_iter_` as in scikit-learn.

    Notes
    -----
    scikit-learn divides its penalty by the number of rows in a batch; here, as in PyTorch's weight decay, it is not.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 2))
    >>> y = np.where(X[:, 0] * X[:, 1] > 0, "same", "different")
    >>> model = MLPClassifier((16,), learning_rate_init=0.02, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    >>> model.predict([[1.0, 1.0], [-1.0, 1.0]])
    array(['same', 'different'], dtype='<U9')
    """

    kind = "classifier"

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train from scratch.

        Parameters
        ----------
        X : array_like, shape (n, features)
            The features.
        y : array_like, shape (n,)
            The labels.

        Returns
        -------
        MLPClassifier
            Itself.

        Raises
        ------
        ValueError
            If values are missing, lengths differ, there is only one class, or the labels are continuous.
        """
        array = checked_inputs(X, type(self).__name__)
        labels = checked_labels(y, type(self).__name__)
        checked_rows(array, labels)
        classes, indices = np.unique(labels, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(f"{type(self).__name__} needs at least 2 classes, but the data have 1 class: {classes[0]}")
        self._note_inputs(X, array)
        self.classes_ = classes
        self._fit(array, indices.reshape(-1), len(classes), CrossEntropyLoss())
        return self

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

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """Return the accuracy."""
        predicted, true = self.predict(X), np.asarray(y).ravel()
        return accuracy((predicted == true).astype(np.int64), np.ones(len(true), np.int64))


class MLPRegressor(_Estimator):
    """Multi-layer perceptron for regression, with the mean squared error.

    Parameters
    ----------
    hidden_layer_sizes, activation, solver, ...
        As for `MLPClassifier`.

    Examples
    --------
    >>> X = np.linspace(-1, 1, 100)[:, None]
    >>> model = MLPRegressor((32,), learning_rate_init=0.02, random_state=0).fit(X, X[:, 0] ** 2)
    >>> model.score(X, X[:, 0] ** 2) > 0.95
    True
    """

    kind = "regressor"

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train from scratch.

        Parameters
        ----------
        X : array_like, shape (n, features)
            The features.
        y : array_like, shape (n,) or (n, outputs)
            The targets.

        Returns
        -------
        MLPRegressor
            Itself.

        Raises
        ------
        ValueError
            If values are missing or lengths differ.
        """
        array = checked_inputs(X, type(self).__name__)
        target = checked_targets(y, type(self).__name__)
        checked_rows(array, target)
        self._note_inputs(X, array)
        self._flat = target.ndim == 1
        columns = target.reshape(len(target), -1)
        self._fit(array, columns, columns.shape[1], MSELoss())
        return self

    def predict(self, X: ArrayLike) -> Array:
        """Return the predictions, of the shape of `y` in `fit`."""
        outputs = self._outputs(X)
        return outputs[:, 0] if self._flat else outputs

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """Return the coefficient of determination (R2)."""
        return r2_score(self.predict(X), y)
