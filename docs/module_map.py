# noqa: INP001 - a script, not a package
"""Writes the module map of ``docs/architecture.md`` anew: each module with the first words of its docstring.

``make docs`` runs it; a test says when a module is missing.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "architecture.md"
HEADING = "## Module map\n"
INTRODUCTION = "Written by `make docs`, from the first words of each module's docstring.\n"
SECTIONS = {
    "functions": "Handlers",
    "functions/tocsin": "Orchestration",
    "functions/tocsin/core": "Core",
    "functions/tocsin/adapters": "Adapters",
    "cli": "The command",
}
DOCSTRING = re.compile(r'(?:#.*\n)*r?"""(.*?)"""', re.DOTALL)


def main() -> None:
    """Replace everything from the heading on."""
    before, heading, _ = PAGE.read_text("utf-8").partition(HEADING)
    sections = (section(title, folder) for folder, title in SECTIONS.items())
    PAGE.write_text(before + heading + "\n" + INTRODUCTION + "".join(sections), "utf-8")


def section(title: str, folder: str) -> str:
    """One table: the modules of a folder, not those of folders within."""
    modules = sorted(path for path in (ROOT / folder).glob("*.py") if path.name != "__init__.py")
    rows = "".join(f"| `{path.name}` | {first_words(path)} |\n" for path in modules)
    return f"\n### {title} (`{folder}/`)\n\n| module | what is in it |\n|---|---|\n{rows}"


def first_words(path: Path) -> str:
    """The first paragraph of a module's docstring, in Markdown."""
    docstring = DOCSTRING.match(path.read_text("utf-8"))
    paragraph = docstring[1].split("\n\n")[0] if docstring else ""
    return " ".join(paragraph.split()).replace("``", "`").replace("|", r"\|")


if __name__ == "__main__":
    main()
