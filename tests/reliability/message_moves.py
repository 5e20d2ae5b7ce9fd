"""SQS's own redrive, which moto does not have: one move at a time on a queue, which takes a minute and a bit."""

from __future__ import annotations

from typing import Any

MOVE_TAKES = 70_000
"""Milliseconds: a round of ``reconcile`` sees it run, and the next one sees it ended."""


def sqs_moves(moves: list[int], operation: str, now: int) -> tuple[int, dict[str, Any]]:
    """What SQS answers to a call about moves: HTTP's status, and the body.

    Args:
        moves: When each move was started; a new one is added.
        operation: ``StartMessageMoveTask`` or ``ListMessageMoveTasks``.
        now: The time.
    """
    if operation == "ListMessageMoveTasks":
        listed = [
            {"Status": "COMPLETED" if now - at >= MOVE_TAKES else "RUNNING", "StartedTimestamp": at,
             "ApproximateNumberOfMessagesMoved": min(7, (now - at) // 10_000)}
            for at in reversed(moves)
        ]  # fmt: skip
        return 200, {"Results": listed}
    if moves and now - moves[-1] < MOVE_TAKES:
        return 400, {"__type": "UnsupportedOperation", "message": "There is already a task running."}
    moves.append(now)
    return 200, {"TaskHandle": f"task-{len(moves)}"}
