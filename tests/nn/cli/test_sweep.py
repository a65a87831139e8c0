"""`python -m nn sweep`: its trials, its files, and what is left of it after crashes, kills and Ctrl-C."""

import csv
import json
import os
import shutil
import signal
import sys
from pathlib import Path

import processes
import pytest
from processes import ended, wait_until

from nn.__main__ import main
from nn.cli.folder import load_run
from nn.cli.resuming import locked
from nn.cli.sweep import aligned
from nn.cli.sweep.processes import finished, run_trial

ROOT = Path(__file__).resolve().parents[3]
IRIS = str(ROOT / "demos/data/iris.csv")
QUICK = {"target": "target", "hidden": [4], "epochs": 2, "lr": 0.02}
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
MPIEXEC = shutil.which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))


def configured(base=QUICK, name="sweep.json", **parts):
    Path(name).write_text(json.dumps({"table": IRIS, "base": base, **parts}), encoding="utf-8")
    return name


def said(capsys, *arguments):
    capsys.readouterr()
    try:
        status = main(["sweep", *map(str, arguments)])
    except SystemExit as stopped:
        status = stopped.code
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def lines(folder="sweep"):
    path = Path(folder, "trials.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


# ------------------------------------------------------------------------------------------------- the results


def test_every_trial_leaves_a_line_and_the_table_is_sorted(capsys):
    name = configured(grid={"optimizer": ["adam", "sgd"], "lr": [0.05, 1e-7]}, seeds=[3, 4])
    status, out, err = said(capsys, name, "--workers", 2, "-o", "found")
    assert (status, err) == (0, "")
    records = lines("found")
    assert sorted(record["trial"] for record in records) == list(range(1, 9))
    assert {record["status"] for record in records} == {"done"}
    assert {record["seed"] for record in records} == {3, 4}
    assert Path("found/sweep.png").read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader(Path("found/table.csv").read_text().splitlines()))
    assert [float(row["seeds"]) for row in rows] == [2] * 4
    scores = [float(row["validation accuracy"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert {row["lr"] for row in rows[2:]} == {"1e-07"}
    mine = [r for r in records if [r["settings"]["optimizer"], str(r["settings"]["lr"])] == list(rows[0].values())[:2]]
    mean = sum(record["metrics"]["validation accuracy"] for record in mine) / 2
    assert scores[0] == pytest.approx(mean)
    assert "[8/8]" in out
    best = next(line for line in out.splitlines() if line.startswith("best single trial"))
    assert load_run(Path(best.split(" is in ")[1])).target == "target"
    # nothing is left to do, and what was found is shown again
    before = Path("found/trials.jsonl").read_bytes()
    status, out, err = said(capsys, name, "-o", "found", "--json")
    assert (status, err) == (0, "")
    result = json.loads(out)
    assert (result["trials"], result["done"], result["failed"], result["interrupted"]) == (8, 8, 0, False)
    assert result["best"]["metrics"]["validation accuracy"] == max(
        record["metrics"]["validation accuracy"] for record in records
    )
    assert Path("found/trials.jsonl").read_bytes() == before


def test_longer_list_runs_only_new_trials(capsys):
    assert said(capsys, configured(seeds=1), "--quiet")[0] == 0
    status, out, _ = said(capsys, configured(seeds=2, metric="validation loss"), "--workers", 1)
    assert status == 0
    assert "2 trials, 1 of them finished before" in out
    assert [record["seed"] for record in lines()] == [0, 1]
    losses = [record["metrics"]["validation loss"] for record in lines()]
    assert "best single trial: validation loss" in out
    assert f"validation loss {min(losses):.4g}" in out


def test_failed_trial_is_reported_and_others_continue(capsys):
    name = configured(grid={"validation": [0.8, 0.2]}, seeds=1)
    status, out, err = said(capsys, name, "--workers", 1)
    assert (status, err) == (1, "")
    failed, done = lines()
    assert (failed["status"], done["status"]) == ("failed", "done")
    assert failed["error"].startswith("ValueError: --validation 0.8 and --test 0.15 leave too few rows")
    assert "_split" in "".join(failed["traceback"])
    assert "trial 1: FAILED, validation 0.8, seed 0: ValueError: --validation 0.8" in out
    assert "1 of 2 trials failed; --retry repeats them" in out
    status, out, _ = said(capsys, name, "--json")
    assert status == 1
    assert json.loads(out)["errors"][0]["trial"] == 1
    assert len(lines()) == 2
    assert said(capsys, name, "--retry", "--quiet", "--workers", 1)[0] == 1
    assert [record["trial"] for record in lines()] == [1, 2, 1]


def test_trial_with_folds_is_measured_by_their_mean(capsys):
    assert said(capsys, configured(QUICK | {"folds": 3}), "--workers", 1)[0] == 0
    (record,) = lines()
    model = load_run(Path(record["folder"]))
    assert record["metrics"]["validation accuracy"] == pytest.approx(sum(model.result["folds"]) / 3)
    assert len(model.model.members) == 3
    assert not list(Path(record["folder"]).glob("checkpoint*.npz"))


def test_diverged_trial_is_ranked_last(capsys):
    base = {**QUICK, "task": "regression", "optimizer": "sgd", "schedule": "constant"}
    status, out, err = said(capsys, configured(base, grid={"lr": [1e300, 0.01]}), "--workers", 1)
    assert (status, err) == (0, "")
    assert "the loss is" in out
    rows = list(csv.DictReader(Path("sweep/table.csv").read_text().splitlines()))
    assert [row["lr"] for row in rows] == ["0.01", "1e+300"]
    assert rows[1]["validation r2"] == ""
    assert "NaN" not in Path("sweep/trials.jsonl").read_text()


def test_uninformative_columns_are_omitted():
    assert aligned([{"lr": 0.1, "seeds": 1, "loss": 0.5, "deviation": None, "failed": 0}]) == " lr  loss\n0.1   0.5"
    shown = aligned([{"seeds": 0, "loss": None, "deviation": None, "failed": 1}])
    assert shown == "loss  failed\n   -       1"


# ------------------------------------------------------------------------------------------------ the processes


def test_killed_worker_fails_only_its_own_call():
    calls = [
        ("{'n': 1}",),
        ("__import__('os')._exit(3)",),
        ("{'n': 2}",),
        ("__import__('os').getenv('OMP_NUM_THREADS')",),
    ]
    found = dict(finished(eval, calls, 1))
    assert (found[0], found[2]) == ({"n": 1}, {"n": 2})
    assert found[1]["status"] == "failed"
    assert "ended abruptly" in found[1]["error"]
    assert found[3] == os.environ.get("OMP_NUM_THREADS", "1")


def test_pool_ends_all_processes_when_the_caller_stops():
    dealing = finished(eval, [("__import__('os').getpid()",), ("__import__('time').sleep(600)",)], 2)
    _, pid = next(dealing)
    dealing.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.fixture
def start():
    """Start a sweep; none is left when the test has ended, however it did."""
    started = []

    def sweep(*arguments):
        command = [sys.executable, "-m", "nn", "sweep", *map(str, arguments)]
        started.append(processes.start(command, env=ENVIRONMENT))
        return started[-1]

    yield sweep
    for process in started:
        process.kill()  # its workers end with it
        ended(process)


def workers_of(process):
    tasks = Path(f"/proc/{process.pid}/task").glob("*/children")  # each thread lists the processes that it started
    listed = [pid for task in tasks for pid in task.read_text().split()]
    return [int(pid) for pid in listed if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def alive(pid):
    """Whether a process runs, and is no zombie that waits to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds processes in /proc")


@linux
def test_killed_worker_is_reported_and_other_trials_continue(start):
    name = configured(grid={"epochs": [100_000, 2]})
    process = start(name, "--workers", 1)
    wait_until(lambda: list(Path("sweep").glob("*/checkpoint.npz")), process)
    os.kill(workers_of(process)[0], signal.SIGKILL)
    out, err = ended(process)
    assert (process.returncode, err) == (1, "")
    assert [record["status"] for record in lines()] == ["failed", "done"]
    assert "epochs 100000, seed 0: its process ended abruptly: killed, or out of memory" in out


@linux
def test_killed_sweep_resumes_to_the_same_results(start):
    name = configured(grid={"epochs": [2, 200]})
    process = start(name, "--workers", 1)
    wait_until(lambda: len(lines()) == 1 and list(Path("sweep").glob("*/checkpoint.npz")), process)
    workers = workers_of(process)
    process.kill()
    ended(process)
    for worker in workers:  # it has no parent any more, and ends by itself
        wait_until(lambda worker=worker: not alive(worker))
    with Path("sweep/trials.jsonl").open("a") as file:
        file.write('{"trial": 2, "key": "cut off')
    again = start(name)
    out, err = ended(again)
    assert (again.returncode, err) == (0, "")
    assert "2 trials, 1 of them finished before" in out
    first, second = lines()
    assert (first["trial"], second["trial"], second["epochs"]) == (1, 2, 200)
    words = (IRIS, "--target=target", "--hidden=4", "--epochs=200", "--lr=0.02", "--seed=0")
    assert run_trial(words, "never stopped")["metrics"] == second["metrics"]
    assert not list(Path("sweep").glob("*/checkpoint.npz"))


def test_ctrl_c_ends_the_sweep_with_a_hint_to_continue(start):
    process = start(configured(grid={"epochs": [2, 100_000]}), "--workers", 1)
    wait_until(lambda: len(lines()) == 1 and list(Path("sweep").glob("*/checkpoint.npz")), process)
    process.send_signal(signal.SIGINT)
    out, err = ended(process)
    assert (process.returncode, err) == (130, "")
    assert out.endswith("1 of 2 trials are finished; repeat the command to continue\n")
    assert len(lines()) == 1


@pytest.mark.skipif(MPIEXEC is None, reason="mpiexec is not installed")
def test_sweep_on_mpi_ranks_equals_sweep_in_processes(capsys):
    pytest.importorskip("mpi4py")
    name = configured(grid={"lr": [0.01, 0.02]})
    command = [MPIEXEC, "-n", "2", sys.executable, "-m", "mpi4py.futures", "-m", "nn", "sweep", name, "-o", "ranks"]
    done = processes.run(command, env=ENVIRONMENT)
    assert (done.returncode, done.stderr) == (0, "")
    assert said(capsys, name, "-o", "processes", "--workers", 2)[0] == 0
    assert Path("ranks/table.csv").read_text() == Path("processes/table.csv").read_text()


# -------------------------------------------------------------------------------------------------- the records


def test_two_sweeps_do_not_write_to_one_folder(capsys):
    pytest.importorskip("fcntl")
    Path("sweep").mkdir()
    with locked(Path("sweep"), "sweep"):
        assert said(capsys, configured())[2] == "error: another sweep is writing to sweep; pass another --out\n"


@pytest.mark.parametrize("line", ["{}", "7", "nonsense", "[1]"])
def test_invalid_record_is_reported_with_its_line(line, capsys):
    Path("sweep").mkdir()
    Path("sweep/trials.jsonl").write_text('{"key": "a", "status": "done"}\n' + line + "\n")
    status, out, err = said(capsys, configured())
    assert (status, out) == (2, "")
    assert err == f"error: {Path('sweep/trials.jsonl')}, line 2: not a record of a sweep\n"
