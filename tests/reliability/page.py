"""``docs/reliability.md``: the page's parts that are measured, written between their marks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from reliability.enumeration import Outcome
from reliability.faults import MEANING, Fault

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
NONE = "—"
Rows = dict[tuple[str, str], dict[Fault, str]]


def rows(outcomes: Iterable[Outcome]) -> Rows:
    """What came of each fault at each kind of call: the worst of all its calls."""
    worst: dict[tuple[str, str], dict[Fault, Outcome]] = {}
    for outcome in outcomes:
        cells = worst.setdefault(outcome.hit.call.row, {})
        known = cells.get(outcome.hit.fault)
        if known is None or _badness(outcome) > _badness(known):
            cells[outcome.hit.fault] = outcome
    return {row: {fault: cell(outcome) for fault, outcome in cells.items()} for row, cells in worst.items()}


def cell(outcome: Outcome) -> str:
    """An outcome in a word or two."""
    if outcome.broken:
        return "**BROKEN**"
    word = "twice" if outcome.twice else "once"
    return f"{word}, {_duration(outcome.late)} late" if outcome.late >= 1_000 else word


def is_worse(outcome: Outcome, known: str) -> bool:
    """Whether an outcome is worse than what a cell says: twice instead of once, or much later.

    Much: the page may have been written from some runs of each kind (``--most``), and a message that a killed
    process had in its hands comes back after the queue's six minutes, whichever it was.
    """
    minutes, seconds = re.search(r"(\d+) min", known), re.search(r"(\d+) s", known)
    late = 60_000 * int(minutes[1] if minutes else 0) + 1_000 * int(seconds[1] if seconds else 0)
    twice = bool(outcome.twice) and not known.startswith("twice")
    return bool(outcome.broken) or twice or outcome.late > late + 7 * 60_000


def table(found: Rows, faults: Iterable[Fault] = tuple(Fault)) -> str:
    """A Markdown table of rows."""
    faults = tuple(faults)
    head = f"| function | call | {' | '.join(fault.value for fault in faults)} |\n|---|---|{'---|' * len(faults)}\n"
    return head + "".join(
        f"| {function} | {what} | {' | '.join(cells.get(fault, NONE) for fault in faults)} |\n"
        for (function, what), cells in sorted(found.items())
    )


def meanings() -> str:
    """What the columns mean."""
    return "| column | what is done |\n|---|---|\n" + "".join(
        f"| {fault.value} | {meaning} |\n" for fault, meaning in MEANING.items()
    )


def read_rows(name: str, text: str | None = None) -> Rows:
    """The rows of a table as the page has them."""
    lines = [line for line in part(name, text).splitlines() if line.startswith("| ")]
    heads = [head.strip() for head in lines[0].strip("|").split("|")][2:]
    found: Rows = {}
    for line in lines[1:]:
        if line.startswith("|---"):
            continue
        function, what, *cells = [text.strip() for text in line.strip().strip("|").split("|")]
        found[function, what] = {
            Fault(head): text for head, text in zip(heads, cells, strict=True) if text != NONE
        }
    return found


def part(name: str, text: str | None = None) -> str:
    """What stands between a part's marks."""
    found = re.search(_marks(name), PAGE.read_text("utf-8") if text is None else text, re.DOTALL)
    if not found:
        raise ValueError(f"{PAGE.name} has no part {name!r}")
    return found[2]


def write(parts: Mapping[str, str]) -> None:
    """Replace these parts of the page."""
    text = PAGE.read_text("utf-8")
    for name, content in parts.items():
        part(name, text)
        text = re.sub(
            _marks(name), lambda found, now=content: f"{found[1]}\n{now}{found[3]}", text, flags=re.DOTALL
        )
    PAGE.write_text(text, "utf-8")


def _marks(name: str) -> str:
    return rf"(<!-- {name}: written by [^>]*-->)\n(.*?)(<!-- end of {name} -->)"


def _badness(outcome: Outcome) -> tuple[bool, int, int]:
    return bool(outcome.broken), outcome.twice, outcome.late


def _duration(ms: int) -> str:
    minutes, seconds = divmod(ms // 1_000, 60)
    return f"{seconds} s" if not minutes else f"{minutes} min {seconds} s" if seconds else f"{minutes} min"
