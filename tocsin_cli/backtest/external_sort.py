"""Lines in the order of their times, however many there are: sorted in runs, the runs merged from disk."""

from __future__ import annotations

import heapq
import pickle
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import chain, islice, pairwise
from operator import attrgetter
from typing import IO, NamedTuple

from tocsin_cli.simulation import LoggedLine

MAX_IN_MEMORY = 200_000
"""Lines."""
MAX_IN_MEMORY_SIZE = 64 * 1024 * 1024
"""Characters."""


_BLOCK = 2_000
"""Lines that are taken, written and read again at once."""
_TIME = attrgetter("timestamp")


class _Run(NamedTuple):
    first: int
    last: int
    lines: Iterable[LoggedLine]


def in_time_order(lines: Iterable[LoggedLine], *, most: int = MAX_IN_MEMORY) -> Iterator[LoggedLine]:
    """Sort lines by time; lines of one time stay in the order they came in.

    Args:
        lines: In any order.
        most: Lines held in memory; more go through temporary files.
    """
    with ExitStack() as stack:
        ahead = iter(lines)
        runs: list[_Run] = []
        held: list[LoggedLine] = []
        size = 0
        while block := list(islice(ahead, min(most, _BLOCK))):
            held += block
            size += sum(len(line.message) for line in block)
            if len(held) >= most or size >= MAX_IN_MEMORY_SIZE:
                runs.append(_spilled(held, stack.enter_context(tempfile.TemporaryFile())))
                held, size, block = [], 0, []
        if held:
            held.sort(key=_TIME)
            runs.append(_Run(held[0].timestamp, held[-1].timestamp, held))
        del held
        sources = [run.lines for run in runs]
        if all(one.last <= other.first for one, other in pairwise(runs)):  # as logs mostly are
            yield from chain.from_iterable(sources)
        else:  # of lines of one time, those of an earlier run come first
            yield from heapq.merge(*sources, key=_TIME)


def _spilled(held: list[LoggedLine], file: IO[bytes]) -> _Run:
    held.sort(key=_TIME)
    for start in range(0, len(held), _BLOCK):
        block = held[start : start + _BLOCK]
        columns = (
            [line.timestamp for line in block],
            [line.message for line in block],
            [line.log_group for line in block],
            [line.log_stream for line in block],
        )
        pickle.dump(columns, file, pickle.HIGHEST_PROTOCOL)
    file.seek(0)
    return _Run(held[0].timestamp, held[-1].timestamp, _read(file))


def _read(file: IO[bytes]) -> Iterator[LoggedLine]:
    while True:
        try:
            columns = pickle.load(file)  # noqa: S301 - a temporary file of our own, without a name
        except EOFError:
            return
        yield from map(LoggedLine, *columns)
