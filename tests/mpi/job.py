"""What the ranks of the tests do: ``python -m mpi4py job.py CASE ...``; rank 0 prints what was found as JSON."""

import hashlib
import json
import os
import signal
import sys
import time
import warnings
from pathlib import Path

import numpy as np

import autograd
import nn
import optim
from nn.data import DataLoader, MappedDataset, TensorDataset
from nn.data.distributed import sharded
from nn.ranks import shared
from nn.training import Callback, fit, run
from optim.distributed import Alone, DistributedOptimizer, world

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 4))
Y = (X[:, 0] * X[:, 1] > 0).astype(int)


def fingerprint(model):
    """A hash of every bit of a model."""
    return hashlib.sha256(b"".join(np.asarray(a).tobytes() for a in model.state_dict().values())).hexdigest()


def network(dtype=None):
    """A network with everything that looks at more than one row, or draws at random."""
    nn.manual_seed(5)
    return nn.Sequential(
        nn.Linear(4, 8, bias=False, dtype=dtype, rng=0), nn.BatchNorm1d(8, dtype=dtype), nn.ReLU(), nn.Dropout(0.2),
        nn.RReLU(rng=3), nn.Linear(8, 2, dtype=dtype, rng=1),
    )  # fmt: skip


class Losses(Callback):
    """Remembers the loss of every step."""

    def __init__(self):
        self.values = []

    def on_step_end(self, run):
        self.values.append(run.last_loss)


def trained(comm, optimizer, *, model=None, loss=None, data=(X, Y), epochs=40, **options):
    """Train; the model, every loss, and the history."""
    model = network() if model is None else model
    losses = Losses()
    options = {"batch_size": 12, "rng": 7, "metrics": ["accuracy", "f1"], "validation": (X[:37], Y[:37]), **options}
    history = fit(
        model, loss or nn.CrossEntropyLoss(), optimizer(model.parameters()), data, epochs=epochs, progress=False,
        comm=comm, callbacks=losses, **options,
    )  # fmt: skip
    return model, losses.values, {k: v for k, v in history.items() if k != "seconds"}


# Half of the rows are not to count: some ranks have none that do, and weigh less than one together.
UNCOUNTED = {"data": (X, np.where(np.arange(50) % 2, 2, Y)), "validation": None, "metrics": ()}
CASES = {  # five batches an epoch, of 12, 12, 12, 12 and 2 rows: the last leaves a third rank without any
    "Adam": (lambda p: optim.Adam(p, lr=0.01), {}),
    "clipped": (lambda p: optim.SGD(p, lr=0.1), {"clip_grad_norm": 0.1, "l2": 0.01}),
    "accumulated": (lambda p: optim.SGD(p, lr=0.1, momentum=0.9), {"accumulate": 3}),
    "SAM": (lambda p: optim.SAM(optim.SGD(p, lr=0.05)), {}),
    "schedule-free": (optim.ScheduleFreeAdamW, {}),
    "weighted": (lambda p: optim.SGD(p, lr=0.1), {"loss": nn.CrossEntropyLoss([0.1, 2.0], 2), **UNCOUNTED}),
    "weighted and accumulated": (
        lambda p: optim.SGD(p, lr=0.1),
        {"loss": nn.CrossEntropyLoss([0.1, 2.0], 2), "accumulate": 2, **UNCOUNTED},
    ),
}


def compared(comm, optimizer, epochs, make=network, **options):
    """A run of all ranks against that of one process."""
    model, losses, history = trained(comm, optimizer, model=make(), epochs=epochs, **options)
    _, alone, plain = trained(None, optimizer, model=make(), epochs=epochs, **options)
    return {
        "steps": len(losses),
        "hashes": comm.allgather(fingerprint(model)),
        "loss": float(np.abs(np.subtract(losses, alone)).max()),
        "history": max(float(np.abs(np.subtract(history[k], plain[k])).max()) for k in plain),
        "histories": len(set(comm.allgather(json.dumps(history)))),
    }


def many(comm):
    """Two hundred steps of a network that sends nothing but gradients: ranks that share a core answer slowly."""
    return compared(comm, CASES["Adam"][0], 40, lambda: nn.MLP(4, [8, 2], rng=0), validation=None, metrics=())


def equal(comm):
    """Runs of all ranks against those of one process with the same batches."""
    found = {}
    for name, (optimizer, options) in CASES.items():
        found[name] = compared(comm, optimizer, 6, **options)
    replayed = []
    for compile in (None, False):
        plain = {"model": nn.MLP(4, [8, 2], rng=0), "validation": None, "epochs": 8}
        model, losses, _ = trained(comm, CASES["Adam"][0], compile=compile, **plain)
        replayed.append([fingerprint(model), *losses])
    found["replayed"] = {"same": comm.allgather(replayed[0] == replayed[1]), "steps": len(losses)}
    single = {"data": (X.astype(np.float32), Y), "epochs": 6}
    model, losses, _ = trained(comm, CASES["Adam"][0], model=network(np.float32), **single)
    alone = trained(None, CASES["Adam"][0], model=network(np.float32), **single)[1]
    found["float32"] = {
        "hashes": comm.allgather(fingerprint(model)),
        "loss": float(np.abs(np.subtract(losses, alone)).max()),
        "type": str(model[0].weight.grad.dtype),
    }
    return found


def by_hand(comm, make, steps):
    """A loop written by hand, in which a parameter has no gradient at times."""
    model = nn.MLP(4, [8, 2], rng=0)
    optimizer = DistributedOptimizer(make(model.parameters()), comm)
    closed = type(optimizer.inner).__name__ == "LBFGS"
    loader = DataLoader(TensorDataset(X, Y), 50 if closed else 13, shuffle=True, rng=0)
    criterion, losses = nn.CrossEntropyLoss(), []
    while len(losses) < steps:
        for x, y in sharded(loader, comm):

            def closure(x=x, y=y):
                optimizer.zero_grad()
                loss = criterion(model(x), y) if len(y) else autograd.sum(model(x))
                loss.backward()
                if len(losses) % 3 == 0 and not closed:  # as if the last step had not used this one
                    model[0].bias.grad = None
                return loss

            if closed:
                losses.append(float(optimizer.step(closure, rows=len(y))))
            else:
                losses.append(optimizer.reduce(len(y), closure().item()))
                nn.utils.clip_grad_norm_(model.parameters(), 0.5)
                optimizer.step()
    return model, optimizer, losses


def normalised_by_hand(comm):
    """A loop with batch normalisation over all ranks; everything in the model at its end."""
    model = nn.Sequential(nn.Linear(4, 8, bias=False, rng=0), nn.BatchNorm1d(8), nn.Linear(8, 2, rng=1))
    optimizer = DistributedOptimizer(optim.SGD(model.parameters(), lr=0.1, momentum=0.9), comm)
    for x, y in sharded(DataLoader(TensorDataset(X, Y), 11, shuffle=True, rng=0), comm):
        optimizer.zero_grad()
        with shared(comm):
            loss = nn.CrossEntropyLoss()(model(x), y) * len(y)
        loss.backward()
        optimizer.step(rows=len(y), summed=True)
    return list(model.state_dict().values())


def loops(comm):
    """The hand-written loop on all ranks and alone."""
    found = {}
    for name, make in {"Adam": lambda p: optim.Adam(p, lr=0.01), "LBFGS": lambda p: optim.LBFGS(p, lr=0.5)}.items():
        steps = 200 if name == "Adam" else 20
        model, optimizer, losses = by_hand(comm, make, steps)
        other, plain, alone = by_hand(Alone(), make, steps)
        found[name] = {
            "hashes": comm.allgather(fingerprint(model)),
            "loss": float(np.abs(np.subtract(losses, alone)).max()),
            "parameters": max(
                float(np.abs(p.data - q.data).max())
                for p, q in zip(model.parameters(), other.parameters(), strict=True)
            ),
            "state": sorted(optimizer.state_dict()) == sorted(plain.inner.state_dict()),
        }
    ends = [normalised_by_hand(c) for c in (comm, Alone())]
    found["BatchNorm"] = float(max(np.abs(a - b).max() for a, b in zip(*ends, strict=True)))
    w = autograd.Value(0.5)
    optimizer = DistributedOptimizer(optim.SGD([w], lr=0.1), comm)
    for _ in range(3):
        optimizer.zero_grad()
        ((w * (comm.rank + 1.0) - 1.0) ** 2).backward()
        optimizer.step()
    found["Value"] = comm.allgather(w.data)
    return found


class Stream:
    """Batches of one rank, of other sizes and numbers than those of another."""

    def __init__(self, rank):
        self.cuts = [slice(i, i + 4) for i in range(0, 20, 4)] if rank == 0 else [slice(20, 50)]

    def __iter__(self):
        return ((X[cut], Y[cut]) for cut in self.cuts)


def shards(comm, folder):
    """Each rank maps its own shard of a file; a run that is stopped and resumed against one that is not."""
    if comm.rank == 0:
        np.save(Path(folder) / "x.npy", X)
        np.save(Path(folder) / "y.npy", Y)
    comm.allgather(0)  # the files are there
    found = {}
    for name, epochs in {"whole": (6,), "resumed": (2, 6)}.items():
        for until in epochs:
            data = MappedDataset(f"{folder}/x.npy", f"{folder}/y.npy", shard=(comm.rank, comm.size))
            loader = DataLoader(data, 6, shuffle=True, rng=comm.rank)  # fit makes one order of it
            model, losses, _ = trained(
                comm, CASES["Adam"][0], model=nn.MLP(4, [8, 2], rng=0), data=loader, epochs=until, validation=None,
                checkpoint=f"{folder}/{name}.npz", resume=True, accumulate=2,
            )  # fmt: skip
        found[name] = {"hashes": comm.allgather(fingerprint(model)), "steps": len(losses), "last": losses[-1]}
    return found


def streams(comm):
    """Each rank brings batches of its own."""
    model, losses, history = trained(
        comm, CASES["clipped"][0], data=Stream(comm.rank), epochs=3, validation=None, metrics=["accuracy"]
    )
    return {"hashes": comm.allgather(fingerprint(model)), "steps": len(losses), "loss": history["loss"]}


def starts(comm):
    """What is said where ranks start from different things; every rank must hear the same."""
    other = comm.rank == 1
    changed = X.copy()
    changed[17, 1] += 1e-12 * other
    rows = np.arange(50)
    plain = {
        "hidden": 8, "seed": 0, "lr": 0.01, "dtype": None, "kind": optim.Adam, "X": X, "Y": Y, "batch": 16,
        "frozen": False, "gamma": 0.9, "sampler": rows, "fit": {},
    }  # fmt: skip
    faults = {
        "shape": {"hidden": 9}, "dtype": {"dtype": np.float32}, "lr": {"lr": 0.02}, "optimizer": {"kind": optim.SGD},
        "rows": {"X": X[:49], "Y": Y[:49], "sampler": rows[:49]}, "data": {"X": changed}, "batch": {"batch": 8},
        "numbers": {"seed": 1}, "file": {"fit": {"checkpoint": "run.npz"}},
        "validation": {"fit": {"validation": (X, Y)}},
        "frozen": {"frozen": True}, "scheduler": {"gamma": 0.8}, "order": {"sampler": rows[::-1]},
    }  # fmt: skip
    found = {}
    for name, fault in faults.items():
        o = plain | (fault if other else {})
        model = nn.MLP(4, [o["hidden"], 2], rng=o["seed"], dtype=o["dtype"])
        model[0].bias.requires_grad = not o["frozen"]
        optimizer = o["kind"](model.parameters(), lr=o["lr"])
        loader = DataLoader(TensorDataset(o["X"], o["Y"]), o["batch"], sampler=o["sampler"])
        scheduler = optim.lr_scheduler.ExponentialLR(optimizer, o["gamma"])
        data = {"progress": False, "epochs": 2, "comm": comm, "scheduler": scheduler, **o["fit"]}
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            try:
                fit(model, nn.CrossEntropyLoss(), optimizer, loader, **data)
                said = " ".join(str(w.message) for w in seen)
            except ValueError as error:
                said = str(error)
        found[name] = comm.allgather(said)
    model = nn.MLP(4, [8, 2], rng=comm.rank)
    try:
        DistributedOptimizer(optim.SGD(model.parameters(), lr=0.1), comm, repair=False)
    except ValueError as error:
        found["strict"] = comm.allgather(str(error))
    return found


class AtStep(Callback):
    """Does something on one rank, once."""

    def __init__(self, what, step, rank):
        self.what, self.step, self.rank = what, step, rank

    def on_step_end(self, run):
        if run.step == self.step and run.rank == self.rank:
            self.what(run)

    def state_dict(self):
        return {}

    def load_state_dict(self, state_dict):
        pass


def fail(of):
    """A mistake on one rank."""
    raise ZeroDivisionError(f"on purpose, on rank {of.rank}")


def drift(of):
    """Parameters changed on one rank only."""
    of.model[0].weight.data = of.model[0].weight.data + 1e-15


def resumable(comm, path, what=None, step=0):
    """A run of 12 epochs that saves itself after each; something may happen in it."""
    run.SECONDS_BETWEEN_SAVES = 0.0 if comm.rank else 0.05  # clocks that disagree
    nn.manual_seed(3)
    model = nn.Sequential(
        nn.Linear(4, 8, bias=False, rng=0), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.1), nn.Dropout(0.1, rng=4),
        nn.Linear(8, 2, rng=1),
    )  # fmt: skip
    losses, acts = Losses(), {"kill": lambda run: os.kill(os.getpid(), signal.SIGKILL), "fail": fail, "drift": drift,
                              "stop": lambda run: run.stop("enough"), "wait": announce}  # fmt: skip
    history = fit(
        model, nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=0.01), (X, Y), epochs=12, batch_size=16, rng=7,
        metrics="accuracy", checkpoint=path, resume=True, progress=False, comm=comm, log=Path(path).with_suffix(".log"),
        callbacks=[losses, AtStep(acts.get(what), int(step), 1)] if what else [losses, AtStep(None, -1, 0)],
    )  # fmt: skip
    return {
        "hashes": comm.allgather(fingerprint(model)), "losses": history["loss"], "accuracy": history["accuracy"],
        "stopped": comm.allgather(history.stopped), "steps": len(losses.values), "last": losses.values[-1:],
    }  # fmt: skip


def announce(of):
    """Announce that the test may send Ctrl-C, and delay the next step until it has arrived."""
    print("ready", flush=True)
    while not of.pressed():
        time.sleep(0.01)


def together(comm, folder):
    """Return what several cases found: a job takes longer to start than to run them."""
    return {
        "equal": equal(comm), "shards": shards(comm, folder), "streams": streams(comm), "starts": starts(comm),
    }  # fmt: skip


def main():
    """Do what the command line names."""
    case, *arguments = sys.argv[1:]
    comm = world()
    found = globals()[case](comm, *arguments)
    if comm.rank == 0:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
