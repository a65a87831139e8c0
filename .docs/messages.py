"""Complete the error messages that a page of the guide abbreviates to three dots, by executing its snippets."""

import contextlib
import doctest
import io
import re
import tempfile
import warnings


def message_of(source, names):
    """Execute a statement and return the last lines of the traceback that it raises, or None."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(source, "page", "single"), names)  # noqa: S102 (the snippets of this project)
    except Exception as error:  # the page shows whatever is raised
        return f"{type(error).__name__}: {error}"
    return None


def with_messages(text):
    """Return a page with complete messages."""
    if not re.search(r"^ *\w+: \.\.\.$", text, re.MULTILINE):
        return text
    names = {"__name__": "__main__"}

    def completed(block):
        code = block[0]
        for example in doctest.DocTestParser().get_examples(block[1]):
            message = message_of(example.source, names)
            if message and (example.exc_msg or "").endswith(": ...\n"):
                code = code.replace(example.want, f"Traceback (most recent call last):\n...\n{message}\n")
        return code

    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return re.sub(r"^ *```python\n(.*?)^ *```", completed, text, flags=re.MULTILINE | re.DOTALL)
