"""Check the pages that `make docs` has built: links, anchors, external resources, public names."""

import os
import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from reference import homes

HTML = Path(__file__).resolve().parents[1] / "build/docs/html"


class Page:
    """The anchors, links and loaded resources of an HTML page."""

    def __init__(self, path):
        text = path.read_text(encoding="utf-8")
        self.anchors = set(re.findall(r'\sid="([^"]*)"', text))
        self.links = {unescape(link) for link in re.findall(r'<a\s[^>]*?\bhref="([^"]+)"', text)}
        self.loaded = set(re.findall(r'<(?:script|img|link|iframe)\s[^>]*?\b(?:src|href)="([^"]+)"', text))
        self.formulas = text.count("<math ")


@pytest.fixture(scope="module")
def built():
    """Return the pages by path, without those of the source code, which link only to pages of the reference."""
    paths = (path for path in HTML.rglob("*.html") if "_modules" not in path.parts and "live" not in path.parts)
    return {path: Page(path) for path in paths}


def test_every_link_leads_to_an_existing_file_or_anchor(built):
    for path, page in built.items():
        for link in page.links | page.loaded:
            parts = urlsplit(link)
            if not parts.scheme:
                target = Path(os.path.normpath(path.parent / unquote(parts.path))) if parts.path else path
                assert target in built or target.is_file(), f"{path} refers to {link}"
                anchors = built[target].anchors if target in built else {unquote(parts.fragment)}
                assert not parts.fragment or unquote(parts.fragment) in anchors, f"{path} links to {link}"


def test_pages_load_nothing_from_the_network(built):
    loaded = [(path, link) for path, page in built.items() for link in page.loaded]
    assert not [(path, link) for path, link in loaded if urlsplit(link).scheme not in ("", "data")]
    assert sum(page.formulas for page in built.values()) > 100


def test_every_public_name_is_described(built):
    for full, (_, home) in homes().items():
        assert home in built[HTML / f"reference/{home}.html"].anchors, full
