"""Log files read line by line: the reference for the reader of blocks."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO

from tocsin_cli.backtest.file_kinds import read_lines
from tocsin_cli.backtest.line_times import Timeline
from tocsin_cli.backtest.log_files import Reading, each_line, opened
from tocsin_cli.simulation import LoggedLine


def read_file(name: str, reading: Reading) -> Iterator[LoggedLine]:
    """Read one file, or standard input for ``-``, line by line.

    Raises:
        OSError: It cannot be read.
    """
    with opened(name, reading) as file:
        text = io.TextIOWrapper(file.content, "utf-8", errors="replace", newline="\n")
        try:
            yield from read_text(text, reading, name=name, log_group=file.log_group, year=file.year)
        finally:
            text.detach()


def read_text(
    text: IO[str], reading: Reading, *, name: str = "-", log_group: str = "", year: int = 2000
) -> Iterator[LoggedLine]:
    """Read lines of any kind.

    Args:
        text: Where to read.
        reading: How to read, and where problems are told.
        name: The file's name, for problems.
        log_group: Where lines are from that do not say so.
        year: The year of times that name none (syslog).
    """
    yield from read_lines(each_line(text), Timeline(reading, name, log_group, year))
