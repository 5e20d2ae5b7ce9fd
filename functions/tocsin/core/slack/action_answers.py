"""What Tocsin answers to the person who pressed or typed, and to nobody else: Slack mark-up, names and texts escaped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tocsin.core.incidents.actions import KNOWN_FOR, ActionKind, ActionOutcome, PerformedAction
from tocsin.core.incidents.incident import Incident
from tocsin.core.incidents.silences import Silence
from tocsin.core.model import Millis
from tocsin.core.slack.mrkdwn import code, escape, time_token

MAX_LISTED: Final = 20

MAY_NOT = "Only members of the group that the settings name may do this here."
NOT_HERE = "Type this in the channel that Tocsin posts to; its members may see incidents, others may not."
LATER = "Slack could not be asked just now. Press once more in a moment."
USAGE = (
    "`/tocsin`: what is going on, and who has it\n`/tocsin silences`: what is muted\n"
    "`/tocsin silence service=worker 2h we deploy`: mute a service, a `signature=…` or a field, for a time, with a reason"
)
NO_QUEUE = "No dead-letter queue of this incident may be redriven, or its alarm is over: nothing was changed."
TOO_LATE = "That incident is over, or this is an old message: nothing was changed."


def outcome_words(performed: PerformedAction | None) -> str:
    """What came of a press; empty where the message itself shows it."""
    if performed is None or performed.outcome is ActionOutcome.TOO_LATE:
        return TOO_LATE
    if performed.kind is ActionKind.REDRIVE:
        return _redrive_words(performed.outcome, escape(performed.detail))
    if performed.outcome is ActionOutcome.DONE:
        return _done_words(performed)
    if performed.outcome is ActionOutcome.SOMEBODY_ELSE:
        return f"{escape(performed.detail)} has it already."
    if performed.outcome is ActionOutcome.STILL_SEEN:
        return "It is not over: it was seen again after you pressed. Nothing was changed."
    if performed.outcome is ActionOutcome.REFUSED:
        return f"Nothing was changed: {escape(performed.detail)}."
    has_it = performed.kind is ActionKind.TAKE
    return "You have it already." if has_it else "Nobody has it, so nothing was changed."


def _redrive_words(outcome: ActionOutcome, detail: str) -> str:
    return {
        ActionOutcome.DONE: f"Redriving {detail}. The incident's thread shows how it goes.",
        ActionOutcome.SOMEBODY_ELSE: f"{detail} redrives a queue of this incident already: see its thread.",
        ActionOutcome.REFUSED: (
            f"Nothing was redriven, because {detail}: what goes back now would fail again. "
            "Press once more and choose “Redrive anyway” if you must."
        ),
    }.get(outcome, "The alarm of that queue does not fire any more: nothing was redriven.")


def open_words(incidents: Sequence[Incident]) -> str:
    """The open incidents, a line each, with who has them."""
    if not incidents:
        return "Nothing is going on."
    lines = [_incident_line(incident) for incident in incidents[:MAX_LISTED]]
    if len(incidents) > MAX_LISTED:
        lines.append(f"…and {len(incidents) - MAX_LISTED} more")
    return "\n".join(lines)


def silences_words(silences: Sequence[Silence], now: Millis) -> str:
    """The silences that are active, a line each."""
    active = [silence for silence in silences if silence.active(now)]
    if not active:
        return "Nothing is muted."
    return "\n".join(silence_line(silence) for silence in active[:MAX_LISTED])


def silence_line(silence: Silence) -> str:
    """One silence in a line."""
    return (
        f"🔕 {code(silence.matcher, 200)} until {time_token(silence.expires_at)}, "
        f"by {escape(silence.author)}: {escape(silence.reason)}"
    )


def _done_words(performed: PerformedAction) -> str:
    if performed.kind is ActionKind.SILENCE:
        return f"Silenced: {escape(performed.detail)}"
    if performed.kind is ActionKind.NOT_AN_ALERT:
        return "Noted. `tocsin signatures feedback` shows it to who looks after the signature."
    if performed.kind is ActionKind.KNOWN_ERROR:
        until = time_token(performed.at + KNOWN_FOR)
        return (
            f"Known until {until}. You are notified of it before then only if it becomes far more frequent."
        )
    return ""


def _incident_line(incident: Incident) -> str:
    names = list(dict.fromkeys(alert.signature for alert in incident.firing if alert.announced))
    holder = incident.acknowledged
    who = f"🙋 {escape(holder.name)} has it" if holder else "nobody has it"
    what = ", ".join(code(name, 80) for name in names[:3]) or "nothing any more"
    return f"• *{escape(incident.service)}*: {what}, since {time_token(incident.opened_at)}; {who}"
