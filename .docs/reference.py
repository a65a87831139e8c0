"""Write the source of the API reference: a page per public module and per public object, and an index of all names."""

import importlib
import inspect
import re

from curves import curve

from autograd.operations.methods import names_of_numpy

PAGES = (
    "autograd", "autograd.extend", "autograd.files",
    "nn", "nn.functional", "nn.init", "nn.data", "nn.training", "nn.metrics", "nn.utils", "nn.checkpoint",
    "nn.exchange", "nn.training.monitor", "nn.scalar", "nn.show.graphs",
    "optim", "optim.lr_scheduler", "optim.distributed",
)  # fmt: skip
DESCRIPTIONS = {  # of objects that cannot have a docstring
    "PRIMITIVES": "The table of all operations by name.",
    "Metric": "A function of a model's output and the target that returns a float.",
}


def public_names(module):
    """Return the public names of a module: its `__all__` and the names that are loaded lazily."""
    return sorted({*module.__all__, *getattr(module, "_LAZY", ())}, key=str.lower)


def heading(text, line="="):
    """Return an underlined heading."""
    return f"{text}\n{line * len(text)}\n\n"


def without_unsupported_markup(text):
    """Convert markup that reStructuredText lacks: the plural `Value`s, and `.grad`, which is not a full name."""
    plural = re.sub(r"(?<!`)(`\w+`)s\b", r"\1\\ s", text)  # markup ends where an (escaped) space follows
    return re.sub(r"(?<!`)`(\.[\w.()]+)`(?!`)", r"``\1``", plural)


def summary(thing):
    """Return the first sentence of a docstring."""
    paragraph = inspect.getdoc(thing).split("\n\n")[0].replace("\n", " ")
    return without_unsupported_markup(re.split(r"(?<=[^.].)(?<=\.)\s|:$", paragraph)[0])


def homes():
    """Return {full name: (object, name of its page)}: an object that has several public names has one page."""
    first, found = {}, {}
    for page in PAGES:
        module = importlib.import_module(page)
        things = {name: getattr(module, name) for name in public_names(module)}
        for name, thing in sorted(things.items(), key=lambda pair: pair[0] != getattr(pair[1], "__name__", pair[0])):
            if not inspect.ismodule(thing):
                found[f"{page}.{name}"] = thing, first.setdefault(id(thing), f"{page}.{name}")
    return found


def is_operation(member):
    """Return whether a member of a node type is an operation, which is a function outside the class."""
    return inspect.isfunction(member) and member.__qualname__.isidentifier()


def node_type(full, thing):
    """Return the directive of a node type: its own attributes in full, and the operations as links to their pages."""
    members = {name: inspect.getattr_static(thing, name) for name in dir(thing) if not name.startswith("_")}
    operations = sorted((n for n, member in members.items() if is_operation(member)), key=str.lower)
    properties = [f"autoproperty:: {name}" for name, member in members.items() if isinstance(member, property)]
    routines = [n for n, member in members.items() if inspect.isfunction(member) and n not in operations]
    lines = [*properties, *(f"automethod:: {name}" for name in routines)]
    text = f".. autoclass:: {full}\n\n" + "".join(f"   .. {line}\n" for line in lines)
    links = (f":py:obj:`{name} <autograd.{members[name].__name__}>`" for name in operations)
    return f"{text}\n{heading('Operations', '-')}Methods with the node as first argument: {', '.join(links)}.\n"


FIGURE = """.. figure:: /pictures/{}.svg
   :width: 240px

   The function (blue) and its derivative (orange).

"""


def object_page(full, thing, drawn):
    """Return the page of an object, with a picture of its values if there is one."""
    module, _, short = full.rpartition(".")
    text = f":orphan:\n\n{heading(short)}Public name of :doc:`{module} <{module}>`.\n\n"
    text += FIGURE.format(full) if drawn else ""
    if full in ("autograd.Tensor", "autograd.Value"):
        return text + node_type(full, thing)
    if inspect.isclass(thing):
        return f"{text}.. autoclass:: {full}\n   :members:\n"
    if inspect.isroutine(thing):
        return f"{text}.. autofunction:: {full}\n"
    return f"{text}.. py:data:: {short}\n   :module: {module}\n\n   {DESCRIPTIONS[short]}\n"


def title_of(page, thing):
    """Return the first sentence of the module that defines an object, as the heading of its group on a page."""
    home = getattr(thing, "__module__", page)
    if home == page or home.split(".")[0] != page.split(".")[0]:
        return "Names"
    return summary(importlib.import_module(home)).rstrip(".").replace("`", "")


def grouped(page, entries):
    """Return the lists of (name, object, name of its page), grouped by the module that defines them."""
    groups = {}
    for short, thing, home in sorted(entries, key=lambda entry: entry[0].lower()):
        alias = "" if home.endswith(f".{short}") else f"Another name of :py:obj:`{home}`."
        sentence = alias or DESCRIPTIONS.get(short) or summary(thing)
        groups.setdefault(title_of(page, thing), []).append(f"* :py:obj:`{short} <{home}>`: {sentence}\n")
    return "".join(f"{heading(title, '-')}{''.join(groups[title])}\n" for title in sorted(groups))


def module_pages(page, found):
    """Return {name: text} of the pages of a public module: its docstring, and its names with their first sentences."""
    entries = [(full.rpartition(".")[2], *rest) for full, rest in found.items() if full.rpartition(".")[0] == page]
    operations = [entry for entry in entries if getattr(entry[1], "__module__", "").startswith("autograd.operations.")]
    text = heading(page) + f".. automodule:: {page}\n   :no-members:\n\n"
    if page != "autograd":
        return {page: text + grouped(page, entries)}
    others = [entry for entry in entries if entry not in operations]
    return {
        "autograd": f"{text}The operations have a :doc:`page of their own <operations>`.\n\n{grouped(page, others)}",
        "operations": heading("Operations")
        + "These functions of ``autograd`` accept floats, arrays, `Value`\\ s and `Tensor`\\ s.\n\n"
        + grouped(page, operations),
        "numpy": functions_of_numpy(),
    }


def functions_of_numpy():
    """Return the page about the functions of NumPy that accept nodes."""
    records, answers = (", ".join(f"``{name}``" for name in names) for names in names_of_numpy())
    return (
        heading("Functions of NumPy")
        + f"These record an operation when they are called with a node: {records}.\n\n"
        + f"These return values without a gradient, since none is lost: {answers}.\n\n"
        + "Functions that consist of operators and of functions above return nodes too. All others raise TypeError, "
        + "except that ``np.ma.getdata`` and ``np.ma.median`` read the values. What needs a Python number, such as "
        + "``np.float64(x)`` or ``np.random.normal(x)``, calls ``float(x)``.\n"
    )


def files():
    """Return {path: text} of the pages and pictures of the whole reference."""
    found = homes()
    written = {f"reference/{n}.rst": text for page in PAGES for n, text in module_pages(page, found).items()}
    for full, (thing, home) in found.items():
        if home == full:
            drawn = curve(thing)
            written[f"reference/{full}.rst"] = object_page(full, thing, drawn)
            written |= {f"pictures/{full}.svg": drawn} if drawn else {}
    everything = sorted(found, key=lambda full: (full.rpartition(".")[2].lower(), full))
    initials = {}
    for full in everything:
        initials.setdefault(full.rpartition(".")[2][0].upper(), []).append(f":py:obj:`{full} <{found[full][1]}>`")
    index = "".join(heading(letter, "-") + ", ".join(links) + ".\n\n" for letter, links in initials.items())
    written["reference/names.rst"] = (
        f"{heading('All names')}{len(found)} public names in alphabetical order.\n\n{index}"
    )
    contents = "".join(f"   {page}\n" for page in ("names", "autograd", "operations", "numpy", *PAGES[1:]))
    written["reference/index.rst"] = (
        heading("API reference")
        + "Every public name has a page with its signature, its formula, an example that runs, and its source.\n\n"
        + f".. toctree::\n   :maxdepth: 1\n\n{contents}"
    )
    return written
