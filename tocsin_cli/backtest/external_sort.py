"""Lines in the order of their times, however many there are: sorted in runs, the runs merged from disk."""

from __future__ import annotations

import heapq
import pickle
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import IO, NamedTuple

from tocsin.core.model import Millis
from tocsin_cli.simulation import LoggedLine

MAX_IN_MEMORY = 200_000
"""Lines."""
MAX_IN_MEMORY_SIZE = 64 * 1024 * 1024
"""Characters."""


class _Placed(NamedTuple):
    """A line with its place, which keeps lines of one time in the order they were read."""

    timestamp: Millis
    place: int
    line: LoggedLine


def in_time_order(lines: Iterable[LoggedLine], *, most: int = MAX_IN_MEMORY) -> Iterator[LoggedLine]:
    """Sort lines by time; lines of one time stay in the order they came in.

    Args:
        lines: In any order.
        most: Lines held in memory; more go through temporary files.
    """
    with ExitStack() as stack:
        runs: list[IO[bytes]] = []
        held: list[_Placed] = []
        size = 0
        for place, line in enumerate(lines):
            held.append(_Placed(line.timestamp, place, line))
            size += len(line.message)
            if len(held) >= most or size >= MAX_IN_MEMORY_SIZE:
                runs.append(stack.enter_context(tempfile.TemporaryFile()))
                _spill(held, runs[-1])
                held, size = [], 0
        held.sort(key=_order)
        yield from (placed.line for placed in heapq.merge(*map(_read, runs), held, key=_order))


def _order(placed: _Placed) -> tuple[Millis, int]:
    return placed.timestamp, placed.place


def _spill(held: list[_Placed], file: IO[bytes]) -> None:
    held.sort(key=_order)
    for placed in held:
        line = placed.line
        record = (placed.timestamp, placed.place, line.message, line.log_group, line.log_stream)
        pickle.dump(record, file, pickle.HIGHEST_PROTOCOL)
    file.seek(0)


def _read(file: IO[bytes]) -> Iterator[_Placed]:
    while True:
        try:
            timestamp, place, message, log_group, log_stream = pickle.load(file)  # noqa: S301 - a temporary file of our own, without a name
        except EOFError:
            return
        yield _Placed(timestamp, place, LoggedLine(timestamp, message, log_group, log_stream))
