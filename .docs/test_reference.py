"""Check the pages that `make docs` has built: links, anchors, external resources, public names."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from reference import homes

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
def built():
    """Return the pages by path, without those of the source code, which link only to pages of the reference."""
    paths = (path for path in HTML.rglob("*.html") if "_modules" not in path.parts and "live" not in path.parts)
    return {path: Page(path) for path in paths}


def test_every_link_leads_to_an_existing_file_or_anchor(built):
    for path, page in built.items():
        for link in (*page.links, *page.loaded):
            parts = urlsplit(link)
            if not parts.scheme:
                target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
                assert target.is_file(), f"{path} refers to {link}"
                anchors = built[target].anchors if target in built else {unquote(parts.fragment)}
                assert not parts.fragment or unquote(parts.fragment) in anchors, f"{path} links to {link}"


def test_pages_load_nothing_from_the_network(built):
    assert not [
        (path, x) for path, page in built.items() for x in page.loaded if urlsplit(x).scheme not in ("", "data")
    ]
    assert sum(page.formulas for page in built.values()) > 100


def test_every_public_name_is_described(built):
    for full, (_, home) in homes().items():
        assert home in built[HTML / f"reference/{home}.html"].anchors, full
