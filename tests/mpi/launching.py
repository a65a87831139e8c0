"""Start real MPI jobs: the mpiexec beside this Python, with a limit on how long anything may take."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path

import processes

ROOT = Path(__file__).resolve().parents[2]
JOB = Path(__file__).resolve().parent / "job.py"
BESIDE = Path(sys.executable).parent / "mpiexec"
MPIEXEC = str(BESIDE) if BESIDE.exists() else shutil.which("mpiexec")
MISSING = "mpi4py and mpiexec are not installed" if not importlib.util.find_spec("mpi4py") or not MPIEXEC else ""


def command(ranks, *program, module=True):
    """The command line of a job of so many ranks."""
    return [MPIEXEC, "-n", str(ranks), sys.executable, *(["-m", "mpi4py"] if module else []), *map(str, program)]


def environment(**more):
    """One BLAS thread, the packages of this folder."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", **more}


def run(ranks, *program, module=True, check=True, cwd=None):
    """Run a job to its end."""
    done = processes.run(command(ranks, *program, module=module), env=environment(), cwd=cwd)
    if check:
        assert done.returncode == 0, done.stderr
    return done
