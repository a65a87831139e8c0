"""Check the modules that write pages of the guide, without building it."""

import importlib
import sys
from pathlib import Path

import pytest

import autograd
import nn

DOCS = Path(__file__).resolve().parent.parent / ".docs"
ABBREVIATED = """Text.

```python
>>> x = 0
>>> print(x)
0
>>> 1 / x
Traceback (most recent call last):
...
ZeroDivisionError: ...
```
"""


@pytest.fixture
def module(monkeypatch):
    """Return a function that imports a module of .docs."""
    monkeypatch.setattr(sys, "path", [str(DOCS), *sys.path])
    return importlib.import_module


def test_abbreviated_outputs_are_completed_in_place(module):
    page = module("outputs").completed(ABBREVIATED)
    assert page == ABBREVIATED.replace("Error: ...", "Error: division by zero")
    assert module("outputs").completed("```python\n>>> undefined\n```") == "```python\n>>> undefined\n```"


@pytest.mark.parametrize("function", [autograd.tanh, autograd.sqrt, nn.ReLU, nn.functional.gelu])
def test_elementwise_function_is_drawn_with_its_derivative(function, module):
    svg = module("curves").curve(function)
    assert all(colour in svg for colour in module("curves").COLOURS)
    assert "nan" not in svg


@pytest.mark.parametrize(
    "thing", [autograd.sort, autograd.cumsum, autograd.flatten, autograd.sum, nn.Softmax, nn.functional.dropout, 3.0]
)
def test_other_object_has_no_curve(thing, module):
    assert module("curves").curve(thing) is None


def test_reference_has_a_page_per_object_and_an_index(module, monkeypatch):
    monkeypatch.setattr(module("reference"), "curve", lambda _: None)
    files, homes = module("reference").files(), module("reference").homes()
    for full, (_, home) in homes.items():
        assert f"reference/{home}.rst" in files
        assert f"{full} <{home}>" in files["reference/names.rst"]
    assert "autoproperty:: data" in files["reference/autograd.Value.rst"]
    assert "erf <autograd.erf>" in files["reference/autograd.Tensor.rst"]
    assert ":py:obj:`cumsum" not in files["reference/autograd.rst"]  # operations have a page of their own
    assert ":py:obj:`cumsum" in files["reference/operations.rst"]


def test_chapter_page_shows_outputs_pictures_and_solutions_but_no_checks(module):
    files = module("course").files()
    page = files["course/03_fan_out.md"].decode()
    assert page.startswith("# 3. ")
    assert "```text\n" in page
    assert "<summary>Solution</summary>" in page
    assert "check(" not in page
    assert "picture: out/" not in page
    assert files["course/pictures/03_fan_out-0.svg"].startswith(b"<")
    assert "../live/3.html" in page
