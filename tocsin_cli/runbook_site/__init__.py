"""The runbooks as a small static site: pages that need nothing but themselves, with a search."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

INDEX = "README.md"
_REPOSITORY = "https://github.com/tocsin-alerts/tocsin/blob/main/"
_STYLE = """\
:root { color-scheme: light dark }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 54rem; margin: 0 auto; padding: 1.5rem }
pre { overflow-x: auto; padding: .8rem; background: color-mix(in srgb, currentColor 8%, transparent); border-radius: 6px }
code { font-size: .92em } h2 { margin-top: 2rem } nav { margin-bottom: 1rem }
table { border-collapse: collapse } td, th { border: 1px solid #8886; padding: .3rem .6rem; text-align: left }
input { font: inherit; width: 100%; padding: .5rem; box-sizing: border-box }
h2:target { background: color-mix(in srgb, gold 35%, transparent) }
"""
_TO_CONFIRM = """\
// An alert's link names the page only: whoever follows it wants to know first whether it is this.
if (!location.hash) { const confirm = document.getElementById("confirm"); if (confirm) confirm.scrollIntoView() }
"""
_SEARCH = """\
const field = document.getElementById("search"), results = document.getElementById("results");
field.addEventListener("input", () => {
  const words = field.value.toLowerCase().split(/\\s+/).filter(Boolean);
  results.replaceChildren();
  if (!words.length) return;
  for (const page of PAGES) {
    if (!words.every((word) => page.text.includes(word))) continue;
    const item = document.createElement("li"), link = document.createElement("a");
    link.href = page.href; link.textContent = page.title; item.append(link); results.append(item);
  }
  if (!results.children.length) results.append("nothing found");
});
"""


def site(pages: Mapping[str, str], own: frozenset[str] = frozenset()) -> dict[str, str]:
    """Make the site.

    A page lies at ``<name>.md/index.html``, so that an address made of the site's and a runbook's file name leads to it.

    Args:
        pages: The Markdown of each runbook by its file name; ``README.md`` is the index.
        own: Which of them are one's own.

    Returns:
        The content of each file by its path.
    """
    made = {"style.css": _STYLE, "confirm.js": _TO_CONFIRM}
    entries = []
    for name, text in sorted(pages.items()):
        if name == INDEX:
            continue
        title = title_of(text) or name.removesuffix(".md")
        entries.append((name, title, text))
        made[f"{name}/index.html"] = _page(
            title,
            '<nav><a href="../index.html">All runbooks</a></nav>\n' + body(text, "../"),
            "../",
            "<script src='../confirm.js'></script>",
        )
    found = [
        {"title": title, "href": f"{name}/index.html#top", "text": f"{name} {text}".lower()}
        for name, title, text in entries
    ]
    made["search.js"] = f"const PAGES = {json.dumps(found, ensure_ascii=False)};\n{_SEARCH}"
    lists = "".join(
        f"<h2>{heading}</h2>\n<ul>\n{items}</ul>\n"
        for heading, items in (
            ("Your own", _items(entries, own)),
            ("All pages", _items(entries, frozenset(pages))),
        )
        if items
    )
    search = '<input id="search" type="search" placeholder="Search the runbooks" autofocus>\n<ul id="results"></ul>\n'
    made["index.html"] = _page(
        "Runbooks",
        search + body(pages.get(INDEX, "# Runbooks\n"), "") + lists,
        "",
        "<script src='search.js'></script>",
    )
    return made


def title_of(text: str) -> str:
    """The first heading of a page."""
    found = re.search(r"(?m)^# (.+)$", text)
    return found[1].strip() if found else ""


def body(text: str, up: str) -> str:
    """A page's HTML; raw HTML in it is shown, not obeyed.

    Args:
        text: The Markdown.
        up: The way from the page to the site's folder: ``../`` or nothing.
    """
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(text)
    for number, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrSet("id", anchor(tokens[number + 1].content))
        for child in token.children or ():
            if child.type == "link_open":
                child.attrSet("href", _moved(str(child.attrGet("href") or ""), up))
    return str(parser.renderer.render(tokens, parser.options, {}))


def anchor(heading: str) -> str:
    """The anchor that GitHub makes of a heading, so that links within the runbooks hold in both places."""
    return re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-")


def _moved(href: str, up: str) -> str:
    """A link between runbooks, as it leads within the site."""
    parts = urlsplit(href)
    if href.startswith("../"):  # out of the runbooks, into the repository of the pack
        return _REPOSITORY + href.removeprefix("../")
    if parts.scheme or parts.netloc or not re.fullmatch(r"[\w.-]+\.md", parts.path):
        return href
    page = "index.html" if parts.path == INDEX else f"{parts.path}/index.html"
    fragment = parts.fragment or "top"
    return f"{up}{page}#{fragment}"


def _items(entries: list[tuple[str, str, str]], chosen: frozenset[str]) -> str:
    return "".join(
        f'<li><a href="{html.escape(name)}/index.html#top">{html.escape(title)}</a></li>\n'
        for name, title, _ in entries
        if name in chosen
    )


def _page(title: str, content: str, up: str, script: str) -> str:
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{html.escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="stylesheet" href="{up}style.css">\n<body id="top">\n{content}\n{script}\n</body>\n</html>\n'
    )
