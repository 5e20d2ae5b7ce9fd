"""What programs, forwarders and terminals write before the words of a line."""

from __future__ import annotations

from tocsin.core.expressions import span_from
from tocsin.core.lazy_expressions import lazy_re2

MOST = 8
"""Pieces of one header: a date, a time, a zone, a host and a process, tags."""

_TIME = (
    r"(?:[^\sA-Za-z]*\d\S*\s+|(?:[AP]M|UTC|GMT|Z|CES?T|[ECMP][SD]T|WES?T|BST|IST|JST|AE[SD]T)\b\s*|"
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec),?\s+)(?:- )?"
)
_PIECES = (
    r"(?:\d+\|)?[\w.-]+(?: [\w.-]+)?\s+\|\s+",  # web-1  | …, 3|api  | …, Backend Server | …
    r"\d+\|[\w.-]+ \|\s+",
    r"<\d{1,3}>(?:1 )?|<[a-z]\w{0,5}>",
    r"\w{3,5}\.? +\d+ \d\d:\d\d:\d\d\S* [\w.-]+ [\w./@()-]+(?:\[[\w.]+\])?: +",  # Jan  2 03:04:05 host app[17]: …
    r"\d{4}-\S+ [\w.-]+ [\w./@-]+\[\d+\]: +",
    _TIME,
    r"\[[^\]\n]{0,80}\][ :|-]*",
    r"\([^()\n]{1,60}\)[ :|-]*",  # (worker 3) …
    r"\{[\w./-]+:\d+\} (?:- )?",
    r"(?:\[\d+\]|\d+:[A-Z]) \d\d \w{3} (?:\d{4} )?\d\d:\d\d:\d\d\.\d+ # ",  # 1:M 02 Jan 03:04:05.678 # … (Redis)
    r"[\w./-]+:\d+:\s+",  # store.go:17: …
    r"[\w./@-]{1,40}(?: [A-Z\d]\w{1,20})?(?:\[[\w.:]+\])*: +",  # kubelet: …, app[web.1]: …, ledger API: …
    r"(?:Error|Exception|Inner)?[Mm]essage:",
    r"""[-*>!?"'\x{26a0}\x{fe0f}]+\s*""",
)
_PIECE = f"(?:{'|'.join(_PIECES)})"
HEADER = f"{_PIECE}{{0,{MOST}}}"
"""RE2: what may stand before the first words of a line."""
_FIRST = lazy_re2(f"^{_PIECE}")


def without_first_piece(line: str) -> str | None:
    """The line without the first piece of its header; None where it begins with none."""
    text = line.encode("utf-8", "replace")
    end = span_from(_FIRST, text, 0)[1]
    return None if end < 0 else line[end:] if line.isascii() else text[end:].decode()
