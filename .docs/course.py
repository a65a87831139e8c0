"""Write the chapters of the course as pages of the guide, from the executed notebooks."""

import base64
import json
import re
import sys
from pathlib import Path

DEMOS = Path(__file__).resolve().parent.parent / "demos"
sys.path.append(str(DEMOS))

from exercises import EXPRESSIONS  # noqa: E402 (the folder of the demos is not on the path)

LIVE = """```{{raw}} html
<iframe src="../live/{0}.html" title="interactive page of this chapter" class="live" loading="lazy"></iframe>
```"""


def chapters():
    """Return the notebooks in the order of the course."""
    return sorted((DEMOS / "notebooks").glob("*.ipynb"))


def number(path):
    """Return the number of a chapter as text."""
    return str(int(path.name[:2]))


def output_of(output, name, pictures):
    """Return the Markdown of an output of a cell; a picture is stored in `pictures` under a name."""
    if output["output_type"] == "stream":
        printed = re.sub(r"^picture: .*\n", "", output["text"], flags=re.MULTILINE).rstrip()
        return f"```text\n{printed}\n```" if printed else ""
    ((kind, data),) = output["data"].items()
    file = f"{name}-{len(pictures)}.{'svg' if 'svg' in kind else 'png'}"
    pictures[file] = data.encode() if "svg" in kind else base64.b64decode(data)
    return f"![a picture that this cell draws](pictures/{file})"


def page(path):
    """Return the Markdown of a chapter, and its pictures: {name: bytes}."""
    chapter, parts, pictures = number(path), [], {}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(re.sub(r"\A# ", f"# {chapter}. ", source))
            if source.startswith("## Exercises"):
                parts.append(LIVE.format(chapter))
        elif "exercises import" not in source and not source.startswith("check("):
            parts.append(f"```python\n{source}\n```")
            parts += [output_of(output, path.stem, pictures) for output in cell["outputs"]]
    parts.append(f"{{download}}`The notebook of this chapter <notebooks/{path.name}>` has a check for each answer.")
    return "\n\n".join(parts) + "\n", pictures


def files():
    """Return {path in the guide: bytes} of the chapters, their pictures and notebooks."""
    found = {}
    for path in chapters():
        text, pictures = page(path)
        found[f"course/{path.stem}.md"] = text.encode()
        found[f"course/notebooks/{path.name}"] = path.read_bytes()
        found |= {f"course/pictures/{name}": data for name, data in pictures.items()}
    return found


def live_pages():
    """Return {chapter: (formula, values)} of the chapters with an interactive page."""
    found = {}
    for chapter, arguments in EXPRESSIONS.items():
        formula, values = re.fullmatch(r'"(.*)" (.*)', arguments).groups()
        found[chapter] = formula, {name: float(x) for name, x in (pair.split("=") for pair in values.split())}
    return found
