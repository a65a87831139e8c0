"""Saves that are killed on the way; started by `test_write.py` as ``python killed_saves.py FILE WHAT``.

``points``: save, then kill one forked save after another, at every few bytes and around every step of the replacement;
print after each kill the number found in the file, which must be that of the last save that was let through.
``endless``: save 1, 2, 3, ... for ever, printing each number when its save has returned.
"""

import os
import signal
import sys
from pathlib import Path

import numpy as np

import autograd.files
import nn.checkpoint

WEIGHTS = {"w": np.arange(2000.0)}


class Deadly:
    """A file, opened by the replacement, that kills the process after some bytes."""

    def __init__(self, file, left):
        self.file, self.left = file, left

    def write(self, data):
        """Write what is left to be written; then the end."""
        if len(data) <= self.left:
            self.left -= len(data)
            return self.file.write(data)
        self.file.write(data[: self.left])
        self.file.flush()
        return os.kill(os.getpid(), signal.SIGKILL)

    def __getattr__(self, name):
        return getattr(self.file, name)


def die(*args, **kwargs):
    """Stand in for a function that the process never reaches."""
    os.kill(os.getpid(), signal.SIGKILL)


def killed_after(count):
    """Make the next save end after some bytes."""
    write = nn.checkpoint.write_tree
    nn.checkpoint.write_tree = lambda file, *trees: write(Deadly(file, count), *trees)


POINTS = {
    **{f"after {count} bytes": (lambda count=count: killed_after(count)) for count in range(0, 16_800, 700)},
    "before the contents are flushed": lambda: setattr(autograd.files.os, "fsync", die),
    "before the rename": lambda: setattr(autograd.files.Path, "replace", die),
    "after the rename": lambda: setattr(autograd.files, "_flush_folder", die),
}


def points(path):
    """Kill one save at each point; print the point, the signal, and what the file holds then."""
    nn.checkpoint.save(path, step=0, **WEIGHTS)
    for number, (point, prepare) in enumerate(POINTS.items(), start=1):
        child = os.fork()
        if child == 0:
            prepare()
            nn.checkpoint.save(path, step=number, **WEIGHTS)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        found = nn.checkpoint.load(path)
        whole = (found["w"] == WEIGHTS["w"]).all()
        print(point, os.WTERMSIG(status), found["step"] if whole else "damaged", number, sep=",", flush=True)


def endless(path):
    """Save until killed."""
    number = 0
    while True:
        number += 1
        nn.checkpoint.save(path, step=number, **WEIGHTS)
        print(number, flush=True)


if __name__ == "__main__":
    {"points": points, "endless": endless}[sys.argv[2]](Path(sys.argv[1]))
