"""What a reader finds: an example for every public name, and an API reference without a broken link."""

import ast
import importlib
import inspect
import os
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parent.parent
CONFIGURATION = ROOT / ".docs/conf.py"
ALIASES_OF_TYPES = ("Metric",)  # a Callable has no docstring of its own


def pages():
    """The public modules, read off the configuration of the reference, which itself needs Sphinx."""
    for statement in ast.parse(CONFIGURATION.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and statement.targets[0].id == "PAGES":
            return ast.literal_eval(statement.value)
    raise AssertionError("no PAGES")


PAGES = pages()


def public(module):
    """Name and thing of everything a module offers, also of what it loads when first asked."""
    names = {*module.__all__, *getattr(module, "_LAZY", ())}
    return {name: getattr(module, name) for name in sorted(names) if name not in ALIASES_OF_TYPES}


@pytest.mark.parametrize("page", PAGES)
def test_every_public_name_has_an_example_that_runs(page):
    for name, thing in public(importlib.import_module(page)).items():
        if inspect.isclass(thing) or inspect.isroutine(thing):
            # all files below autograd, nn and optim are collected with --doctest-modules
            assert thing.__module__.split(".")[0] in ("autograd", "nn", "optim"), f"{page}.{name}"
            lines = [line for line in (inspect.getdoc(thing) or "").splitlines() if line.lstrip().startswith(">>> ")]
            assert [line for line in lines if "+SKIP" not in line], f"{page}.{name} has no example"


@pytest.mark.parametrize("package", ["autograd", "nn", "optim"])
def test_every_public_module_has_a_page(package):
    offered = [f"{package}.{n}" for n, t in public(importlib.import_module(package)).items() if inspect.ismodule(t)]
    assert not set(offered) - set(PAGES)


@pytest.mark.parametrize("package", ["autograd", "nn", "nn.data"])
def test_what_is_loaded_late_is_known_to_type_checkers(package):
    module = importlib.import_module(package)
    blocks = [n for n in ast.parse(Path(module.__file__).read_text(encoding="utf-8")).body if isinstance(n, ast.If)]
    told = {alias.asname or alias.name for block in blocks for line in block.body for alias in line.names}
    assert not set(module._LAZY) - told


class Page(HTMLParser):
    """The anchors of a page, where it leads, and what it loads."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.loaded, self.formulas = set(), [], [], 0
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.anchors.add(found.get("id"))
        self.formulas += tag == "math"
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        if tag in ("script", "img", "link", "iframe"):
            self.loaded.append(found.get("src") or found.get("href") or "")


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The pages of a reference built from nothing, by file name."""
    for tool in ("sphinx", "numpydoc"):
        if find_spec(tool) is None:
            pytest.skip(f"{tool} is not installed; `make docs` and `make check` install it")
    folder = tmp_path_factory.mktemp("reference")
    (folder / "pages").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "--fail-on-warning", "--keep-going", "-c", str(CONFIGURATION.parent),
         str(folder / "pages"), str(folder / "html")],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return {path.name: Page(path) for path in (folder / "html").glob("*.html")}


def test_no_link_of_the_reference_is_broken(reference):
    for name, page in reference.items():
        for link in page.links:
            parts = urlsplit(link)
            if not parts.scheme:
                target = reference.get(parts.path or name)
                assert target is not None, f"{name} leads to {link}"
                assert not parts.fragment or unquote(parts.fragment) in target.anchors, f"{name} leads to {link}"


def test_the_reference_is_read_without_a_network(reference):
    assert not [(name, x) for name, page in reference.items() for x in page.loaded if urlsplit(x).scheme]
    assert sum(page.formulas for page in reference.values()) > 100


@pytest.mark.parametrize("page", PAGES)
def test_every_public_name_is_in_the_reference(page, reference):
    names = {name for name, thing in public(importlib.import_module(page)).items() if not inspect.ismodule(thing)}
    assert not {f"{page}.{name}" for name in names} - reference[f"{page}.html"].anchors
