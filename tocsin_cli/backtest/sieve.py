"""Of a million log lines those that a simulation has to see: what it makes of them is what it makes of all.

Nothing follows from a line that is no suspect and no line of a crash, but that it was logged. So only these are kept, with
the line before each line of a crash, which may be its first (`Simulation.feed` delivers both), and with Tocsin's own log
groups, which are refused one by one. All others are counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tocsin.core.matching.crash_lines import pieces_in
from tocsin.core.model import Millis
from tocsin_cli.backtest.line_blocks import LineBlock
from tocsin_cli.simulation import LoggedLine, Simulation


class OutOfOrderError(Exception):
    """Lines of a crash among lines that are not in the order of time: which line is before each, only sorting all says."""


class Sieve:
    """Keeps the lines that count, and counts those that do not.

    Args:
        simulations: What the lines are for.
    """

    def __init__(self, simulations: Sequence[Simulation]) -> None:
        self._simulations = simulations
        self._passed = 0
        self._first: Millis | None = None
        self._last: Millis | None = None
        self._has_pieces = self._is_disordered = False

    def kept(self, blocks: Iterable[LineBlock]) -> Iterator[LoggedLine]:
        """The lines that count, in the order in which they are read.

        Args:
            blocks: All lines.

        Raises:
            OutOfOrderError: They cannot be found.
        """
        before: LoggedLine | None = None  # the last line of the block before, where it was not kept
        for block in blocks:
            pieces = pieces_in(block.messages)
            self._check_order(block.times, has_pieces=bool(pieces))
            if pieces and pieces[0] == 0 and before is not None:
                self._passed -= 1
                yield before
            places = sorted(self._wanted(block, pieces))
            count = len(block.times)
            self._passed += count - len(places)
            yield from map(block.line, places)
            before = None if places and places[-1] == count - 1 else block.line(count - 1)

    def count_passed(self) -> None:
        """Let the simulations count the lines that were not kept."""
        if self._first is not None and self._last is not None:
            for simulation in self._simulations:
                simulation.pass_over(self._passed, self._first, self._last)

    def _wanted(self, block: LineBlock, pieces: Sequence[int]) -> set[int]:
        wanted = {*pieces, *(place - 1 for place in pieces if place)}
        own = set(filter(self._simulations[0].is_own, set(block.groups)))
        if own:
            wanted.update(place for place, group in enumerate(block.groups) if group in own)
        return wanted.union(*(simulation.suspects(block.messages) for simulation in self._simulations))

    def _check_order(self, times: Sequence[Millis], *, has_pieces: bool) -> None:
        earliest, latest = min(times), max(times)
        self._has_pieces |= has_pieces
        self._is_disordered |= (self._last is not None and earliest < self._last) or times != sorted(times)
        if self._has_pieces and self._is_disordered:
            raise OutOfOrderError
        self._first = earliest if self._first is None else min(self._first, earliest)
        self._last = latest if self._last is None else max(self._last, latest)
