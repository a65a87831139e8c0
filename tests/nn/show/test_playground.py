"""`play`: the page that trains a network, compared with Python, and its behaviour in a browser."""

import itertools
import json
import re
import runpy
import shlex
from pathlib import Path

import numpy as np
import pytest
from pages import evaluated, needs_node

import nn
import optim
from autograd import topological_order
from autograd.__main__ import main as play_command
from autograd.cli.parsing import parse
from nn.__main__ import main
from nn.data import DataLoader, TensorDataset
from nn.show.playground import ACTIVATIONS, DATA_SETS, FOLDER, LOSSES, OPTIMIZERS, SCHEDULES
from optim.lr_scheduler import LambdaLR

SCRIPTS = ("engine", str(FOLDER / "lanes"), str(FOLDER / "generator"), str(FOLDER / "perceptron"))
SETTINGS = {
    "seed": 0, "hidden": [8, 8], "activation": "tanh", "loss": "BCEWithLogitsLoss", "residual": False, "noise": 0.1,
    "batch": 10, "init": "automatic", "optimizer": "Adam", "lr": 0.03, "schedule": "constant", "decay": 0,
}  # fmt: skip
TRAINED = """given.map(([page, settings, name]) => {
  const trainer = new Trainer(settings, page.sets[name], page);
  for (let i = 0; i < 50; i++) trainer.step();
  return { losses: trainer.losses, x: trainer.rows, t: trainer.targets };
})"""


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page.html, re.S)[1])


def trained(trainings):
    """Return the losses of the first 50 steps in JavaScript, given pages, settings and names of data sets."""
    return evaluated(TRAINED, [(data_of(page), *rest) for page, *rest in trainings], SCRIPTS)


def losses_of_fit(model, loss, optimizer, x, y, **options):
    """Return the losses of the first 50 steps of `fit`."""
    losses = []

    def recorded(*args):
        found = loss(*args)
        losses.append(float(found.data))
        return found

    steps = -(-len(x) // options["batch_size"])
    nn.training.fit(model, recorded, optimizer, (x, y), epochs=-(-50 // steps), rng=0, compile=False, **options)
    return losses[:50]


def network(sizes=(8, 8, 1), activation="tanh"):
    return nn.MLP(2, list(sizes), activation=activation, rng=0)


# ------------------------------------------------------------------------------------------------- the file


def test_recorded_data_sets_are_those_of_their_script():
    script = runpy.run_path(str(Path(__file__).with_name("record_data_sets.py")))
    for name, made in script["FILES"].items():
        assert json.loads((FOLDER / name).read_text(encoding="ascii")) == made()


def test_page_is_one_file_of_less_than_250_kilobytes_that_loads_nothing():
    for data in ("moons", "digits"):
        text = nn.play(data=data).html
        assert len(text.encode("utf-8")) < 250_000
        policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
        assert "default-src 'none'" in policy
        assert "unsafe-eval" not in policy
        assert set(re.findall(r"https?://[^\"'\s]+", text)) <= {"http://www.w3.org/2000/svg"}
        assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|import\(|innerHTML|document\.write|eval)\b", text)


def test_data_sets_have_rows_for_training_and_validation():
    for name in DATA_SETS:
        data = data_of(nn.play(data=name))
        found = data["sets"][name]
        assert data["first"] == name
        assert 0 < found["train"] < len(found["x"]) == len(found["y"])
        assert np.isfinite(found["x"]).all()
        assert found["classes"] == {"sine": 0, "digits": 10}.get(name, 2)


def test_invalid_data_and_models_raise():
    x, y = np.zeros((6, 2)), np.arange(6) % 2
    for data, message in [
        ("nothing", "unknown data set 'nothing'; choose from moons"),
        ((x, y[:4]), r"got \(6, 2\) and \(4,\)"),
        ((x, y - 1), "classes must be integers from 0"),
        ((x * np.nan, y), "finite"),
        ((x,), "pairs"),
    ]:
        with pytest.raises(ValueError, match=message):
            nn.play(data=data)
    with pytest.raises(ValueError, match="contains examples for validation"):
        nn.play(data="moons", validation=(x, y))
    with pytest.raises(ValueError, match="2 inputs and 1 outputs, got 3 and 1"):
        nn.play(nn.MLP(3, [1], rng=0), (x, y))
    for model in (
        nn.MLP(2, [3, 1], norm="batch", rng=0),
        nn.Sequential(nn.Tanh()),
        nn.MLP(2, [3, 3, 1], ["tanh", "relu"]),
    ):
        with pytest.raises(TypeError, match="chain of Linear layers"):
            nn.play(model)


def test_command_writes_the_page_of_a_data_set_or_of_a_table(tmp_path, capsys):
    rng = np.random.default_rng(0)
    table = tmp_path / "table.csv"
    rows = [f"{a:.3f},{b:.3f},{'yes' if a > b else 'no'}" for a, b in rng.normal(size=(60, 2))]
    table.write_text("a,b,larger\n" + "\n".join(rows), encoding="utf-8")
    for data in ("xor", str(table)):
        assert main(["play", data, "--out", str(tmp_path / "page.html")]) == 0
        assert "page.html: network 2-8-8-1, " in capsys.readouterr().out
        assert (tmp_path / "page.html").stat().st_size < 250_000
    assert main(["play", "nothing", "--out", str(tmp_path / "page.html")]) == 2
    assert "does not exist: nothing; the data sets are moons, " in capsys.readouterr().err


# ---------------------------------------------------------------------------------- the same losses as Python


@needs_node
def test_orders_of_the_rows_are_those_of_a_loader():
    cases = [(seed, count) for seed in (0, 1, 7, 9999, 2**32 + 5) for count in (1, 2, 80, 1500)]
    code = """given.map(([seed, count]) => {
      const generator = new Generator(seed);
      return [generator.epoch(count), generator.epoch(count), new Generator(seed).uniform()];
    })"""
    for (seed, count), (*orders, uniform) in zip(cases, evaluated(code, cases, SCRIPTS), strict=True):
        loader = DataLoader(TensorDataset(np.arange(count)), batch_size=count, shuffle=True, rng=seed)
        assert orders == [np.ravel(rows).tolist() for _ in range(2) for (rows,) in loader]
        assert uniform == np.random.default_rng(seed).random()


@needs_node
def test_losses_of_every_optimizer_are_those_of_fit():
    page = nn.play(network())
    trainings = [
        (page, SETTINGS | {"optimizer": name, "lr": lr, "decay": decay, "schedule": "cosine"}, "moons")
        for name, (_, _, lr) in OPTIMIZERS.items()
        for decay in (0, 0.01)
    ]
    for (_, settings, _), found in zip(trainings, trained(trainings), strict=True):
        kind, options, lr = OPTIMIZERS[settings["optimizer"]]
        model = network()
        optimizer = kind(model.parameters(), lr=lr, weight_decay=settings["decay"], **options)
        x, t = np.array(found["x"])[:160], np.array(found["t"])[:160]
        scheduler = {"step": LambdaLR(optimizer, SCHEDULES["cosine"])}
        expected = losses_of_fit(model, nn.BCEWithLogitsLoss(), optimizer, x, t, batch_size=10, scheduler=scheduler)
        np.testing.assert_allclose(found["losses"], expected, rtol=0, atol=1e-9, err_msg=settings["optimizer"])


@needs_node
def test_losses_of_every_loss_and_activation_are_those_of_fit():
    models, trainings = [], []
    for k, activation in enumerate(ACTIVATIONS):
        models.append(network((5, 4, 1), activation.replace("_", "")))
        changes = {"hidden": [5, 4], "activation": activation, "loss": list(LOSSES)[k % len(LOSSES)], "lr": 0.02}
        settings = SETTINGS | changes | {"optimizer": "Momentum", "batch": 32}
        trainings.append((nn.play(models[-1]), settings, "circles"))
    assert {settings["loss"] for _, settings, _ in trainings} == LOSSES.keys()
    for model, (_, settings, _), found in zip(models, trainings, trained(trainings), strict=True):
        optimizer = optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
        x, t = np.array(found["x"])[:160], np.array(found["t"])[:160]
        expected = losses_of_fit(model, getattr(nn, settings["loss"])(), optimizer, x, t, batch_size=32)
        np.testing.assert_allclose(found["losses"], expected, rtol=0, atol=1e-9, err_msg=str(settings))


@needs_node
def test_several_classes_and_partial_batches_train_as_in_python():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(45, 3)), rng.integers(0, 3, 45)
    model = nn.MLP(3, [4, 3], activation="tanh", rng=1)
    settings = SETTINGS | {"hidden": [4], "loss": "CrossEntropyLoss", "batch": 10}
    (found,) = trained([(nn.play(model, (x, y)), settings, "data")])
    optimizer = optim.Adam(model.parameters(), lr=0.03)
    expected = losses_of_fit(model, nn.CrossEntropyLoss(), optimizer, x, y, batch_size=10)
    np.testing.assert_allclose(found["losses"], expected, rtol=0, atol=1e-9)


@needs_node
def test_skip_connections_train_as_residual_layers():
    model = nn.MLP(2, [4, 4, 4, 1], activation="silu", residual=True, rng=0)
    chain = nn.MLP(2, [4, 4, 4, 1], activation="silu", rng=0)  # of the same initial weights
    settings = SETTINGS | {"hidden": [4, 4, 4], "activation": "silu", "residual": True}
    (found,) = trained([(nn.play(chain), settings, "xor")])
    x, t = np.array(found["x"])[:160], np.array(found["t"])[:160]
    optimizer = optim.Adam(model.parameters(), lr=0.03)
    expected = losses_of_fit(model, nn.BCEWithLogitsLoss(), optimizer, x, t, batch_size=10)
    np.testing.assert_allclose(found["losses"], expected, rtol=0, atol=1e-9)


@needs_node
def test_batch_normalization_trains_as_in_python():
    model = nn.MLP(2, [5, 4, 1], activation="tanh", norm="batch", rng=0)
    chain = nn.MLP(2, [5, 4, 1], activation="tanh", rng=0)
    layers, others = ([m for m in one.modules() if isinstance(m, nn.Linear)] for one in (model, chain))
    for layer, other in zip(layers, others, strict=True):
        layer.weight.data, layer.bias.data = other.weight.data.copy(), other.bias.data.copy()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.requires_grad_(False)
    settings = SETTINGS | {"hidden": [5, 4], "norm": True, "batch": 32, "optimizer": "Momentum", "lr": 0.1}
    (found,) = trained([(nn.play(chain), settings, "moons")])
    x, t = np.array(found["x"])[:160], np.array(found["t"])[:160]
    optimizer = optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1, momentum=0.9)
    expected = losses_of_fit(model, nn.BCEWithLogitsLoss(), optimizer, x, t, batch_size=32)
    np.testing.assert_allclose(found["losses"], expected, rtol=0, atol=1e-9)


@needs_node
def test_experiments_show_what_they_say():
    def settings(**changes):
        return SETTINGS | changes

    code = """given.runs.map(settings => {
      const trainer = new Trainer(settings, given.page.sets[settings.set], given.page);
      trainer.step();
      const gradients = trainer.ratios().map(layer => layer.gradient);
      while (trainer.epoch < settings.epochs) trainer.step();
      return { gradients, history: trainer.history.map(one => [one.train.loss, one.valid.loss]) };
    })"""
    deep = {"hidden": [2] * 50, "activation": "sigmoid", "optimizer": "SGD", "lr": 0.5, "set": "moons", "epochs": 1}
    large = {"set": "circles", "noise": 0.6, "hidden": [16, 16], "activation": "relu", "batch": 32, "epochs": 60}
    spiral = {"set": "spiral", "noise": 0, "lr": 0.05, "hidden": [12, 12], "epochs": 60}
    runs = [
        settings(**deep), settings(**deep, residual=True), settings(**deep | {"batch": 32}, norm=True),
        settings(**large), settings(**large, optimizer="AdamW", decay=1), settings(**spiral, optimizer="SGD"),
        settings(**spiral, optimizer="Momentum"),
    ]  # fmt: skip
    found = evaluated(code, {"page": data_of(nn.play()), "runs": runs}, SCRIPTS)
    vanished, passed, normalized = (run["gradients"][0] / run["gradients"][-2] for run in found[:3])
    assert vanished < 1e-20 < 1e-3 < min(passed, normalized)
    overfitted, decayed = (run["history"] for run in found[3:5])
    assert overfitted[60][0] < overfitted[20][0]
    assert overfitted[60][1] > overfitted[20][1] + 0.1
    assert decayed[60][1] < overfitted[60][1] - 0.05
    plain, momentum = (run["history"][60][0] for run in found[5:])
    assert momentum < 0.1 < 0.4 < plain


# ------------------------------------------------------------------------------------------------ in a browser


def say(page):
    return page.inner_text("#say")


def losses(page):
    return [float(line) for line in page.text_content("#losses").split()]


def test_first_losses_in_the_browser_are_those_of_fit(opened):
    rng = np.random.default_rng(5)
    x = rng.normal(size=(200, 2))
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    model = nn.MLP(2, [6, 1], activation="tanh", rng=2)
    page = opened(nn.play(model, (x, y)))
    for name, (kind, options, lr) in OPTIMIZERS.items():
        page.select_option("#set-optimizer", name)
        assert float(page.input_value("#set-lr")) == lr
        for epoch in range(1, 4):
            page.click("#epoch")
            page.wait_for_function(f"() => document.getElementById('say').textContent.startsWith('Epoch {epoch}:')")
        twin = nn.MLP(2, [6, 1], activation="tanh", rng=2)
        optimizer = kind(twin.parameters(), lr=lr, weight_decay=0.0, **options)
        expected = losses_of_fit(twin, nn.BCEWithLogitsLoss(), optimizer, x, y[:, None].astype(float), batch_size=10)
        assert len(losses(page)) == 50
        np.testing.assert_allclose(losses(page), expected, rtol=0, atol=1e-9, err_msg=name)


def test_training_runs_pauses_and_resets(opened):
    page = opened(nn.play())
    assert "2-8-8-1: 105 parameters" in say(page)
    page.click("#step")
    assert say(page).startswith("Step 1: the loss of the batch was")
    page.click("#play")
    page.wait_for_function("() => document.getElementById('count').textContent.match(/epoch [1-9]/)")
    page.click("#play")
    assert say(page).startswith("Paused after")
    assert "% correct" in page.inner_text("#measures")
    assert page.locator("#history polyline").count() == 2
    assert "training" in page.get_attribute("#history", "aria-label")
    assert page.locator("#layers tbody tr").count() == 3
    page.keyboard.press("r")
    assert page.inner_text("#count") == "step 0, epoch 0"
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#count") == "step 1, epoch 0"


def test_slow_motion_tells_one_step_in_phases(opened):
    page = opened(nn.play(network((3, 1))))
    heads = []
    for _ in range(7):
        page.click("#slow")
        heads.append(say(page))
    words = [
        "ring", "forward through layer 0", "forward through the output", "the mean over the batch",
        "backward through the output", "backward through layer 0", "Adam computes the update",
    ]  # fmt: skip
    for n, (text, word) in enumerate(zip(heads, words, strict=True), 1):
        assert text.startswith(f"Phase {n} of 7")
        assert word in text
    assert page.inner_text("#count") == "step 0, epoch 0"
    page.click("#slow")
    assert page.inner_text("#count") == "step 1, epoch 0"
    slow = losses(page)
    page.click("#reset")
    page.click("#step")
    assert losses(page) == slow


def click_on_edge(page, sizes, layer, neuron, input):
    """Click a tenth of the way along an edge between two neurons, which are placed in columns."""
    canvas = page.locator("#network canvas")
    box = canvas.bounding_box()
    gap, pitch = box["width"] / len(sizes), 52
    (x1, y1), (x2, y2) = (
        (gap * (k + 0.5), (box["height"] - 20) / 2 + (i - (sizes[k] - 1) / 2) * pitch)
        for k, i in ((layer, input), (layer + 1, neuron))
    )
    canvas.click(position={"x": x1 + 20 + (x2 - x1 - 40) * 0.136, "y": y1 + (y2 - y1) * 0.028})


def test_neuron_and_point_show_their_derivation(opened):
    model = network((3, 1))
    page = opened(nn.play(model))
    page.click('[data-layer="0"][data-neuron="1"]')
    assert page.inner_text("#detail-title") == "Derivation of neuron 2 of layer 0, for point 1"
    assert page.locator("#detail tbody tr").count() == 3
    value = float(page.locator("#detail tbody tr td").first.text_content().replace("−", "-"))
    assert value == pytest.approx(model[0].weight.data[1, 0], rel=1e-2)
    click_on_edge(page, sizes=(2, 3, 1), layer=0, neuron=0, input=1)
    assert page.inner_text("#detail-title") == "Derivation of weight w2 of neuron 1 of layer 0, for point 1"
    assert page.locator("#detail tr.chosen th").inner_text() == "w2"
    click_on_edge(page, sizes=(2, 3, 1), layer=0, neuron=0, input=1)
    assert page.inner_text("#detail-title") == "Derivation"
    page.click('[data-layer="0"][data-neuron="1"]')
    page.focus("#field")
    page.keyboard.press("ArrowRight")
    assert say(page).startswith("Point 2: target 1")
    assert say(page).endswith("Boxes show its activations and, below, their gradients ∂L/∂h.")
    assert "for point 2" in page.inner_text("#detail-title")
    page.click('[data-layer="0"][data-neuron="1"]')
    assert page.inner_text("#detail-title") == "Derivation"


def test_arrow_keys_select_the_weights_of_a_neuron(opened):
    page = opened(nn.play(network((3, 1))))
    page.focus('[data-layer="0"][data-neuron="1"]')
    titles = []
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
        titles.append(page.inner_text("#detail-title"))
    weights = [f"Derivation of weight w{i} of neuron 2 of layer 0, for point 1" for i in (1, 2)]
    assert titles == [*weights, "Derivation of neuron 2 of layer 0, for point 1", weights[1]]
    assert say(page) == f"{weights[1]}."


def test_player_derives_the_gradients_of_a_neuron(opened, tmp_path):
    model = network((3, 1))
    page = opened(nn.play(model))
    for layer, neuron in ((0, 1), (1, 0)):
        page.click(f'[data-layer="{layer}"][data-neuron="{neuron}"]')
        page.click("#player")
        words = shlex.split(page.input_value("#text"))
        assert words[:3] == ["python", "-m", "autograd"]
        graph = parse(words[4], {name: float(x) for name, x in (word.split("=") for word in words if "=" in word)})
        graph.backward()
        gradients = {node.name: node.grad for node in topological_order(graph) if node.name}
        for row in page.locator("#detail tbody tr").all():
            shown = row.locator("td").nth(1).inner_text().split("= ")[1].replace("−", "-")
            assert gradients[row.locator("th").inner_text()] == pytest.approx(float(shown), rel=5e-3, abs=1e-12)
        assert play_command([*words[3:-1], "-o", str(tmp_path / "player.html")]) == 0


def test_settings_are_checked_and_restored_from_a_link(opened):
    page = opened(nn.play())
    page.fill("#set-hidden", "4,x")
    page.press("#set-hidden", "Enter")
    assert "must be up to 64 integers" in page.inner_text("#settings-error")
    page.fill("#set-hidden", "4,3")
    page.press("#set-hidden", "Tab")
    assert page.inner_text("#settings-error") == ""
    assert "2-4-3-1" in say(page)
    page.select_option("#set-set", "sine")
    assert page.locator("#set-loss option").all_text_contents() == ["MSELoss", "L1Loss", "HuberLoss", "LogCoshLoss"]
    page.click("#share")
    link = page.input_value("#text")
    again = opened(nn.play(), "#" + link.split("#")[1])
    assert again.input_value("#set-hidden") == "4,3"
    assert again.input_value("#set-set") == "sine"
    invalid = opened(nn.play(), "#hidden=99999&batch=0")
    assert invalid.inner_text("#settings-error").startswith("The link is invalid. Hidden units must be")
    invalid.click("#step")
    assert say(invalid).startswith("Step 1")
    invalid.fill("#set-batch", "2.5")
    invalid.press("#set-batch", "Enter")
    assert invalid.inner_text("#settings-error") == "Batch size must be an integer from 1 to 2000."
    hostile = opened(nn.play(), "#set=<img src=x onerror=alert(1)>&hidden=__proto__&lr=x")
    assert hostile.input_value("#set-set") == "moons"
    assert hostile.locator("img").count() == 0


def test_every_experiment_trains(opened):
    page = opened(nn.play())
    count = page.locator("#experiments a").count()
    assert count >= 10
    for k in range(count):
        page.locator("#experiments a").nth(k).click()
        assert page.inner_text("#question")
        assert page.inner_text("#settings-error") == ""
        page.click("#step")
        assert "Step 1:" in say(page)
    page.go_back()
    assert page.locator("#experiments a").nth(count - 2).get_attribute("href") == "#" + page.url.split("#")[1]
    page.go_forward()
    again = opened(nn.play(), page.locator("#experiments a").last.get_attribute("href"))
    assert again.inner_text("#question") == page.inner_text("#question")
    assert again.input_value("#set-optimizer") == "AdamW"


# Every choice of the initial weights, schedule, loss, skip connections and normalization occurs.
COPIED = [
    "set=moons&init=automatic&schedule=warmup&optimizer=Nesterov",
    "set=sine&init=xavier&schedule=exponential&norm=1&decay=0.01&loss=HuberLoss",
    "set=circles&init=he&schedule=step&residual=1&activation=relu&optimizer=AdamW&decay=0.1&batch=16",
    "set=xor&init=lecun&schedule=inverse+time&loss=HingeLoss&optimizer=Lion&activation=selu&hidden=4,4,4&residual=1",
    "set=spiral&init=large&schedule=cosine&loss=L1Loss&optimizer=RMSprop&noise=0.3&seed=7",
    "set=sine&init=zeros&schedule=constant&loss=LogCoshLoss&optimizer=NAdam&hidden=",
    "set=moons&loss=MSELoss&optimizer=Adadelta&norm=1&residual=1&activation=gelu&hidden=6,6&decay=0.01",
]


def test_copied_script_trains_the_same_network(opened):
    for fragment in COPIED:
        page = opened(nn.play(), f"#{fragment}")
        assert page.inner_text("#settings-error") == ""
        page.click("#python")
        names = {}
        script = page.input_value("#text").replace("epochs=50", "epochs=3")
        exec(compile(script, "script", "exec"), names)
        for epoch in (1, 2, 3):
            page.click("#epoch")
            page.wait_for_function(f"() => document.getElementById('say').textContent.startsWith('Epoch {epoch}:')")
        steps = -(-len(names["x"]) // int(re.search(r"batch_size=(\d+)", script)[1]))
        found = np.reshape(losses(page)[: 3 * steps], (3, steps)).mean(axis=1)
        np.testing.assert_allclose(found, names["history"]["loss"], rtol=1e-9, err_msg=fragment)


def test_copied_scripts_contain_every_choice():
    page, given = data_of(nn.play()), "&".join(COPIED)
    for name in page["schedules"]:
        assert f"schedule={name.replace(' ', '+')}" in given
    source = (FOLDER / "controls.js").read_text(encoding="utf-8")
    inits = re.findall(r'\["(\w+)", "[^"]+"\],', source[source.index('key: "init"') : source.index('key: "loss"')])
    assert len(inits) >= 6
    for name in inits:
        assert f"init={name}" in given


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_shows_everything_without_scrolling_sideways(opened, scheme):
    options = {"viewport": {"width": 390, "height": 844}, "color_scheme": scheme, "reduced_motion": "reduce"}
    for data in ("moons", "digits", "sine"):
        page = opened(nn.play(data=data), **options)
        page.click("#step")
        page.click("#slow")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_sections_fill_the_columns_without_gaps(opened):
    page = opened(nn.play(), viewport={"width": 1280, "height": 900})
    for width, count in ((1280, 2), (900, 1), (1600, 3)):
        page.set_viewport_size({"width": width, "height": 900})
        boxes = page.evaluate(
            """() => [...document.querySelectorAll('section')].map(section => {
              const box = section.getBoundingClientRect();
              return [box.x, box.right, box.y, box.bottom];
            })"""
        )
        columns = {}
        for x, right, top, bottom in boxes:
            columns.setdefault((x, right), []).append((top, bottom))
        assert len(columns) == count
        assert max(right for _, right in columns) >= width - 32
        for places in map(sorted, columns.values()):
            assert all(after[0] - before[1] < 20 for before, after in itertools.pairwise(places))


def test_every_control_has_a_name(opened):
    page = opened(nn.play())
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll('button, input, select, textarea, canvas[tabindex]')].filter(e => {
          const labelled = e.closest('label') || document.querySelector(`label[for="${e.id}"]`);
          return !(e.getAttribute('aria-label') || e.textContent.trim() || labelled);
        }).length"""
    )
    assert unnamed == 0
    assert page.get_attribute("#say", "aria-live") == "polite"


def test_page_stays_responsive_while_it_trains(opened):
    page = opened(nn.play(), "#hidden=16,16&batch=1")
    page.click("#play")
    page.wait_for_function("() => document.getElementById('count').textContent !== 'step 0, epoch 0'")
    page.click('[data-layer="1"][data-neuron="3"]')
    assert "neuron 4 of layer 2" in page.inner_text("#detail-title")
    page.click("#play")
    assert say(page).startswith("Paused")


def test_own_points_are_pasted_or_added_by_clicks(opened):
    page = opened(nn.play())
    page.click("summary:text('Own data')")
    page.fill("#own", "0,0,0\n1,1,x")
    page.click("#use-own")
    assert page.inner_text("#own-error").startswith("Line 2 must have 3 finite numbers")
    for text in ("0,0,0\n1,,1", ",,\n,,", "1,2,0", "", "a,b,c\n1,2,0", "<img>,1\n2,3,1"):
        page.fill("#own", text)
        page.click("#use-own")
        assert page.inner_text("#own-error").startswith(("Line 2 must", "Line 1 must", "Write at least two lines"))
    page.fill("#own", "x1, x2, class\n0,0,0\n1; 1; 1\n0\t1\t1\n1 0 0")  # the first line names the columns
    page.click("#use-own")
    assert page.inner_text("#own-error") == ""
    page.click("#share")
    again = opened(nn.play(), "#" + page.input_value("#text").split("#")[1])
    assert again.input_value("#set-set") == "own"
    assert again.input_value("#own") == page.input_value("#own")
    page.fill("#own", "0,0,0\n1,1,1\n0,1,1\n1,0,0")
    page.click("#use-own")
    assert page.input_value("#set-set") == "own"
    page.select_option("#clicks", "1")
    page.click("#field", position={"x": 40, "y": 40})
    lines = page.input_value("#own").split("\n")
    assert len(lines) == 5
    assert lines[-1].endswith(",1")
    page.click("#step")
    assert len(losses(page)) == 1
    page.fill("#own", "\n".join(f"{x},{x * x}" for x in np.linspace(0.1, 1, 10).round(2)))
    assert page.inner_text("#axes").startswith("Horizontal: input 1, −0.12 to 1.12; vertical: input 2,")
    page.click("#use-own")
    assert page.inner_text("#axes") == "Horizontal: the input, −0.008 to 1.11; vertical: the output."
    assert page.is_disabled("#set-noise")
    assert page.input_value("#set-loss") == "MSELoss"
    page.click("#step")
    assert "sizes 1-8-8-1" not in page.inner_text("#settings-error")


def test_images_are_shown_and_selected(opened):
    page = opened(nn.play(data="digits"))
    page.click("#field", position={"x": 60, "y": 10})
    assert say(page).startswith("Point 2: target")
    page.click("#epoch")
    page.wait_for_function("() => document.getElementById('say').textContent.startsWith('Epoch 1')")
    page.click("#slow")
    assert "ring" in say(page)
