"""What a checkpoint holds, and that loading gives it back whole or not at all."""

import io
import json
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import nn
import optim
from nn import checkpoint
from nn.checkpoint import CheckpointError, _Reader, write_tree
from optim.averaging import AveragedModel
from optim.lr_scheduler import StepLR


class Bag:
    """Anything with a state: names to arrays."""

    def __init__(self, **state):
        self.state = state

    def state_dict(self):
        return self.state

    def load_state_dict(self, state_dict):
        if set(state_dict) != set(self.state):
            raise KeyError(f"keys {sorted(set(state_dict) ^ set(self.state))}")
        self.state = dict(state_dict)


def model_of(seed=0, hidden=3):
    return nn.MLP(2, [hidden, 1], rng=seed)


def trained(seed=0, steps=3):
    """A model, its optimizer and schedule after some steps."""
    model = model_of(seed)
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    scheduler = StepLR(optimizer, step_size=2, gamma=0.5)
    for _ in range(steps):
        optimizer.zero_grad()
        (model(np.ones((4, 2))) ** 2).sum().backward()
        optimizer.step()
        scheduler.step()
    return {"model": model, "optimizer": optimizer, "scheduler": scheduler}


def frozen(parts):
    """The state of every part as text that is equal only if every bit is."""

    def plain(x):
        if isinstance(x, dict):
            return {str(k): plain(v) for k, v in x.items()}
        if isinstance(x, list | tuple):
            return [plain(v) for v in x]
        return [str(x.dtype), x.shape, x.tobytes().hex()] if isinstance(x, np.ndarray | np.generic) else repr(x)

    return json.dumps([plain(getattr(p, "bit_generator", p).state) if isinstance(p, np.random.Generator)
                       else plain(p.state_dict()) for p in parts.values()])  # fmt: skip


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def rewritten(path, change):
    """Write the checkpoint again with its members changed: ``change(members)`` on names and bytes."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def edited(change):
    """A change of the manifest's JSON, for `rewritten`."""

    def apply(members):
        manifest = json.loads(members["checkpoint.json"])
        change(manifest)
        members["checkpoint.json"] = json.dumps(manifest).encode()

    return apply


def npy(header, data=b""):
    """A .npy file with a header of one's own."""
    text = repr(header).ljust(118) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + data


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.npz"


# --------------------------------------------------------------------------------------------- round trips


def test_monitor_in_a_manual_loop_reports(path):
    model, other = model_of(1), model_of(2)
    checkpoint.save(path, model)
    assert checkpoint.load(path, other) == {}
    assert frozen({"m": model}) == frozen({"m": other})
    assert checkpoint.load(str(path), model=other) == {}
    with np.load(path) as archive:
        assert same_bits(archive["model/0.weight"], model[0].weight.data)


def test_all_parts_of_a_run_are_restored(path):
    run = trained(0)
    run["average"] = AveragedModel(run["model"])
    run["average"].update_parameters(run["model"])
    run["rng"] = np.random.default_rng(5)
    checkpoint.save(path, **run, step=3, metrics={"loss": [0.5, 0.25]}, note=None)
    other = trained(1, steps=1)
    other |= {"average": AveragedModel(other["model"]), "rng": np.random.default_rng()}
    assert checkpoint.load(path, **other) == {"step": 3, "metrics": {"loss": [0.5, 0.25]}, "note": None}
    assert frozen(other) == frozen(run)


def test_parts_without_target_are_returned(path):
    run = trained()
    checkpoint.save(path, **run, step=3)
    rest = checkpoint.load(path, run["model"])
    assert list(rest) == ["optimizer", "scheduler", "step"]
    assert rest["optimizer"]["optimizer"] == "Adam"
    assert list(checkpoint.load(path, model=None)) == ["model", "optimizer", "scheduler", "step"]


def test_any_part_name_is_restored(path):
    checkpoint.save(path, file=1, allow_pickle=2, self=3, path=4, parts=5, kind=6)
    assert checkpoint.load(path) == {"file": 1, "allow_pickle": 2, "self": 3, "path": 4, "parts": 5, "kind": 6}


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
    | st.just("\ud800") | st.sampled_from([2**200, -(2**127), -0.0]),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner)
    | st.dictionaries(st.text() | st.integers() | st.sampled_from(["$array", "$tuple", ""]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=50)
@given(PLAIN)
def test_plain_data_comes_back_exactly(value):
    file = io.BytesIO()
    write_tree(file, {"value": value}, {"about": value})
    values, about = _Reader(file).trees()
    assert repr(values["value"]) == repr(about["about"]) == repr(value)


ARRAYS = {
    "float32": np.arange(6, dtype=np.float32).reshape(2, 3),
    "float64": np.array([np.pi, -0.0, 5e-324, 1e308]),
    "float16": np.array([0.1], np.float16),
    "complex": np.array([1 + 2j]),
    "0-d": np.array(2.5),
    "empty": np.zeros((0, 3), np.float32),
    "empty in the middle": np.zeros((2, 0, 3)),
    "Fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "transposed": np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1),
    "strided": np.arange(10.0)[::-3],
    "broadcast": np.broadcast_to(np.float64(1.5), (3, 2)),
    "nan and inf": np.array([np.nan, np.inf, -np.inf]),
    "nan with a payload": np.array([0x7FF8DEADBEEF0001, 0xFFF0000000000001], np.uint64).view(np.float64),
    "big-endian": np.arange(4, dtype=">f8"),
    "bool": np.array([True, False]),
    "int8": np.array([-128, 127], np.int8),
    "uint64": np.array([2**64 - 1], np.uint64),
}


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_arrays_come_back_to_the_bit(path, array):
    checkpoint.save(path, Bag(a=array), direct=array)
    got = checkpoint.load(path)
    for a in (got["model"]["a"], got["direct"]):
        assert same_bits(a, array)
        assert a.flags.writeable
        assert a.flags.owndata
    assert got["direct"].flags.f_contiguous == array.flags.f_contiguous or not array.flags.forc


@pytest.mark.parametrize("number", [np.float32(0.1), np.int8(-3), np.bool_(True), np.float64("nan"), np.uint64(2**63)])
def test_numpy_numbers_keep_their_type(path, number):
    checkpoint.save(path, x=number)
    got = checkpoint.load(path)["x"]
    assert type(got) is type(number)
    assert same_bits(got, number)


def test_parameter_with_nan_is_restored(path):
    model, other = model_of(), model_of(1)
    model[0].weight.data = np.full((3, 2), np.nan)
    checkpoint.save(path, model)
    checkpoint.load(path, other)
    assert np.isnan(other[0].weight.data).all()


NAMES = ["file", "allow_pickle", "a/b", "../x", "/etc/x", "..", ".", "", "\x00", "a\x00b", "ü λ", "W", "w", "%57",
         "C:\\x", "a.npy", "x" * 300, "\udcff", "$array", "arr_0", "checkpoint.json", "-", "a b", "key"]  # fmt: skip


def test_any_parameter_name_is_restored(path):
    bag = Bag(**{name: np.array([float(i)]) for i, name in enumerate(NAMES)})
    other = Bag(**dict.fromkeys(NAMES))
    checkpoint.save(path, bag)
    checkpoint.load(path, other)
    assert {name: a.item() for name, a in other.state.items()} == {name: i for i, name in enumerate(NAMES)}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            assert not {"..", ".", ""} & set(name.split("/"))
            assert name.isascii()


def test_file_with_one_odd_name_is_restored(path):
    for name in NAMES:
        other = Bag(**{name: None})
        checkpoint.save(path, Bag(**{name: np.arange(2)}))
        checkpoint.load(path, other)
        assert other.state[name].tolist() == [0, 1]


@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_every_generator_is_resumed(path, kind):
    rng, other = np.random.Generator(kind(1)), np.random.Generator(kind(2))
    rng.random(3, np.float32)  # leaves half of a 64-bit number in store
    checkpoint.save(path, rng=rng)
    checkpoint.load(path, rng=other)
    assert rng.random(5, np.float32).tolist() == other.random(5, np.float32).tolist()
    assert rng.normal() == other.normal()


def test_generators_inside_a_model_are_part_of_it(path):
    model, other = (nn.Sequential(nn.Dropout(rng=s), nn.Dropout(rng=s + 1), nn.Dropout()) for s in (0, 7))
    nn.manual_seed(3)
    model[1].rng.random()
    checkpoint.save(path, model)
    wanted = [model(np.ones(50)).data.tolist() for _ in range(2)]
    nn.manual_seed(4)
    checkpoint.load(path, other)
    assert [other(np.ones(50)).data.tolist() for _ in range(2)] == wanted
    checkpoint.load(path, nn.Sequential(nn.Dropout(rng=0)))  # the rest of the file is for a longer model
    rewritten(path, edited(lambda m: m["about"]["model"].update(generators=3)))
    refused(path, {"model": other}, "without the generators")
    longer = nn.Sequential(*[nn.Dropout(rng=0) for _ in range(4)])
    checkpoint.save(path, model)
    refused(path, {"model": longer}, "without the generators that this one has at ['3.rng']")


def test_equal_states_make_equal_files(tmp_path):
    for name in ("a", "b"):
        checkpoint.save(tmp_path / name, **trained(4), step=1)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_loaded_arrays_are_independent_copies(path):
    model = model_of()
    checkpoint.save(path, model)
    one, two = (checkpoint.load(path)["model"] for _ in range(2))
    one["0.weight"][:] = 7
    assert (two["0.weight"] == model[0].weight.data).all()


# ---------------------------------------------------------------------------------------- refused on saving


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (np.array([None, 1]), ValueError, r"metrics\['a'\].*object.*unsafe"),
        (np.array(["text"]), ValueError, "unsafe"),
        (np.array([b"text"]), ValueError, "unsafe"),
        (np.zeros(2, [("x", "f8")]), ValueError, "unsafe"),
        (np.datetime64("2020-01-01"), ValueError, "unsafe"),
        (object(), TypeError, r"metrics\['a'\] is a object"),
        ({1, 2}, TypeError, "set"),
        (1j, TypeError, "complex"),
        (b"bytes", TypeError, "bytes"),
        (nn.Parameter([1.0]), TypeError, r"\.item\(\)"),
        (print, TypeError, "builtin_function"),
        (nn.MLP, TypeError, "type"),
    ],
)
def test_save_of_unsupported_data_raises_before_writing(path, value, error, words):
    checkpoint.save(path, step=1)
    with pytest.raises(error, match=words):
        checkpoint.save(path, metrics={"a": value})
    assert checkpoint.load(path) == {"step": 1}
    assert [p.name for p in path.parent.iterdir()] == ["run.npz"]


def test_recursive_data_raises(path):
    loop = []
    loop.append(loop)
    with pytest.raises(ValueError, match="contains itself"):
        checkpoint.save(path, loop=loop)
    assert not path.exists()


def test_model_passed_twice_raises(path):
    with pytest.raises(TypeError, match="by position and by name"):
        checkpoint.save(path, model_of(), model=model_of())
    with pytest.raises(TypeError, match="second argument must be a model"):
        checkpoint.save(path, {"step": 1})
    with pytest.raises(TypeError, match=r"load\(\.\.\.\)\['step'\]"):
        checkpoint.load(path, step=1)


# --------------------------------------------------------------------------------------- refused on loading


@pytest.fixture
def saved(path):
    """A checkpoint, and other objects that it could be loaded into."""
    checkpoint.save(path, **trained(0), rng=np.random.default_rng(0), step=3)
    return path, {**trained(1, steps=1), "rng": np.random.default_rng(9)}


def refused(path, parts, *words):
    """Loading fails with a message of `words`, and every part is as it was; returns the message."""
    before = frozen(parts)
    with pytest.raises(CheckpointError) as info:
        checkpoint.load(path, **parts)
    assert frozen(parts) == before
    message = str(info.value)
    for word in (str(path), *words):
        assert word in message, message
    assert "allow_pickle" not in message
    return message


class Bomb:
    """Pickled, it would run code when loaded."""

    def __reduce__(self):
        return (pytest.fail, ("code in a file was executed",))


def test_truncated_file_raises_at_every_length(saved):
    path, parts = saved
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 61), len(whole) - 1]:
        path.write_bytes(whole[:length])
        refused(path, parts, "not a checkpoint")


def test_flipped_bit_raises_or_changes_nothing(saved):
    path, parts = saved
    whole, good = path.read_bytes(), trained(0) | {"rng": np.random.default_rng(0)}
    before, refusals = frozen(parts), 0
    for at in range(0, len(whole), 17):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1 :])
        try:
            checkpoint.load(path, **parts)
        except CheckpointError:
            refusals += 1
            assert frozen(parts) == before
        else:  # a bit that says nothing about the contents, such as a date
            assert frozen(parts) == frozen(good)
            before = frozen(parts)
    assert refusals > len(whole) / 17 * 0.8


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it begins with b''"),
        (b"step = 3\n", "it begins with b'step"),
        (pickle.dumps(Bomb()), "unsafe"),
        (b"\x80", "it begins with"),
        (npy({"descr": "<f8", "fortran_order": False, "shape": (0,)}), "NUMPY"),
        (b"PK\x03\x04 and no end", "truncated"),
    ],
)
def test_other_file_types_are_named_in_the_error(saved, content, words):
    path, parts = saved
    path.write_bytes(content)
    refused(path, parts, "not a checkpoint", words)


def test_another_programs_archive_raises(saved):
    path, parts = saved
    np.savez(path, weight=np.zeros(3))
    refused(path, parts, "not a checkpoint", "weight.npy", "other programs")
    np.savez(path, weight=np.array([Bomb()], dtype=object))
    refused(path, parts, "not a checkpoint")
    for name, words in (("archive/data.pkl", "unsafe"), ("readme.txt", "readme.txt")):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, pickle.dumps(Bomb()))
        refused(path, parts, "not a checkpoint", words)
    with zipfile.ZipFile(path, "w"):
        pass
    refused(path, parts, "not a checkpoint")


def test_load_from_directory_or_missing_file_raises(saved):
    path, parts = saved
    refused(path.parent, parts, "not a checkpoint")
    with pytest.raises(FileNotFoundError, match=r"checkpoint does not exist.*nowhere"):
        checkpoint.load(path.parent / "nowhere", **parts)


def test_pickled_code_inside_is_not_executed(saved):
    path, parts = saved
    data = io.BytesIO()
    np.save(data, np.array([Bomb()] * 6, dtype=object).reshape(3, 2))
    rewritten(path, lambda members: members.update({"model/0.weight.npy": data.getvalue()}))
    refused(path, parts, "0.weight", "unsafe", "object")


@pytest.mark.parametrize("descr", ["V8", "<U4", "<M8[s]", [("a", "<f8")]])
def test_records_and_text_inside_raise(saved, descr):
    path, parts = saved
    forged = npy({"descr": descr, "fortran_order": False, "shape": (3, 2)}, bytes(96))
    rewritten(path, lambda members: members.update({"model/0.weight.npy": forged}))
    refused(path, parts, "unsafe")


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"descr": "<f8", "fortran_order": False, "shape": (10**13,)}, ("80,000,000,000,000 bytes", "but has 48")),
        ({"descr": "<f8", "fortran_order": False, "shape": (2**63, 2**63)}, ("claims",)),
        ({"descr": "<f8", "fortran_order": False, "shape": (-1, -6)}, ("claims",)),
        ({"descr": "<f8", "fortran_order": False, "shape": (5,)}, ("40 bytes", "but has 48")),
        ("__import__('os').abort()", ()),
        ({"descr": "<f8"}, ()),
    ],
)
def test_forged_header_raises_before_allocating_memory(saved, header, words):
    path, parts = saved
    text = header if isinstance(header, dict) else type("Raw", (), {"__repr__": lambda self: header})()
    rewritten(path, lambda members: members.update({"model/0.weight.npy": npy(text, bytes(48))}))
    refused(path, parts, *words)


def test_zip_bomb_raises_before_decompression(saved):
    path, parts = saved
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.npy", bytes(10_000_000))
    message = refused(path, parts, "claim 10,", f"{path.stat().st_size:,}")
    assert "forged" in message
    with zipfile.ZipFile(path) as archive:
        manifest = archive.read("checkpoint.json")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("checkpoint.json", manifest)
        archive.comment = bytes(10_000)
    refused(path, parts, "compressed")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m.update(version=2), ("format version 2", "versions up to 1", "upgrade")),
        (lambda m: m.update(version="1"), ("format version",)),
        (lambda m: m.pop("version"), ("format version",)),
        (lambda m: m.update(format="recipe"), ("not a checkpoint",)),
        (lambda m: m.pop("values"), ("values",)),
        (lambda m: m.update(values=[]), ()),
        (lambda m: m.update(values={}), ("description of its parts",)),
        (lambda m: m["values"].update(model=3), ("model was saved from a MLP",)),
        (lambda m: m["about"].pop("step"), ("description of its parts",)),
        (lambda m: m["about"].update(step={}), ("description of its parts",)),
        (lambda m: m["about"].update(step=3), ("description of its parts",)),
        (lambda m: m["values"].update(step={"$code": "1"}), ("unknown tag",)),
        (lambda m: m["values"].update(step={"$array": "no.npy"}), ("'no.npy' is missing",)),
        (lambda m: m["values"].update(step={"$number": ["O", "00"]}), ()),
        (lambda m: m["values"].update(step={"$items": [[[], 1]]}), ()),
        (lambda m: m["values"]["rng"].update(bit_generator="MT19937"), ("rng", "nothing was loaded")),
    ],
)
def test_forged_manifest_raises(saved, change, words):
    path, parts = saved
    rewritten(path, edited(change))
    refused(path, parts, *words)


def test_deep_nesting_raises(saved):
    path, parts = saved
    deep = b'{"format": "chainrule checkpoint", "version": 1, "values": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    rewritten(path, lambda members: members.update({"checkpoint.json": deep}))
    refused(path, parts)


def test_missing_part_is_named_in_the_error(saved):
    path, parts = saved
    refused(path, parts | {"average": AveragedModel(parts["model"])}, "no part 'average'", "'optimizer'")
    refused(path, {"rng": parts["model"]}, "'rng' is of kind generator", "needs state")
    refused(path, {"model": parts["rng"]}, "'model' is of kind state")


def test_checkpoint_of_another_model_raises_with_keys_and_shapes(saved):
    path, parts = saved
    parts["model"] = model_of(0, hidden=4)
    refused(path, parts, "model was saved from a MLP", "0.weight", "(3, 2)", "(4, 2)", "nothing was loaded")
    parts["model"] = nn.MLP(2, [3, 3, 1], rng=0)
    refused(path, parts, "4.weight")


def test_late_failure_restores_parts_loaded_before(saved):
    path, parts = saved
    optimizer = optim.SGD(parts["model"].parameters(), lr=0.1)
    refused(
        path, {"rng": parts["rng"], "model": parts["model"], "optimizer": optimizer}, "optimizer was saved from a Adam"
    )


def test_interrupted_load_restores_parts_loaded_before(saved):
    path, parts = saved

    class Interrupted(Bag):
        def load_state_dict(self, state_dict):
            raise KeyboardInterrupt

    before = frozen(parts)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.load(path, **{n: parts[n] for n in ("model", "rng")}, optimizer=Interrupted())
    assert frozen(parts) == before
