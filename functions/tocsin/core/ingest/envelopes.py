"""Envelopes of CloudWatch Logs subscriptions: reading what was inflated.

`detect` searches the inflated bytes for what any signature needs and only parses those in which something was found.

The format (CloudWatch Logs User Guide, "Using subscription filters"): base64 of gzip of a JSON object with
``messageType``, ``owner``, ``logGroup``, ``logStream``, ``subscriptionFilters`` and ``logEvents``. Keys that
came later (``policyLevel`` and whatever follows) are left alone, but for the system fields of centralised logs, which
say where an event was written (`origin`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tocsin.core.ingest.inflation import EnvelopeError
from tocsin.core.ingest.json_kinds import kind_of
from tocsin.core.ingest.origin import may_have_origins, origin_of
from tocsin.core.ingest.raw_events import END, RawEvents, SuspectSearch
from tocsin.core.model import LATEST, Envelope, LogEvent, Millis, Origin
from tocsin.core.redaction.sample import named
from tocsin.core.times import is_plausible

_SURROGATE_ESCAPE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


class ControlMessage(Struct, frozen=True):
    """CloudWatch Logs probing whether the destination is reachable: it holds no log events, so nothing to do."""

    log_group: str


class BadLogEvent(NamedTuple):
    """One log event of an envelope that could not be read.

    Attributes:
        error: What is wrong with it, with its position; holds nothing of the log line.
        original: The event as it came, to be dead_lettered; not redacted.
    """

    error: str
    original: object


class ParsedEnvelope(NamedTuple):
    """An envelope and what of it could not be read.

    Attributes:
        envelope: The readable log events, in the order delivered.
        problems: The others.
    """

    envelope: Envelope
    problems: tuple[BadLogEvent, ...] = ()


def parse_envelope(raw: bytes) -> ParsedEnvelope | ControlMessage:
    """Read an inflated envelope.

    A log event that cannot be read never costs the others: it is returned beside them. A log event without
    an ``id`` gets one from its time and text.

    Args:
        raw: What `inflate` returned.

    Raises:
        EnvelopeError: Not JSON, not an object, or without a message type, log group or list of log events.
    """
    return _regular(raw) or parse_irregular_envelope(raw)


def parse_irregular_envelope(raw: bytes) -> ParsedEnvelope | ControlMessage:
    """Read an inflated envelope whatever is the matter with it; of a regular one, the same as `parse_envelope`.

    Args:
        raw: What `inflate` returned.

    Raises:
        EnvelopeError: As `parse_envelope`.
    """
    try:
        document = json.loads(raw.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise EnvelopeError(f"the inflated data is not JSON: {_json_fault(error)}") from None
    if not isinstance(document, dict):
        raise EnvelopeError(f"the inflated data must be a JSON object, is {kind_of(document)}")
    message_type = document.get("messageType")
    if message_type == "CONTROL_MESSAGE":
        return ControlMessage(_text(document, "logGroup"))
    if message_type != "DATA_MESSAGE":
        raise EnvelopeError(
            "messageType must be DATA_MESSAGE or CONTROL_MESSAGE; this is not an envelope of CloudWatch Logs "
            f"(keys seen: {named(document)})"
        )
    log_group = _text(document, "logGroup")
    if not log_group:
        raise EnvelopeError("logGroup must be the name of a log group, is missing or empty")
    entries = document.get("logEvents")
    if not isinstance(entries, list):
        raise EnvelopeError(f"logEvents must be a list, is {kind_of(entries)}")
    origins: list[Origin] | None = [] if may_have_origins(raw) else None
    events, problems = _read_events(entries, origins, fix=bool(_SURROGATE_ESCAPE.search(raw)))
    account, log_stream = _text(document, "owner"), _text(document, "logStream")
    return ParsedEnvelope(_envelope(account, log_group, log_stream, events, origins), problems)


class _Head(msgspec.Struct, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """What an envelope says beside its log events."""

    message_type: Literal["DATA_MESSAGE"]
    log_group: Annotated[str, msgspec.Meta(min_length=1)]
    owner: str = ""
    log_stream: str = ""
    subscription_filters: tuple[str, ...] = ()
    policy_level: str = ""


class _Regular(_Head, forbid_unknown_fields=True, rename="camel", kw_only=True):
    log_events: tuple[LogEvent, ...]


class _Unread(Struct, frozen=True, gc=False):
    """A log event of which nothing is kept."""


class _Outline(_Head, forbid_unknown_fields=True, rename="camel", kw_only=True):
    log_events: list[_Unread]


class _EventWithFields(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    id: Annotated[str, msgspec.Meta(min_length=1)]
    timestamp: Annotated[Millis, msgspec.Meta(ge=0, lt=LATEST)]
    message: str
    extracted_fields: dict[str, str] = {}


class _RegularWithFields(_Head, forbid_unknown_fields=True, rename="camel", kw_only=True):
    log_events: list[_EventWithFields]


_REGULAR: Final = msgspec.json.Decoder(_Regular)
_OUTLINE: Final = msgspec.json.Decoder(_Outline)
_REGULAR_WITH_FIELDS: Final = msgspec.json.Decoder(_RegularWithFields)


def read_suspects(raw: bytes, search: SuspectSearch) -> Envelope | None:
    """Read an envelope of which hardly any events are suspects: its events are `RawEvents`, and the rest is as ever.

    Args:
        raw: What `inflate` returned.
        search: Finds the suspects.

    Returns:
        None for any other envelope, and for one in which anything is out of order: it is for `parse_envelope`.
    """
    body = raw.find(b"[", raw.find(b'"logEvents"')) + 1
    found = search.look(raw, body)
    if found is None:
        return None
    try:
        outline = _OUTLINE.decode(raw)
        _OUTLINE.decode(raw[:body] + END)  # else the list of log events begins elsewhere
        if not raw.isascii():
            raw.decode()
        events = RawEvents(raw, *found, body=body, count=len(outline.log_events))
        return _envelope(outline.owner, outline.log_group, outline.log_stream, events, None)
    except (ValueError, RecursionError):
        return None


def _regular(raw: bytes) -> ParsedEnvelope | None:
    """Read an envelope in which nothing is out of order, several times as fast; None for any other.

    Whatever the decoder may see otherwise than `json` is a reason not to: a key that is not known, a value of another
    type, text that is not UTF-8 or holds half a surrogate pair.
    """
    try:
        plain = _REGULAR.decode(raw)
    except (ValueError, RecursionError):
        return _regular_with_fields(raw)
    return ParsedEnvelope(_envelope(plain.owner, plain.log_group, plain.log_stream, plain.log_events, None))


def _regular_with_fields(raw: bytes) -> ParsedEnvelope | None:
    """The same of one whose events have extracted fields."""
    try:
        head = _REGULAR_WITH_FIELDS.decode(raw)
    except (ValueError, RecursionError):
        return None
    events = tuple(LogEvent(each.id, each.timestamp, each.message) for each in head.log_events)
    origins = None
    if may_have_origins(raw):
        origins = [origin_of({"extractedFields": each.extracted_fields}) for each in head.log_events]
    return ParsedEnvelope(_envelope(head.owner, head.log_group, head.log_stream, events, origins))


def _envelope(
    account: str, log_group: str, log_stream: str, events: Sequence[LogEvent], origins: list[Origin] | None
) -> Envelope:
    # A subscription delivers each event of a stream once and in their order: two of them and their number tell
    # deliveries apart as well as all of them would.
    ends = (events[0].id, events[-1].id) if events else ()
    identity = _digest(account, log_group, log_stream, len(events), *ends)
    envelope = Envelope(identity, account, log_group, log_stream, events)
    if origins and any(origin != Origin() for origin in origins):
        return replace(envelope, origins=_by_origin(envelope, origins))
    return envelope


def _by_origin(envelope: Envelope, origins: list[Origin]) -> tuple[Envelope, ...]:
    """The log events of an envelope by where they were written."""
    written: dict[Origin, list[LogEvent]] = {}
    for origin, event in zip(origins, envelope.events, strict=True):
        where = Origin(
            origin.account or envelope.account, origin.region, origin.log_group or envelope.log_group
        )
        written.setdefault(where, []).append(event)
    return tuple(
        replace(
            envelope,
            id=_digest(envelope.id, where.account, where.region, where.log_group),
            account=where.account,
            region=where.region,
            log_group=where.log_group,
            # The stream is the central log group's: at the origin there may be none of its name.
            log_stream=envelope.log_stream if where.log_group == envelope.log_group else "",
            events=tuple(events),
        )
        for where, events in written.items()
    )


def _read_events(
    entries: list[Any], origins: list[Origin] | None, *, fix: bool
) -> tuple[tuple[LogEvent, ...], tuple[BadLogEvent, ...]]:
    events: list[LogEvent] = []
    problems: list[BadLogEvent] = []
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict):
            problems.append(BadLogEvent(f"logEvents[{number}] must be an object, is {kind_of(entry)}", entry))
            continue
        message, timestamp, key = entry.get("message"), entry.get("timestamp"), entry.get("id")
        if not isinstance(message, str):
            problems.append(
                BadLogEvent(f"logEvents[{number}].message must be text, is {kind_of(message)}", entry)
            )
            continue
        if not isinstance(timestamp, int) or isinstance(timestamp, bool) or not is_plausible(timestamp):
            problems.append(
                BadLogEvent(
                    f"logEvents[{number}].timestamp must be milliseconds of a time between 1970 and 3000, is "
                    f"{'another number' if kind_of(timestamp) == 'a number' else kind_of(timestamp)}",
                    entry,
                )
            )
            continue
        if fix:
            # Half a surrogate pair is legal in JSON and an error in UTF-8, which everything after this writes.
            message = message.encode("utf-8", "replace").decode()
        if not isinstance(key, str) or not key:
            # The position tells two equal lines of the same millisecond apart.
            key = _digest(timestamp, message, number)
        events.append(LogEvent(key, timestamp, message))
        if origins is not None:
            origins.append(origin_of(entry))
    return tuple(events), tuple(problems)


def _digest(*parts: object) -> str:
    """128 bits over the parts; JSON keeps ("a", "bc") and ("ab", "c") apart."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _text(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _json_fault(error: Exception) -> str:
    """What the parser said, without the text it was parsing."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos}"
    return "nested too deeply" if isinstance(error, RecursionError) else "a number that is too long"
