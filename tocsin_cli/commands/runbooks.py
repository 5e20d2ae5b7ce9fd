"""Write the runbooks, your own and those of the pack, as a small static site with a search.

Ready for GitHub Pages or a bucket that serves websites. Give the site's address in tocsin.toml, `[links] runbooks`: an alert's
link then leads to the page's section Confirm.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tocsin_cli.configuration_folder import own_runbooks, runbook_pages, stands_alone
from tocsin_cli.options import add_root
from tocsin_cli.runbook_site import site
from tocsin_cli.shown_paths import shown


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_root(parser)
    parser.add_argument("--html", type=Path, required=True, metavar="DIR", help="where to write the pages")


def run(arguments: argparse.Namespace) -> int:
    """Write the site; 1 where it cannot be written."""
    own = own_runbooks(arguments.root)
    pages = {name: path.read_text("utf-8") for name, path in runbook_pages(arguments.root).items()}
    mine = frozenset() if stands_alone(arguments.root) else frozenset(path.name for path in own.glob("*.md"))
    try:
        for name, text in site(pages, mine).items():
            path = arguments.html / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    except OSError as error:
        print(f"tocsin runbooks: {error}", file=sys.stderr)
        return 1
    print(f"{len(pages) - ('README.md' in pages)} runbooks in {shown(arguments.html / 'index.html')}")
    return 0
