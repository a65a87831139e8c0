"""Validate the arguments of estimators, with the error messages of scikit-learn."""

import sys
import warnings
from typing import Any

import numpy as np

from autograd.extend import regular_array
from nn.data.cells import Cells, frame_cells
from nn.data.columns import Column, TableEncoder, infer_columns
from nn.data.notation import MISSING
from nn.typing import Array, ArrayLike

CURES = {
    "X": "; pass a data frame, whose columns of words are encoded, or encode the words as numbers first",
    "y": "; use MLPClassifier to predict words",
}


def feature_names(X: object) -> Array | None:
    """Return the column names of a data frame, None for other data."""
    columns = getattr(X, "columns", None)
    if columns is None or not all(isinstance(column, str) for column in columns):
        return None
    return np.array(list(columns), dtype=object)


def _numbers(data: ArrayLike, what: str) -> Array:
    """Return data as float64."""
    if type(data).__module__.startswith("scipy.sparse") or hasattr(data, "tocsr"):
        raise TypeError(f"{what} is sparse, but dense data is required: use X.toarray() to convert to a dense array")
    array = regular_array(what, getattr(data, "data", data) if hasattr(data, "requires_grad") else data)
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {what} is complex")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{what} must hold numbers: {error}{CURES.get(what, '')}") from None


def _finite(array: Array, what: str) -> None:
    if not np.isfinite(array).all():
        bad = "NaN" if np.isnan(array).any() else "infinity"
        raise ValueError(f"Input {what} contains {bad}; fill these values or leave the rows out")


def checked_inputs(X: ArrayLike, owner: str, width: int | None = None, names: Array | None = None) -> Array:
    """Return the features as a 2-d array of float64, with `width` columns if given.

    Raises
    ------
    ValueError
        If it is not 2-d, contains nan or infinity, is empty, or has another width.
    TypeError
        If it is sparse.
    """
    array = _numbers(X, "X")
    if array.ndim != 2:
        hint = "Reshape your data: X.reshape(-1, 1) if it is one feature, X.reshape(1, -1) if it is one sample"
        raise ValueError(f"Expected 2D array, got {array.ndim}D array instead (shape {array.shape}). {hint}")
    _finite(array, "X")
    if not array.size:
        what = "feature" if len(array) else "sample"
        least = f"a minimum of 1 is required by {owner}"
        raise ValueError(f"Found array with 0 {what}(s) (shape={array.shape}) while {least}.")
    if width is not None:
        same_names(X, names, owner)
        if array.shape[1] != width:
            raise ValueError(f"X has {array.shape[1]} features, but {owner} is expecting {width} features as input")
    return array


def same_names(X: object, names: Array | None, owner: str) -> None:
    """Compare the column names with those in fit."""
    now = feature_names(X)
    if now is None or names is None:
        if now is not names:
            what = "does not have valid feature names" if now is None else "has feature names"
            verb = "with" if now is None else "without"
            warnings.warn(f"X {what}, but {owner} was fitted {verb} feature names", UserWarning, stacklevel=4)
    elif list(now) != list(names):
        new, gone = sorted(set(now) - set(names)), sorted(set(names) - set(now))
        text = "The feature names should match those that were passed during fit.\n"
        if new:
            text += "Feature names unseen at fit time:\n" + "".join(f"- {name}\n" for name in new)
        if gone:
            text += "Feature names seen at fit time, yet now missing:\n" + "".join(f"- {name}\n" for name in gone)
        if not new and not gone:
            text += "Feature names must be in the same order as they were in fit.\n"
        raise ValueError(text)


def checked_labels(y: ArrayLike) -> Array:
    """Return labels as a 1-d array; a column is accepted with a warning."""
    labels = np.asarray(y)
    if labels.ndim == 2 and labels.shape[1] == 1:
        category: Any = getattr(sys.modules.get("sklearn.exceptions"), "DataConversionWarning", UserWarning)
        message = (
            "A column-vector y was passed when a 1d array was expected. Please change the shape of y to (n_samples,)"
        )
        warnings.warn(message, category, stacklevel=3)
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise ValueError(f"y should be a 1d array, got an array of shape {labels.shape} instead.")
    if labels.dtype.kind == "f":
        _finite(labels, "y")
        if (labels != np.rint(labels)).any():
            raise ValueError("Unknown label type: continuous. Use MLPRegressor for regression")
    if labels.dtype.kind == "O" and any(str(label).lower() in MISSING for label in labels if type(label) is not str):
        raise ValueError("Input y contains NaN or None; leave these rows out")
    return labels


def checked_targets(y: ArrayLike) -> Array:
    """Return targets as float64, with one or two axes."""
    target = _numbers(y, "y")
    if target.ndim not in (1, 2):
        raise ValueError(f"y should be of shape (n,) or (n, outputs), not {target.shape}")
    _finite(target, "y")
    return target


def checked_weights(sample_weight: ArrayLike | None, count: int) -> Array | None:
    """Return the weights of the rows, None if all are 1.

    Raises
    ------
    ValueError
        If they are not one finite, non-negative number per row, or all are 0.
    """
    if sample_weight is None:
        return None
    weight = _numbers(sample_weight, "sample_weight")
    weight = np.broadcast_to(weight, count) if weight.ndim == 0 else weight
    if weight.shape != (count,):
        raise ValueError(f"sample_weight.shape == {weight.shape}, expected {(count,)}!")
    _finite(weight, "sample_weight")
    if (weight < 0).any():
        raise ValueError("sample_weight has negative weights; use 0 to leave a row out")
    if not weight.any():
        raise ValueError("all sample weights are zero; at least one must be positive")
    return None if (weight == 1).all() else weight


def merged_rows(X: Array, y: Array, weight: Array | None) -> tuple[Array, Array, Array | None]:
    """Return the distinct rows in sorted order, with the sums of their weights.

    As one batch they train to the same bits for every order of the rows, and for a weight of 2 and a row twice; else
    rounding of 1e-11 in the first step grows to 1e-3 within 600 steps.
    """
    values = y if y.dtype.kind == "f" else np.unique(y, return_inverse=True)[1]
    _, first, place = np.unique(np.column_stack([X, values]), axis=0, return_index=True, return_inverse=True)
    sums = np.bincount(place.ravel(), weight).astype(np.float64)
    return X[first], y[first], None if (sums == 1).all() else sums


def class_weights(given: Any, classes: Array, indices: Array, weight: Array | None) -> Array | None:
    """Return the weights of the rows times those of their classes, with the same sum as before.

    Parameters
    ----------
    given : mapping, 'balanced' or None
        Weights by label, 1 for a label not in the mapping; 'balanced' gives all classes the same total weight.
    classes, indices : ndarray
        The labels, and the class of each row.
    weight : ndarray or None
        The weights of the rows.
    """
    if given is None:
        return weight
    if isinstance(given, str):
        if given != "balanced":
            raise ValueError(f"class_weight must be a mapping of labels to weights, 'balanced' or None, got {given!r}")
        totals = np.bincount(indices, weight, len(classes))
        per_class = totals.sum() / (len(classes) * np.where(totals > 0, totals, 1.0))
    else:
        unknown = [label for label in given if label not in classes]
        if unknown:
            raise ValueError(f"class_weight has the label {unknown[0]!r}, but the classes are {list(classes)}")
        per_class = np.array([float(given.get(label, 1.0)) for label in classes.tolist()])
    before = np.ones(len(indices)) if weight is None else weight
    product = checked_weights(before * per_class[indices], len(indices))
    return None if product is None else product * (before.sum() / product.sum())


def table_of(X: object, categorical_features: Any) -> Cells | None:
    """Return the columns of a data frame that has words, missing values or categories; None for plain numbers.

    Raises
    ------
    TypeError
        If columns are declared as categorical, but X is not a data frame.
    """
    auto = isinstance(categorical_features, str)
    if categorical_features is None or feature_names(X) is None or not hasattr(X, "__getitem__"):
        if not auto and categorical_features is not None:
            raise TypeError(f"categorical_features needs a data frame with column names, got {type(X).__name__}")
        return None
    table = frame_cells(X)
    plain = all(isinstance(cells, np.ndarray) and np.isfinite(cells).all() for cells in table.columns)
    return None if plain and auto else table


def known_cells(X: object, encoder: TableEncoder, owner: str) -> Cells:
    """Return the columns of a data frame to predict, after a warning of cells that are not of the kind in fit."""
    if feature_names(X) is None:
        raise TypeError(f"{owner} was fitted to a data frame of words, dates or missing values; got {type(X).__name__}")
    table = frame_cells(X)
    for column, cells in encoder.matched(table):
        if column.kind != "words" and not isinstance(cells, np.ndarray) and column.unknown(cells):
            warnings.warn(column.remark(cells), UserWarning, stacklevel=5)
    return table


def used_columns(table: Cells, categorical_features: Any) -> list[Column]:
    """Return the columns of a table that contain information."""
    kinds = {} if isinstance(categorical_features, str) else dict.fromkeys(categorical_features, "words")
    used = [column for column in infer_columns(table, kinds) if column.kind != "left out"]
    if not used:
        raise ValueError("no column of the data frame contains information: all are empty, constant or identifiers")
    return used
