"""The silence dialog, and the same as a command: what people type becomes a silence, or words that say what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Struct

from tocsin.core.incidents.incident import Alert
from tocsin.core.incidents.silences import MAX_LETTERS, MAX_SILENCE, Silence
from tocsin.core.model import Millis
from tocsin.core.sanitize import clipped
from tocsin.core.slack.action_blocks import DIALOG, Target
from tocsin.core.slack.dialog_blocks import MAX_LABEL, input_block, modal, select
from tocsin.core.slack.interactions import Dialog
from tocsin.core.times import DAY, HOUR, format_duration, parse_duration

MAX_REASON: Final = 300
MORNING: Final[Millis] = 9 * HOUR
"""When "until tomorrow" ends, by the clock of who chose it."""

WHAT, UNTIL, SPAN, REASON = "what", "until", "span", "reason"
_MORNING_VALUE = "morning"


class DialogContext(msgspec.Struct, frozen=True, array_like=True):
    """What a dialog is about, and where its outcome is said."""

    target: Target
    response_url: str = ""


class Wrong(Struct, frozen=True):
    """What is wrong with a field, in words."""

    field: str
    text: str


class Author(Struct, frozen=True):
    """Who makes a silence.

    Attributes:
        name: As people know them, redacted.
        offset: How far their clock is ahead of UTC.
    """

    name: str
    offset: Millis = 0


def silence_dialog(context: DialogContext) -> dict[str, Any]:
    """The dialog, as ``views.open`` takes it."""
    target = context.target
    what = [("The whole service", "service")]
    if target.fingerprint:
        signature = clipped(f"Everything of {target.signature} in this service", MAX_LABEL)
        what = [("This alert", "alert"), (signature, "signature"), *what]
    until = [("1 hour", "1h"), ("4 hours", "4h"), ("Until tomorrow, 9:00 of my time", _MORNING_VALUE)]
    return modal(
        DIALOG,
        "Silence",
        context,
        [
            input_block(WHAT, f"What is to be quiet in {clipped(target.service, 60)}", select(what)),
            input_block(UNTIL, "For how long", select(until)),
            input_block(
                SPAN,
                "Or for another time, such as 90m, 8h or 2d",
                {"type": "plain_text_input", "action_id": SPAN, "max_length": 20},
                optional=True,
            ),
            input_block(
                REASON,
                "Why, for those who wonder where the alert is",
                {"type": "plain_text_input", "action_id": REASON, "max_length": MAX_REASON},
            ),
        ],
    )


def context_of(dialog: Dialog) -> DialogContext:
    """What a submitted dialog is about.

    Raises:
        ValueError: It is none of ours.
    """
    return msgspec.json.decode(dialog.private_metadata, type=DialogContext)


def asks_for_the_morning(dialog: Dialog) -> bool:
    """Whether the person's clock must be known."""
    return dialog.typed(UNTIL) == _MORNING_VALUE and not dialog.typed(SPAN).strip()


def silence_of(
    dialog: Dialog,
    alert: Alert | None,
    author: Author,
    now: Millis,
    identity: str,
    redacted: Callable[[str], str],
) -> Silence | Wrong:
    """Make the silence that a dialog asks for.

    Args:
        dialog: As submitted.
        alert: The alert that the message was headed by, where it is still known.
        author: Who submitted it.
        now: The time.
        identity: The silence's id.
        redacted: Makes what a person typed fit to be stored and shown.
    """
    target = context_of(dialog).target
    reason = redacted(dialog.typed(REASON)[:MAX_REASON])
    if not reason.strip():
        return Wrong(REASON, "Say why: others will wonder where the alert is.")
    span = _span(dialog, author, now)
    if isinstance(span, Wrong):
        return span
    what = dialog.typed(WHAT)
    if what == "alert" and alert is None:
        return Wrong(
            WHAT, "This alert is not in the incident any more. Choose its signature, or the service."
        )
    signature = "" if what == "service" else target.signature
    fields = dict(alert.fields) if alert and what == "alert" else {}
    try:
        return _silence(identity, now, span, reason, author, signature, target.service, fields)
    except ValueError as error:  # a field that is too long for a silence, which an alert's should not be
        return Wrong(WHAT, f"This cannot be silenced: {error}")


_MATCHER = re.compile(r"(\w[\w.-]{0,60})=(\S{1,200})")


def silence_typed(
    text: str, author: Author, now: Millis, identity: str, redacted: Callable[[str], str]
) -> Silence | Wrong:
    """Make the silence that ``/tocsin silence service=worker 2h reason…`` asks for; arguments as for `silence_of`."""
    words = text.split()
    matchers: dict[str, str] = {}
    while words and (found := _MATCHER.fullmatch(words[0])):
        matchers[found[1]] = found[2]
        words.pop(0)
    usage = "Write it like this: `/tocsin silence service=worker 2h we deploy`."
    if not matchers or len(words) < 2:
        return Wrong("text", f"A silence needs what, how long and why. {usage}")
    try:
        span = parse_duration(words[0])
        reason = redacted(" ".join(words[1:])[:MAX_REASON])
        signature, service = matchers.pop("signature", ""), matchers.pop("service", "")
        return _silence(identity, now, span, reason, author, signature, service, matchers)
    except ValueError as error:
        return Wrong("text", f"{error}. {usage}")


def _silence(
    identity: str,
    now: Millis,
    span: Millis,
    reason: str,
    author: Author,
    signature: str,
    service: str,
    fields: dict[str, str],
) -> Silence:
    name = author.name[: MAX_LETTERS["author"] - 10]
    return Silence(
        id=identity,
        expires_at=now + span,
        reason=reason,
        author=f"{name} (Slack)",
        created_at=now,
        signature=signature,
        service=service,
        fields=fields,
    )


def _span(dialog: Dialog, author: Author, now: Millis) -> Millis | Wrong:
    """For how long from now."""
    typed = dialog.typed(SPAN).strip()
    if not typed and dialog.typed(UNTIL) == _MORNING_VALUE:
        return until_morning(now, author.offset)
    try:
        span = parse_duration(typed or dialog.typed(UNTIL))
    except ValueError as error:
        return Wrong(SPAN if typed else UNTIL, str(error))
    if not 0 < span <= MAX_SILENCE:
        return Wrong(
            SPAN if typed else UNTIL, f"At most {format_duration(MAX_SILENCE)}, and more than nothing."
        )
    return span


def until_morning(now: Millis, offset: Millis) -> Millis:
    """How long it is to nine o'clock tomorrow by a clock that is ahead of UTC by ``offset``."""
    midnight = (now + offset) // DAY * DAY
    return midnight + DAY + MORNING - offset - now
