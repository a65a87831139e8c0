"""A check that the `autograd` found on the path is the one of this project.

The import name also belongs to HIPS autograd on PyPI, which other packages pull in (pennylane, lifelines, pymoo).
"""

import autograd

if not hasattr(autograd, "Value") or not hasattr(autograd, "Tensor"):
    found = getattr(autograd, "__file__", None) or "an empty folder"
    raise ImportError(
        f"nn needs the autograd package of chainrule, but `import autograd` found another one: {found}. That name also "
        "belongs to HIPS autograd. Keep the two in separate environments: `pip uninstall autograd` and then "
        "`pip install --force-reinstall chainrule`, or start Python in the folder of the chainrule sources"
    )
