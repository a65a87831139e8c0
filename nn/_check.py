"""Check that `import autograd` finds the package of this project.

HIPS autograd on PyPI has the same import name and is a dependency of other packages (pennylane, lifelines, pymoo).
"""

import autograd

if not hasattr(autograd, "Value") or not hasattr(autograd, "Tensor"):
    found = getattr(autograd, "__file__", None) or "an empty folder"
    raise ImportError(
        f"nn needs the autograd package of chainrule, but `import autograd` found another one: {found}. HIPS autograd "
        "has the same name. Keep the two in separate environments: `pip uninstall autograd` and then "
        "`pip install --force-reinstall chainrule`, or start Python in the folder of the chainrule sources"
    )
