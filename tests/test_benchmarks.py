"""The benchmarks compute what they claim to time, and README says what was measured.  No times are looked at."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks import commands, goals, harness, memory, peers, readme, sizes
from tests.benchmarks.workloads import WORKLOADS, chain, moons, network

ROOT = Path(__file__).resolve().parent.parent
OURS = [c for c in peers.CONTENDERS if c.engine in ("numpy_plain", "numpy_optimised", "chainrule")]
SMALL = {
    "bce": network([2, 16, 16, 1], 32, "float64", "bce"),
    "cross-entropy": network([16, 8, 8, 4], 8, "float32", "cross-entropy"),
    "one layer": network([5, 3], 4, "float64", "cross-entropy"),
    "one row": network([3, 4, 2], 1, "float64", "bce"),
    "checkpoint": {**network([8, 8, 8, 8, 3], 8, "float64", "cross-entropy"), "checkpoint": 2},
    "moons": moons(True, points=3, hidden=4),
    "moons-gradient": moons(False, points=3, hidden=4),
    "chain": chain(100),
}
RESULTS = readme.load()


@pytest.fixture(scope="module")
def running():
    """A process for each variant of ours, and for NumPy by hand; machine code takes too long to compile."""
    reasons = {}
    os.environ["CHAINRULE_NUMBA"] = "0"
    with harness.workers(OURS, dict.fromkeys((c.engine for c in OURS), sys.executable), None, reasons) as processes:
        del os.environ["CHAINRULE_NUMBA"]
        assert not reasons
        yield processes


def kind_of(contender, workload):
    return workload["kind"] in contender.kinds


@pytest.mark.parametrize("name", SMALL)
def test_all_ways_compute_the_same(running, name):
    able = {c.key: running[c.key] for c in OURS if kind_of(c, SMALL[name])}
    reasons = {}
    same = harness.ready(able, SMALL[name], reasons)
    assert not reasons
    assert same.keys() == able.keys()


@pytest.mark.parametrize("key", [c.key for c in OURS])
def test_every_engine_is_timed_for_a_few_steps(running, key):
    name = "bce" if "network" in peers.BY_KEY[key].kinds else "chain"
    harness.ready({key: running[key]}, SMALL[name], {})
    samples = harness.measure({key: running[key]}, rounds=2, seconds=0.001, reasons={})
    assert [math.isfinite(row["wall"]) for row in samples[key]] == [True, True]
    assert harness.summary(samples)[key]["least"] > 0
    assert harness.ratio(samples, key, key)["median"] == 1
    assert any("Adam" in part for part in running[key].ask("parts", steps=1)) or name == "chain"


def test_a_run_on_one_batch_never_fits_it(running):
    losses = running["numpy_plain"].ask("load", workload=SMALL["bce"]) or running["numpy_plain"].ask("check", steps=200)
    assert losses["losses"][-1] > 0.9 * losses["losses"][0]


def test_memory_counts_the_graph(running):
    """What one step has in use at its height is more than the numbers it keeps."""
    large = memory.GRAPHS["large"]
    for key in ("numpy_plain", "chainrule:eager"):
        answer = running[key].ask("memory", workload=large)
        assert answer["peak"] > memory.numbers(large)
    result = {"large": {"workload": large, "numbers": 1, "rows": {"numpy_plain": answer}, "reasons": {}}}
    assert "MB" in memory.table(result)


def test_an_engine_that_computes_something_else_is_found_out():
    right = {"name": "a", "loss": 1.0, "losses": [1.0, 0.9], "gradients": [1.0, 2.0]}
    assert harness.agreement(right, right, "float64") is None
    for name, wrong in (("loss", 1.1), ("losses", [1.0, 0.8]), ("gradients", [1.0, -2.0]), ("gradients", [1.0])):
        assert name in harness.agreement({**right, name: wrong}, right, "float64")


def test_who_waited_is_compared_by_processor_time():
    quiet, busy = {"wall": 1.0, "cpu": 1.0}, {"wall": 9.0, "cpu": 2.0}
    compared = harness.ratio({"a": [busy] * 3, "b": [quiet] * 3}, "a", "b")
    assert compared == {"median": 2, "of_medians": 2, "clock": "cpu"}
    assert harness.ratio({"a": [quiet], "b": [quiet]}, "a", "b")["clock"] == "wall"
    assert harness.ratio({"a": [quiet]}, "a", "b") is None


def test_a_worker_reports_what_went_wrong(running):
    with pytest.raises(harness.WorkerError, match="KeyError"):
        running["numpy_plain"].ask("load", workload={"kind": "nothing of the sort"})
    assert running["numpy_plain"].ask("load", workload=SMALL["bce"]) == {}


def test_a_worker_that_dies_is_reported(running):
    process = harness.Process(peers.BY_KEY["numpy_plain"])
    process.process.kill()
    with pytest.raises(harness.WorkerError, match="ended"):
        process.ask("load", workload=SMALL["bce"])
    process.close()


def test_a_worker_finds_none_of_our_packages():
    """The engine of the package index that is called autograd must find itself."""
    code = "import sys, worker; print(*sys.path, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=harness.HERE,
        env=harness.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    folders = [Path(line or harness.HERE) for line in done.stdout.splitlines()]
    assert not any((folder / "autograd" / "__init__.py").exists() for folder in folders)


class TestPeers:
    def test_who_is_missing_is_named(self, monkeypatch):
        monkeypatch.delenv(peers.VARIABLE, raising=False)
        monkeypatch.setitem(peers.REQUIRES, "jax", ("no_such_module_at_all",))
        found, missing = peers.pythons([], {"jax", "numpy_plain"})
        assert found == {"numpy_plain": sys.executable}
        assert "make peers" in missing["jax"]

    def test_the_command_line_comes_before_the_environment(self, monkeypatch, tmp_path):
        other = tmp_path / "python"
        other.symlink_to(sys.executable)
        monkeypatch.setenv(peers.VARIABLE, f"torch={other}, jax={sys.executable}")
        assert peers.named_pythons([f"jax={other}"]) == {"torch": str(other), "jax": str(other)}

    @pytest.mark.parametrize("text", ["torch", "nobody=/bin/sh", "torch=/no/such/python"])
    def test_a_wrong_path_is_refused(self, text, capsys):
        assert commands.main(["tiny", "--core", "none", "--peer-python", text]) == 2
        assert text in capsys.readouterr().err

    def test_a_path_that_is_no_python_counts_as_missing(self):
        assert not peers.has("/", ("numpy",))


class TestCommandLine:
    def test_a_run_writes_and_prints_json(self, tmp_path, capsys):
        out = tmp_path / "new" / "results.json"
        arguments = ["tiny", "--only", "numpy_plain", "--rounds", "2", "--seconds", "0.001", "--core", "none"]
        assert commands.main([*arguments, "--json", "-o", str(out)]) == 0
        printed = capsys.readouterr()
        assert json.loads(printed.out) == json.loads(out.read_text())
        assert "NumPy by hand" in printed.err

    def test_an_update_keeps_the_rest(self, tmp_path):
        out = tmp_path / "results.json"
        out.write_text('{"workloads": {"other": 1}, "memory": 2}', encoding="utf-8")
        arguments = ["tiny", "--only", "numpy_plain", "--rounds", "1", "--seconds", "0.001", "--core", "none"]
        assert commands.main([*arguments, "--update", "-o", str(out)]) == 0
        found = json.loads(out.read_text())
        assert found["workloads"].keys() == {"other", "tiny"}
        assert found["memory"] == 2

    def test_sizes_are_measured_and_drawn(self, tmp_path, monkeypatch, capsys):
        pytest.importorskip("matplotlib")
        monkeypatch.setattr(sizes, "KEYS", ("numpy_plain",))
        out = tmp_path / "sizes.svg"
        arguments = ["sizes", "--quick", "--rounds", "1", "--seconds", "0.001", "--core", "none", "-o", str(out)]
        assert commands.main(arguments) == 0
        assert out.read_text(encoding="utf-8").count("<svg") == 1
        axes = json.loads(out.with_suffix(".json").read_text())["axes"]
        assert set(axes) == {"nodes", "width", "depth", "batch"}
        assert "ms a step" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [(["huge"], "huge"), (["tiny", "sizes"], "alone"), (["tiny", "--only", "theano"], "theano")],
    )
    def test_a_wrong_word_is_named(self, arguments, says, capsys):
        assert commands.main(arguments) == 2
        assert says in capsys.readouterr().err

    def test_it_starts_by_its_name(self):
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        shown = "".join(done.stdout.split())  # a line may break at a hyphen
        assert all(name in shown for name in WORKLOADS)

    def test_faults_are_wrong_numbers_and_failures_of_ours(self):
        reasons = {"torch:eager": "failed: RecursionError", "jax:jit": "wrong: another loss", "casadi": "not installed"}
        found = commands.faults({"tiny": {"reasons": {**reasons, "chainrule:eager": "failed: TypeError"}}})
        assert [line.split()[1] for line in found] == ["jax:jit", "chainrule:eager"]


class TestResults:
    def test_readme_says_what_was_measured(self):
        text = (ROOT / "README.md").read_text(encoding="utf-8")
        assert text == readme.rewritten(text, RESULTS), "python -m tests.benchmarks table"

    def test_a_document_without_marks_is_refused(self):
        with pytest.raises(ValueError, match="marks"):
            readme.rewritten("nothing", RESULTS)

    def test_everything_was_measured(self):
        assert RESULTS["workloads"].keys() == WORKLOADS.keys()
        assert {"cpu", "python", "numpy", "date"} <= RESULTS["machine"].keys()
        for name, result in RESULTS["workloads"].items():
            assert result["workload"] == json.loads(json.dumps(WORKLOADS[name]))

    def test_no_path_of_a_machine_is_kept(self):
        text = json.dumps(RESULTS)
        assert not any(folder in text for folder in ("/tmp", "/home", "/Users", "site-packages"))
        assert str(ROOT) not in text

    def test_goals_are_judged(self):
        rows = goals.verdicts(RESULTS)
        assert rows
        assert all(row["met"] == (row["reached"] <= row["limit"]) for row in rows)
        assert "goals:" in goals.table(RESULTS)
