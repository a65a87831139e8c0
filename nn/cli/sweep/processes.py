"""Run the trials of a sweep in processes of this machine, or on the ranks of an MPI job."""

import math
import multiprocessing
import os
import queue
import signal
import statistics
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from multiprocessing.connection import wait as wait_for
from pathlib import Path

from nn.cli.options import train_parser
from nn.cli.training import Run
from nn.typing import Settings

ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
Work = Callable[..., Settings]
Calls = Sequence[tuple[object, ...]]
LINES_OF_TRACEBACK = 40
NOT_MEASURED = ("epoch", "lr", "seconds")


def cores() -> int:
    """Return the number of processors that this process may use."""
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1


def ranks() -> int:
    """Return the number of workers of ``mpiexec -n N python -m mpi4py.futures``; 0 without it."""
    if "mpi4py.futures" not in sys.modules:
        return 0
    from mpi4py import MPI

    return max(MPI.COMM_WORLD.Get_size() - 1, 0)


def finished(work: Work, calls: Calls, workers: int) -> Iterator[tuple[int, Settings]]:
    """Call a function in other processes, and yield (index of the call, result) as each one ends.

    Parameters
    ----------
    work : callable
        A function of a module.
    calls : sequence of tuple
        Arguments of each call.
    workers : int
        The number of concurrent calls.

    Yields
    ------
    int, dict
        For a worker that died instead of returning, ``{"status": "failed", "error": ...}``.

    Notes
    -----
    Processes are spawned, with one BLAS thread each unless the environment sets another number.  Each has its own
    executor, so that a killed process fails its own call only.
    """
    if ranks():
        yield from _finished_by_ranks(work, calls, workers)
        return
    for name in ONE_THREAD:  # read when a worker imports NumPy
        os.environ.setdefault(name, "1")
    others, made = set(multiprocessing.active_children()), list[ProcessPoolExecutor]()
    free: queue.SimpleQueue[ProcessPoolExecutor] = queue.SimpleQueue()
    context = multiprocessing.get_context("spawn")  # a fork would copy locks held by threads

    def add_executor() -> None:
        made.append(ProcessPoolExecutor(1, mp_context=context, initializer=prepare))
        free.put(made[-1])

    def called(*arguments: object) -> Settings:
        executor = free.get()
        try:
            found = executor.submit(work, *arguments).result()
        except BrokenExecutor:
            add_executor()
            return {"status": "failed", "error": "its process ended abruptly: killed, or out of memory"}
        free.put(executor)
        return found

    for _ in range(workers):
        add_executor()
    threads = ThreadPoolExecutor(workers, initializer=_block_interrupt)
    futures = {threads.submit(called, *arguments): which for which, arguments in enumerate(calls)}
    try:
        yield from ((futures[future], future.result()) for future in as_completed(futures))
    except BaseException:
        threads.shutdown(wait=False, cancel_futures=True)
        while not all(future.done() for future in futures):  # a thread may be about to start its process
            for worker in set(multiprocessing.active_children()) - others:
                worker.terminate()  # its last checkpoint is complete, and is resumed
            time.sleep(0.01)
        raise
    finally:
        threads.shutdown()
        for executor in made:
            executor.shutdown()


def _finished_by_ranks(work: Work, calls: Calls, workers: int) -> Iterator[tuple[int, Settings]]:
    from mpi4py.futures import MPIPoolExecutor

    with MPIPoolExecutor(max_workers=workers) as pool:
        futures = {pool.submit(work, *arguments): which for which, arguments in enumerate(calls)}
        yield from ((futures[future], future.result()) for future in as_completed(futures))


def _block_interrupt() -> None:
    """Block SIGINT in a thread: the processes that it starts inherit the mask and so ignore Ctrl-C."""
    if hasattr(signal, "pthread_sigmask"):  # not on Windows
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


# ----------------------------------------------------------------------------------------------- a trial


def prepare() -> None:
    """Initialise a worker process: ignore Ctrl-C, which the parent handles, and exit with the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (wait_for([parent.sentinel]), os._exit(1)), daemon=True).start()


def run_trial(words: Sequence[str], folder: str) -> Settings:
    """Train once, and return the measurements, or the error that ended the training.

    Parameters
    ----------
    words : sequence of str
        Arguments of ``python -m nn train``.
    folder : str
        The folder for checkpoint, log and model; a killed trial resumes from its checkpoint.

    Returns
    -------
    dict
        ``status`` is ``"done"``, ``"failed"`` or ``"interrupted"``.
    """
    begin = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the record contains why a training ended early
            found = _trained(words, Path(folder))
    except (Exception, SystemExit) as error:  # any error ends one trial only
        for path in Path(folder).glob("checkpoint*.npz"):  # do not resume from a faulty state
            path.unlink(missing_ok=True)
        found = {
            "status": "failed",
            "error": " ".join("".join(traceback.format_exception_only(error)).split()),
            "traceback": "".join(traceback.format_exception(error)).splitlines()[-LINES_OF_TRACEBACK:],
        }
    return found | {"seconds": round(time.perf_counter() - begin, 3)}


def _trained(words: Sequence[str], folder: Path) -> Settings:
    args = train_parser().parse_args([*words, f"--out={folder}", "--quiet", "--resume"])
    run = Run(args, lambda text: None)
    folder.mkdir(parents=True, exist_ok=True)
    run.read()
    history = run.train()
    if history.interrupted:
        return {"status": "interrupted"}
    result = run.measure(history)
    run.trained.save(folder / "model.npz")
    for path in [*folder.glob("checkpoint*.npz"), *folder.glob(".*.tmp")]:  # or of a killed worker
        path.unlink(missing_ok=True)
    names = [name for name in run.best[0] if name not in NOT_MEASURED]
    measured = {name: statistics.fmean(found[name] for found in run.best) for name in names}
    measured |= {f"test {name}": value for name, value in result["test"].items()}
    return {
        "status": "done",
        "metrics": {name: float(v) if math.isfinite(v) else None for name, v in measured.items()},
        "epochs": history.epochs,
        "best epoch": int(run.best[0]["epoch"]),
        "stopped": history.stopped,
        "verdicts": result["verdicts"],
    }
