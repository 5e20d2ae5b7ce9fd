"""The redrive dialog: which queue, how deep it is now, and whether to insist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from tocsin.core.sanitize import clipped
from tocsin.core.slack.action_blocks import PREFIX
from tocsin.core.slack.dialog_blocks import MAX_LABEL, input_block, modal, select
from tocsin.core.slack.interactions import Dialog
from tocsin.core.slack.silence_dialog import DialogContext

REDRIVE_DIALOG: Final = PREFIX + "redrive"
"""The id of the dialog."""

MAX_QUEUES: Final = 5
"""Queues that one dialog offers: each is looked at while a person waits."""

QUEUE, HOW = "queue", "how"
_ANYWAY = "anyway"


def redrive_dialog(context: DialogContext, queues: Sequence[tuple[str, str, int | None]]) -> dict[str, Any]:
    """The dialog, as ``views.open`` takes it.

    Args:
        context: What it is about.
        queues: The fingerprint of each queue's alert, its name, and how many messages wait in it, where that is known.
    """
    offered = []
    for fingerprint, name, depth in queues:
        waiting = ": depth not known" if depth is None else f": about {depth:,} messages now"
        offered.append((clipped(name, MAX_LABEL - len(waiting)) + waiting, fingerprint))
    how = [("Redrive once the cause is over", "checked"), ("Redrive anyway", _ANYWAY)]
    return modal(
        REDRIVE_DIALOG,
        "Redrive",
        context,
        [
            input_block(QUEUE, "Move all messages back to where they came from", select(offered)),
            input_block(
                HOW,
                "While an error of the service still fires, or messages still come in, nothing is redriven; unless you insist",
                select(how),
            ),
        ],
    )


def chosen_queue(dialog: Dialog) -> str:
    """The fingerprint of the queue that was chosen."""
    return dialog.typed(QUEUE)


def insists(dialog: Dialog) -> bool:
    """Whether it is to be done although the cause still fires."""
    return dialog.typed(HOW) == _ANYWAY
