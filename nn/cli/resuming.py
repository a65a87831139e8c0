"""Continue a run exactly, or refuse: its settings and data are part of its checkpoint, and its folder is locked."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optim
from nn import checkpoint
from nn.training.callbacks import Callback
from nn.training.solvers import scheduled
from nn.training.stepping import Schedules
from nn.typing import Array, Settings, State
from optim.distributed import checksum

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

CHANGEABLE = ("epochs", "lr")  # of a resumed run; other options must be those of its start
UNRELATED = ("command", "table", "delimiter", "encoding", "resume", "quiet", "json", "columns", "no_compile")
DERIVED = ("batch_size", "l2", "schedule", "dropout")  # by default from the rows or the optimizer, so compared last


@contextlib.contextmanager
def locked(folder: Path, what: str) -> Iterator[None]:
    """Lock a folder against other processes that write to it.

    Raises
    ------
    ValueError
        If another process has locked it.
    """
    with contextlib.ExitStack() as stack:
        if fcntl is not None:
            handle = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, handle)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ValueError(f"another {what} is writing to {folder}; pass another --out") from None
        yield


class Recipe(Callback):
    """The settings and the data of a run, as a part of its checkpoint.

    Parameters
    ----------
    settings : dict
        The options of the command.
    arrays : ndarrays
        The data, of which a digest is stored.
    steps : int
        Steps in an epoch.

    Attributes
    ----------
    notes : list of str
        The differences between a resumed run and its start.
    """

    def __init__(self, settings: Settings, arrays: list[Array], steps: int) -> None:
        self.settings = settings
        self.digest: str = checksum(arrays)
        self.steps = steps
        self.notes: list[str] = []

    def state_dict(self) -> State:
        """Return settings and digest."""
        return {"settings": self.settings, "digest": self.digest}

    def load_state_dict(self, state_dict: State) -> None:
        """Do nothing; `compare` has read the state before the run was made."""

    def compare(self, path: Path, lr: float | None) -> None:
        """Compare this run with the checkpoint that it resumes, and take over its learning rate if `lr` is None.

        Raises
        ------
        ValueError
            If another option than the number of epochs and the learning rate differs, or the data.
        """
        if not path.exists():
            return
        saved: Any = checkpoint.load(path)
        before, now = saved["callbacks"][0]["settings"], self.settings
        done = int(saved["progress"]["done"])
        remedy = "repeat its options, or start another run by --out"
        for key in sorted(before | now, key=DERIVED.__contains__):
            if key not in (*CHANGEABLE, *UNRELATED) and before.get(key) != now.get(key):
                start = f"--{key.replace('_', '-')} {before[key]}" if key in before else f"no --{key.replace('_', '-')}"
                raise ValueError(f"the run of {path} was started with {start}, not {now.get(key)}; {remedy}")
        if saved["callbacks"][0]["digest"] != self.digest:
            raise ValueError(f"the table has changed since the run of {path} was started; {remedy}")
        if now["epochs"] < done:
            raise ValueError(f"the run of {path} has {done} epochs already, and --epochs is {now['epochs']}")
        if lr is None:
            now["lr"] = before["lr"]
        self.notes = [
            f"resumed after {done} epochs with --{key} {now[key]:g} instead of {before[key]:g}"
            for key in CHANGEABLE
            if now[key] != before[key]
        ]

    def on_train_begin(self, run: Any) -> None:
        """Set the rates of a resumed run with another number of epochs or another rate to those of its new schedule."""
        if not self.notes:
            return
        rates = optim.lr_scheduler.Rates(self.settings["lr"])
        fresh = Schedules(scheduled(self.settings["schedule"], rates, self.settings["epochs"], self.steps))
        for _ in range(run.step):
            fresh.step(0.0)
        for loss in run.history.get("validation loss", []):
            fresh.end_epoch(loss)
        for group in run.optimizer.param_groups:
            group |= {key: value for key, value in rates.param_groups[0].items() if key in ("lr", "initial_lr")}
        run.schedules.load_state_dict(fresh.state_dict())
