"""A run taken up in a new process computes the bits of one that never stopped, whatever the optimizer."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from looping import chosen

import nn
import optim
from nn import checkpoint

HERE = Path(__file__).resolve().parent
SCRIPT = HERE / "resumed_run.py"
RUN = runpy.run_path(str(SCRIPT))
OPTIMIZERS = [
    name for name in chosen(optim.__all__) if hasattr(getattr(optim, name), "zero_grad") and name != "Optimizer"
]
STOP = 7  # in the middle of the second epoch of five batches


def test_run_resumed_in_another_process_computes_the_same_bits(tmp_path):
    whole = {}
    for name in OPTIMIZERS:
        whole[name] = list(RUN["Run"](name, seed=1).train())
        run = RUN["Run"](name, seed=1)
        run.train(STOP)
        checkpoint.save(tmp_path / f"{name}.npz", **run.parts(), losses=run.losses)
    command = [sys.executable, str(SCRIPT), str(tmp_path), *OPTIMIZERS]
    environment = {**os.environ, "PYTHONPATH": str(Path(nn.__file__).parents[1])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    resumed = json.loads(done.stdout)
    for name in OPTIMIZERS:
        assert len({loss for loss, _ in whole[name]}) == 15, name
        assert resumed[name] == whole[name], name


@pytest.mark.parametrize("left_out", ["nothing", "model", "optimizer", "scheduler", "average", "loader", "rng"])
def test_every_part_of_a_run_matters(tmp_path, left_out):
    whole = RUN["Run"]("Adam", seed=1).train()
    run = RUN["Run"]("Adam", seed=1)
    run.train(STOP)
    checkpoint.save(tmp_path / "run.npz", **run.parts())
    other = RUN["Run"]("Adam", seed=2)
    if left_out == "rng":  # the loader draws from the same one, and so would restore it
        other.rng = other.rng.spawn(1)[0]
    parts = other.parts()
    parts.pop(left_out, None)
    checkpoint.load(tmp_path / "run.npz", **parts)
    assert (other.train() == whole[STOP:]) == (left_out == "nothing")
