"""Where a problem's key stands: file and line, as a terminal makes them clickable."""

from __future__ import annotations

import re
from pathlib import Path

from tocsin.core.problems import Problem
from tocsin_cli.configuration_folder import file_of
from tocsin_cli.shown_paths import shown

_HEADER = re.compile(r"^\s*(?P<open>\[\[?)\s*(?P<path>[^\[\]#]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""^\s*(?P<key>(?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")
_SAID = re.compile(r"\(at line (\d+), column \d+\)")


def located(problem: Problem, root: Path) -> str:
    """A problem in one line, ``file:line: key: reason``, the file as seen from the working directory.

    Args:
        problem: The problem.
        root: The configuration folder that it is about.
    """
    path = file_of(problem.file, root)
    if not path.is_file():
        return str(problem)
    try:
        line = line_of(path.read_text("utf-8"), problem)
    except (OSError, UnicodeDecodeError):
        line = 0
    return str(problem._replace(file=f"{shown(path)}:{line}" if line else shown(path)))


def line_of(text: str, problem: Problem) -> int:
    """The number of the line with the longest beginning of a problem's key; 0 for none.

    Args:
        text: The TOML file.
        problem: The problem; where the file is no TOML, its reason says the line.
    """
    if said := _SAID.search(problem.reason):
        return int(said[1])
    wanted, best, header = problem.key, (0, 0), ""
    below = 0  # the first line with something below the key, which no line has itself: `overide` of [overide.lambda-timeout]
    numbers: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if found := _HEADER.match(line):
            header = _indexed(_dotted(found["path"]), numbers, is_list=found["open"] == "[[")
            full = header
        elif key := _KEY.match(line):
            full = ".".join(filter(None, (header, _dotted(key["key"]))))
        else:
            continue
        if (wanted == full or wanted.startswith((f"{full}.", f"{full}["))) and len(full) > best[0]:
            best = len(full), number
        elif not below and wanted and full.startswith(f"{wanted}."):
            below = number
    return best[1] or below


def _dotted(path: str) -> str:
    return ".".join(part.strip("\"'") for part in _PART.findall(path))


def _indexed(path: str, numbers: dict[str, int], *, is_list: bool) -> str:
    """A header's path with the number of each table of a list: ``routes[1].routes[0]``."""
    parts = path.split(".")
    full = ""
    for depth, part in enumerate(parts):
        full = f"{full}.{part}" if full else part
        if is_list and depth == len(parts) - 1:
            numbers[full] = numbers.get(full, -1) + 1
        if full in numbers:
            full = f"{full}[{numbers[full]}]"
    return full
