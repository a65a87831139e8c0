"""The guide and the API reference: Sphinx with MyST over `.docs/guide`, the course and the docstrings.

`make docs` uses it. The pages need no network: formulas are MathML, and the search index is a script.
"""

import json
import re
import statistics
import sys
from pathlib import Path

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE))

import course  # noqa: E402 (Sphinx does not put the folder of conf.py on the path)
import reference  # noqa: E402
from outputs import completed  # noqa: E402

import nn  # noqa: E402
from autograd.cli.commands import main as autograd_command  # noqa: E402

LOGGER = logging.getLogger(__name__)

project = "chainrule"
author = "the chainrule authors"
extensions = [
    "sphinx.ext.autodoc", "sphinx.ext.viewcode", "sphinx.ext.napoleon",
    "myst_parser", "sphinx_design", "sphinx_copybutton",
]  # fmt: skip
html_title = "chainrule"
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["guide.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_use_index = False  # reference/names lists all names
html_domain_indices = False
default_role = "py:obj"
exclude_patterns = ["project"]  # documents from which pages include sections
add_module_names = False
autodoc_typehints = "none"  # the sections Parameters contain more information
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_ivar = True  # attributes are listed, not described a second time
napoleon_use_rtype = False
toc_object_entries = False
viewcode_line_numbers = True
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "attrs_inline"]
myst_heading_anchors = 3
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
suppress_warnings = ["myst.xref_missing"]  # tests/documentation check every link of the built pages


def link_of_guide(link):
    """Return a link of a document of the project as a link to the page of the guide, or only its text."""
    image, text, target = link.groups()
    path, _, anchor = target.partition("#")
    page = {"README.md#glossary": "/glossary.md", "demos/README.md": "/course/index.md"}.get(target)
    if path == "CONTRIBUTING.md":
        page = f"/contributing.md#{anchor}".rstrip("#")
    elif path.endswith(".svg"):
        page = f"/pictures/{Path(path).name}"
    elif (ROOT / "demos/notebooks" / f"{Path(path).stem}.ipynb").exists():
        page = f"/course/{Path(path).stem}.md"
    return f"{image}[{text}]({page})" if page else text


def optimizer_table():
    """Return the results of tests/benchmarks/bench_choice.py as a table."""
    results = json.loads((ROOT / "tests/benchmarks/choice.json").read_text(encoding="utf-8"))
    problems = list(results["SGD"])
    means = {name: {p: statistics.mean(row[p]["scores"]) for p in problems} for name, row in results.items()}
    best = {p: max(row[p] for row in means.values()) for p in problems}
    ranks = {
        name: statistics.mean(1 + sum(other[p] > row[p] for other in means.values()) for p in problems)
        for name, row in means.items()
    }
    lines = ["| optimizer | " + " | ".join(problems) + " | mean rank |", "|---|" + "---:|" * (len(problems) + 1)]
    for name in sorted(means, key=ranks.get):
        cells = []
        for p in problems:
            mean, lr = means[name][p], results[name][p]["lr"]
            text = f"{10.0**-mean:.0e}" if p == "Rosenbrock" else f"{mean:.3f}"
            text = "diverged" if mean < -1 else text
            cells.append(f"{f'**{text}**' if mean == best[p] else text} ({lr:.1g})")
        lines.append(f"| {name} | {' | '.join(cells)} | {ranks[name]:.1f} |")
    return "\n".join(lines) + "\n\nIn parentheses: the learning rate that was chosen.\n"


def sources():
    """Return {path: bytes} of all files of the guide: written by hand, generated, and included documents."""
    found = {name: text.encode() for name, text in reference.files().items()} | course.files()
    for path in (HERE / "guide").rglob("*.md"):
        found[str(path.relative_to(HERE / "guide"))] = completed(path.read_text(encoding="utf-8")).encode()
    for path in (*ROOT.glob("*.md"), *ROOT.glob("demos/*.md")):
        text = re.sub(r"(!?)\[([^]]*)\]\(([^)h#][^)]*)\)", link_of_guide, path.read_text(encoding="utf-8"))
        found[f"project/{path.relative_to(ROOT)}"] = text.encode()
    found["project/choice.md"] = optimizer_table().encode()
    for path in (*ROOT.glob("demos/pictures/*"), *ROOT.glob("tests/benchmarks/*.svg")):
        found[f"pictures/{path.name}"] = path.read_bytes()
    return found


def write_pages(app):
    """Write all files into the source folder in build/, which contains nothing else."""
    found = {Path(app.srcdir) / name: content for name, content in sources().items()}
    for old in Path(app.srcdir).rglob("*.*"):
        if old not in found:
            old.unlink()
    for path, content in found.items():
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def write_live_pages(app, exception):
    """Write the interactive pages that the guide embeds."""
    folder = Path(app.outdir) / "live"
    folder.mkdir(exist_ok=True)
    pages = {"player": ("tanh(a*b + c)", {"a": 2.0, "b": -3.0, "c": 6.5}), **course.live_pages()}
    for name, (formula, values) in pages.items():
        arguments = [f"{leaf}={value}" for leaf, value in values.items()]
        autograd_command(["play", formula, *arguments, "-o", str(folder / f"{name}.html")])
    nn.play(data="moons", path=folder / "playground.html")


def resolve(app, env, node, contnode):
    """Resolve an abbreviated name, such as `Tensor` in a page of nn, if it is unambiguous."""
    wanted = "." + node.get("reftarget", "").removesuffix("()")
    found = [full for full in env.get_domain("py").objects if ("." + full).endswith(wanted)]
    found = [full for full in found if full.count(".") == min(name.count(".") for name in found)]
    if node.get("refdomain") != "py" or len(found) != 1:
        return None
    entry = env.get_domain("py").objects[found[0]]
    link = nodes.reference("", "", internal=True)
    link["refuri"] = app.builder.get_relative_uri(node["refdoc"], entry.docname) + "#" + entry.node_id
    link += contnode
    return link


def visit_math(self, node):
    """Write a formula as MathML, which browsers display without scripts."""
    formula = re.sub(r"frac(\d)(\d)", r"frac{\1}{\2}", node.astext())  # docutils reads 12 as one number
    try:
        self.body.append(tex2mathml(formula, as_block=isinstance(node, nodes.math_block)))
    except MathError as error:
        LOGGER.warning("%s in the formula %s", error, node.astext(), location=node)
    raise nodes.SkipNode


def settle_markup(app, what, name, thing, options, lines):
    """Convert the markup of a docstring to reStructuredText."""
    lines[:] = [reference.without_unsupported_markup(line) for line in lines]


def setup(app):
    """Register the functions of this file with Sphinx."""
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-docstring", settle_markup, priority=400)  # napoleon comes at 500
    app.connect("missing-reference", resolve)
    app.connect("build-finished", write_live_pages)
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math, None))
