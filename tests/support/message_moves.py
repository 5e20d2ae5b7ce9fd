"""Moves of messages in memory, as SQS does them: one at a time on a queue, ended by whoever tests."""

from __future__ import annotations

from msgspec.structs import replace

from tocsin.core.incidents.actions import Redrive
from tocsin.core.incidents.redriving import Move, MovesLook, MoveState


class Killed(BaseException):
    """The process ends here; no ``except Exception`` sees it."""


class MemoryMoves:
    """Stands for ``adapters.aws.message_moves.SqsMoves``.

    Attributes:
        moves: All that were started, the oldest first.
        clock: SQS's, which need not be ours.
        killed: ``before`` or ``after``: where the process dies that starts the next one.
        away: Whether SQS does not answer.
        refuses: Why nobody may look or start, in words.
        tries_again: Whether the client's first try takes effect without an answer, so that its second is refused.
    """

    def __init__(self) -> None:
        self.moves: list[Move] = []
        self.clock = 1
        self.killed = ""
        self.away = False
        self.refuses = ""
        self.tries_again = False

    def look(self, redrive: Redrive) -> MovesLook:
        """See ``MessageMoves``."""
        if self.away:
            return MovesLook(known=False)
        return MovesLook(refused=self.refuses) if self.refuses else MovesLook(tuple(self.moves))

    def start(self, redrive: Redrive) -> str:
        """See ``MessageMoves``."""
        if self.killed == "before":
            self.killed = ""
            raise Killed
        if self.away or self.refuses:
            return self.refuses
        if self.moves and self.moves[-1].state is MoveState.RUNNING:
            return "UnsupportedOperation: There is already a task running."
        self.clock += 1
        self.moves.append(Move(self.clock, MoveState.RUNNING, 0, 42))
        if self.killed == "after":
            self.killed = ""
            raise Killed
        if self.tries_again:
            self.tries_again = False
            return self.start(redrive)
        return ""

    def becomes(self, state: MoveState, moved: int, failure: str = "") -> None:
        """Let the latest move come this far."""
        self.moves[-1] = replace(self.moves[-1], state=state, moved=moved, failure=failure)
