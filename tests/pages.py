"""Run the scripts of the interactive pages under node, and open pages in a real Chromium."""

import json
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from autograd.drawing.player import FOLDER, operations_of_pages

playwright = find_spec("playwright")  # brings its own node
node = shutil.which("node") or (playwright and str(Path(playwright.origin).parent / "driver/node"))
needs_node = pytest.mark.skipif(node is None, reason="node is not installed")

chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]  # fmt: skip


def evaluated(code, given=None, scripts=("engine", "parser", "layout", "terms", "network", "answers"), used=()):
    """Run JavaScript after scripts of the pages, with `given` as data; return the value of the expression `code`."""
    body = "\n".join((FOLDER / f"{name}.js").read_text(encoding="utf-8") for name in scripts)
    body = body.replace("// {{operations}}", operations_of_pages(used))
    words = "(_, x) => typeof x === 'number' && !Number.isFinite(x) ? String(x) : x"
    script = f'"use strict";\n{body}\nconst given = {json.dumps(given)};\nconsole.log(JSON.stringify({code}, {words}));'
    done = subprocess.run([node, "-"], input=script, capture_output=True, text=True, check=False, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
