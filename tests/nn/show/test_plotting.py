"""Plots of training show the names of a table as they are."""

import re

import numpy as np
import pytest

from nn.show.plotting import confusion_figure, importance_figure, saved, scatter_figure, svg, sweep_figure

pytest.importorskip("matplotlib")
PRICE = "$x_{$ & $y"


def test_dollar_signs_in_names_are_text():
    for figure in (
        confusion_figure(np.eye(2, dtype=int), [PRICE, "cheap"], f"title {PRICE}"),
        scatter_figure([1.0, 2.0], [1.0, 2.0], f"title {PRICE}", PRICE),
        importance_figure({PRICE: (0.1, 0.01)}, "accuracy"),
    ):
        assert "$x_{$ &amp; $y" in svg(figure)


def test_figure_that_cannot_be_written_leaves_the_old_file(tmp_path, monkeypatch):
    def half_written(file, **options):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    path = tmp_path / "curves.png"
    figure = scatter_figure([1.0, 2.0], [1.0, 2.0], "title", "x")
    saved(figure, path)
    before = path.read_bytes()
    monkeypatch.setattr(figure, "savefig", half_written)
    with pytest.raises(OSError, match=re.escape(str(path))):
        saved(figure, path)
    assert path.read_bytes() == before


def test_long_names_are_shortened():
    assert "a name of a c\u2026<" in svg(confusion_figure(np.eye(2, dtype=int), ["a name of a class", "b"]))


def test_sweep_has_a_line_per_choice_and_the_levels_of_each_setting():
    rows = [{"lr": lr, "hidden": h, "loss": lr + len(h)} for lr in (0.1, 0.01, 1.0) for h in ("16", "8,8")]
    rows.append({"lr": 0.5, "hidden": "16", "loss": None})
    figure = sweep_figure(rows, ["lr", "hidden"], "loss")
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["0.01", "0.1", "1.0", "16", "8,8"]
    assert len(axes.lines) == 6
    assert [label.get_text() for label in axes.get_xticklabels()] == ["lr", "hidden", "loss"]
    np.testing.assert_allclose(axes.lines[0].get_ydata()[:2], [0.5 - 0.024, -0.024])  # the second smallest of 6
