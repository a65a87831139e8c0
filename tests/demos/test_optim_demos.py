"""The demos of optimizers and schedules run as they stand and draw what they promise."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytest.importorskip("matplotlib")


def run(script, out):
    """Run a demo with every warning an error; return what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
    command = [sys.executable, str(ROOT / "demos" / script), "--out", str(out)]
    done = subprocess.run(command, cwd=out.parent, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_gallery_shows_every_schedule(tmp_path):
    from optim import lr_scheduler

    printed = run("schedule_gallery.py", tmp_path / "pictures")
    kinds = [getattr(lr_scheduler, name) for name in lr_scheduler.__all__ if name not in ("LRScheduler", "Rates")]
    schedules = [kind.__name__ for kind in kinds if isinstance(kind, type)]
    assert len(schedules) == 20
    for name in schedules:
        assert name in printed
    assert (tmp_path / "pictures/schedules.png").read_bytes().startswith(b"\x89PNG")


def test_the_race_is_drawn_and_animated(tmp_path):
    from PIL import Image

    printed = run("optimizer_race.py", tmp_path / "pictures")
    racers = ["SGD", "Momentum", "Nesterov", "Adagrad", "RMSprop", "Adam", "NAdam", "Lion", "Rprop", "L-BFGS"]
    assert [line.split()[0] for line in printed.splitlines()[1:11]] == racers
    with Image.open(tmp_path / "pictures/optimizer_race.png") as picture:
        assert picture.width > 1000
    with Image.open(tmp_path / "pictures/optimizer_race.gif") as film:
        assert film.n_frames > 24


@pytest.mark.parametrize("script", ["schedule_gallery.py", "optimizer_race.py"])
def test_they_are_short_and_check_themselves(script):
    text = (ROOT / "demos" / script).read_text(encoding="utf-8")
    assert text.count("\n") < 120
    assert "# %% [markdown]" in text
    assert "\nassert " in text
