"""Complete the outputs and error messages that a page of the guide abbreviates, by executing its snippets.

An output is abbreviated if it ends with three dots. The tests execute the same snippets and accept any continuation.
"""

import contextlib
import doctest
import io
import re
import tempfile
import warnings

TRACEBACK = "Traceback (most recent call last):\n...\n"


def output_of(source, names):
    """Execute a statement and return what it prints, or the error that it raises."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(source, "page", "single"), names)  # noqa: S102 (the snippets of this project)
    except Exception as error:  # the page shows whatever is raised
        return f"{TRACEBACK}{type(error).__name__}: {error}\n"
    return printed.getvalue().rstrip("\n") + "\n"


def completed(text):
    """Return a page with complete outputs."""
    if not re.search(r"\.\.\.\n *(```|>>>)", text):
        return text
    names = {"__name__": "__main__"}

    def completed_block(block):
        code = block[0]
        for example in doctest.DocTestParser().get_examples(block[1]):
            output = output_of(example.source, names)
            if example.want.endswith("...\n"):
                code = code.replace(example.want, output)
        return code

    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return re.sub(r"^ *```python\n(.*?)^ *```", completed_block, text, flags=re.MULTILINE | re.DOTALL)
