"""Write the chapters of the course as executed notebooks, with pictures inline and the exercises at the end.

    python demos/notebooks.py            write demos/notebooks/*.ipynb, those that are not current
    python demos/notebooks.py --check    only check that they are current; exit 1 if not
    python demos/notebooks.py 03 16      write these chapters again, too

A notebook is current if its cells are those that its script gives now.  Tests compare what the script prints now with
what the notebook contains, except for times.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import re
import sys
import tempfile
import warnings
from pathlib import Path

from autograd.files import write_atomically

HERE = Path(__file__).resolve().parent
FOLDER = HERE / "notebooks"
sys.path.insert(0, str(HERE))
from exercises import EXERCISES, EXPRESSIONS  # noqa: E402 (the folder of the demos is not on the path of an importing module)

SETUP = """import sys

sys.path[:0] = ["..", "../.."]  # the folders of the demos and of the project
from exercises import check"""
PLAY = """## Exercises

Step through this chapter's expression with `python -m autograd play {0}`, or answer `python -m autograd quiz {0}`."""


def cells_of(script: Path) -> list[tuple[str, str]]:
    """Return the cells of a script in percent format, and its exercises: (kind, source)."""
    _, *blocks = re.split(r"^# %%", script.read_text(encoding="utf-8"), flags=re.MULTILINE)
    cells = [("code", SETUP)]
    for block in blocks:
        first, _, rest = block.partition("\n")
        if "[markdown]" in first:
            cells.append(("markdown", re.sub(r"^# ?", "", rest, flags=re.MULTILINE).strip()))
        else:
            cells.append(("code", rest.strip()))
    chapter = str(int(script.name[:2]))
    cells.append(("markdown", PLAY.format(EXPRESSIONS[chapter])))
    for name, exercise in EXERCISES.items():
        if name.split(".")[0] == chapter:
            cells.append(("markdown", f"**{name}**  {exercise.question}"))
            cells.append(("code", f'check("{name}", ...)  # replace the dots by your answer'))
            cells.append(("markdown", f"<details><summary>Solution</summary>\n\n{exercise.solution}\n\n</details>"))
    return cells


def notebook(cells: list[tuple[str, str]], outputs: list[list[dict]]) -> dict:
    """Return a notebook in format 4.5."""
    found = []
    for i, ((kind, source), shown) in enumerate(zip(cells, outputs, strict=True)):
        cell = {"cell_type": kind, "id": f"cell-{i}", "metadata": {}, "source": source.splitlines(keepends=True)}
        found.append(cell | ({"execution_count": None, "outputs": shown} if kind == "code" else {}))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": found, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def picture(path: Path) -> dict:
    """Return a file as the output of a cell."""
    if path.suffix == ".svg":
        data = {"image/svg+xml": path.read_text(encoding="utf-8")}
    else:
        data = {"image/png": base64.b64encode(path.read_bytes()).decode()}
    return {"output_type": "display_data", "data": data, "metadata": {}}


def executed(cells: list[tuple[str, str]]) -> list[list[dict]]:
    """Run the cells in an empty folder, and return what each prints and the pictures that it writes."""
    names, outputs, seen = {"__name__": "__main__"}, [], set()
    before, path = Path.cwd(), list(sys.path)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        os.chdir(folder)
        try:
            for kind, source in cells:
                printed, shown = io.StringIO(), []
                if kind == "code":
                    with contextlib.redirect_stdout(printed):
                        exec(compile(source, "<cell>", "exec"), names)  # noqa: S102 (these are the demos)
                if printed.getvalue():
                    shown.append({"output_type": "stream", "name": "stdout", "text": printed.getvalue()})
                written = {path for path in Path("out").glob("*") if path.suffix in (".svg", ".png")} - seen
                seen |= written
                outputs.append(shown + [picture(path) for path in sorted(written, key=lambda p: p.stat().st_mtime_ns)])
        finally:
            os.chdir(before)
            sys.path[:] = path
    return outputs


def is_current(path: Path, cells: list[tuple[str, str]]) -> bool:
    """Return whether a notebook consists of these cells."""
    if not path.exists():
        return False
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [(cell["cell_type"], "".join(cell["source"])) for cell in found] == cells


def main(argv: list[str] | None = None) -> int:
    """Write the notebooks, or check them."""
    arguments = sys.argv[1:] if argv is None else argv
    only_check = "--check" in arguments
    stale = []
    for script in sorted(HERE.glob("[0-9][0-9]_*.py")):
        path, cells = FOLDER / f"{script.stem}.ipynb", cells_of(script)
        if is_current(path, cells) and script.stem[:2] not in arguments:
            continue
        stale.append(path.name)
        if not only_check:
            FOLDER.mkdir(exist_ok=True)
            text = json.dumps(notebook(cells, executed(cells)), indent=1, ensure_ascii=False)
            write_atomically(path, text + "\n")
            print(f"wrote {path.relative_to(HERE.parent)}")
    if stale and only_check:
        print(f"not current: {', '.join(stale)}; write them again with: make notebooks", file=sys.stderr)
    return 1 if stale and only_check else 0


if __name__ == "__main__":
    sys.exit(main())
