"""Hostile use of checkpoints: one test per fault."""

import errno
import io
import json
import os
import pickle
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import nn
import optim
from nn import checkpoint
from nn.checkpoint import CheckpointError
from nn.data import DataLoader, TensorDataset
from optim.lr_scheduler import StepLR

ROOT = Path(__file__).parents[3]


class Bag:
    """Anything with a state: names to arrays."""

    def __init__(self, state):
        self.state = state

    def state_dict(self):
        return self.state

    def load_state_dict(self, state_dict):
        self.state = dict(state_dict)


class Bomb:
    """Pickled, it would run code when loaded."""

    def __reduce__(self):
        return (pytest.fail, ("code in a file was executed",))


def parts(seed, hidden=3):
    model = nn.MLP(2, [hidden, 1], rng=seed)
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    (model(np.ones((4, 2))) ** 2).sum().backward()
    optimizer.step()
    return {"model": model, "optimizer": optimizer}


@pytest.fixture
def saved(tmp_path):
    """A checkpoint, and other parts that it could be loaded into."""
    checkpoint.save(tmp_path / "run.npz", **parts(0), step=1)
    return tmp_path / "run.npz", parts(1)


def refused(path, into, *words):
    """Loading fails with a message of these words, and every part is as it was."""
    before = repr([p.state_dict() for p in into.values()])
    with pytest.raises(ValueError, match="(?s)" + "".join(f"(?=.*{w})" for w in words)) as info:
        checkpoint.load(path, **into)
    assert isinstance(info.value, CheckpointError)
    assert str(path) in str(info.value)
    assert "allow_pickle" not in str(info.value)
    assert repr([p.state_dict() for p in into.values()]) == before


def rewritten(path, change):
    """Write the file again with its members changed."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def npy(data, **header):
    """A .npy file with a header of one's own."""
    text = repr({"descr": "<f8", "fortran_order": False} | header).ljust(118) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + data


KILLED = """
import sys
from nn import checkpoint
step = 1
while True:
    step += 1
    checkpoint.save(sys.argv[1], step=step, w=[0.5] * 500)
    print(step, flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX systems")
def test_save_killed_at_any_point_keeps_a_complete_file(saved):
    path, _ = saved
    with subprocess.Popen([sys.executable, "-c", KILLED, str(path)], cwd=ROOT, stdout=subprocess.PIPE) as running:
        for _ in range(3):
            running.stdout.readline()
        running.send_signal(signal.SIGKILL)
        rest = running.stdout.read().split()
    assert checkpoint.load(path)["step"] - int((rest or [4])[-1]) in (0, 1)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, OSError(errno.ENOSPC, "No space left on device")],
                         ids=["Ctrl-C", "exception", "disk full"])  # fmt: skip
def test_save_that_fails_keeps_the_old_file(saved, monkeypatch, error):
    path, into = saved

    def fails(*_):
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fails)
        with pytest.raises((KeyboardInterrupt, RuntimeError, OSError)) as info:
            checkpoint.save(path, **into, step=2)
    if isinstance(error, OSError):
        assert str(path) in str(info.value)
    assert checkpoint.load(path)["step"] == 1
    assert [p.name for p in path.parent.iterdir()] == ["run.npz"]


def test_load_of_another_file_raises_checkpoint_error(saved):
    path, into = saved
    whole = path.read_bytes()
    contents = {
        "truncated": whole[:-50],
        "begins with b''": b"",
        "begins with b'step": b"step = 3\n",
        "unsafe": pickle.dumps(Bomb()),
    }
    for words, content in contents.items():
        path.write_bytes(content)
        refused(path, into, "not a checkpoint", words)
    np.savez(path, weight=np.zeros(3))
    refused(path, into, "not a checkpoint", "other programs")
    refused(path.parent, into, "not a checkpoint", "directory")


def test_load_of_a_file_with_a_flipped_bit_raises_or_returns_the_same(saved):
    path, into = saved
    whole = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo("model/0.weight.npy")
    whole[member.header_offset + 200] ^= 1
    path.write_bytes(whole)
    refused(path, into, "damaged|CRC")


def test_load_never_executes_code_from_the_file(saved):
    path, into = saved
    data = io.BytesIO()
    np.save(data, np.array([Bomb()] * 6, dtype=object).reshape(3, 2))
    rewritten(path, lambda members: members.update({"model/0.weight.npy": data.getvalue()}))
    refused(path, into, "0.weight", "unsafe")
    with pytest.raises(ValueError, match=r"metrics.*unsafe"):
        checkpoint.save(path, metrics=np.array([None, 1]))


def test_load_of_a_forged_size_raises_without_allocating(saved):
    path, into = saved
    forged = npy(bytes(48), shape=(10**13,))
    rewritten(path, lambda members: members.update({"model/0.weight.npy": forged}))
    refused(path, into, "80,000,000,000,000 bytes", "but has 48")
    checkpoint.save(path, **parts(0), step=1)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.npy", bytes(10_000_000))
    refused(path, into, "claim 10,", f"{path.stat().st_size:,}")


def test_load_of_another_version_or_model_raises(saved):
    path, into = saved

    def newer(members):
        manifest = json.loads(members["checkpoint.json"]) | {"version": 2}
        members["checkpoint.json"] = json.dumps(manifest).encode()

    refused(path, into | {"average": parts(2)["model"]}, "no part 'average'", "'optimizer'")
    refused(path, parts(2, hidden=4), "0.weight", r"\(3, 2\)", r"\(4, 2\)", "nothing was loaded")
    rewritten(path, newer)
    refused(path, into, "version 2", "versions up to 1", "upgrade")


def test_save_and_load_accept_any_name(saved):
    path, _ = saved
    names = ["file", "allow_pickle", "a/b", "../x", "ü λ", "W", "w"]
    checkpoint.save(path, model=Bag({name: np.array([i]) for i, name in enumerate(names)}))
    bag = Bag({})
    checkpoint.load(path, model=bag)
    assert {name: a.item() for name, a in bag.state.items()} == {name: i for i, name in enumerate(names)}
    with zipfile.ZipFile(path) as archive:
        assert not any(".." in name.split("/") for name in archive.namelist())


@pytest.mark.parametrize("a", [
    np.float32([0.1, 0.2]), np.array([np.pi]), np.array(2.5), np.zeros((0, 3)),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.array([np.nan, -0.0, 5e-324]), np.arange(3, dtype=">f8"),
], ids=["float32", "float64", "0-d", "empty", "columns first", "nan -0 subnormal", "big-endian"])  # fmt: skip
def test_save_and_load_preserve_every_bit(saved, a):
    path, _ = saved
    checkpoint.save(path, model=Bag({"a": a}))
    b = checkpoint.load(path)["model"]["a"]
    assert (b.dtype, b.shape, b.tobytes()) == (a.dtype, a.shape, a.tobytes())


class Run:
    """A small run with everything that has a state."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        X = np.linspace(-1, 1, 22).reshape(11, 2)
        self.model = nn.Sequential(nn.Linear(2, 4, rng=self.rng), nn.Dropout(0.2, rng=self.rng), nn.Linear(4, 1, rng=0))
        self.optimizer = optim.Adam(self.model.parameters(), lr=0.01)
        self.scheduler = StepLR(self.optimizer, 3)
        self.loader = DataLoader(TensorDataset(X, X[:, :1]), 4, shuffle=True, rng=self.rng)

    def parts(self):
        return {name: getattr(self, name) for name in ("model", "optimizer", "scheduler", "loader", "rng")}

    def train(self, steps):
        """Train to the end of the third epoch, or so many steps; returns every loss to the bit."""
        losses = []
        while self.loader.epoch < 3:
            for x, y in self.loader:
                self.optimizer.zero_grad()
                loss = nn.functional.mse_loss(self.model(x), y)
                loss.backward()
                self.optimizer.step()
                self.scheduler.step()
                losses.append(loss.item().hex())
                if len(losses) == steps:
                    return losses
        return losses


RESUMED = """
import runpy, sys
from nn import checkpoint
run = runpy.run_path(sys.argv[1])["Run"](seed=9)
checkpoint.load(sys.argv[2], **run.parts())
print(*run.train(99))
"""


def test_resumed_run_in_a_new_process_equals_an_uninterrupted_run(tmp_path):
    whole, run, path = Run(seed=1).train(99), Run(seed=1), tmp_path / "run.npz"
    assert run.train(5) == whole[:5]  # in the middle of the second epoch
    checkpoint.save(path, **run.parts())
    done = subprocess.run(
        [sys.executable, "-c", RESUMED, __file__, str(path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == whole[5:], done.stderr
