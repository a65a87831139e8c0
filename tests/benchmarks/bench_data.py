"""Data: what a batch costs from memory, from mapped files and from CSV, and a training on more than the limit allows.

    PYTHONPATH=. python tests/benchmarks/bench_data.py --folder /tmp/data --gigabytes 4 --limit 1

Files are written to the folder first, and removed at the end.  "Cold" means that the system was asked to forget the
file before (``posix_fadvise``); the training runs in a shell with ``ulimit -v``, of address space.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from timing import interleaved, table

import nn
import optim
from nn.data import (
    BlockSampler,
    DataLoader,
    Dataset,
    MappedDataset,
    TensorDataset,
    csv_to_npy,
    read_csv,
)

WIDTH = 784


class OneByOne(Dataset):
    """The same arrays, asked for a sample at a time, as a loader that knows nothing else does."""

    def __init__(self, *arrays):
        self.arrays = arrays

    def __len__(self):
        return len(self.arrays[0])

    def __getitem__(self, i):
        return tuple([a[i] for a in self.arrays])


def epoch_of(data, batch):
    """Return a function that deals an epoch in random order."""
    loader = DataLoader(data, batch, shuffle=True, rng=0)

    def run():
        for _ in loader:
            pass

    return run


def batches():
    """Compare loaders on arrays in memory: a table of 60,000 rows of 20 numbers, batch 64."""
    rng = np.random.default_rng(0)
    X, y = rng.random((60_000, 20), np.float32), rng.integers(0, 9, 60_000)
    order = rng.permutation(len(X))

    def by_hand():
        for i in range(0, len(order), 64):
            rows = order[i : i + 64]
            X[rows], y[rows]

    contenders = {
        "X[rows], y[rows] by hand": by_hand,
        "DataLoader(TensorDataset)": epoch_of(TensorDataset(X, y), 64),
        "DataLoader, one sample at a time": epoch_of(OneByOne(X, y), 64),
    }
    print(table("an epoch of 938 batches from memory", interleaved(contenders), "X[rows], y[rows] by hand"))


def forget(*paths):
    """Ask the system to drop its copies of files."""
    for path in paths:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def orders(folder, rows=400_000, batch=128, count=200):
    """Compare the orders in which the rows of a batch can be fetched from a mapped file."""
    path = folder / "rows.npy"
    write(path, rows)
    order = np.random.default_rng(1).permutation(rows)

    def as_given(x, i):
        return x.take(i, 0)

    def sorted_first(x, i):
        by_place = np.argsort(i)
        back = np.empty_like(by_place)
        back[by_place] = np.arange(len(i))
        return x.take(i[by_place], 0).take(back, 0)

    print(f"\nrandom batches of {batch} from a mapped file of {path.stat().st_size / 1e9:.2f} GB, ms each")
    for name, fetch in (("in the batch's order", as_given), ("sorted by place", sorted_first)):
        forget(path)
        x = np.load(path, mmap_mode="r")
        cold = timed(lambda x=x, fetch=fetch: [fetch(x, order[i * batch :][:batch]) for i in range(count)]) / count
        for i in range(0, rows, 10_000):
            x[i : i + 10_000].sum()
        warm = timed(lambda x=x, fetch=fetch: [fetch(x, order[i * batch :][:batch]) for i in range(count)]) / count
        del x
        print(f"  {name:24} {cold * 1e3:7.3f} cold  {warm * 1e3:7.3f} warm")
    for name, mapped in (("mapped", True), ("read row by row", False)):
        data = MappedDataset(path, mapped=mapped)
        data.batch(order[:batch])
        spent = timed(lambda data=data: [data.batch(order[i * batch :][:batch]) for i in range(count)]) / count
        blocks = BlockSampler(rows, 4096, 8)(np.random.default_rng(0))
        near = (
            timed(lambda data=data, blocks=blocks: [data.batch(blocks[i * batch :][:batch]) for i in range(count)])
            / count
        )
        print(f"  {name:24} {spent * 1e3:7.3f} random {near * 1e3:6.3f} by blocks")
    path.unlink()


def timed(call):
    """Return the seconds of one call."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def tables(folder, rows=100_000, columns=20):
    """Compare ways to an epoch over a CSV file."""
    path = folder / "table.csv"
    numbers = np.random.default_rng(0).normal(size=(rows, columns))
    np.savetxt(path, numbers, delimiter=",", fmt="%.6g", header=",".join(map(str, range(columns))), comments="")
    path.write_text("c" + path.read_text())  # a header is no row of numbers
    megabytes = path.stat().st_size / 1e6
    print(f"\na CSV file of {megabytes:.0f} MB, {rows:,} rows of {columns} numbers")
    read = timed(lambda: read_csv(path))
    convert = timed(lambda: csv_to_npy(path, folder / "table.npy"))
    mapped = timed(epoch_of(MappedDataset(folder / "table.npy"), 64))
    for name, seconds in (
        ("read_csv, all of it", read),
        ("csv_to_npy", convert),
        ("MappedDataset of that: an epoch, shuffled", mapped),
    ):
        print(f"  {name:44} {seconds:7.3f} s  {megabytes / seconds:8.0f} MB/s")
    path.unlink()
    (folder / "table.npy").unlink()


def write(path, rows):
    """Write random rows to a ``.npy`` file."""
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (rows, WIDTH)}
        np.lib.format.write_array_header_1_0(file, header)
        for i in range(0, rows, 10_000):
            file.write(rng.random((min(10_000, rows - i), WIDTH), np.float32).tobytes())


def train(folder, rank, size, order):
    """Train an epoch on one shard, and say what it took; run in a process under a limit."""
    data = MappedDataset(folder / "x.npy", folder / "y.npy", shard=(rank, size))
    sampler = BlockSampler(len(data), 4096, 8) if order == "blocks" else None
    model = nn.MLP(WIDTH, [64, 10], dtype=np.float32, rng=0)
    optimizer, criterion = optim.Adam(model.parameters()), nn.CrossEntropyLoss()
    begin = time.perf_counter()
    for x, y in DataLoader(data, 128, shuffle=sampler is None, sampler=sampler, rng=0):
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step()
    spent = time.perf_counter() - begin
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmPeak"))
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    print(
        f"  shard {rank} of {size}, {order:7} {len(data):9,} rows  {spent:6.1f} s  {len(data) / spent:8,.0f} rows/s  "
        f"address space {int(peak.split()[1]) / 2**20:.2f} of {limit / 2**30:.2f} GiB"
    )


def limited(folder, gigabytes, limit):
    """Train on a file larger than the address space that the shell allows."""
    rows = int(gigabytes * 1e9 / 4 / WIDTH)
    write(folder / "x.npy", rows)
    np.save(folder / "y.npy", np.random.default_rng(1).integers(0, 10, rows))
    print(f"\n{rows:,} rows of {WIDTH} numbers, {gigabytes:g} GB; MLP 784-64-10, batch 128, ulimit -v {limit:g} GiB")
    script = f"ulimit -v {int(limit * 2**20)}; exec {sys.executable}"
    code = f"import numpy; numpy.load({str(folder / 'x.npy')!r}, mmap_mode='r')"
    refused = subprocess.run(["bash", "-c", f'{script} -c "{code}"'], capture_output=True, text=True, check=False)
    print(f"  numpy.load(mmap_mode='r'): {refused.stderr.strip().splitlines()[-1]}")
    for rank, size, order in ((0, 1, "random"), (0, 1, "blocks"), (0, 2, "random"), (1, 2, "random")):
        forget(folder / "x.npy")
        subprocess.run(
            ["bash", "-c", f"{script} {__file__} --folder {folder} --train {rank} {size} {order}"],
            check=True,
        )


def main():
    """Run everything, or in a process of its own the training."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("bench_data"))
    parser.add_argument("--gigabytes", type=float, default=4)
    parser.add_argument("--limit", type=float, default=1, help="GiB of address space")
    parser.add_argument("--train", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.train:
        rank, size, order = args.train
        train(args.folder, int(rank), int(size), order)
        return
    args.folder.mkdir(parents=True)
    try:
        batches()
        orders(args.folder)
        tables(args.folder)
        limited(args.folder, args.gigabytes, args.limit)
    finally:
        shutil.rmtree(args.folder)


if __name__ == "__main__":
    main()
