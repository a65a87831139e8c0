"""`each`: one test item that runs a test for every case of a table."""

import functools
import inspect
import itertools
import os

# Names separated by spaces: loops run the cases that mention one of them. Used by tests/test_recipes.py.
ONLY = os.environ.get("ONLY_CASES", "").split()


def chosen(names):
    """Return the names of a table that are tested."""
    return [name for name in names if not ONLY or name in ONLY]


def each(*tables):
    """Run a test for every combination of cases, and name the case that fails.

    A case that is a tuple stands for several arguments. Fixtures come after the arguments.
    """
    cases = [
        [value for part in parts for value in (part if isinstance(part, tuple) else (part,))]
        for parts in itertools.product(*map(list, tables))
    ]
    count = len(cases[0])
    if ONLY:
        cases = [case for case in cases if any(name in repr(case) for name in ONLY)]

    def decorate(test):
        @functools.wraps(test)
        def run(**fixtures):
            for case in cases:
                try:
                    test(*case, **fixtures)
                except BaseException as error:
                    error.add_note(f"in the case {case!r}")
                    raise

        signature = inspect.signature(test)
        run.__signature__ = signature.replace(parameters=list(signature.parameters.values())[count:])
        return run

    return decorate
