"""Fixtures of the tests of the command line: an empty folder, and trainings without figures and baselines."""

import pytest

from nn.cli.training import Run


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _model_only(monkeypatch, request):
    """Write no figures, train no baselines, permute no columns: all take longer than the networks of these tests."""
    if "figures" not in request.fixturenames:
        monkeypatch.setattr(Run, "write", lambda run, history: run.trained.save(run.args.out / "model.npz") or [])
    if "baselines" not in request.fixturenames:
        monkeypatch.setattr("nn.cli.page.baselines", lambda *arguments: {})
        monkeypatch.setattr("nn.cli.page.permutation_importance", lambda *arguments: {})


@pytest.fixture
def figures(quick_figures):
    """Write the figures and the report."""


@pytest.fixture
def baselines():
    """Train the baselines."""
