"""Processes that tests start, and that outlive neither the test nor the tests."""

import contextlib
import ctypes
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1


def _end_with_parent():
    """Ask Linux for the end of this process when that which started it ends, were it by kill -9."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(command, **options):
    """Start a process; give it to `ended`, or see to its end otherwise."""
    tied = {"preexec_fn": _end_with_parent} if sys.platform.startswith("linux") else {}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options, **tied)


def ended(process, seconds=60):
    """Wait for the end of a process, which comes after so many seconds at the latest; what it wrote."""
    try:
        return process.communicate(timeout=seconds)
    finally:
        process.kill()


def run(command, seconds=120, **options):
    """Run a process to its end, as `subprocess.run` does."""
    with start(command, **options) as process:
        out, err = ended(process, seconds)
    return subprocess.CompletedProcess(command, process.returncode, out, err)
