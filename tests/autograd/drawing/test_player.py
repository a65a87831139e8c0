"""`play`: contents of the page, its evaluator, and its behaviour in a browser."""

import html
import json
import math
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import explained_examples as examples
import numpy as np
import pytest

from autograd import PRIMITIVES, Value, where
from autograd.cli.parsing import parse
from autograd.drawing.layout import HEIGHT, layout
from autograd.drawing.player import LIMIT, TEMPLATE, filled, play
from autograd.drawing.player_program import page_data
from autograd.extend import elementwise, primitive
from autograd.graph import apply
from autograd.rules import Elementwise

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&{{data}}\u2028\x00\ud800"
FORMULA = "tanh(w1*x1 + w2*x2 + b)**2 + 0.1*(w1**2 + w2**2) + relu(w1 - x2) * sigmoid(b) + log(1 + exp(w2))"
NUMBERS = {"w1": -3.0, "w2": 1.0, "x1": 2.0, "x2": 0.5, "b": 6.88}


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page.html, re.S)[1])


def real(x):
    return float(x)


# ---------------------------------------------------------------------------------------------- the file


def test_page_is_one_file_without_external_resources():
    text = play(parse(FORMULA, NUMBERS)).html
    assert len(text.encode("utf-8")) < 150_000
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert re.search(r"script-src 'sha256-[A-Za-z0-9+/=]{44}'", policy)
    namespaces = {"http://www.w3.org/2000/svg", "http://www.w3.org/1998/Math/MathML"}
    assert set(re.findall(r"https?://[^\"'\s]+", text)) <= namespaces
    assert not re.search(
        r"\b(fetch|XMLHttpRequest|WebSocket|import\(|innerHTML|outerHTML|document\.write|eval)\b", text
    )


def test_page_of_thirty_nodes_is_small():
    root = parse("+".join(f"a*{i}" for i in range(15)), {"a": 1.0})
    assert len(play(root).html) < 50_000


def test_hostile_name_does_not_close_the_script():
    page = play(Value(1.0, name=HOSTILE) * Value(2.0, name="b"))
    assert page.html.count("</script>") == TEMPLATE.read_text(encoding="utf-8").count("</script>")
    assert "onerror=alert" not in re.sub(r'id="data">.*?</script>', "", page.html, flags=re.S)
    assert "\x00" not in page.html
    page.html.encode("utf-8")
    assert data_of(page)["nodes"][0]["name"].startswith("</script>")


def test_same_graph_same_page():
    assert play(examples.mlp()).html == play(examples.mlp()).html


def test_page_is_written_atomically(tmp_path):
    file = tmp_path / "page.html"
    page = play(examples.neuron(), file)
    assert file.read_text(encoding="utf-8") == page.html
    assert page.path == file
    with pytest.raises(FileNotFoundError, match="does not exist"):
        play(examples.neuron(), tmp_path / "none" / "page.html")
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]


def test_a_notebook_shows_the_page_in_a_frame():
    page = play(examples.neuron())
    frame = page._repr_html_()
    assert frame.startswith("<iframe srcdoc=")
    assert 'sandbox="allow-scripts"' in frame
    assert html.unescape(re.search(r'srcdoc="(.*?)" style', frame, re.S)[1]) == page.html
    assert repr(page) == "<page of 6 nodes>"


@pytest.mark.parametrize("thing", [3.0, None, [Value(1.0)]])
def test_play_of_other_objects_raises(thing):
    with pytest.raises(TypeError, match="Value or Tensor"):
        play(thing)


def test_play_of_a_large_graph_raises_with_the_limit():
    x = Value(1.0)
    y = x
    for _ in range(100_000):
        y = y + x
    with pytest.raises(ValueError, match=rf"100,001 nodes.*{LIMIT}"):
        play(y)


def test_play_does_not_change_the_leaves():
    a = Value(2.0)
    play(a * a)
    assert a.grad == 0.0


def test_page_has_the_steps_of_the_backward_pass():
    data = data_of(play(parse(FORMULA, NUMBERS)))
    root = parse(FORMULA, NUMBERS)
    root.backward()
    sums = {}
    for step in data["steps"]:
        target = data["edges"][step["edge"]][2]
        assert step["up"] * step["local"] == pytest.approx(step["share"], rel=1e-14)
        sums[target] = step["total"]
    names = {node["name"]: k for k, node in enumerate(data["nodes"])}
    leaves = {node.name: node for node in _leaves(root)}
    for name, leaf in leaves.items():
        assert sums[names[name]] == leaf.grad


def _leaves(root):
    from autograd import topological_order

    return [node for node in topological_order(root) if node.op is None]


def test_page_of_arrays_explains_why_it_is_static():
    data = data_of(play(examples.mlp()))
    assert data["tape"] is None
    assert data["why"] == "its values are arrays"
    assert data["nodes"][0]["full"][0] == "array"


def test_page_names_operations_it_cannot_compute():
    @elementwise(lambda y, x: 2 * x)
    def squared_in_a_test(x):
        return x * x

    @primitive(lambda g, y, x: g * 2 * x.real, scalar="x * x")
    def squared_by_a_pullback(x):
        return x * x

    hooked = Value(2.0, name="h")
    hooked.register_hook(lambda g: None)
    try:
        assert (
            page_data(squared_in_a_test(Value(2.0)), {})["why"] == "the operation squared_in_a_test has no scalar form"
        )
        assert "own operations" in page_data(squared_by_a_pullback(Value(2.0)), {})["why"]
        assert page_data(hooked * 2.0, {})["why"] == "h has a hook"
    finally:
        del PRIMITIVES["squared_in_a_test"], PRIMITIVES["squared_by_a_pullback"]


def test_page_of_a_leaf():
    data = data_of(play(Value(2.0, name="a")))
    assert (data["steps"], data["edges"], data["title"]) == ([], [], "a")


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan, -0.0, 1e-300, 1e300])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_nan_and_infinity_are_json(number):
    data = data_of(play(Value(number, name="a") * 2.0))
    assert data["nodes"][0]["value"] in (number, "inf", "-inf", "nan")


# --------------------------------------------------------------------------------------------- in a browser

chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]  # fmt: skip


@pytest.fixture(scope="module")
def browser():
    """A real Chromium; skips where there is none."""
    if chromium is None:
        pytest.skip("chromium is not installed")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Open the page of a root; at the end nothing may have been complained about or asked for."""
    complaints, contexts = [], []

    def open_page(root, **options):
        file = tmp_path / "page.html"
        play(root, file)
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append("a dialog"), dialog.dismiss()))
        page.on("request", lambda r: None if r.url.startswith(("file:", "data:")) else complaints.append(r.url))
        page.goto(file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def say(page):
    return page.inner_text("#say")


def test_buttons_keys_and_slider_step_through_the_pass(opened):
    page = opened(examples.neuron())
    assert page.inner_text("#count") == "0 / 9"
    assert page.text_content("#n2 .value") == ""
    page.click("#next")
    assert say(page) == "Forward 1 of 3: v1 = a * b = −6"
    assert page.text_content("#n2 .value") == "−6"
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert say(page) == "The backward pass starts at f: df/df = 1"
    page.keyboard.press("ArrowRight")
    assert say(page) == "Backward 1 of 5: from f to v2. Upstream × local = 1 × 0.001341 = 0.001341; df/dv2 = 0.001341."
    assert page.text_content("#tag") == "1 × 0.001341= 0.001341"
    assert page.locator(".edge.backward").count() == 1
    page.keyboard.press("ArrowLeft")
    assert page.inner_text("#count") == "4 / 9"
    page.keyboard.press("End")
    assert page.inner_text("#count") == "9 / 9"
    assert page.text_content("#n0 .grad") == "grad −0.004023"
    assert page.is_disabled("#next")
    page.keyboard.press("Home")
    assert page.inner_text("#count") == "0 / 9"
    page.fill("#slider", "6")
    assert page.inner_text("#count") == "6 / 9"


def test_play_runs_to_the_end_and_pauses(opened):
    page = opened(examples.neuron())
    page.clock.install(time=0)
    page.clock.pause_at(1000)  # from here on only run_for advances the time
    page.click("#play")
    assert page.inner_text("#play") == "Pause"
    page.clock.run_for(3000)
    assert page.inner_text("#count") == "3 / 9"
    page.click("#play")
    page.clock.run_for(3000)
    assert page.inner_text("#count") == "3 / 9"
    page.click("#play")
    page.clock.run_for(30_000)
    assert page.inner_text("#count") == "9 / 9"
    assert page.inner_text("#play") == "Play"


def test_box_shows_its_derivation(opened):
    page = opened(examples.shared())
    page.fill("#slider", "9")
    assert say(page).endswith("dy/dx is 0.1411 so far.")
    page.hover("#n0")
    assert page.inner_text("#detail-title") == "Derivation of x"
    assert "Used 4 times" in page.inner_text("#detail")
    assert page.locator("#detail math").count() == 6
    page.focus("#n1")
    assert page.inner_text("#detail-title") == "Derivation of v1"
    assert page.get_attribute("#n1", "aria-label").startswith("v1 = x * x")


def test_sliders_recompute_what_the_engine_computes(opened):
    page = opened(parse(FORMULA, NUMBERS))
    page.keyboard.press("End")
    page.fill('[aria-label="Value of w2 as a number"]', "-0.75")
    page.fill('[aria-label="Value of b as a number"]', "5.5")
    root = parse(FORMULA, NUMBERS | {"w2": -0.75, "b": 5.5})
    root.backward()
    shown = page.inner_text("#leaves").replace("−", "-")
    for leaf in _leaves(root):
        (found,) = re.findall(rf"df/d{leaf.name} = (\S+)", shown)
        assert real(found) == pytest.approx(leaf.grad, rel=1e-3)
    assert real(page.inner_text("#loss").replace("−", "-").split()[-1]) == pytest.approx(root.data, rel=1e-3)
    page.click("#reset")
    assert page.input_value('[aria-label="Value of b as a number"]') == "6.88"


def test_gradient_descent_reduces_the_result(opened):
    page = opened(parse("(a - 3)**2 + (b + 1)**2", {"a": 0.0, "b": 0.0}))
    page.click("#descend")
    assert "8.4" not in page.inner_text("#loss") or "6.4" in page.inner_text("#loss")
    for _ in range(5):
        page.click("#descend10")
    assert real(page.input_value('[aria-label="Value of a as a number"]')) == pytest.approx(3.0, abs=1e-3)
    assert "51 steps downhill, from 10" in page.inner_text("#loss")


def test_hostile_name_is_shown_as_text(opened):
    page = opened(Value(1.0, name=HOSTILE) * Value(2.0, name="b"))
    page.keyboard.press("End")
    assert page.locator("img").count() == 0
    assert "</script>" in page.inner_text("#leaves")


def test_arrays_step_with_shapes_and_matrices(opened):
    page = opened(examples.mlp())
    page.keyboard.press("End")
    assert "has shape (2, 3)" in say(page)
    assert page.locator("#detail mtable").count() == 2
    assert "arrays" in page.inner_text("#leaves")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_everything_without_scrolling_sideways(opened, scheme):
    page = opened(parse(FORMULA, NUMBERS), viewport={"width": 360, "height": 740}, color_scheme=scheme, has_touch=True)
    page.tap("#next")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.tap("#n5")
    assert page.inner_text("#detail-title").startswith("Derivation of v")


def test_every_control_has_a_name(opened):
    page = opened(parse(FORMULA, NUMBERS))
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll('button, input, .node')].filter(e =>
        !(e.getAttribute('aria-label') || e.textContent.trim() || document.querySelector(`label[for="${e.id}"]`)))
        .length"""
    )
    assert unnamed == 0
    assert page.get_attribute("#say", "aria-live") == "polite"


NAMES = [
    "'\"", "\\", "<b>", "{a|b}", r"\N", "a\nb", "&lt;", "🎈", "\u202eabc", "שלום", "x" * 10_000, "", "\x00\x07",
    "\ud800", "node", "x:y", "a]; pwn [",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_shown_literally_and_short(name):
    page = play(Value(1.0, name=name) * Value(2.0, name="b"))
    shown = data_of(page)["nodes"][0]
    assert len(shown["short"]) <= 22
    assert len(shown["name"]) <= 40
    assert shown["name"].isprintable() or "\u202e" in shown["name"]
    assert len(data_of(page)["nodes"]) == 3
    page.html.encode("utf-8")
