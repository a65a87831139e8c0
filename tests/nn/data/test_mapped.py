"""Data larger than memory: mapped files yield the batches of arrays, and CSV is converted in chunks."""

import io
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import processes
import pytest
from hypothesis import given, strategies as st

import nn.data.mapped
from nn.data import BlockSampler, DataLoader, MappedDataset, TensorDataset, csv_to_npy, read_csv
from nn.data.mapped import shard_of

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT / "demos/data"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def equal(got, wanted):
    assert len(got) == len(wanted)
    for a, b in zip(got, wanted, strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        assert np.array_equal(a, b)


def dealt(loader):
    return [[part.tolist() for part in batch] for batch in loader]


# ------------------------------------------------------------------------------------------------ mapped files


def saved(n=23):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n, 3)).astype(np.float32), rng.integers(0, 9, n)
    np.save("x.npy", X)
    np.save("y.npy", y)
    return X, y


@pytest.mark.parametrize("mapped", [True, False])
def test_mapped_dataset_returns_the_rows_of_its_arrays(mapped):
    arrays = TensorDataset(*saved())
    data = MappedDataset("x.npy", "y.npy", mapped=mapped)
    assert repr(data) == "MappedDataset(float32 (23, 3), int64 (23,))"
    for rows in ([0], [22, 0, 7, 7, 22], np.arange(23), []):
        equal(data.batch(np.array(rows, int)), arrays.batch(np.array(rows, int)))
    for index in (slice(3, 20, 4), slice(None), [5, 1], slice(9, 2, -3)):
        equal(data[index], arrays[index])
    equal(data[-1], arrays[-1])
    for options in ({"shuffle": True}, {"drop_last": True}, {}):
        assert dealt(DataLoader(data, 5, rng=1, **options)) == dealt(DataLoader(arrays, 5, rng=1, **options))


@pytest.mark.parametrize("row", [-1, 5])
def test_reading_rows_outside_of_a_shard_raises(tmp_path, row):
    np.save(tmp_path / "x.npy", np.arange(10.0))
    for rank in (0, 1):
        part = MappedDataset(tmp_path / "x.npy", shard=(rank, 2), mapped=False)
        with pytest.raises(IndexError, match=f"row {row} .* is not in a set of 5 rows"):
            part.batch(np.array([0, row]))


def test_batches_are_copies():
    X, _ = saved()
    (got,) = MappedDataset("x.npy").batch(np.arange(3))
    got += 1
    assert np.array_equal(np.load("x.npy"), X)


@given(n=st.integers(1, 60), size=st.integers(1, 9))
def test_shards_are_equally_large_and_hold_every_row(n, size):
    shards = [shard_of(n, (rank, size)) for rank in range(size)]
    assert {len(shard) for shard in shards} == {-(-n // size)}
    assert {row for shard in shards for row in shard} == set(range(n))
    assert sum(map(len, shards)) - n < size


def test_shard_maps_only_its_rows():
    X, y = saved()
    for rank in range(4):
        own = shard_of(23, (rank, 4))
        data = MappedDataset("x.npy", "y.npy", shard=(rank, 4))
        equal(data[:], (X[own.start : own.stop], y[own.start : own.stop]))
        assert f"shard=({rank}, 4)" in repr(data)
        assert len(data._parts[0].rows) == len(own) == 6


@pytest.mark.parametrize(
    ("shard", "error", "words"),
    [((2, 2), ValueError, "shard 2 of 2 does not exist"), ((-1, 2), ValueError, "rank"), ((0, 0), ValueError, "size"),
     (3, TypeError, "shard=.comm.rank, comm.size."), ((0.5, 2), TypeError, "rank")],
)  # fmt: skip
def test_invalid_shard_raises(shard, error, words):
    saved()
    with pytest.raises(error, match=words):
        MappedDataset("x.npy", shard=shard)


def test_mapped_dataset_of_invalid_files_raises():
    saved()
    whole = Path("x.npy").read_bytes()
    Path("cut.npy").write_bytes(whole[:-1])
    Path("text.npy").write_text("a,b\n")
    Path("empty.npy").write_bytes(b"")
    np.save("z.npy", np.zeros((5, 3)))
    np.save("fortran.npy", np.asfortranarray(np.zeros((4, 3))))
    np.save("one.npy", np.float64(3))
    np.save("words.npy", np.array(["a"]))
    np.save("none.npy", np.zeros((0, 3)))
    for names, words in (
        (["cut.npy"], "truncated: 23 rows"), (["text.npy"], "not a .npy file"), (["empty.npy"], "not a .npy file"),
        (["x.npy", "z.npy"], "x.npy has 23 rows, z.npy has 5 rows"), (["fortran.npy"], "ascontiguousarray"),
        (["one.npy"], "expected numeric rows"), (["words.npy"], "expected numeric rows"),
        (["none.npy"], "at least one"),
        ([], "at least one file"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            MappedDataset(*names)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.npy"):
        MappedDataset("nowhere.npy")
    data = MappedDataset("x.npy")
    with pytest.raises(IndexError):
        data[[23]]
    with pytest.raises(IndexError):
        data[23]


def test_batches_are_transformed_on_their_way():
    X, y = saved()
    data, a, b = MappedDataset("x.npy", "y.npy", transform=lambda x, y: (2 * x, y - 1)), 2 * X, y - 1
    rows = np.array([5, 0, 5])
    equal(data.batch(rows), (a[rows], b[rows]))
    equal(data[3], (a[3], b[3]))
    alone = MappedDataset("x.npy", transform=lambda x: x + 1)
    assert [batch[0].shape for batch in DataLoader(alone, 20)] == [(20, 3), (3, 3)]


# --------------------------------------------------------------------------------------------- the block order


@given(n=st.integers(1, 80), block=st.integers(1, 20), together=st.integers(1, 5))
def test_blocks_are_dealt_whole_and_in_any_order(n, block, together):
    order = BlockSampler(n, block, together)(np.random.default_rng(0))
    assert sorted(order.tolist()) == list(range(n))
    blocks, position = order // block, 0
    by_turn = list(dict.fromkeys(blocks.tolist()))
    for i in range(0, len(by_turn), together):
        group = by_turn[i : i + together]
        width = int(np.isin(blocks, group).sum())
        assert set(blocks[position : position + width].tolist()) == set(group)
        position += width


def test_block_sampler_with_one_group_is_a_permutation():
    assert len(BlockSampler(10, 2)) == 10
    first = [BlockSampler(6, 2, 3)(np.random.default_rng(s))[0] for s in range(60)]
    assert set(first) == set(range(6))


# ---------------------------------------------------------------------------------------------------------- CSV


def written(text, name="t.csv", encoding="utf-8"):
    Path(name).write_bytes(text.encode(encoding))
    return name


NUMBERS = "a,b,c\n" + "".join(f"{i},{i * 0.1!r},{-i}e-3\n" for i in range(37))
WORDS = 'x,kind\r\n1,"a, b"\r\n\r\n 2 , plain\r\n3,"two\nlines"\r\n   \r\n4,"say ""so"""\r\n5,plain'


@pytest.mark.parametrize("rows", [1, 2, 5, 100])
def test_csv_converted_in_chunks_is_the_csv(rows):
    for text, options in (
        (NUMBERS, {"target": "b", "dtype": np.float32}),
        ("\ufeff" + WORDS, {"target": "kind", "classes": ["a, b", "plain", "two\nlines", 'say "so"']}),
    ):
        table = read_csv(written(text), **options)
        assert csv_to_npy("t.csv", "x.npy", "y.npy", rows=rows, **options) == len(table.X)
        equal(MappedDataset("x.npy", "y.npy")[:], (table.X, table.y))
        equal((np.load("x.npy"), np.load("y.npy")), (table.X, table.y))
    assert csv_to_npy(written(NUMBERS), "x.npy", rows=rows) == 37
    equal(MappedDataset("x.npy")[:], (read_csv("t.csv").X,))


def test_fault_in_a_chunk_leaves_the_files_as_they_were():
    csv_to_npy(written(NUMBERS), "x.npy", "y.npy", target="b")
    before = Path("x.npy").read_bytes()
    with pytest.raises(ValueError, match=r"line 39, column 3 \('c'\): 'oops'"):
        csv_to_npy(written(NUMBERS + "1,2,oops\n"), "x.npy", "y.npy", target="b", rows=5)
    assert Path("x.npy").read_bytes() == before
    assert sorted(path.name for path in Path().iterdir()) == ["t.csv", "x.npy", "y.npy"]
    for files, options in ((("x.npy",), {"target": "b"}), (("x.npy", "y.npy"), {})):
        with pytest.raises(ValueError, match=r"got . files and target"):
            csv_to_npy("t.csv", *files, **options)
    with pytest.raises(ValueError, match=r"files that end in \.npy, got 't\.csv'"):  # would overwrite the table
        csv_to_npy("t.csv", "t.csv")


@pytest.mark.parametrize("mapped", [True, False])
def test_file_truncated_after_mapping_raises(tmp_path, mapped):
    path = tmp_path / "x.npy"
    np.save(path, np.ones((1000, 4)))
    data = MappedDataset(path, mapped=mapped)
    assert data[:2][0].sum() == pickle.loads(pickle.dumps(data))[:2][0].sum() == 8
    os.truncate(path, 20_000)  # the pages are still there, with zeros; or not, and to read them would be the end
    for rows in (slice(0, 2), slice(998, 1000)):
        with pytest.raises(ValueError, match=r"x\.npy was truncated after it was opened"):
            data[rows]


SHARED = """
from mpi4py import MPI
import numpy as np
from nn.data import DataLoader, MappedDataset, csv_to_npy

comm = MPI.COMM_WORLD
if comm.rank == 0:
    csv_to_npy("t.csv", "x.npy", "y.npy", target="c")
comm.barrier()
data = MappedDataset("x.npy", "y.npy", shard=(comm.rank, comm.size))
own = np.concatenate([x for x, _ in DataLoader(data, 5, shuffle=True, rng=comm.rank)])
every = comm.gather(own[:, 0].tolist(), root=0)
if comm.rank == 0:
    print(sorted(len(rows) for rows in every), sorted({int(row) for rows in every for row in rows}) == list(range(37)))
"""
MPIEXEC = shutil.which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))


@pytest.mark.skipif(MPIEXEC is None, reason="mpiexec is not installed")
def test_ranks_of_mpi_share_a_table():
    pytest.importorskip("mpi4py")
    written(NUMBERS)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    command = [MPIEXEC, "-n", "3", sys.executable, "-m", "mpi4py", "-c", SHARED]
    done = processes.run(command, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[13, 13, 13] True\n"


# ------------------------------------------------------------------------------------------- more than is allowed

TRAINED = """
import os, resource, sys
import numpy as np
import nn, optim
from nn.data import DataLoader, MappedDataset, csv_to_npy

def used():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")

nn.MLP(20, [8, 1], rng=0)(np.zeros((64, 20), np.float32)).sum().backward()  # whatever loads late has loaded
limit = used() + (int(sys.argv[2]) << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
what = sys.argv[1]
if what == "whole":
    np.load("x.npy")
elif what == "one mapping":
    np.load("x.npy", mmap_mode="r")
elif what == "whole table":
    nn.data.read_csv("t.csv", "y")
else:
    if what == "csv":
        csv_to_npy("t.csv", "x.npy", "y.npy", target="y")
    data = MappedDataset("x.npy", "y.npy", mapped=None if what == "mapped" else False)
    model = nn.MLP(data[0][0].size, [8, 1], dtype=np.float32, rng=0)
    optimizer, criterion, seen = optim.Adam(model.parameters()), nn.MSELoss(), 0
    for i, (x, y) in enumerate(DataLoader(data, 512, shuffle=True, rng=0)):
        optimizer.zero_grad()
        loss = criterion(model(x.astype(np.float32)), y.astype(np.float32)[:, None])
        loss.backward()
        optimizer.step()
        seen += len(y)
        if i == 20 and what == "mapped":
            break
    else:
        assert seen == len(data)
    print(seen, limit)
"""


def limited(what, megabytes):
    """Run the training in a process that may use so much more address space than it begins with."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-c", TRAINED, what, str(megabytes)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads its own size from /proc")
def test_files_larger_than_the_limit_are_trained_on():
    rows = 1_600_000  # 640 MB, of which none is on the disk: a file that was never written is read as zeros
    for name, shape in (("x.npy", (rows, 100)), ("y.npy", (rows,))):
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
        with Path(name).open("wb") as file:
            file.write(header.getvalue())
            file.truncate(len(header.getvalue()) + 4 * int(np.prod(shape)))
    assert "MemoryError" in limited("whole", 240).stderr
    assert "Cannot allocate memory" in limited("one mapping", 240).stderr
    done = limited("mapped", 240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == str(21 * 512)


FITTING = """
import mmap, os, resource
import numpy as np
from nn.data import MappedDataset

np.save("x.npy", np.zeros((1000, 2500)))  # 20 MB
taken = mmap.mmap(-1, 1 << 32, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ)
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
for left in (60, 120):
    resource.setrlimit(resource.RLIMIT_AS, (used + (left << 20), resource.RLIM_INFINITY))
    print(MappedDataset("x.npy")._parts[0].mapped)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads its own size from /proc")
def test_a_file_is_mapped_if_it_takes_a_quarter_of_the_address_space_that_is_left():
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
    done = subprocess.run([sys.executable, "-c", FITTING], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["False", "True"], done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads its own size from /proc")
def test_table_larger_than_the_limit_is_trained_on():
    block = "".join(f"{i % 7},{i % 5},{i % 3}," + "0.25," * 40 + f"{i % 2}\n" for i in range(2000))
    with Path("t.csv").open("w") as file:
        file.write(",".join(f"c{i}" for i in range(43)) + ",y\n")
        for _ in range(40):
            file.write(block)
    numbers = 80_000 * 44 * 8 / 2**20
    assert "MemoryError" in limited("whole table", int(numbers)).stderr
    done = limited("csv", int(numbers))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == "80000"


def test_without_limits_files_are_mapped(monkeypatch):
    saved()
    monkeypatch.delattr(nn.data.mapped.mmap, "MAP_PRIVATE")  # as on Windows
    assert len(MappedDataset("x.npy")._parts[0].rows) == 23
