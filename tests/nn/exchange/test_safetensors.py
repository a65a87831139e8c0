"""Weights in safetensors files, from PyTorch (recorded by `record_torch_mlp.py`) and back."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import nn
from nn.exchange import load_safetensors, save_safetensors

RECORDED = Path(__file__).with_name("recorded")


def mlp(seed=0):
    layers = [nn.Linear(6, 8, rng=seed), nn.Tanh(), nn.Linear(8, 8, rng=seed), nn.ReLU(), nn.Linear(8, 3, rng=seed)]
    return nn.Sequential(*layers, nn.Sigmoid())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.safetensors"


def test_weights_of_a_torch_network_give_its_outputs():
    model = mlp()
    weights = load_safetensors(RECORDED / "torch_mlp.safetensors", model)
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"]
    assert set(weights) == set(model.state_dict())
    recorded = load_safetensors(RECORDED / "torch_mlp_outputs.safetensors")
    assert np.abs(model(recorded["x"]).data - recorded["y"]).max() < 1e-12


def test_safetensors_file_equals_the_file_of_torch(path):
    model = mlp()
    load_safetensors(RECORDED / "torch_mlp.safetensors", model)
    save_safetensors(path, model)
    assert path.read_bytes() == (RECORDED / "torch_mlp.safetensors").read_bytes()


class Tied(nn.Module):
    """Two linear layers with one weight, and one batch normalization under two names."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)
        self.b.weight = self.a.weight
        self.one = self.two = nn.BatchNorm1d(3)


def test_tied_weights_of_torch_are_loaded_under_all_their_names():
    model = Tied()
    weights = load_safetensors(RECORDED / "torch_tied.safetensors", model)
    assert set(weights) == set(model.state_dict())
    assert all(np.array_equal(weights[key], array) for key, array in model.state_dict().items())
    assert model.b.weight is model.a.weight


def test_tied_weights_are_written_once_with_their_names_in_the_metadata(path):
    model = Tied()
    save_safetensors(path, model, {"epoch": "3"})
    with safetensors.safe_open(path, "np") as file:
        assert set(file.keys()) == {"a.weight", "a.bias", "b.bias"} | {f"one.{name}" for name in model.one.state_dict()}
        tied = {f"two.{name}": f"one.{name}" for name in model.one.state_dict()}
        assert file.metadata() == {"epoch": "3", "b.weight": "a.weight", **tied}
    other = Tied()
    other.load_state_dict(load_safetensors(path))
    assert np.array_equal(other.b.weight.data, model.a.weight.data)


def test_tied_weights_are_loaded_from_any_one_of_their_names(path):
    state, model = Tied().state_dict(), Tied()
    del state["a.weight"], state["one.running_var"], state["two.running_mean"]
    save_safetensors(path, state)  # without metadata
    load_safetensors(path, model)
    assert np.array_equal(model.a.weight.data, state["b.weight"])


def test_bfloat16_is_read_as_the_same_value():
    w = load_safetensors(RECORDED / "torch_bfloat16.safetensors")["w"]
    assert w.dtype == np.float32
    assert w[:3].tolist() == [1.0, -2.5, 3.140625]
    assert w[3] == pytest.approx(1e30, rel=2**-8)


BASE = np.arange(24.0).reshape(2, 3, 4)
LAYOUTS = {
    "plain": BASE,
    "transposed": BASE.T,
    "axes exchanged": BASE.transpose(1, 2, 0),
    "strided": BASE[:, ::2, ::-3],
    "Fortran": np.asfortranarray(BASE),
    "broadcast": np.broadcast_to(BASE[:1], (3, 3, 4)),
    "big-endian": BASE.astype(">f8"),
    "big-endian and transposed": BASE.astype(">f4").T,
    "0-d": np.array(2.5),
    "number": np.float32(2.5),
    "empty": np.zeros((0, 3)),
    "read-only": np.frombuffer(bytes(16)),
    "list": [[1.0, 2.0]],
    **{f"of {kind}": BASE.astype(kind) for kind in ("f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?")},
}


@pytest.mark.parametrize("array", LAYOUTS.values(), ids=LAYOUTS)
def test_array_of_any_layout_is_saved_correctly(path, array):
    save_safetensors(path, {"a": array})
    wanted = np.asarray(array)
    for got in (load_safetensors(path)["a"], safetensors.numpy.load_file(path)["a"]):
        assert got.dtype == wanted.dtype.newbyteorder("=")
        assert got.shape == wanted.shape
        assert np.array_equal(got, wanted)
    assert load_safetensors(path)["a"].flags.writeable


def test_safetensors_round_trip_is_exact(path):
    bits = np.array([0x7FF8DEADBEEF0001, 1 << 63, 1, 0x7FF0000000000000], np.uint64).view(np.float64)
    save_safetensors(path, {"a": bits})
    assert load_safetensors(path)["a"].tobytes() == bits.tobytes()


def test_odd_names_and_notes(path):
    names = ["", "file", "a/b", "../x", "ü", "W", "w", "x" * 300]
    save_safetensors(path, {name: np.array([float(i)]) for i, name in enumerate(names)}, metadata={"made by": "a test"})
    got = load_safetensors(path)
    assert {name: a.item() for name, a in got.items()} == {name: i for i, name in enumerate(names)}
    header = path.read_bytes()[8:]
    assert json.loads(header[: header.index(b"}}") + 2])["__metadata__"] == {"made by": "a test"}


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"a": np.array([None])}, "'a' is object"),
        ({"a": np.array(["x"])}, "'a' is <U1"),
        ({"a": np.zeros(1, complex)}, "'a' is complex128"),
        ({1: np.zeros(1)}, "names of type str"),
        ([np.zeros(1)], "module or a dict"),
    ],
)
def test_unsupported_data_raises(path, weights, words):
    with pytest.raises(TypeError, match=words):
        save_safetensors(path, weights)
    assert not path.exists()


def test_weights_that_do_not_fit_change_nothing(path):
    save_safetensors(path, nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(9, 8)))
    model = mlp()
    before = model.state_dict()
    with pytest.raises(ValueError, match=r"(?s)weights\.safetensors.*missing key '4\.weight'.*\(8, 8\), got \(8, 9\)"):
        load_safetensors(path, model)
    assert all(np.array_equal(before[key], value) for key, value in model.state_dict().items())
    save_safetensors(path, {"0.bias": np.ones(8), "extra": np.ones(1)})
    load_safetensors(path, model, strict=False)
    assert (model[0].bias.data == 1).all()


def test_damaged_and_foreign_files_raise(path):
    whole = (RECORDED / "torch_mlp.safetensors").read_bytes()
    for content in (b"", b"PK\3\4", whole[:4], whole[:100], whole[:-1], whole + b"\0", b"\xff" * 16, b"\x80\x05." * 9):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"weights\.safetensors: not a safetensors file, or a damaged one"):
            load_safetensors(path)
    with pytest.raises(FileNotFoundError, match=r"safetensors file does not exist.*nowhere"):
        load_safetensors(path.with_name("nowhere"))


def test_unsupported_dtype_is_named_in_the_error(path):
    header = json.dumps({"w": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0")
    with pytest.raises(ValueError, match=r"weights\.safetensors: 'w' has type F8_E4M3"):
        load_safetensors(path)


def test_old_file_is_whole_after_a_failure(path, monkeypatch):
    save_safetensors(path, {"a": np.ones(3)})

    def fail(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=r"No space left.*weights\.safetensors"):
        save_safetensors(path, {"a": np.zeros(3)})
    assert load_safetensors(path)["a"].tolist() == [1, 1, 1]
    assert len(list(path.parent.iterdir())) == 1


def test_missing_package_is_named(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    for call in (lambda: save_safetensors(path, {}), lambda: load_safetensors(path)):
        with pytest.raises(ImportError, match=r"pip install 'chainrule\[io\]'"):
            call()
