"""Execute every snippet of the guide, page by page, as a reader would who follows it from top to bottom."""

import contextlib
import doctest
import importlib.util
import io
import itertools
import os
import re
import shlex
import shutil
import sys
import textwrap
import tomllib
from pathlib import Path

import numpy as np
import processes
import pytest

import autograd
import nn
import optim
from autograd.cli.commands import main as autograd_command
from nn.__main__ import main as nn_command

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / ".docs/guide"
PAGES = sorted(GUIDE.rglob("*.md"))
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL  # make docs adds messages
COMMANDS = {"autograd": autograd_command, "nn": nn_command}
BESIDE = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]


def snippets(text):
    """Return the executable snippets of a page, in order: (language, code)."""
    found = re.findall(r"^( *)```(python|py|console|shell)\n(.*?)^\1```", text, re.MULTILINE | re.DOTALL)
    return [(language, textwrap.dedent(code)) for _, language, code in found]


def execute(line):
    """Run a command of this project in this process, and what starts several processes if its launcher is there."""
    words = shlex.split(re.sub(r"^(\$ )?([A-Z_]+=\S+ )*", "", line), comments=True)
    if words[0] == "mpiexec":
        launch(words)
    elif words[0].endswith("pip"):
        assert words[1] == "install"  # test_extras_exist checks the argument
    elif words[:3] != ["python3", "-m", "venv"]:
        assert words[:2] == ["python", "-m"], line
        arguments = ["5" if before == "--epochs" else word for before, word in itertools.pairwise(words)][2:]
        with contextlib.redirect_stdout(io.StringIO()):
            assert COMMANDS[words[2]](arguments) in (0, None), line


def launch(words):
    """Run a command of mpiexec on this computer, and `--help` of a sweep, which trains for long."""
    if "-hosts" in words or importlib.util.find_spec("mpi4py") is None or shutil.which("mpiexec", path=BESIDE) is None:
        return
    if "sweep" in words:
        assert Path(words[words.index("sweep") + 1]).is_file()
        words = [*words[: words.index("sweep") + 1], "--help"]
    words = [sys.executable if word == "python" else word for word in words]
    environment = {**os.environ, "PATH": BESIDE, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    done = processes.run(words, env=environment)
    assert done.returncode == 0, done.stderr


def execute_fragment(code, names):
    """Run a snippet that is not a whole program, unless a package that it imports is missing."""
    packages = re.findall(r"^(?:import|from) (\w+)", code, re.MULTILINE)
    program = compile(code, "fragment", "exec")
    if all(importlib.util.find_spec(package) for package in packages):
        model = nn.MLP(2, [4, 1], rng=0)
        used = {"loader": [(np.ones((8, 2)), np.ones((8, 1)))], "model": model, "criterion": nn.MSELoss(), "np": np}
        used |= {"optimizer": optim.SGD(model.parameters(), lr=0.1), "elementwise": autograd.extend.elementwise}
        exec(program, used | names)


@pytest.mark.usefixtures("quick_figures")
@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(GUIDE)))
def test_snippets_of_a_page_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nn.cli.page.baselines", lambda *arguments: {})  # which take longer than the training
    (tmp_path / "demos").symlink_to(ROOT / "demos")
    names, runner = {"__name__": "__main__"}, doctest.DocTestRunner(optionflags=FLAGS)
    text = path.read_text(encoding="utf-8")
    for number, (language, code) in enumerate(snippets(text), 1):
        if language in ("console", "shell"):
            for line in code.splitlines():
                execute(line)
        elif language == "py":
            execute_fragment(code, names)
        elif ">>>" in code:
            test = doctest.DocTestParser().get_doctest(code, {}, f"snippet {number}", str(path), 0)
            test.globs = names
            runner.run(test, clear_globs=False)
        else:
            if program := re.match(r"# (\w+\.py)\n", code):
                (tmp_path / program[1]).write_text(code, encoding="utf-8")
            exec(compile(code, str(path), "exec"), names)
    assert runner.summarize(verbose=False).failed == 0


def test_extras_exist():
    for path in (*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        text = path.read_text(encoding="utf-8")
        for names in re.findall(r"(?:chainrule|\")\.?\[([\w,]+)\]", text):
            assert set(names.split(",")) <= set(EXTRAS), f"{path.name}: {names}"


def test_included_sections_exist():
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        directives = re.findall(r"^```\{include\} /project/(\S+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for document, options in directives:
            if document != "choice.md":  # written by make docs
                content = (ROOT / document).read_text(encoding="utf-8")
                for marker in re.findall(r"^:(?:start-after|end-before): \"?(.*?)\"?$", options, re.MULTILINE):
                    assert marker in content, f"{path.name} includes {document} at {marker!r}"
