"""`play`: contents of the page, and its behaviour in a browser."""

import html
import json
import math
import re

import explained_examples as examples
import numpy as np
import pytest

import autograd as ag
import nn
from autograd import PRIMITIVES, Tensor, Value, topological_order
from autograd.cli.parsing import parse
from autograd.drawing import player
from autograd.drawing.player import FOLDER, LIMIT, page_data, play
from autograd.extend import elementwise, primitive

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&{{data}}{{script}}\u2028\x00\ud800"
FORMULA = "tanh(w1*x1 + w2*x2 + b)**2 + 0.1*(w1**2 + w2**2) + relu(w1 - x2) * sigmoid(b) + log(1 + exp(w2))"
NUMBERS = {"w1": -3.0, "w2": 1.0, "x1": 2.0, "x2": 0.5, "b": 6.88}


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page.html, re.S)[1])


def leaves_of(root):
    return [node for node in topological_order(root) if node.op is None]


def network(sizes=(3, 1), **options):
    """Return the page of the squared error of a network for one example, as scalars."""
    model = nn.MLP(2, list(sizes), activation="tanh", rng=0)
    return play(model, np.array([[1.0, 2.0]]), zoom="scalars", loss=lambda y: ((y - 0.5) ** 2).sum(), **options)


# ---------------------------------------------------------------------------------------------- the file


def test_page_is_one_file_without_external_resources():
    text = play(parse(FORMULA, NUMBERS)).html
    assert len(text.encode("utf-8")) < 180_000
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert re.search(r"script-src 'sha256-[A-Za-z0-9+/=]{44}'", policy)
    namespaces = {"http://www.w3.org/2000/svg", "http://www.w3.org/1998/Math/MathML"}
    assert set(re.findall(r"https?://[^\"'\s]+", text)) <= namespaces
    assert not re.search(
        r"\b(fetch|XMLHttpRequest|WebSocket|import\(|innerHTML|outerHTML|document\.write|eval)\b", text
    )


def test_page_of_thousands_of_nodes_has_less_than_250_kilobytes():
    rng = np.random.default_rng(0)
    model = nn.scalar.MLP(2, [16, 16, 1], rng=0)
    loss = sum((model(list(x)) - 1.0) ** 2 for x in rng.normal(size=(5, 2)))
    page = play(loss)
    assert 3_000 < len(data_of(page)["nodes"]) <= LIMIT
    assert len(page.html.encode("utf-8")) < 250_000
    x = Tensor(np.ones(20), requires_grad=True)
    for _ in range(61):
        x = (x * 1.01).tanh()
    page = play(x.sum())
    assert 0.98 * player.MOST_SCALARS < len(data_of(page)["scalars"]) <= player.MOST_SCALARS
    assert len(page.html.encode("utf-8")) < 250_000


def test_hostile_name_does_not_close_the_script():
    page = play(Value(1.0, name=HOSTILE) * Value(2.0, name="b"))
    assert page.html.count("</script>") == (FOLDER / "player.html").read_text(encoding="utf-8").count("</script>")
    assert "onerror=alert" not in re.sub(r'id="data">.*?</script>', "", page.html, flags=re.S)
    assert "\x00" not in page.html
    page.html.encode("utf-8")
    assert data_of(page)["nodes"][0]["name"].startswith("</script>")


def test_same_graph_same_page():
    assert play(examples.mlp()).html == play(examples.mlp()).html


def test_page_is_written_atomically(tmp_path):
    file = tmp_path / "page.html"
    page = play(examples.neuron(), path=file)
    assert file.read_text(encoding="utf-8") == page.html
    assert page.path == file
    with pytest.raises(FileNotFoundError, match="does not exist"):
        play(examples.neuron(), path=tmp_path / "none" / "page.html")
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]


def test_a_notebook_shows_the_page_in_a_frame():
    page = play(examples.neuron())
    frame = page._repr_html_()
    assert frame.startswith("<iframe srcdoc=")
    assert 'sandbox="allow-scripts"' in frame
    assert html.unescape(re.search(r'srcdoc="(.*?)" style', frame, re.S)[1]) == page.html
    assert repr(page) == "<page of 6 nodes>"


@pytest.mark.parametrize("thing", [3.0, None, []])
def test_play_of_other_objects_raises(thing):
    with pytest.raises(TypeError, match="Value or Tensor"):
        play(thing)


def test_play_of_a_node_with_inputs_raises_with_path():
    with pytest.raises(TypeError, match="path="):
        play(Value(1.0) * 2, "page.html")


def test_play_of_a_model_with_several_outputs_asks_for_a_loss():
    with pytest.raises(ValueError, match="3 outputs; pass loss="):
        play(nn.Linear(2, 3, rng=0), np.zeros((1, 2)))


def test_play_of_a_large_graph_raises_with_the_limit():
    x = Value(1.0)
    y = x
    for _ in range(100_000):
        y = y + x
    with pytest.raises(ValueError, match=r"100,001 nodes.*5,000"):
        play(y)


def test_play_does_not_change_the_leaves():
    a = Value(2.0)
    play(a * a)
    assert a.grad == 0.0


def test_fixed_leaves_are_marked_and_unknown_names_raise():
    nodes = data_of(play(parse("(w*x - t)**2", {"w": 1.0, "x": 2.0, "t": 3.0}), fixed=["x", "t"]))["nodes"]
    assert {node["name"] for node in nodes if "fixed" in node} == {"x", "t"}
    with pytest.raises(ValueError, match=r"fixed='q'.*w, x, t"):
        play(parse("(w*x - t)**2", {"w": 1.0, "x": 2.0, "t": 3.0}), fixed=["q"])


def test_name_of_a_node_takes_precedence_over_that_of_a_variable():
    w = Value(2.0, name="weight")
    other = Value(3.0)
    nodes = data_of(play(w * other, names=locals()))["nodes"]
    assert [node["name"] for node in nodes[:2]] == ["weight", "other"]


def test_page_of_large_arrays_has_the_numbers_and_steps_of_the_engine(monkeypatch):
    monkeypatch.setattr(player, "MOST_SCALARS", 40)
    data = data_of(play(examples.mlp()))
    assert data["why"] == "its arrays have more than 40 elements"
    assert data["nodes"][0]["value"]["rows"][0] == [0.5, -1.0]
    root = examples.mlp()
    root.backward()
    totals = {step["edge"][2]: step["total"] for step in data["steps"]}
    for k, node in enumerate(topological_order(root)):
        if node.op is None and node.requires_grad:
            np.testing.assert_allclose(totals[k]["rows"], np.atleast_2d(node.grad), rtol=1e-3)


def test_large_arrays_are_shown_in_part():
    model = nn.Linear(200, 100, rng=0)
    page = play(model, np.ones((300, 200)), loss=lambda y: (y**2).mean())
    assert len(page.html.encode("utf-8")) < 250_000
    (weight,) = (node for node in data_of(page)["nodes"] if node["name"].endswith("weight"))
    assert weight["value"]["shape"] == [100, 200]
    assert len(weight["value"]["rows"]) == len(weight["value"]["rows"][0]) == 24


@pytest.mark.parametrize(
    ("graph", "why"),
    [
        (lambda x: (x @ x).sum(), "matmul has the same operand twice"),
        (lambda x: ag.solve(x, x + 1.0).sum(), "the operation solve is not written"),
        (lambda x: (x @ (x + 1.0)).sum(), "its arrays take more than 60 operations"),
        (lambda x: [y := x * 2.0, y.register_hook(lambda g: None)][0].sum(), "a node has a hook"),
    ],
)
def test_page_says_why_it_cannot_compute_a_graph_of_arrays(graph, why, monkeypatch):
    monkeypatch.setattr(player, "MOST_SCALARS", 60)
    x = Tensor(np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 3.0], [2.0, 0.0, 1.0]]), requires_grad=True)
    data = data_of(play(graph(x)))
    assert data["why"].startswith(why)
    assert data["nodes"][0]["value"]["rows"] == x.data.tolist()


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
        assert page_data(squared_in_a_test(Value(2.0)), {})["why"].startswith("the operation squared_in_a_test is not")
        assert "squared_by_a_pullback" in page_data(squared_by_a_pullback(Value(2.0)), {})["why"]
        assert page_data(hooked * 2.0, {})["why"] == "h has a hook"
        (step,) = page_data(squared_in_a_test(Value(3.0)), {})["steps"]
        assert (step["up"], step["local"], step["share"], step["total"]) == (1.0, 6.0, 6.0, 6.0)
    finally:
        del PRIMITIVES["squared_in_a_test"], PRIMITIVES["squared_by_a_pullback"]


def test_page_of_a_leaf():
    assert data_of(play(Value(2.0, name="a")))["nodes"] == [{"name": "a", "value": 2.0}]


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan, -0.0, 1e-300, 1e300])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_nan_and_infinity_are_json(number):
    data = data_of(play(Value(number, name="a") * 2.0))
    assert data["nodes"][0]["value"] in (number, "inf", "-inf", "nan")


ODD_NAMES = [
    "'\"", "\\", "<b>", "{a|b}", r"\N", "a\nb", "&lt;", "🎈", "\u202eabc", "שלום", "x" * 10_000, "", "\x00\x07",
    "\ud800", "node", "x:y", "a]; pwn [",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_is_shown_literally_and_short(name):
    page = play(Value(1.0, name=name) * Value(2.0, name="b"))
    shown = data_of(page)["nodes"][0].get("name", "")
    assert len(shown) <= 40
    assert shown.isprintable() or "\u202e" in shown
    assert len(data_of(page)["nodes"]) == 3
    page.html.encode("utf-8")


# --------------------------------------------------------------------------------------------- in a browser


def say(page):
    return page.inner_text("#say")


def number_in(text):
    return float(text.replace("−", "-").split()[-1])


def test_buttons_keys_and_slider_step_through_the_pass(opened):
    page = opened(examples.neuron())
    assert page.inner_text("#count") == "0 / 9"
    assert page.text_content("#n2 .value") == ""
    page.click("#next")
    assert say(page) == "Forward 1 of 3: v1 = a · b = −6"
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


def test_play_runs_to_the_end_pauses_and_has_a_speed(opened):
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
    page.select_option("#speed", "4")
    page.click("#play")
    page.clock.run_for(600)
    assert page.inner_text("#count") == "6 / 9"
    page.clock.run_for(30_000)
    assert page.inner_text("#count") == "9 / 9"
    assert page.inner_text("#play") == "Play"


def test_arrows_turn_round_in_the_backward_pass(opened):
    page = opened(examples.neuron())
    assert page.locator(".edge[marker-end]").count() == 5
    page.fill("#slider", "6")
    assert page.locator(".edge[marker-start]").count() == 2
    page.keyboard.press("End")
    assert page.locator(".edge[marker-end]").count() == 0


def test_shares_are_written_where_a_node_has_several_users(opened):
    page = opened(examples.shared())
    page.keyboard.press("End")
    shares = [text.replace("−", "-") for text in page.locator(".share").all_text_contents() if text]
    assert len(shares) == 3  # of the four edges to x; the fourth is the current one
    assert page.text_content("#n0 .grad").startswith("grad ")


def test_shares_cover_no_box(opened):
    page = opened(network())
    page.keyboard.press("End")
    assert page.locator("#graph .share").count() == 6
    covered = page.evaluate(
        """() => {
          const boxes = selector => [...document.querySelectorAll(selector)].map(e => e.getBoundingClientRect());
          const apart = (p, q) => p.right <= q.x || q.right <= p.x || p.bottom <= q.y + 1 || q.bottom <= p.y + 1;
          return boxes("#graph .share").filter(p => boxes(".node > rect").some(q => !apart(p, q))).length;
        }"""
    )
    assert covered == 0


def test_gradients_are_not_shown_before_their_step(opened):
    page = opened(examples.neuron())
    page.hover("#n0")
    assert "0.004023" not in page.inner_text("main")
    assert "has not computed" in page.inner_text("#detail")
    page.fill("#slider", "9")
    assert "df/da = −0.004023" in page.inner_text("#leaves")


def test_box_shows_its_derivation(opened):
    page = opened(examples.shared())
    page.fill("#slider", "9")
    assert say(page).endswith("dy/dx is 0.1411 so far.")
    page.hover("#n0")
    assert page.inner_text("#detail-title") == "Derivation of x"
    assert "Used 4 times" in page.inner_text("#detail")
    page.keyboard.press("End")
    page.hover("#n0")
    assert page.locator("#detail math").count() == 6
    page.focus("#n0")
    page.keyboard.press("ArrowDown")
    assert page.inner_text("#detail-title") == "Derivation of v1"
    assert page.get_attribute("#n1", "aria-label").startswith("v1 = x · x")


def test_label_of_the_current_edge_covers_neither_of_its_ends(opened):
    page = opened(parse(FORMULA, NUMBERS), viewport={"width": 1280, "height": 900})
    overlaps = """() => {
      const tag = document.querySelector('#tag rect').getBoundingClientRect();
      return [...document.querySelectorAll('.node.backward rect')].filter(rect => {
        const box = rect.getBoundingClientRect();
        const across = Math.min(tag.right, box.right) - Math.max(tag.left, box.left);
        return across > 1 && Math.min(tag.bottom, box.bottom) - Math.max(tag.top, box.top) > 1;
      }).length;
    }"""
    for step in range(22, 52):
        page.fill("#slider", str(step))
        assert page.evaluate(overlaps) == 0, step


def test_sliders_recompute_what_the_engine_computes(opened):
    page = opened(parse(FORMULA, NUMBERS))
    page.keyboard.press("End")
    page.fill('[aria-label="Value of w2 as a number"]', "-0.75")
    page.fill('[aria-label="Value of b as a number"]', "5.5")
    root = parse(FORMULA, NUMBERS | {"w2": -0.75, "b": 5.5})
    root.backward()
    shown = page.inner_text("#leaves").replace("−", "-")
    for leaf in leaves_of(root):
        (found,) = re.findall(rf"df/d{leaf.name} = (\S+)", shown)
        assert float(found) == pytest.approx(leaf.grad, rel=1e-3)
    assert number_in(page.inner_text("#loss")) == pytest.approx(root.data, rel=1e-3)
    page.click("#reset")
    assert page.input_value('[aria-label="Value of b as a number"]') == "6.88"


# ---------------------------------------------------------------------------------------------------- descent


def test_descent_moves_parameters_and_leaves_inputs_and_targets(opened):
    page = opened(parse("(w*x + b - t)**2", {"w": 0.5, "x": 2.0, "b": -1.0, "t": 3.0}))

    def value(name):
        return float(page.input_value(f'[aria-label="Value of {name} as a number"]'))

    page.fill("#rate", "0.02")
    page.click("#descend10")
    assert (value("x"), value("t")) == (2.0, 3.0)
    assert value("w") > 0.5
    assert "after 10 steps downhill, from 9" in page.inner_text("#loss")
    page.click('[aria-label="Lock b"]')
    before = value("b")
    page.click("#descend")
    assert value("b") == before
    page.select_option('[aria-label="Role of x"]', "parameter")
    page.click("#descend")
    assert value("x") != 2.0


def test_fixed_leaves_stay_while_descent_finds_the_minimum(opened):
    page = opened(play(parse("(a - 3)**2 + (c + 1)**2", {"a": 0.0, "c": 0.0}), fixed=["c"]))
    for _ in range(5):
        page.click("#descend10")
    assert float(page.input_value('[aria-label="Value of a as a number"]')) == pytest.approx(3.0, abs=1e-3)
    assert page.input_value('[aria-label="Value of c as a number"]') == "0"


def test_empty_learning_rate_does_not_count_a_step(opened):
    page = opened(parse("(a - 3)**2", {"a": 0.0}))
    for rate in ("", "0", "-1"):
        page.fill("#rate", rate)
        page.click("#descend")
        assert page.inner_text("#loss") == "Enter a positive learning rate."
    page.fill("#rate", "0.1")
    page.click("#descend")
    assert "after 1 step downhill, from 9" in page.inner_text("#loss")


def test_loss_curve_has_axes_and_a_logarithmic_scale(opened):
    page = opened(parse("(a - 3)**2", {"a": 0.0}))
    page.click("#descend10")
    page.click("#descend10")
    texts = page.locator("#history text").all_text_contents()
    assert "steps of descent" in texts
    assert "f" in texts
    assert {"0", "5", "10", "15", "20"} <= set(texts)
    page.check("#log")
    assert "logarithmic" in page.get_attribute("#history", "aria-label")
    assert "1" in page.locator("#history text").all_text_contents()


def test_too_large_a_rate_is_reported(opened):
    page = opened(parse("(a - 3)**4", {"a": 10.0}))
    page.fill("#rate", "5")
    page.click("#descend10")
    assert "too large" in page.inner_text("#loss")


# --------------------------------------------------------------------------------------------------- formulas


def test_formula_can_be_edited_and_new_variables_get_sliders(opened):
    page = opened(examples.neuron())
    assert page.input_value("#formula") == "tanh(a * b + c)"
    page.fill("#formula", "sin(a) * q + a")
    page.press("#formula", "Enter")
    assert page.inner_text("#count") == "0 / 9"
    assert page.input_value('[aria-label="Value of a as a number"]') == "2"
    assert page.locator('[aria-label="Value of q as a number"]').count() == 1
    page.fill('[aria-label="Value of q as a number"]', "3")
    page.click("#last")
    root = parse("sin(a)*q + a", {"a": 2.0, "q": 3.0})
    root.backward()
    assert number_in(page.text_content("#n0 .grad")) == pytest.approx(leaves_of(root)[0].grad, rel=1e-3)


def test_invalid_formula_is_marked_at_its_column_and_the_graph_stays(opened):
    page = opened(examples.neuron())
    page.fill("#formula", "tanh(2a + b)")
    page.click("#formula-form button")
    lines = page.text_content("#formula-error").split("\n")
    assert lines[0][lines[1].index("^")] == "a"
    assert "2*a" in lines[2]
    assert page.get_attribute("#formula", "aria-invalid") == "true"
    assert page.locator(".node").count() == 6


def test_every_example_steps_to_its_end(opened):
    page = opened(examples.neuron())
    options = page.locator("#examples option").all_text_contents()[1:]
    assert len(options) >= 8
    for name in options:
        page.select_option("#examples", label=name)
        page.click("#last")
        assert "complete" in say(page), name


def test_link_restores_formula_values_roles_mode_and_step(opened):
    page = opened(examples.neuron())
    page.fill("#formula", "(w*x - t)**2 + 0*q")
    page.press("#formula", "Enter")
    page.fill('[aria-label="Value of w as a number"]', "1.25")
    page.select_option('[aria-label="Role of q"]', "constant")
    page.fill("#slider", "7")
    page.click("#share")
    link = page.input_value("#link")
    again = opened(examples.shared(), "#" + link.split("#")[1])
    assert again.input_value("#formula") == "(w*x - t)**2 + 0*q"
    assert again.input_value('[aria-label="Value of w as a number"]') == "1.25"
    assert again.input_value('[aria-label="Role of q"]') == "constant"
    assert again.inner_text("#count") == page.inner_text("#count")
    solved = opened(examples.shared(), "#formula=a*b&value=a%3D4&mode=solve")
    assert solved.is_checked("input[value=solve]")
    assert solved.text_content("#n0 .value") == "4"


def test_hostile_link_is_shown_as_text(opened):
    page = opened(
        examples.neuron(), "#formula=<img src=x onerror=alert(1)>&value=__proto__=3&role=constructor=x&step=NaN"
    )
    assert page.locator("img").count() == 0
    assert "not allowed" in page.inner_text("#formula-error")


# ------------------------------------------------------------------------------------------- predict and solve


def test_predict_hides_the_answer_diagnoses_mistakes_and_counts(opened):
    page = opened(parse("5*(a*b)", {"a": 2.0, "b": -3.0}))
    page.check("input[value=predict]")
    assert page.text_content("#tag") == "?"
    assert "Question 1 of 3" in say(page)
    assert "multiply it by df/df = 1" in say(page)  # the first is a worked example
    page.fill("#answer", "5")
    page.press("#answer", "Enter")
    assert "Correct" in page.inner_text("#feedback")
    assert "Question 2 of 3" in say(page)
    assert page.inner_text("#asked") == "df/dv1 × ∂v1/∂a ="
    assert "−15" not in page.inner_text("main")
    for wrong, message in (
        ("15", "sign"),
        ("-3", "local derivative alone"),
        ("5", "upstream gradient alone"),
        ("10", "other operand"),
        ("2", "added"),
        ("x", "Enter a number"),
    ):
        page.fill("#answer", wrong)
        page.press("#answer", "Enter")
        assert message in page.inner_text("#feedback"), wrong
    assert page.is_disabled("#next")
    page.fill("#answer", "−15")
    page.press("#answer", "Enter")
    assert page.text_content("#n0 .grad") == "grad −15"
    page.fill("#answer", "10")
    page.press("#answer", "Enter")
    assert "Finished: 2 of 3 at the first attempt" in page.inner_text("#feedback")


def test_predict_asks_for_the_sum_over_paths(opened):
    page = opened(parse("a*a + b*a", {"a": 2.0, "b": -3.0}))
    page.check("input[value=predict]")
    for _ in range(6):
        page.click("#reveal")
    assert "the contributions of all 3 paths to a are known" in say(page)
    assert page.text_content("#n0 .grad").endswith("…")
    page.fill("#answer", "2")
    page.press("#answer", "Enter")
    assert "one path" in page.inner_text("#feedback")
    page.fill("#answer", "1")
    page.press("#answer", "Enter")
    assert page.text_content("#n0 .grad") == "grad 1"


def test_recorded_scalars_can_be_predicted(opened):
    @elementwise(lambda y, x: 2 * x)
    def squared_in_a_browser(x):
        return x * x

    try:
        page = opened(squared_in_a_browser(Value(3.0, name="a")) * 5.0)
    finally:
        del PRIMITIVES["squared_in_a_browser"]
    assert "not written in operations on scalars" in page.inner_text("#leaves")
    page.check("input[value=predict]")
    page.fill("#answer", "5")
    page.press("#answer", "Enter")
    assert "so ∂v1/∂a = 2 · a" in say(page)
    page.fill("#answer", "6")
    page.press("#answer", "Enter")
    assert "local derivative alone" in page.inner_text("#feedback")
    page.fill("#answer", "30")
    page.press("#answer", "Enter")
    assert "Finished: 1 of 2" in page.inner_text("#feedback")


def test_solve_shows_nothing_but_the_forward_pass(opened):
    page = opened(examples.shared())
    page.check("input[value=solve]")
    assert say(page) == "Question 1 of 4: what is dy/dv1?"
    assert page.locator("#tag").evaluate("e => getComputedStyle(e).display") == "none"
    page.click("#hint")
    assert "so ∂y/∂v1 = 1" in say(page)
    page.fill("#answer", "1")
    page.press("#answer", "Enter")
    assert "0 of 1" in page.inner_text("#score")  # a hint was needed
    for _ in range(3):
        page.click("#reveal")
    assert "Finished" in page.inner_text("#feedback")
    page.check("input[value=watch]")
    assert page.is_hidden("#question")


# ------------------------------------------------------------------------------------------------- networks

IN_VIEW = """selector => {
  const a = document.querySelector(selector).getBoundingClientRect();
  const b = document.getElementById('view').getBoundingClientRect();
  return a.left >= b.left - 1 && a.right <= b.right + 1 && a.top >= b.top - 1 && a.bottom <= b.bottom + 1;
}"""


def test_network_has_names_of_a_textbook_and_frames(opened):
    page = opened(network(), viewport={"width": 1280, "height": 900})
    names = set(page.locator(".node .name").all_text_contents())
    assert {"w11", "w32", "b3", "h1", "z2", "x1", "x2", "w²11", "b²1", "y", "L"} <= names
    assert page.locator(".fold").all_text_contents() == [
        "▾ Layer 1: 3 neurons", "▾ Neuron 1", "▾ Neuron 2", "▾ Neuron 3", "▾ Layer 2: 1 neuron",
    ]  # fmt: skip
    boxes = page.locator(".node").count()
    page.click('[aria-label="Close Neuron 2"]')
    assert page.locator(".node").count() == boxes - 8 + 1
    page.keyboard.press("End")
    assert page.text_content('[data-frame="layer1/neuron2"] .value').startswith("h2 = ")
    page.focus('[data-frame="layer1/neuron2"]')
    page.keyboard.press("Enter")
    assert page.locator(".node").count() == boxes
    assert page.evaluate("document.activeElement.dataset.frame") == "layer1/neuron2"
    page.click("#frames")
    page.click("#frames")
    assert page.locator(".fold").count() in (0, 5)


def test_network_of_micrograd_is_named_by_its_variables(opened):
    m = nn.scalar.MLP(2, [3, 1], rng=0)
    loss = (m([1.0, -2.0]) - 1.0) ** 2
    page = opened(play(loss, names=locals()), viewport={"width": 1280, "height": 900})
    names = set(page.locator(".node .name").all_text_contents())
    assert {"w11", "b1", "h1", "w²13", "y", "loss"} <= names
    page.click("#descend10")
    data = m.state_dict()
    assert page.input_value('[aria-label="Value of w11 as a number"]') != f"{data['layers.0.neurons.0.w.0']:.6g}"


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_loss_is_in_view_at_the_start(opened, width):
    page = opened(network(), viewport={"width": width, "height": 844})
    assert page.evaluate(IN_VIEW, ".node.root rect")
    for control in ("#next", "#descend"):
        assert page.locator(control).bounding_box()["y"] < 844


def test_large_graph_has_a_map_and_follows_the_step(opened):
    page = opened(
        sum((parse("x*x", {"x": float(k)}) for k in range(60)), Value(0.0)), viewport={"width": 1280, "height": 800}
    )
    assert page.is_visible("#map")
    page.keyboard.press("End")
    assert page.evaluate(IN_VIEW, ".node.chosen rect")
    before = page.get_attribute("#graph", "viewBox")
    page.click("#zoom-in")
    assert page.get_attribute("#graph", "viewBox") != before
    box = page.locator("#view").bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 500, box["y"] + 20)
    page.mouse.up()
    page.keyboard.press("0")
    assert page.is_visible("#map")


def test_large_network_opens_closed_and_steps_when_open(opened):
    model = nn.scalar.MLP(2, [16, 16, 1], rng=0)
    loss = sum((model(list(x)) - 1.0) ** 2 for x in np.random.default_rng(0).normal(size=(2, 2)))
    page = opened(play(loss, names={"model": model}))
    assert page.locator(".node").count() <= 80
    page.click("#last")
    assert "complete" in say(page)
    page.click("#descend")
    assert "after 1 step downhill" in page.inner_text("#loss")
    page.click("#frames")
    assert page.locator(".node").count() > 1000
    page.click("#next" if page.is_enabled("#next") else "#back")
    assert page.locator(".node.chosen").count() == 1


# --------------------------------------------------------------------------------------------------- arrays


def test_arrays_step_with_numbers_heat_maps_and_linked_cells(opened):
    page = opened(examples.mlp())
    assert page.is_disabled("input[value=predict]")
    page.keyboard.press("End")
    assert "has shape (2 × 3)" in say(page)
    assert page.locator("image.heat").count() == 2 * 12
    page.focus("#n2")  # A1 = X @ W1
    assert page.inner_text("#detail-title") == "Derivation of A1"
    tables = page.locator("#detail table.matrix")
    assert tables.count() == 4
    tables.nth(0).locator("td").nth(5).hover()  # row 1, column 2
    assert tables.nth(2).locator("td.marked").count() == 2  # row 1 of X
    assert tables.nth(3).locator("td.marked").count() == 2  # column 2 of W1
    assert page.locator(".edge.lit").count() == 2


def mean_square(weight, x):
    """Return the loss of a layer of two units, and the gradient of its weight."""
    w = Tensor(np.array(weight), requires_grad=True, name="W")
    loss = ((Tensor(x, name="x") @ w).tanh() ** 2).mean()
    loss.name = "L"
    loss.backward()
    return loss, w


def test_elements_of_arrays_are_edited_and_descend_as_in_the_engine(opened):
    x, weight = np.array([[1.0, -2.0], [0.5, 1.5]]), [[0.5, -1.0], [0.25, 2.0]]
    page = opened(mean_square(weight, x)[0])
    page.keyboard.press("End")
    page.fill('[aria-label="W[1, 0]"]', "-0.75")
    weight[1][0] = -0.75
    loss, w = mean_square(weight, x)
    assert page.inner_text("#loss") == f"L = {loss.data:.4g}"
    assert f"dL/dW[1, 0] = {w.grad[1, 0]:.4g}".replace("-", "−") in page.inner_text("#leaves")
    assert page.input_value('[aria-label="Value of W[1, 0] as a number"]') == "-0.75"
    page.fill('[aria-label="W[1, 0]"]', "x")  # not a number: nothing changes
    page.fill("#rate", "0.5")
    page.click("#descend")
    weight = (w.data - 0.5 * w.grad).tolist()
    assert page.inner_text("#loss").startswith(f"L = {mean_square(weight, x)[0].data:.4g} after 1 step")
    for (i, j), element in np.ndenumerate(weight):
        assert float(page.input_value(f'[aria-label="W[{i}, {j}]"]')) == pytest.approx(element, rel=1e-3)
    assert float(page.input_value('[aria-label="x[0, 1]"]')) == -2.0  # data: descent does not move it
    page.click("#share")
    again = opened(mean_square(weight, x)[0], "#" + page.input_value("#link").split("#")[1])
    assert again.inner_text("#loss").startswith(page.inner_text("#loss").split(" after")[0])
    page.click("#reset")
    assert page.input_value('[aria-label="W[1, 0]"]') == "0.25"
    page.locator('[aria-label="Value of W[1, 0]"]').fill("1")  # the slider of the element chosen last
    assert page.input_value('[aria-label="W[1, 0]"]') == "1"


def test_model_of_arrays_has_a_frame_for_each_layer(opened):
    page = opened(play(nn.MLP(4, [6, 3], activation="relu", rng=0), np.ones((5, 4)), loss=lambda y: (y**2).mean()))
    assert "▾ 0 Linear 4 → 6" in page.locator(".fold").all_text_contents()
    page.click('[aria-label="Close 0 Linear 4 → 6"]')
    assert page.locator(".node.closed").count() == 1


# --------------------------------------------------------------------------------------------- every reader


def test_hostile_name_is_shown_as_text(opened):
    page = opened(Value(1.0, name=HOSTILE) * Value(2.0, name="b"))
    page.keyboard.press("End")
    assert page.locator("img").count() == 0
    assert "</script>" in page.inner_text("#leaves")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_everything_without_scrolling_sideways(opened, scheme):
    page = opened(parse(FORMULA, NUMBERS), viewport={"width": 360, "height": 740}, color_scheme=scheme, has_touch=True)
    page.tap("#next")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.tap("#n2")
    assert page.inner_text("#detail-title") == "Derivation of v1"
    assert page.evaluate("document.getElementById('leaves-section').scrollWidth") <= 344
    page.check("input[value=predict]")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    clipped = page.evaluate(
        "[...document.querySelectorAll('input[type=number]')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
    )
    assert clipped == 0


def test_every_control_has_a_name(opened):
    page = opened(network())
    page.check("input[value=predict]")
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll('button, input, select, .node, .fold')].filter(e => {
          const labelled = e.closest('label') || document.querySelector(`label[for="${e.id}"]`);
          return !(e.getAttribute('aria-label') || e.textContent.trim() || labelled);
        }).length"""
    )
    assert unnamed == 0
    assert page.get_attribute("#say", "aria-live") == "polite"


def test_scientific_numbers_are_in_brackets_under_a_power(opened):
    page = opened(parse("(a*b)**2", {"a": 2.8e-11, "b": 1.0}))
    page.click("#last")
    page.hover("#n3")
    assert "(2.8×10−11)2" in page.locator("#detail math").first.text_content()


def test_printed_page_has_no_controls(opened):
    page = opened(examples.neuron())
    page.keyboard.press("End")
    page.emulate_media(media="print")
    assert page.is_hidden("#next")
    assert page.is_hidden("#formula")
    assert page.is_visible("#graph")
    assert page.is_visible("#detail")


def test_notebook_frame_works_without_an_address(opened, tmp_path):
    page = opened(examples.neuron())
    page.set_content(play(examples.neuron())._repr_html_())
    frame = page.frame_locator("iframe")
    frame.locator("#next").click()
    assert frame.locator("#count").inner_text() == "1 / 9"
    frame.locator("#share").click()
    assert "formula=" in frame.locator("#link").input_value()
