"""Fixtures of the tests of the command line."""

import pytest


@pytest.fixture(autouse=True)
def no_baselines(monkeypatch, request):
    """Replace the baselines, which take longer to train than the small networks of these tests."""
    if "baselines" not in request.fixturenames:
        monkeypatch.setattr("nn.cli.page.baselines", lambda *arguments: {})


@pytest.fixture
def baselines():
    """Keep the baselines."""
