"""A training step with 1, 2 and 4 ranks, what its Allreduce costs, and whether overlapping it would help.

    python tests/benchmarks/bench_mpi.py [--ranks 1,2,4] [--seconds 1.5]

Starts ``mpiexec -n R python -m mpi4py`` on itself for every number of ranks, with one BLAS thread each. Batches are
those of all ranks together, so that more ranks do the same work (strong scaling). A time is that of the quietest of
many rounds, in each of which the slowest rank counts: on a shared machine a rank that is held up holds up all.  Prints
tables in Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

import numpy as np

import nn
import optim
from nn.data.distributed import piece
from optim.distributed import DistributedOptimizer, GradientSum, world

WORKLOADS = [
    # sizes, batches of all ranks, dtype
    ([2, 16, 16, 1], (32, 1024), "float64"),
    ([64, 64, 32, 10], (64, 1024), "float32"),
    ([784, 512, 256, 10], (128, 1024), "float32"),
]
NUMBERS = (1, 16, 256, 4096, 65_536, 1_048_576, 8_388_608)
ROUNDS = 40


def timed(comm, step, seconds):
    """Return the slowest rank's seconds a call, in the quietest round."""
    step()
    begin = time.perf_counter()
    step()
    once = comm.allreduce(time.perf_counter() - begin) / comm.size
    count = comm.bcast(max(3, int(seconds / ROUNDS / max(once, 1e-7))))
    found = []
    for _ in range(ROUNDS):
        comm.allreduce(0)  # begin together
        begin = time.perf_counter()
        for _ in range(count):
            step()
        found.append(max(comm.allgather((time.perf_counter() - begin) / count)))
    return min(found)


def parts(comm, sizes, batch, dtype):
    """Return model, and a function that computes loss and gradients of this rank's piece of a batch."""
    rng = np.random.default_rng(0)
    own = piece(batch, comm.rank, comm.size)
    x = rng.normal(size=(batch, sizes[0])).astype(dtype)[own]
    model = nn.MLP(sizes[0], sizes[1:], dtype=x.dtype, rng=0)
    if sizes[-1] == 1:
        criterion, y = nn.BCEWithLogitsLoss(), rng.integers(0, 2, (batch, 1)).astype(dtype)[own]
    else:
        criterion, y = nn.CrossEntropyLoss(), rng.integers(0, sizes[-1], batch)[own]

    def backward():
        criterion(model(x), y).backward()
        return len(y)

    return model, backward


def blocking(comm, sizes, batch, dtype):
    """Return the library's step: backward, one Allreduce, Adam."""
    model, backward = parts(comm, sizes, batch, dtype)
    optimizer = DistributedOptimizer(optim.Adam(model.parameters(), lr=1e-3), comm)

    def step():
        optimizer.zero_grad()
        optimizer.step(rows=backward())

    return step


def alone(comm, sizes, batch, dtype):
    """Return the same step without the Allreduce, to see what that costs."""
    model, backward = parts(comm, sizes, batch, dtype)
    optimizer = optim.Adam(model.parameters(), lr=1e-3)

    def step():
        optimizer.zero_grad()
        backward()
        optimizer.step()

    return step


def overlapped(comm, sizes, batch, dtype):
    """Return a step that starts the Iallreduce of a parameter's gradient as soon as the backward pass has it."""
    from mpi4py import MPI

    model, backward = parts(comm, sizes, batch, dtype)
    optimizer, requests, buffers = optim.Adam(model.parameters(), lr=1e-3), [], []
    share = dict.fromkeys(["rows"], 1.0)

    def start(place, size):
        send, recv = np.empty(size, dtype), np.empty(size, dtype)
        buffers.append((send, recv))

        def hook(g):
            np.multiply(g.ravel(), share["rows"], out=send)
            requests.append(comm.Iallreduce(send, recv))

        return hook

    for i, p in enumerate(model.parameters()):
        p.register_hook(start(i, p.data.size))
    own = piece(batch, comm.rank, comm.size)
    share["rows"] = (own.stop - own.start) / batch

    def step():
        optimizer.zero_grad()
        requests.clear()
        backward()
        MPI.Request.Waitall(requests)
        for p, (_, recv) in zip(model.parameters(), buffers, strict=True):
            p.grad = recv.reshape(p.data.shape)
        optimizer.step()

    return step


def work(seconds):
    """Measure as one of the ranks; rank 0 prints JSON."""
    comm = world()
    found = {"steps": [], "allreduce": []}
    for sizes, batches, dtype in WORKLOADS:
        for batch in batches:
            kinds = {"blocking": blocking, "alone": alone} | ({"overlapped": overlapped} if comm.size > 1 else {})
            times = {kind: timed(comm, make(comm, sizes, batch, dtype), seconds) for kind, make in kinds.items()}
            found["steps"].append({"sizes": sizes, "batch": batch, **times})
    for count in NUMBERS:
        send, recv = np.ones(count, np.float32), np.empty(count, np.float32)
        found["allreduce"].append((count * 4, timed(comm, lambda a=send, b=recv: comm.Allreduce(a, b), seconds / 3)))
    p = nn.Parameter(np.ones(535_818, np.float32))
    p.grad = np.ones_like(p.data)
    add_up = GradientSum([p], comm)
    found["whole"] = timed(comm, lambda: add_up(1.0, weigh=True), seconds / 3)
    if comm.rank == 0:
        print(json.dumps(found))


def fitted(points):
    """Return latency and bytes a second of ``t = a + b * bytes``, least squares of relative errors."""
    sizes, times = (np.array(column, float) for column in zip(*points, strict=True))
    rows = np.stack([1 / times, sizes / times], axis=1)
    (a, b), *_ = np.linalg.lstsq(rows, np.ones(len(times)), rcond=None)
    return a, 1 / b


def report(results):
    """Print the tables."""
    counts = list(results)
    many = ", ".join(str(n) for n in counts if n > 1)
    ranks = " | ".join(f"{n} rank(s)" for n in counts)
    print(f"| network | batch | {ranks} | of which adding up, {many} | overlapped, {many} |")
    print("|---" * (len(counts) + 4) + "|")
    for i, first in enumerate(results[counts[0]]["steps"]):
        row = [results[n]["steps"][i] for n in counts]
        times = [f"{r['blocking'] * 1e6:,.0f} us ({first['blocking'] / r['blocking']:.2f}x)" for r in row]
        over = ", ".join(f"{r['overlapped'] * 1e6:,.0f}" for r in row if "overlapped" in r)
        sums = ", ".join(f"{(r['blocking'] - r['alone']) * 1e6:,.0f}" for r in row if "overlapped" in r)
        print(f"| {'-'.join(map(str, first['sizes']))} | {first['batch']} | {' | '.join(times)} | {sums} | {over} |")
    print("\n| bytes of an Allreduce | " + " | ".join(f"{n} ranks" for n in counts if n > 1) + " |")
    print("|---" * len(counts) + "|")
    for i, (size, _) in enumerate(results[counts[0]]["allreduce"]):
        print(f"| {size:,} | " + " | ".join(
            f"{results[n]['allreduce'][i][1] * 1e6:,.1f} us" for n in counts if n > 1) + " |")  # fmt: skip
    for n in counts:
        if n > 1:
            latency, speed = fitted(results[n]["allreduce"])
            print(f"{n} ranks: {latency * 1e6:.1f} us + bytes / {speed / 1e9:.1f} GB/s; packing, adding up and "
                  f"unpacking 535,818 float32: {results[n]['whole'] * 1e6:,.0f} us")  # fmt: skip


def main():
    """Start the jobs, or be one of their ranks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ranks", default="1,2,4", help="numbers of ranks")
    parser.add_argument("--seconds", type=float, default=1.5, help="for one time")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.seconds)
        return
    results = {}
    for n in (int(n) for n in options.ranks.split(",")):
        command = [str(Path(sys.executable).parent / "mpiexec"), "-n", str(n), sys.executable, "-m", "mpi4py"]
        done = subprocess.run(
            [*command, __file__, "--work", "--seconds", str(options.seconds)],
            env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
        results[n] = json.loads(done.stdout.splitlines()[-1])
    report(results)


if __name__ == "__main__":
    main()
