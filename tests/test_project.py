"""Check the Makefile, the distributions, the documents and their commands."""

import doctest
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import processes
import pytest

import autograd
from autograd.cli.commands import main as autograd_command
from nn.__main__ import main as nn_command

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DOCUMENTS = sorted(p for folder in (".", "demos", "demos/data") for p in (ROOT / folder).glob("*.md"))
DOCUMENTS.append(ROOT / ".docs/llms.txt")
CACHES = {"__pycache__", ".hypothesis"}

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def name_of(path):
    return str(path.relative_to(ROOT))


@pytest.fixture
def clone(tmp_path):
    """A folder whose name contains a space, with the build files only."""
    folder = tmp_path / "a clone"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy2(ROOT / name, folder)
    return folder


def make(folder, *arguments):
    # a make that runs these tests passes its own flags on; this one must not use them
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def fake_python(folder, version_ok, venv_ok=True):
    """Write a script that behaves like an interpreter with or without a supported version and venv."""
    script = folder / "python-stand-in"
    answers = f'-V) echo "Python 3.9.2";; -c) exit {int(not version_ok)};; -m) exit {int(not venv_ok)};;'
    script.write_text(f'#!/bin/sh\ncase "$1" in {answers} esac\n', encoding="utf-8")
    script.chmod(0o755)
    return script


@needs_make
@pytest.mark.parametrize("target", ["demo", "test", "types", "docs", "check"])
def test_make_installs_nothing_in_a_second_run(clone, target):
    (clone / ".venv/bin").mkdir(parents=True)
    for made in (".venv/bin/python", ".venv/.demo", ".venv/.test", ".venv/.types", ".venv/.docs"):
        (clone / made).touch()
    done = make(clone, "-n", target)
    assert done.returncode == 0, done.stderr
    assert "pip" not in done.stdout
    assert ".venv/bin/python" in done.stdout


@needs_make
def test_make_installs_after_a_change_of_dependencies(clone):
    (clone / ".venv/bin").mkdir(parents=True)
    for made in (".venv/bin/python", ".venv/.test"):
        (clone / made).touch()
        os.utime(clone / made, (0, 0))
    assert "pip" in make(clone, "-n", "test").stdout


@needs_make
def test_make_with_an_old_python_fails_with_its_version(clone):
    python = fake_python(clone, version_ok=False)
    done = make(clone, "test", f"PYTHON={python}")
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr
    assert "Python 3.9.2" in done.stderr
    assert not (clone / ".venv").exists()


@needs_make
def test_make_with_a_missing_python_fails_with_its_name(clone):
    done = make(clone, "test", "PYTHON=no-such-python")
    assert done.returncode != 0
    assert "no-such-python was not found" in done.stderr


@needs_make
def test_make_without_venv_fails_with_the_package_to_install(clone):
    python = fake_python(clone, version_ok=True, venv_ok=False)
    done = make(clone, "demo", f"PYTHON={python}")
    assert done.returncode != 0
    assert "python3-venv" in done.stderr
    assert not (clone / ".venv").exists()


@needs_make
def test_make_without_target_lists_the_targets(clone):
    shown = make(clone).stdout
    for target in ("demo", "test", "check", "format", "types", "docs", "mutants", "release", "clean"):
        assert f"make {target} " in shown


def test_ci_runs_tests_lint_types_and_docs():
    script = ROOT / ".ci/run"
    text = script.read_text(encoding="utf-8")
    assert os.access(script, os.X_OK)
    assert text.startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in text
    for target in ("test", "native", "lint", "types", "docs"):
        assert re.search(rf"^ *make {target}$", text, re.MULTILINE)


def test_hooks_and_workflows_have_the_versions_of_the_project():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert all(f"rev: v{pinned[tool]} " in hooks for tool in ("ruff", "mypy"))
    workflow = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert f'python: "{oldest}", numpy: "numpy==2.0.*"' in workflow
    assert "numpy>=2.0" in PROJECT["project"]["dependencies"]


def test_every_exclusion_from_coverage_states_its_reason():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (block,) = re.findall(r"^exclude_also = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert sorted(PROJECT["tool"]["coverage"]["report"]) == ["exclude_also", "show_missing", "skip_covered"]
    lines = block.splitlines()
    for path in (p for package in ("autograd", "nn", "optim") for p in (ROOT / package).rglob("*.py")):
        lines += [line for line in path.read_text(encoding="utf-8").splitlines() if "pragma: no" in line]
    for line in lines:
        assert re.search(r"(# |pragma: no \w+ +\()\w+ \w", line.replace("# pragma", "pragma")), (
            f"state the reason: {line}"
        )


def test_every_lint_exception_states_its_reason():
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    exceptions = [line for line in lines if re.match(r'\s+"[A-Z]+[0-9]*",', line)]
    assert exceptions
    for line in exceptions:
        assert re.search(r"# \w", line), f"state the reason: {line}"


def test_every_package_is_typed():
    for package in ("autograd", "nn", "optim"):
        assert (ROOT / package / "__init__.py").exists()
        assert (ROOT / package / "py.typed").exists()


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"])
def test_document_exists(name):
    assert len((ROOT / name).read_text(encoding="utf-8")) > 200


def test_readme_mentions_make_demo_and_make_test():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in text
    assert "make test" in text


def test_changelog_describes_the_current_version():
    assert f"\n## [{autograd.__version__}] - " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\nversion: {autograd.__version__}\n" in (ROOT / ".docs/CITATION.cff").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """Build the source distribution and the wheel, and return their paths."""
    folder = tmp_path_factory.mktemp("distributions")
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    (source,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return source, wheel


def files_below(*folders):
    paths = (path for folder in folders for path in (ROOT / folder).rglob("*"))
    return {name_of(path) for path in paths if path.is_file() and not CACHES & set(path.parts)}


def test_source_distribution_contains_the_whole_project(distributions):
    with tarfile.open(distributions[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    documents = {"CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "constraints.txt"}
    folders = (".ci", ".docs", ".github", "autograd", "demos", "nn", "optim", "tests")
    assert not {*documents, *files_below(*folders)} - names


def test_wheel_contains_the_packages_and_runs_from_anywhere(distributions, tmp_path):
    with zipfile.ZipFile(distributions[1]) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        archive.extractall(tmp_path)
    assert names == files_below("autograd", "nn", "optim")
    code = "import autograd, nn, optim; print(autograd.__version__, nn.MLP(2, [1]).training, autograd.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == [autograd.__version__, "True", str(tmp_path / "autograd/__init__.py")]


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_of_a_document_lead_to_files(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if not re.match(r"https?:|mailto:|#", target):
            assert (path.parent / target.split("#")[0]).exists(), f"{name_of(path)} links to {target}"


# the code in CONTRIBUTING is checked by tests/test_recipes.py
@pytest.mark.parametrize("path", [p for p in DOCUMENTS if p.name != "CONTRIBUTING.md"], ids=name_of)
def test_examples_of_a_document_run(path, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    assert doctest.testfile(str(path), module_relative=False, optionflags=flags).failed == 0


def commands_of_the_readme():
    """Return the commands that need neither other hosts nor installed extras, except make."""
    blocks = re.findall(r"```console\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    lines = [line.removeprefix("$ ").split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if not line.startswith("make ") and "-hosts" not in line]


@pytest.fixture(scope="module")
def readers_folder(tmp_path_factory):
    """The folder in which a reader enters all commands: a second sweep finds the trials of the first."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "demos").mkdir()
    for path in (ROOT / "demos").iterdir():
        (folder / "demos" / path.name).symlink_to(path)
    sweep = folder / "demos/sweep.json"
    settings = sweep.read_text(encoding="utf-8")
    sweep.unlink()
    sweep.write_text(re.sub(r'("epochs"|"seeds"): \d+', r"\1: 1", settings), encoding="utf-8")
    return folder


@pytest.mark.usefixtures("quick_figures")
@pytest.mark.parametrize("command", commands_of_the_readme())
def test_command_of_the_readme_succeeds(command, readers_folder, monkeypatch):
    monkeypatch.chdir(readers_folder)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr("nn.cli.page.baselines", lambda *arguments: {})  # which take longer than the training
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    # the commands are tested, not what they learn
    command = re.sub(r"--epochs \d+", "--epochs 2", command).replace("train_mpi.py", "train_mpi.py --epochs 1")
    words = shlex.split(command)
    if words[:3] in (["python", "-m", "autograd"], ["python", "-m", "nn"]):
        assert {"autograd": autograd_command, "nn": nn_command}[words[2]](words[3:]) in (0, None)
    else:
        beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        if "mpiexec" in command and shutil.which("mpiexec", path=beside) is None:
            pytest.skip("mpiexec is not installed")
        done = processes.run(["bash", "-c", command], env={**os.environ, "PATH": beside})
        assert done.returncode == 0, done.stderr
    for name in re.findall(r"(?:-o|--out) (\S+)", command):
        assert (readers_folder / name).exists()


@pytest.mark.parametrize(
    ("name", "delimiter", "header", "shape"),
    [
        ("digits.csv.gz", ",", 0, (1797, 65)),
        ("iris.csv", ",", 1, (150, 5)),
        ("wine.csv", ",", 1, (178, 14)),
        ("diabetes_data_raw.csv.gz", None, 0, (442, 10)),
        ("diabetes_target.csv.gz", None, 0, (442,)),
    ],
)
def test_data_file_is_complete_and_its_source_documented(name, delimiter, header, shape):
    data = np.loadtxt(ROOT / "demos/data" / name, delimiter=delimiter, skiprows=header)
    assert data.shape == shape
    assert np.isfinite(data).all()
    assert f"`{name}`" in (ROOT / "demos/data/README.md").read_text(encoding="utf-8")
