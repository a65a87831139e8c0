"""Every demo runs as it stands, warnings are errors, and what it promises to write is there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WALKTHROUGH = sorted((ROOT / "demos").glob("[0-9][0-9]_*.py"))


def run(script, folder, *arguments, check=True):
    """Run a demo in a folder of its own and return what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [sys.executable, str(ROOT / "demos" / script), *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if check:
        assert done.returncode == 0, done.stderr
    return done


def test_the_walkthrough_is_numbered_without_a_gap():
    assert [int(path.name[:2]) for path in WALKTHROUGH] == list(range(1, len(WALKTHROUGH) + 1))


@pytest.mark.parametrize("path", WALKTHROUGH, ids=lambda path: path.stem)
def test_a_step_of_the_walkthrough_runs(path, tmp_path):
    printed = run(path.name, tmp_path).stdout
    assert printed.strip()
    for name in re.findall(r"out/\S+\.(?:svg|png)", printed):
        assert (tmp_path / name).stat().st_size > 500


@pytest.mark.parametrize("path", WALKTHROUGH, ids=lambda path: path.stem)
def test_a_step_of_the_walkthrough_is_short_literate_and_checks_itself(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") < 120
    assert text.startswith(f'"""{int(path.name[:2])}. ')
    assert "# %% [markdown]" in text
    assert re.search(r"^\s*assert ", text, re.MULTILINE)


CLAIMS = {
    "by_hand": 1, "cost_of_a_gradient": 1, "descent_variants": 1, "dying_relu": 1, "exploding_gradients": 1,
    "gradient_check_finds_a_bug": 0, "learning_rates": 2, "overfitting": 1, "real_tables": 0,
    "schedules_compared": 1, "vanishing_gradients": 1,
}  # fmt: skip


@pytest.mark.parametrize(("name", "pictures"), CLAIMS.items(), ids=CLAIMS)
def test_a_claim_of_the_textbooks_is_shown(name, pictures, tmp_path):
    printed = run(f"{name}.py", tmp_path).stdout
    assert len(printed.splitlines()) > 3
    drawn = list((tmp_path / "out").glob("*.png")) if pictures else []
    assert len(drawn) == pictures
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
    assert re.search(r"^\s*assert ", (ROOT / "demos" / f"{name}.py").read_text(encoding="utf-8"), re.MULTILINE)


def test_every_demo_is_in_the_contents():
    contents = (ROOT / "demos/README.md").read_text(encoding="utf-8")
    for path in (ROOT / "demos").glob("*.py"):
        assert path.name in contents, f"tell about {path.name} in demos/README.md"


def test_digits_are_learned_and_drawn(tmp_path):
    done = run("train_digits.py", tmp_path)
    accuracy = float(re.search(r"test images: loss [\d.]+, accuracy ([\d.]+)%", done.stdout).group(1))
    assert accuracy >= 97.0
    assert len(re.findall(r"^epoch .*loss .*accuracy", done.stdout, re.MULTILINE)) == 60
    for name in ("curves.png", "graph.svg", "graph.png", "confusion.png", "model.npz"):
        assert f"wrote out/{name}" in done.stdout
        assert (tmp_path / "out" / name).stat().st_size > 1000


def test_options_of_the_digits_demo_are_heard(tmp_path):
    options = ["--epochs", "2", "--hidden", "12", "--activation", "tanh", "--optimizer", "sgd", "--lr", "0.1"]
    first = run("train_digits.py", tmp_path, *options, "--seed", "3", "--output", "elsewhere").stdout
    again = run("train_digits.py", tmp_path, *options, "--seed", "3", "--output", "again").stdout
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
        (["--hidden", "64,x"], "widths"),
        (["--optimizer", "adm"], "invalid choice"),
    ],
)
def test_a_wrong_option_of_the_digits_demo_is_one_clear_line(arguments, said, tmp_path):
    done = run("train_digits.py", tmp_path, *arguments, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_help_of_the_digits_demo_shows_every_option(tmp_path):
    text = run("train_digits.py", tmp_path, "--help").stdout
    for option in ("epochs", "batch-size", "hidden", "activation", "optimizer", "lr", "weight-decay", "seed", "output"):
        assert f"--{option}" in text


def test_the_pictures_of_the_contents_are_current(tmp_path):
    done = run("pictures.py", tmp_path, "--check", check=False)
    assert done.returncode == 0, done.stderr
    shown = re.findall(r"\(pictures/(\w+)\.svg\)", (ROOT / "demos/README.md").read_text(encoding="utf-8"))
    assert sorted(shown) == sorted(path.stem for path in (ROOT / "demos/pictures").glob("*.svg"))
