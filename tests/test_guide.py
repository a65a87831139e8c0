"""Execute every snippet of the guide, page by page, as a reader would who follows it from top to bottom."""

import contextlib
import doctest
import io
import re
import shlex
import textwrap
from pathlib import Path

import pytest

from autograd.cli.commands import main as autograd_command
from nn.__main__ import main as nn_command

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / ".docs/guide"
PAGES = sorted(GUIDE.rglob("*.md"))
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL  # make docs adds messages
COMMANDS = {"autograd": autograd_command, "nn": nn_command}


def snippets(text):
    """Return the executable snippets of a page, in order: (language, code)."""
    found = re.findall(r"^( *)```(python|console)\n(.*?)^\1```", text, re.MULTILINE | re.DOTALL)
    return [(language, textwrap.dedent(code)) for _, language, code in found]


def execute(line):
    """Run a command `$ python -m autograd ...` or `$ python -m nn ...` in this process."""
    prompt, python, flag, package, *arguments = shlex.split(line, comments=True)
    assert (prompt, python, flag) == ("$", "python", "-m"), line
    with contextlib.redirect_stdout(io.StringIO()):
        assert COMMANDS[package](arguments) in (0, None), line


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(GUIDE)))
def test_snippets_of_a_page_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demos").symlink_to(ROOT / "demos")
    names, runner = {"__name__": "__main__"}, doctest.DocTestRunner(optionflags=FLAGS)
    text = path.read_text(encoding="utf-8")
    for number, (language, code) in enumerate(snippets(text), 1):
        if language == "console":
            for line in code.splitlines():
                execute(line)
        elif ">>>" in code:
            test = doctest.DocTestParser().get_doctest(code, {}, f"snippet {number}", str(path), 0)
            test.globs = names
            runner.run(test, clear_globs=False)
        else:
            exec(compile(code, str(path), "exec"), names)
    assert runner.summarize(verbose=False).failed == 0


def test_included_sections_exist():
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        directives = re.findall(r"^```\{include\} /project/(\S+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for document, options in directives:
            if document != "choice.md":  # written by make docs
                content = (ROOT / document).read_text(encoding="utf-8")
                for marker in re.findall(r"^:(?:start-after|end-before): \"?(.*?)\"?$", options, re.MULTILINE):
                    assert marker in content, f"{path.name} includes {document} at {marker!r}"
