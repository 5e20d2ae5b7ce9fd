"""The files that ``tocsin backtest`` reads: found, opened, inflated where they end in ``.gz``; never in memory as a whole."""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, NamedTuple, cast

MAX_LINE_LENGTH = 2 * 1024 * 1024
"""Characters; a log event has at most 1 MiB."""


@dataclass(slots=True)
class Reading:
    """What is to be known about lines as they are read.

    Attributes:
        log_group: The log group of lines that name none.
        multiline: Whether a text line without a time belongs to the event before it.
        problems: What could not be read, in words, once for each kind and file.
    """

    log_group: str = ""
    multiline: bool = False
    problems: list[str] = field(default_factory=list)

    def say(self, problem: str) -> None:
        """Remember a problem, once."""
        if problem not in self.problems:
            self.problems.append(problem)


def files_below(paths: Iterable[str]) -> list[str]:
    """The files that paths name: themselves, or for a folder every file below it, in the order of their names.

    Raises:
        FileNotFoundError: There is no such file or folder.
    """
    found: list[str] = []
    for name in paths:
        path = Path(name)
        if path.is_dir():
            inside = (entry for entry in path.rglob("*") if entry.is_file())
            found += sorted(str(entry) for entry in inside if not _is_hidden(entry.relative_to(path)))
        elif name == "-" or path.exists():  # a pipe too
            found.append(name)
        else:
            raise FileNotFoundError(f"{name}: there is no such file or folder")
    return found


class Opened(NamedTuple):
    """A file as it was opened.

    Attributes:
        content: Its bytes, inflated.
        log_group: The log group of lines that name none.
        year: The year of times that name none.
    """

    content: io.BufferedReader
    log_group: str
    year: int


@contextmanager
def opened(name: str, reading: Reading) -> Iterator[Opened]:
    """Open a file, or standard input for ``-``.

    Raises:
        OSError: It cannot be read.
    """
    with ExitStack() as stack:
        if name == "-":
            raw: IO[bytes] = sys.stdin.buffer
            log_group, written = "", datetime.now(UTC)
        else:
            path = Path(name)
            raw = stack.enter_context(path.open("rb"))
            # Where no line names a log group, the file's name without its endings stands for it.
            log_group, written = (
                path.name.partition(".")[0] or name,
                datetime.fromtimestamp(path.stat().st_mtime, UTC),
            )
        content = cast("io.BufferedReader", raw)
        if content.peek(2)[:2] == b"\x1f\x8b":
            content = cast("io.BufferedReader", gzip.GzipFile(fileobj=raw))
        yield Opened(content, reading.log_group or log_group, written.year)


def each_line(text: IO[str]) -> Iterator[str]:
    """Lines, of which an endless one is taken in pieces."""
    while line := text.readline(MAX_LINE_LENGTH):
        yield line


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
