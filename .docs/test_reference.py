"""Check the API reference that `make docs` has built: links, anchors and external resources."""

import importlib
import inspect
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from conf import PAGES, public_names

HTML = Path(__file__).resolve().parents[1] / "build/docs/html"


class Page(HTMLParser):
    """The anchors, links and loaded resources of an HTML page."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.loaded, self.formulas = set(), [], [], 0
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        """Collect what the tag defines or refers to."""
        found = dict(attrs)
        self.anchors.add(found.get("id"))
        self.formulas += tag == "math"
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        if tag in ("script", "img", "link", "iframe"):
            self.loaded.append(found.get("src") or found.get("href") or "")


@pytest.fixture(scope="module")
def reference():
    """Return the pages by file name."""
    return {path.name: Page(path) for path in HTML.glob("*.html")}


def test_every_link_leads_to_an_existing_anchor(reference):
    for name, page in reference.items():
        for link in page.links:
            parts = urlsplit(link)
            if not parts.scheme:
                target = reference.get(parts.path or name)
                assert target is not None, f"{name} links to {link}"
                assert not parts.fragment or unquote(parts.fragment) in target.anchors, f"{name} links to {link}"


def test_pages_load_nothing_from_the_network(reference):
    assert not [(name, x) for name, page in reference.items() for x in page.loaded if urlsplit(x).scheme]
    assert sum(page.formulas for page in reference.values()) > 100


def test_every_public_name_is_described(reference):
    for page in PAGES:
        module = importlib.import_module(page)
        names = {name for name in public_names(module) if not inspect.ismodule(getattr(module, name))}
        assert not {f"{page}.{name}" for name in names} - reference[f"{page}.html"].anchors
