"""The native executor of programs: NumPy's own loops, called by an interpreter that numba compiles once.

No operation is defined a second time: its forward function is called with arrays that record which loops NumPy would
call for it.  For consecutive elementwise arithmetic, one loop is compiled.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    """Import numba, which takes half a second, when it is needed."""
    if name not in ("Machine", "prepare"):
        raise AttributeError(name)
    from . import kernels, machine

    return machine.Machine if name == "Machine" else kernels.prepare
