"""Real jobs under a real mpiexec: what the ranks compute, what they say, and how they end."""

import json
import shutil
import signal

import numpy as np
import processes
import pytest
from launching import JOB, MISSING, ROOT, command, environment, run

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)
NEAR = 1e-10


def found(ranks, *arguments):
    return json.loads(run(ranks, JOB, *arguments).stdout)


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory):
    """What two ranks found in several cases."""
    return found(2, "together", tmp_path_factory.mktemp("shards"))


def test_ranks_compute_the_same_as_one_process_with_the_whole_batch(two_ranks):
    cases = dict(two_ranks["equal"])
    assert cases.pop("replayed") == {"same": [True, True], "steps": 40}
    for name, case in cases.items():
        assert len(set(case["hashes"])) == 1, name
        if name == "float32":
            assert case["type"] == "float32"
            assert case["loss"] < 1e-5
        else:
            assert case["loss"] < NEAR, name
            assert case["history"] < NEAR, name
            assert case["histories"] == 1, name


def test_four_ranks_have_the_same_bits_after_two_hundred_steps():
    case = found(4, "many")
    assert case["steps"] == 200
    assert len(case["hashes"]) == 4
    assert len(set(case["hashes"])) == 1
    assert max(case["loss"], case["history"]) < NEAR


def test_manual_loop_equals_one_process_also_without_rows_on_a_rank():
    cases = found(3, "loops")
    for name in ("Adam", "LBFGS"):
        assert len(set(cases[name]["hashes"])) == 1, name
        assert cases[name]["loss"] < NEAR, name
        assert cases[name]["parameters"] < 1e-8, name
        assert cases[name]["state"]
    assert cases["BatchNorm"] < NEAR
    w = 0.5
    for _ in range(3):
        w -= 0.1 * np.mean([2 * k * (w * k - 1) for k in (1, 2, 3)])
    assert cases["Value"] == pytest.approx([w] * 3, rel=1e-14)


def test_ranks_may_map_a_shard_each_and_resume(two_ranks):
    cases = two_ranks["shards"]
    assert len(set(cases["whole"]["hashes"])) == 1
    assert cases["whole"]["hashes"] == cases["resumed"]["hashes"]
    assert cases["whole"]["last"] == cases["resumed"]["last"]
    assert (cases["whole"]["steps"], cases["resumed"]["steps"]) == (6 * 3, 4 * 3)  # 25 rows: 5 batches, 3 steps


def test_ranks_may_bring_batches_of_their_own(two_ranks):
    case = two_ranks["streams"]
    assert len(set(case["hashes"])) == 1
    assert case["steps"] == 3 * 5
    assert all(np.isfinite(case["loss"]))


def test_first_difference_at_the_start_is_named_on_every_rank(two_ranks):
    cases = two_ranks["starts"]
    words = {
        "shape": ["'0.weight'", "(9, 4)", "(8, 4)"], "dtype": ["'0.weight'", "float32", "float64"],
        "lr": ["lr=", "group 0", "0.02", "0.01"], "optimizer": ["SGD", "Adam"], "rows": ["49", "50"],
        "data": ["rows 17 to 17 of array 0"], "file": ["checkpoint", "True on rank 1"],
        "frozen": ["frozen parameters", "'0.bias'"], "scheduler": ["argument scheduler", "0.8", "0.9"],
        "order": ["order of the training data"], "validation": ["validation (given or not)", "True on rank 1"],
        "batch": ["batch size", "8 on rank 1", "16 on rank 0"],
        "strict": ["'0.weight'", "[0, 0]", "seed"],
    }  # fmt: skip
    for name, wanted in words.items():
        assert cases[name][0] == cases[name][1]
        for word in ("rank 1 differs from rank 0", *wanted):
            assert word in cases[name][0], (name, word)
    assert "0.weight, first at [0, 0]" in cases["numbers"][0]
    assert "values of rank 0 are used" in cases["numbers"][0]
    assert cases["numbers"][1] == ""


@pytest.mark.parametrize(
    ("what", "said"),
    [("fail", "ZeroDivisionError: on purpose, on rank 1"), ("drift", "parameters of rank 1 differ")],
)
def test_rank_that_raises_ends_the_job_with_its_traceback(tmp_path, what, said):
    done = run(2, JOB, "resumable", tmp_path / "run.npz", what, 10, check=False)
    assert done.returncode != 0
    assert "Traceback" in done.stderr
    assert said in done.stderr


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of two ranks that nothing befell, and the lines it logged."""
    folder = tmp_path_factory.mktemp("whole")
    log = folder / "run.log"
    return {**found(2, "resumable", folder / "run.npz"), "log": [json.loads(s) for s in log.read_text().splitlines()]}


def test_killed_rank_ends_the_job_which_resumes_to_the_same_bits(tmp_path, whole):
    killed = run(2, JOB, "resumable", tmp_path / "run.npz", "kill", 30, check=False)
    assert killed.returncode != 0
    shutil.copy(tmp_path / "run.npz", tmp_path / "other.npz")
    resumed = found(2, "resumable", tmp_path / "run.npz")
    assert 0 < resumed["steps"] < whole["steps"]
    for key in ("hashes", "losses", "accuracy", "last"):
        assert resumed[key] == whole[key]
    other = found(3, "resumable", tmp_path / "other.npz")
    assert len(set(other["hashes"])) == 1
    assert other["losses"] == pytest.approx(whole["losses"], abs=NEAR)
    assert other["accuracy"] == whole["accuracy"]
    assert [line["epoch"] for line in whole["log"]] == list(range(1, 13))  # written by one rank only


def test_stop_on_one_rank_ends_all_after_the_next_step(tmp_path):
    case = found(2, "resumable", tmp_path / "run.npz", "stop", 10)
    assert case["stopped"] == ["enough", "enough"]
    assert case["steps"] == 11


def test_ctrl_c_ends_all_ranks_after_the_same_step_and_the_run_resumes(tmp_path, whole):
    arguments = (JOB, "resumable", tmp_path / "run.npz")
    with processes.start(command(2, *arguments, "wait", 10), env=environment()) as job:
        try:
            while "ready" not in job.stdout.readline():
                assert job.poll() is None
            job.send_signal(signal.SIGINT)
        except BaseException:
            job.kill()
            raise
        printed, errors = processes.ended(job)
    case = json.loads(printed.splitlines()[-1])
    assert case["stopped"] == ["interrupted", "interrupted"], errors
    assert 10 <= case["steps"] <= 12
    resumed = found(2, "resumable", tmp_path / "run.npz")
    assert resumed["hashes"] == whole["hashes"]
    assert resumed["losses"] == whole["losses"]
    assert resumed["accuracy"] == whole["accuracy"]


def test_launch_without_mpi4py_option_warns_once():
    done = run(2, "-c", "from optim.distributed import world; world()", module=False)
    assert done.stderr.count("started without `-m mpi4py`") == 1
    assert "mpiexec -n 2 python -m mpi4py" in done.stderr


def test_demo_continues_with_another_number_of_ranks(tmp_path):
    demo, options = ROOT / "demos/train_mpi.py", ["--checkpoint", tmp_path / "run.npz", "--resume"]
    run(2, demo, "--epochs", 2, *options)
    done = run(1, demo, "--epochs", 3, *options, module=False)
    assert [line.split()[1] for line in done.stdout.splitlines() if line.startswith("epoch")] == ["3/3"]
    assert "1 rank(s)" in done.stdout
    wrong = run(1, demo, "--resume", module=False, check=False)
    assert "name it by --checkpoint" in wrong.stderr
