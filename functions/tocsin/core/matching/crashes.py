"""What an uncaught failure says: its type, its message, and which frame is its own.

How each runtime writes it is in the table ``RUNTIMES``. That something is a crash is the matter of the signature
``unhandled-exception`` (its expressions are searched for with all others); what the crash says is read here.
"""

from __future__ import annotations

from typing import NamedTuple

import re2

from tocsin.core.lazy_expressions import lazy, lazy_re2
from tocsin.core.matching.runtimes import NAMED, RUNTIMES, Runtime

LONGEST = 20_000
"""Characters of a crash that are read; beyond that the outer frames are not needed."""
MAX_MESSAGE_LENGTH = 200
"""Characters of a crash's message that are kept."""


class Crash(NamedTuple):
    """An uncaught failure; what could not be read is empty.

    Attributes:
        runtime: The row of ``RUNTIMES`` that read it.
        exception: Its type, as its runtime names it.
        message: What it says, its first line.
        frame: The innermost frame of one's own code, without line numbers, so that it stays the same over deployments:
            ``orders/pricing.py:total``.
    """

    runtime: str = ""
    exception: str = ""
    message: str = ""
    frame: str = ""


class _Compiled(NamedTuple):
    row: Runtime
    frame: re2._Regexp
    foreign: re2._Regexp
    failures: tuple[re2._Regexp, ...]


_ROWS: list[_Compiled] = []
_BY_WORDS = ("elixir", "native", "rust", "go", "php", "ruby", "dotnet", "node", "java", "process", "python")
_HEAD = r"(?:\[?(?:ERROR|CRITICAL|FATAL)\]?[\s:|-]+)?"
_ANYWHERE = lazy_re2(rf"(?m)^{_HEAD}(?P<exception>{NAMED})(?:: (?P<message>[^\n]*)|\s*$)")
_NO_TYPE = frozenset({"Traceback", "During", "The", "ERROR", "CRITICAL", "FATAL", "INFO", "WARNING", "DEBUG"})
_PYTHON_HEAD = lazy_re2(r"(?m)^[^\n]{0,60}?Traceback \(most recent call last\):")
_PATH_HEAD = lazy(
    r"^(?:file://)?(?:/var/task/|/usr/src/app/|/opt/app/|/app/|/code/|/srv/|/home/\w+/|/workspace/|\./)"
)


def read_crash(text: str, start: int = 0) -> Crash:
    """Read a crash.

    Args:
        text: The canonical text of a log event, or of several that belong together.
        start: Where the failure was found in it.
    """
    line_start = text.rfind("\n", 0, start) + 1
    begin = line_start
    if _PYTHON_HEAD.search(text, line_start) is None:
        # It may have been found by the line that ends its traceback.
        before = list(_PYTHON_HEAD.finditer(text[max(0, line_start - LONGEST) : line_start]))
        if before:
            begin = max(0, line_start - LONGEST) + before[-1].start()
    body = text[begin : begin + LONGEST]
    for compiled in _rows():
        frames = [
            (found.group("path") or "", found.group("function") or "")
            for found in compiled.frame.finditer(body)
        ]
        if frames or (compiled.row.name == "python" and _PYTHON_HEAD.search(body)):
            exception, message = _failure(compiled, body)
            return Crash(compiled.row.name, exception, message, _own_frame(compiled, frames))
    found = _ANYWHERE.match(body)
    if found is not None:
        return Crash(
            "", found.group("exception"), (found.group("message") or "").strip()[:MAX_MESSAGE_LENGTH]
        )
    # Without frames the words must do: those rows first whose words are nobody else's, the process's own last.
    for compiled in sorted(_rows(), key=lambda each: _BY_WORDS.index(each.row.name)):
        exception, message = _failure(compiled, body)
        if exception:
            return Crash(compiled.row.name, exception, message)
    return Crash()


def _rows() -> list[_Compiled]:
    if not _ROWS:
        _ROWS.extend(
            _Compiled(
                row,
                re2.compile(row.frame.expression),
                re2.compile(row.foreign),
                tuple(re2.compile(each.expression) for each in row.failures),
            )
            for row in RUNTIMES
        )
    return _ROWS


def _failure(compiled: _Compiled, body: str) -> tuple[str, str]:
    """The type and the message of a crash in the words of one runtime."""
    for expression in compiled.failures:
        found = [each for each in expression.finditer(body) if each.group("exception") not in _NO_TYPE]
        if found:
            chosen = found[0]
            if compiled.row.is_last_believed:
                # The runtime's own first line says it before any frame (Lambda's "[ERROR] KeyError: …").
                stated = chosen.start() == 0 and body.startswith("[ERROR]")
                chosen = chosen if stated else found[-1]
            groups = chosen.groupdict()
            kind = groups.get("exception") or compiled.row.name
            return kind, (groups.get("message") or "").strip()[:MAX_MESSAGE_LENGTH]
    return "", ""


def _own_frame(compiled: _Compiled, frames: list[tuple[str, str]]) -> str:
    own = [frame for frame in frames if not compiled.foreign.search(frame[0])] or frames
    if not own:
        return ""
    path, function = own[-1] if compiled.row.is_innermost_last else own[0]
    path = _PATH_HEAD.sub("", path)
    if not function and not compiled.row.is_innermost_last:
        return path
    return f"{path}:{function or '<module>'}"
