"""Settings for all tests: one BLAS thread, reproducible property tests, Ctrl-C enabled, operations restored."""

import gc
import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read once, when NumPy is first imported
sys.path.insert(0, str(Path(__file__).resolve().parent))  # modules shared by tests of several folders: processes.py

import pytest
from hypothesis import settings
from pages import FLAGS, chromium

from autograd import PRIMITIVES, play

settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=False)
settings.load_profile("repeatable")

# Without cached bytecode every process that a test starts would compile all modules again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Shells start background jobs with SIGINT ignored. The tests of Ctrl-C and the processes they start need the default.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Scripts that record reference values need the libraries they record from; no test imports them.
collect_ignore_glob = ["**/record_*.py"]


class _EveryItem:
    """Hooks for all tests and doctests; those of a conftest apply to the tests below its folder only."""

    def pytest_collection_modifyitems(self, items):
        """Run the tests in a browser last, so that they share one Chromium and no other test runs beside it."""
        items.sort(key=lambda item: "opened" in getattr(item, "fixturenames", ()))

    def pytest_collection_finish(self):
        """Exempt what collection loaded from garbage collection, which tests trigger often."""
        gc.collect()
        gc.freeze()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self):
        """Remove the operations that the item defined from the table."""
        known = dict(PRIMITIVES)
        try:
            return (yield)
        finally:
            PRIMITIVES.clear()
            PRIMITIVES.update(known)


def pytest_configure(config):
    config.pluginmanager.register(_EveryItem())


@pytest.fixture
def quick_figures(monkeypatch):
    """Leave out the layout of matplotlib's figures, which takes longer than drawing them."""
    if find_spec("matplotlib") is not None:
        monkeypatch.setattr("matplotlib.figure.Figure.get_layout_engine", lambda figure: None)


@pytest.fixture(scope="session")
def pages():
    """Return pages of a real Chromium by their options, which tests take in turn; skips where there is none."""
    if chromium is None:
        pytest.skip("chromium is not installed")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    idle = {}
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)

        def page_with(**options):
            waiting = idle.setdefault(str(options), [])
            return (waiting.pop() if waiting else running.new_page(**options)), waiting

        yield page_with
        running.close()


@pytest.fixture
def opened(pages, tmp_path):
    """Open a page, or that of a root; at the end, no page may have written to the console or made a request."""
    complaints, taken = [], []
    listeners = {
        "console": lambda message: complaints.append(message.text),
        "pageerror": lambda error: complaints.append(str(error)),
        "dialog": lambda dialog: (complaints.append("a dialog"), dialog.dismiss()),
        "request": lambda r: None if r.url.startswith(("file:", "data:", "about:")) else complaints.append(r.url),
    }

    def open_page(root, fragment="", **options):
        file = tmp_path / f"page{len(taken)}.html"
        file.write_text(getattr(root, "html", None) or play(root).html, encoding="utf-8")
        page, waiting = pages(**options)  # a new one takes half a second
        taken.append((page, waiting))
        page.set_default_timeout(20_000)
        for event, listener in listeners.items():
            page.on(event, listener)
        page.goto(file.as_uri() + fragment)
        return page

    yield open_page
    for page, waiting in taken:
        page.emulate_media(media="null")
        for event, listener in listeners.items():
            page.remove_listener(event, listener)
        waiting.append(page)
    assert complaints == []
