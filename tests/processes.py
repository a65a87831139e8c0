"""Start processes in tests so that none outlives its test."""

import contextlib
import ctypes
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
SECONDS = 600  # the limit for a process that hangs; on a busy machine a process that works may take a minute


def _end_with_parent():
    """Make Linux kill this process when its parent ends, even by kill -9."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(command, **options):
    """Start a process with piped output; the caller waits for it with `ended`, or kills it."""
    tied = {"preexec_fn": _end_with_parent} if sys.platform.startswith("linux") else {}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options, **tied)


def ended(process):
    """Wait until a process ends and return its output and errors; kill it if it hangs."""
    try:
        return process.communicate(timeout=SECONDS)
    finally:
        process.kill()


def run(command, **options):
    """Run a process until it ends, like `subprocess.run`."""
    with start(command, **options) as process:
        out, err = ended(process)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def wait_until(condition, process=None):
    """Wait until a condition holds; fail if the process that shall bring it about ends or hangs."""
    limit = time.monotonic() + SECONDS
    while not condition() and (process is None or process.poll() is None) and time.monotonic() < limit:
        time.sleep(0.02)
    if not condition():
        raise AssertionError(process and ended(process))
