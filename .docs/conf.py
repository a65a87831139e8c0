"""The API reference: Sphinx and numpydoc over the docstrings, formulas as MathML.

`make docs` uses it. It writes one page per public module and lists the names of the module under the first sentence of
the module that defines them. The pages need neither a network nor scripts.
"""

import importlib
import inspect
import re
from pathlib import Path

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

from autograd.operations.numpy_protocol import names_of_numpy

LOGGER = logging.getLogger(__name__)

PAGES = (
    "autograd", "autograd.extend",
    "nn", "nn.functional", "nn.init", "nn.data", "nn.training", "nn.metrics", "nn.utils", "nn.checkpoint",
    "nn.exchange", "nn.training.monitor", "nn.scalar", "nn.show.graphs",
    "optim", "optim.lr_scheduler", "optim.distributed",
)  # fmt: skip
FIRST = (  # these modules come first, the others in alphabetical order
    "autograd.value", "autograd.tensor", "autograd.backward", "autograd.transforms.functional",
    "autograd.tape.step",
    "autograd.explaining.explanation", "autograd.drawing.draw", "nn.module", "nn.layers.mlp", "nn.layers.linear",
    "nn.layers.activation",
    "nn.loss", "optim.algorithms.sgd", "optim.algorithms.adam",
)  # fmt: skip
WITH_INHERITED = ("autograd.Tensor", "autograd.Value")  # their methods are defined in private base classes

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
autodoc_typehints = "none"  # the sections Parameters contain more information
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
toc_object_entries = False


def public_names(module):
    """Return the public names of a module: its `__all__` and the names that are loaded lazily."""
    return sorted({*module.__all__, *getattr(module, "_LAZY", ())}, key=str.lower)


def heading(text, line):
    """Return an underlined heading."""
    return f"{text}\n{line * len(text)}\n\n"


def entry(full, thing, home):
    """Return the directive for one name; `home` is the name under which the object is described."""
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
New here?  ``README.md`` shows the three uses, and ``demos/README.md`` leads from an engine of your own to a tiny GPT.

"""

WORDS = {
    "PRIMITIVES": "The table of all operations by name.",
    "Metric": "A function of a model's output and the target, which returns a number.",
}


def first_sentence(module):
    """Return the first line of a module's docstring as a heading."""
    return inspect.getdoc(importlib.import_module(module)).split("\n")[0].rstrip(".").replace("`", "")


def rank(module):
    """Return the sort key of a module: modules in `FIRST`, other modules, then public modules."""
    return FIRST.index(module) if module in FIRST else len(FIRST) + (module in PAGES), module


def page(name, homes):
    """Return the page of one public module, and store in `homes` the name under which each object is described."""
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
    text += functions_of_numpy() if name == "autograd" else ""
    for defined, entries in sorted(sections.items(), key=lambda section: rank(section[0])):
        title = "Names" if len(sections) == 1 else "Also" if defined == name else first_sentence(defined)
        text += heading(title, "-")
        text += "".join(entries)
    return text


def functions_of_numpy():
    """Return the section about the functions of NumPy that accept nodes."""
    records, answers = (", ".join(f"``{name}``" for name in names) for names in names_of_numpy())
    return (
        heading("Functions of NumPy", "-")
        + f"These record an operation when they are called with a node: {records}.\n\n"
        + f"These answer without a gradient, since none is lost: {answers}.\n\n"
        + "Functions that consist of operators and of functions above return nodes too. All others raise TypeError, "
        + "except that ``np.ma.getdata`` and ``np.ma.median`` read the values. What needs a Python number, such as "
        + "``np.float64(x)`` or ``np.random.normal(x)``, calls ``float(x)``.\n\n"
    )


def write_pages(app):
    """Write all pages into the source folder in build/, which contains nothing else."""
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
    """Resolve an abbreviated name, such as `Tensor` in a page of nn, if it is unambiguous."""
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
    """Write a formula as MathML, which browsers display without scripts."""
    try:
        self.body.append(tex2mathml(node.astext(), as_block=isinstance(node, nodes.math_block)))
    except MathError as error:
        LOGGER.warning("%s in the formula %s", error, node.astext(), location=node)
    raise nodes.SkipNode


def settle_markup(app, what, name, thing, options, lines):
    """Convert markup that reStructuredText lacks: the plural `Value`s, and `.grad`, which is not a full name."""
    for i, line in enumerate(lines):
        plural = re.sub(r"(?<!`)(`\w+`)s\b", r"\1\\ s", line)  # markup ends where an (escaped) space follows
        lines[i] = re.sub(r"(?<!`)`(\.[\w.()]+)`(?!`)", r"``\1``", plural)


def setup(app):
    """Register the functions of this file with Sphinx."""
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-docstring", settle_markup, priority=400)  # numpydoc comes at 500
    app.connect("missing-reference", resolve)
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math, None))
