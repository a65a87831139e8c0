"""Plots of training show the names of a table as they are."""

import numpy as np
import pytest

from nn.show.plotting import confusion_figure, importance_figure, scatter_figure, svg

pytest.importorskip("matplotlib")
PRICE = "$x_{$ & $y"


def test_dollar_signs_in_names_are_text():
    for figure in (
        confusion_figure(np.eye(2, dtype=int), [PRICE, "cheap"], f"title {PRICE}"),
        scatter_figure([1.0, 2.0], [1.0, 2.0], f"title {PRICE}", PRICE),
        importance_figure({PRICE: (0.1, 0.01)}, "accuracy"),
    ):
        assert "$x_{$ &amp; $y" in svg(figure)


def test_long_names_are_shortened():
    assert "a name of a c\u2026<" in svg(confusion_figure(np.eye(2, dtype=int), ["a name of a class", "b"]))
