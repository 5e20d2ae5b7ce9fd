"""What a notification says of what people did: who has the incident, and what is new of it."""

from __future__ import annotations

from tocsin.core.incidents.incident import Incident, Pending
from tocsin.core.model import Reason
from tocsin.core.notifications.contract import Holder, Notification, ReportedAction
from tocsin.core.sanitize import clipped, one_line
from tocsin.core.times import iso_time

MAX_NAME_LENGTH = 80
MAX_DETAIL_LENGTH = 700


def holder_of(incident: Incident, pending: Pending) -> Holder | None:
    """Who has the incident as of a notification."""
    holder = incident.acknowledged
    if holder is None or not holder.active(pending.at) or pending.reason is Reason.RESOLVED:
        return None
    name = clipped(one_line(holder.name), MAX_NAME_LENGTH)
    return Holder(name=name, since=iso_time(holder.since), until=iso_time(holder.until))


def actions_of(incident: Incident, pending: Pending) -> tuple[ReportedAction, ...]:
    """What a notification is the first to tell of, in the order it was pressed."""
    return tuple(
        ReportedAction(
            kind=done.kind.value,
            by=clipped(one_line(done.name), MAX_NAME_LENGTH),
            at=iso_time(done.at),
            detail=clipped(one_line(done.detail), MAX_DETAIL_LENGTH) or None,
        )
        for done in incident.record
        if done.id in pending.actions
    )


def action_words(notification: Notification) -> list[str]:
    """A sentence for each thing that people did; plain text, not escaped for any medium."""
    return [
        _WORDS.get(done.kind, _UNKNOWN).format(by=done.by, detail=done.detail or "")
        for done in notification.actions
    ]


def holder_words(notification: Notification) -> str:
    """Who has it, without the time; empty for nobody."""
    holder = notification.incident.acknowledged
    return f"{holder.name} has it" if holder else ""


_UNKNOWN = "{by} did something that this version does not know."
_WORDS = {
    "take": "🙋 {by} has it.",
    "hand-back": "↩️ {by} handed it back: nobody has it now.",
    "silence": "🔕 {by} silenced {detail}",
    "over": "✅ {by} says that it is over.",
    "redrive": "📤 Redrive by {by}: {detail}.",
    "not-an-alert": "🙅 {by} says that this is no alert: {detail}",
    "known-error": "📗 {by} takes this error as known until {detail}",
}
