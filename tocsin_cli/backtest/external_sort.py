"""Lines in the order of their times, however many there are: sorted in runs, the runs merged from disk."""

from __future__ import annotations

import heapq
import pickle
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from operator import attrgetter
from typing import IO

from tocsin_cli.simulation import LoggedLine

MAX_IN_MEMORY = 200_000
"""Lines."""
MAX_IN_MEMORY_SIZE = 64 * 1024 * 1024
"""Characters."""


_BLOCK = 2_000
"""Lines that are written, and read again, at once."""


def in_time_order(lines: Iterable[LoggedLine], *, most: int = MAX_IN_MEMORY) -> Iterator[LoggedLine]:
    """Sort lines by time; lines of one time stay in the order they came in.

    Args:
        lines: In any order.
        most: Lines held in memory; more go through temporary files.
    """
    with ExitStack() as stack:
        runs: list[IO[bytes]] = []
        held: list[LoggedLine] = []
        size = 0
        for line in lines:
            held.append(line)
            size += len(line.message)
            if len(held) >= most or size >= MAX_IN_MEMORY_SIZE:
                runs.append(stack.enter_context(tempfile.TemporaryFile()))
                _spill(held, runs[-1])
                held, size = [], 0
        held.sort(key=_TIME)
        # Of lines of one time, those of an earlier run come first.
        yield from heapq.merge(*map(_read, runs), held, key=_TIME) if runs else held


_TIME = attrgetter("timestamp")


def _spill(held: list[LoggedLine], file: IO[bytes]) -> None:
    held.sort(key=_TIME)
    for start in range(0, len(held), _BLOCK):
        pickle.dump(list(map(tuple, held[start : start + _BLOCK])), file, pickle.HIGHEST_PROTOCOL)
    file.seek(0)


def _read(file: IO[bytes]) -> Iterator[LoggedLine]:
    while True:
        try:
            block = pickle.load(file)  # noqa: S301 - a temporary file of our own, without a name
        except EOFError:
            return
        yield from map(LoggedLine._make, block)
