"""`raises`: expect an error whose message contains several pieces."""

import pytest


def raises(kind, *pieces):
    """Expect an error whose message contains every piece, a regular expression, in any order."""
    return pytest.raises(kind, match="(?s)" + "".join(f"(?=.*{piece})" for piece in pieces))
