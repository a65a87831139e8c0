"""`MLPClassifier` and `MLPRegressor`: multi-layer perceptrons with scikit-learn's methods and argument names.

They work in scikit-learn's pipelines and searches and pass its ``check_estimator``, without depending on it.
"""

from __future__ import annotations

import html
import inspect
import sys
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Self

import numpy as np

from autograd import no_grad
from nn.data import DataLoader, RobustScaler, TensorDataset, train_test_split
from nn.data.columns import Column, TableEncoder
from nn.functional import softmax
from nn.metrics import r2_score
from nn.mlp import table_network
from nn.module import Module
from nn.training import EarlyStopping, History, fit
from nn.training.solvers import WHOLE_BATCH, objective, recipe, scheduled, solver
from nn.typing import Array, ArrayLike, Optimizer, State

from . import validation

__all__ = ["MLPClassifier", "MLPRegressor"]

MAX_MEAN_WEIGHT = 100  # up to which integer weights count as repeated rows in the statistics of a data frame


class Protocol:
    """Arguments by name, representations, tags and metadata routing."""

    kind: ClassVar[str]

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

    def _changed(self) -> State:
        """Return the arguments that differ from their defaults."""
        defaults = inspect.signature(type(self).__init__).parameters
        return {n: v for n, v in self.get_params().items() if repr(v) != repr(defaults[n].default)}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._changed().items())})"

    def _repr_html_(self) -> str:
        """Return the arguments and, after fitting, the network as HTML for notebooks."""
        changed = self._changed()
        rows = "".join(
            f"<tr><th>{name}</th><td>{html.escape(repr(value))}{'' if name in changed else ' (default)'}</td></tr>"
            for name, value in self.get_params().items()
        )
        state = f"<pre>{html.escape(repr(self.module_))}</pre>" if hasattr(self, "module_") else "<p>not fitted</p>"
        name = type(self).__name__
        return f"<details><summary><b>{name}</b></summary><table>{rows}</table>{state}</details>"

    def __sklearn_tags__(self) -> Any:
        """Return the tags of the estimator; called by scikit-learn only."""
        from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags  # type: ignore[import-untyped, import-not-found, unused-ignore]

        classifies = self.kind == "classifier"
        return Tags(
            estimator_type=self.kind,
            target_tags=TargetTags(required=True, multi_output=not classifies),
            classifier_tags=ClassifierTags() if classifies else None,
            regressor_tags=None if classifies else RegressorTags(),
            input_tags=InputTags(),
        )

    def get_metadata_routing(self) -> Any:
        """Return which methods request sample weights; called by scikit-learn only."""
        from sklearn.utils.metadata_routing import MetadataRequest  # type: ignore[import-untyped, import-not-found, unused-ignore]

        if not hasattr(self, "_metadata_request"):  # scikit-learn's name: `clone` copies this attribute
            self._metadata_request: Any = MetadataRequest(owner=type(self).__name__)
            for method in ("fit", "partial_fit", "score"):
                self._request(method, None)
        return self._metadata_request

    def _request(self, method: str, sample_weight: bool | str | None) -> Self:
        getattr(self.get_metadata_routing(), method).add_request(param="sample_weight", alias=sample_weight)
        return self

    def set_fit_request(self, *, sample_weight: bool | str | None) -> Self:
        """Request that scikit-learn's meta-estimators pass `sample_weight` to `fit`: True, False, or another name."""
        return self._request("fit", sample_weight)

    def set_partial_fit_request(self, *, sample_weight: bool | str | None) -> Self:
        """Request `sample_weight` for `partial_fit`; see `set_fit_request`."""
        return self._request("partial_fit", sample_weight)

    def set_score_request(self, *, sample_weight: bool | str | None) -> Self:
        """Request `sample_weight` for `score`; see `set_fit_request`."""
        return self._request("score", sample_weight)


class _NotFittedError(ValueError, AttributeError):
    """Raised by predictions before `fit`."""


@dataclass(eq=False, repr=False)
class Estimator(Protocol):
    """Base class: arguments and training."""

    hidden_layer_sizes: Any = (64, 64)
    activation: str = "relu"
    _: KW_ONLY
    solver: str = "adam"
    alpha: float | str = "auto"
    batch_size: int | str = "auto"
    learning_rate_init: float | str = "auto"
    max_iter: int | str = "auto"
    dropout: float | str = "auto"
    categorical_features: Any = "auto"
    random_state: Any = None
    tol: float = 1e-4
    verbose: bool = False
    early_stopping: bool = False
    validation_fraction: float = 0.15
    n_iter_no_change: int = 20

    _target: ClassVar[Any]  # of a subclass: the checked targets,
    _outputs_for: ClassVar[Any]  # the number of outputs, after determining the classes or the scale of the targets,
    _encoded: ClassVar[Any]  # and encoded targets, weights and strata

    # ------------------------------------------------------------------------------------------------- training

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train from scratch.

        Parameters
        ----------
        X : array_like, shape (n, features)
            The features.
        y : array_like, shape (n,), of a regressor also (n, outputs)
            The labels, or the targets.
        sample_weight : array_like, shape (n,), optional
            Weights of the rows in the loss and in the statistics of the scalers.

        Returns
        -------
        Estimator
            Itself.

        Raises
        ------
        ValueError
            If values are missing, lengths differ, there is only one class, or labels are continuous.
        """
        array, target, weight, strata = self._prepared(X, y, sample_weight, None, first=True)
        parts, stop = [np.arange(len(array))], None
        if self.early_stopping:
            share = float(self.validation_fraction)
            if not 0.0 < share < 1.0:
                raise ValueError(f"validation_fraction must be between 0 and 1, both excluded, got {share}")
            count = min(max(1, round(share * len(array))), len(array) - 1)
            parts = train_test_split(parts[0], test_size=count, rng=self._rng, stratify=strata)
            stop = EarlyStopping(int(self.n_iter_no_change), min_delta=float(self.tol))
        self._epochs(array, target, weight, parts, self.max_iter, early_stopping=stop)
        return self

    def _partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, classes: ArrayLike | None = None
    ) -> Self:
        first = not hasattr(self, "module_")
        array, target, weight, _ = self._prepared(X, y, sample_weight, classes, first)
        self._epochs(array, target, weight, [np.arange(len(array))], 1)
        return self

    def _prepared(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, classes: ArrayLike | None, first: bool
    ) -> tuple[Array, Array, Array | None, Array | None]:
        """Return features, encoded targets, weights and strata of the rows with positive weight."""
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        given = self._target(y)
        weight = validation.checked_weights(sample_weight, len(given))
        array = self._first_inputs(X, weight) if first else self._inputs(X)
        if len(array) != len(given):
            raise ValueError(f"Found input variables with inconsistent numbers of samples: {[len(array), len(given)]}")
        if weight is not None:
            array, given, weight = array[weight > 0], given[weight > 0], weight[weight > 0]
        if first:
            if len(array) <= self._rows_per_step(len(array)) and not self.early_stopping:
                array, given, weight = validation.merged_rows(array, given, weight)
            self._begin(array, self._outputs_for(given, weight, classes), weight)
        return array, *self._encoded(given, weight)

    def _begin(self, X: Array, outputs: int, weight: Array | None) -> None:
        """Make scaler, network and optimizer."""
        seed = self.random_state
        if isinstance(seed, np.random.RandomState):
            seed = int(seed.randint(2**31))
        self._rng = np.random.default_rng(seed)
        self._encoder.fit_scale(X, weight)
        self.scaler_: RobustScaler | None = self._encoder.scale
        widths = [self.hidden_layer_sizes] if np.ndim(self.hidden_layer_sizes) == 0 else list(self.hidden_layer_sizes)
        activation = "sigmoid" if self.activation == "logistic" else self.activation  # scikit-learn's name
        sizes = [*map(int, widths), outputs]
        dropout = recipe(self.solver, len(X)).dropout if self.dropout == "auto" else float(self.dropout)
        self.module_: Module = table_network(
            X.shape[1], self._encoder.levels, sizes, activation, dropout=dropout, rng=self._rng
        )
        rate = None if self.learning_rate_init == "auto" else float(self.learning_rate_init)
        self.optimizer_: Optimizer = solver(self.solver, self.module_, rate)
        self.n_layers_: int = len(widths) + 2
        self.loss_curve_: list[float] = []
        self.n_iter_: int = 0

    def _epochs(
        self, X: Array, y: Array, weight: Array | None, parts: Sequence[Array], epochs: int | str, **options: Any
    ) -> None:
        """Train on the first of the parts of the rows, and measure on the second, if there is one."""
        classes = len(self.classes_) if hasattr(self, "classes_") else None
        target, loss, metrics = objective(y, weight, classes, float(getattr(self, "label_smoothing", 0.0)))
        data, *held = [(self._encoder.scaled(X[rows]), target[rows]) for rows in parts]
        rows = len(data[0])
        auto = recipe(self.solver, rows)
        size, total = min(self._rows_per_step(rows), rows), float(len(y) if weight is None else weight.sum())
        train = DataLoader(
            TensorDataset(*data), size, shuffle=True, rng=self._rng, drop_last=epochs != 1 and rows > 4 * size
        )
        count = auto.epochs if epochs == "auto" else int(epochs)
        schedule = None if count < 2 else scheduled(auto.schedule, self.optimizer_, count, len(train))
        history = fit(
            self.module_, loss, self.optimizer_, train, validation=held[0] if held else None, epochs=count,
            metrics={f"validation {name}": metric for name, metric in metrics.items()} if held else (),
            l2=recipe(self.solver, total).l2 if self.alpha == "auto" else float(self.alpha), scheduler=schedule,
            progress="auto" if self.verbose else "none", **options,
        )  # fmt: skip
        self.history_: History = history
        self.loss_curve_ += history["loss"]
        self.loss_: float = self.loss_curve_[-1] if self.loss_curve_ else float("nan")
        self.n_iter_ += history.epochs
        if held:
            self.validation_scores_: list[float] = history[f"validation {next(iter(metrics))}"]
            self.best_validation_score_: float = max(self.validation_scores_)

    def _rows_per_step(self, rows: int) -> int:
        auto = self.batch_size == "auto" or self.solver in WHOLE_BATCH
        return recipe(self.solver, rows).batch_size if auto else int(self.batch_size)

    # ------------------------------------------------------------------------------------------------ inputs

    def _first_inputs(self, X: ArrayLike, weight: Array | None) -> Array:
        """Return the features as an array, after determining how the columns of a data frame are encoded."""
        table = validation.table_of(X, self.categorical_features)
        columns = [] if table is None else validation.used_columns(table, self.categorical_features)
        self._encoder: TableEncoder = TableEncoder(columns)
        self.columns_: list[Column] = columns
        rows = None
        if weight is not None and table is not None and len(weight) == len(table.lines):
            counts = weight if (weight % 1 == 0).all() and weight.mean() < MAX_MEAN_WEIGHT else weight > 0
            rows = np.repeat(np.arange(len(weight)), counts.astype(int))
        array = validation.checked_inputs(X if table is None else self._encoder.fit(table, rows), type(self).__name__)
        self.n_features_in_: Any = array.shape[1] if table is None else len(table.names)
        names = validation.feature_names(X)
        if names is not None:
            self.feature_names_in_ = names
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        return array

    def _inputs(self, X: ArrayLike) -> Array:
        """Return the features as an array, after comparing their number and names with those in `fit`."""
        owner, names = type(self).__name__, getattr(self, "feature_names_in_", None)
        if not self._encoder.columns:
            return validation.checked_inputs(X, owner, self.n_features_in_, names)
        validation.same_names(X, names, owner)
        return self._encoder.features(validation.known_cells(X, self._encoder, owner))

    def _outputs(self, X: ArrayLike) -> Array:
        """Return the outputs of the network."""
        if not hasattr(self, "module_"):
            found = getattr(sys.modules.get("sklearn.exceptions"), "NotFittedError", _NotFittedError)
            raise found(f"this {type(self).__name__} is not fitted yet; call fit(X, y) first")
        self.module_.eval()
        with no_grad():
            return np.asarray(self.module_(self._encoder.scaled(self._inputs(X))).data)


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

    _target = staticmethod(validation.checked_labels)

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
        return indices, validation.class_weights(self.class_weight, self.classes_, indices, weight), indices

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

    _target = staticmethod(validation.checked_targets)

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
