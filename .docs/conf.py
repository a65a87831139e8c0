"""The API reference: Sphinx and numpydoc over the docstrings, formulas as MathML.

`make docs` runs it. The pages are written here, one per public module, its names under the first sentence of the module
that defines them: nothing is listed twice by hand, and what is read needs neither a network nor a script.
"""

import importlib
import inspect
import re
from pathlib import Path

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)

PAGES = (
    "autograd", "autograd.extend",
    "nn", "nn.functional", "nn.init", "nn.data", "nn.training", "nn.metrics", "nn.utils", "nn.checkpoint",
    "nn.exchange", "nn.training.monitor", "nn.scalar", "nn.show.graphs",
    "optim", "optim.lr_scheduler", "optim.distributed",
)  # fmt: skip
FIRST = (  # what a reader looks for first; other modules follow in the order of their names
    "autograd.value", "autograd.tensor", "autograd.backward", "autograd.transforms.functional",
    "autograd.tape.compiled",
    "autograd.explaining.explanation", "autograd.drawing.draw", "nn.module", "nn.layers.mlp", "nn.layers.linear",
    "nn.layers.activation",
    "nn.loss", "optim.algorithms.sgd", "optim.algorithms.adam",
)  # fmt: skip
WITH_INHERITED = ("autograd.Tensor", "autograd.Value")  # an ndarray's methods come from a base that has no name outside

project = "chainrule"
author = "the chainrule authors"
extensions = ["sphinx.ext.autodoc", "numpydoc"]
html_title = "chainrule"
html_theme = "alabaster"
html_theme_options = {"page_width": "1100px", "sidebar_width": "240px", "font_family": "sans-serif"}
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
default_role = "py:obj"
add_module_names = False
autodoc_typehints = "none"  # the Parameters of a docstring say more, and an operation takes any number
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
toc_object_entries = False


def public_names(module):
    """Return what a module offers: its `__all__` and what it loads when first asked."""
    return sorted({*module.__all__, *getattr(module, "_LAZY", ())}, key=str.lower)


def heading(text, line):
    """Return a line of text with a line under it."""
    return f"{text}\n{line * len(text)}\n\n"


def entry(full, thing, home):
    """Return the directive for one name; `home` is where the same thing is already described."""
    module, _, short = full.rpartition(".")
    if home != full:
        return f".. py:data:: {short}\n   :module: {module}\n\n   Another name of :py:obj:`{home}`.\n\n"
    if inspect.isclass(thing):
        inherited = "   :inherited-members:\n" if full in WITH_INHERITED else ""
        return f".. autoclass:: {full}\n   :members:\n{inherited}\n"
    if inspect.isroutine(thing):
        return f".. autofunction:: {full}\n\n"
    return f".. py:data:: {short}\n   :module: {module}\n\n   {WORDS[short]}\n\n"


WELCOME = """Automatic differentiation and multi-layer perceptrons on NumPy: every public name, with an example.
New here?  ``README.md`` shows the three uses, and ``demos/README.md`` leads from one slope to a training step.

"""

WORDS = {
    "PRIMITIVES": "The table of all operations by name.",
    "Metric": "A function of a model's output and the target, which returns a number.",
}


def first_sentence(module):
    """Return the first line of a module's docstring as a heading."""
    return inspect.getdoc(importlib.import_module(module)).split("\n")[0].rstrip(".").replace("`", "")


def rank(module):
    """Return what sorts modules: those in `FIRST`, the others, and last what a page says of itself."""
    return FIRST.index(module) if module in FIRST else len(FIRST) + (module in PAGES), module


def page(name, homes):
    """Return the page of one public module, and remember in `homes` where each thing is described."""
    module, sections = importlib.import_module(name), {}
    things = {n: getattr(module, n) for n in public_names(module)}
    for short, thing in sorted(things.items(), key=lambda pair: pair[0] != getattr(pair[1], "__name__", pair[0])):
        if inspect.ismodule(thing):
            continue
        plain = not (inspect.isclass(thing) or inspect.isroutine(thing))
        home = f"{name}.{short}" if plain else homes.setdefault(id(thing), f"{name}.{short}")
        defined = name if plain else thing.__module__
        sections.setdefault(defined, []).append(entry(f"{name}.{short}", thing, home))
    text = heading(name, "=") + f".. automodule:: {name}\n   :no-members:\n\n"
    for defined, entries in sorted(sections.items(), key=lambda section: rank(section[0])):
        title = "Names" if len(sections) == 1 else "Also" if defined == name else first_sentence(defined)
        text += heading(title, "-")
        text += "".join(entries)
    return text


def write_pages(app):
    """Write all pages into the source folder; it lies in build/ and holds nothing else."""
    homes, folder = {}, Path(app.srcdir)
    pages = {name: page(name, homes) for name in PAGES}
    contents = "".join(f"   {name}\n" for name in PAGES)
    pages["index"] = (
        heading("chainrule", "=") + WELCOME + f".. toctree::\n   :maxdepth: 2\n\n{contents}\n:ref:`genindex`\n"
    )
    for old in folder.glob("*.rst"):
        if old.stem not in pages:
            old.unlink()
    for name, text in pages.items():
        path = folder / f"{name}.rst"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def resolve(app, env, node, contnode):
    """Find a name that is written short, `Tensor` in a page of nn, if only one thing is called so."""
    wanted = "." + node.get("reftarget", "").removesuffix("()")
    found = [full for full in env.get_domain("py").objects if ("." + full).endswith(wanted)]
    found = [full for full in found if full.count(".") == min(name.count(".") for name in found)]
    if node.get("refdomain") != "py" or len(found) != 1:
        return None
    entry = env.get_domain("py").objects[found[0]]
    reference = nodes.reference("", "", internal=True)
    reference["refuri"] = app.builder.get_relative_uri(node["refdoc"], entry.docname) + "#" + entry.node_id
    reference += contnode
    return reference


def visit_math(self, node):
    """Write a formula as MathML, which browsers draw by themselves."""
    try:
        self.body.append(tex2mathml(node.astext(), as_block=isinstance(node, nodes.math_block)))
    except MathError as error:
        LOGGER.warning("%s in the formula %s", error, node.astext(), location=node)
    raise nodes.SkipNode


def settle_markup(app, what, name, thing, options, lines):
    """Say in reStructuredText what docstrings leave to their reader: `Value`s is a plural, and `.grad` no one name."""
    for i, line in enumerate(lines):
        plural = re.sub(r"(?<!`)(`\w+`)s\b", r"\1\\ s", line)  # markup ends where an (escaped) space follows
        lines[i] = re.sub(r"(?<!`)`(\.[\w.()]+)`(?!`)", r"``\1``", plural)


def setup(app):
    """Connect the above to Sphinx."""
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-docstring", settle_markup, priority=400)  # numpydoc comes at 500
    app.connect("missing-reference", resolve)
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math, None))
