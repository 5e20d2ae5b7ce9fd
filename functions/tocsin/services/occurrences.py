"""What an envelope or an alarm change says, as occurrence counts: matched, put together, redacted and bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import lru_cache

from msgspec.structs import replace

from tocsin.core.config.settings import Settings
from tocsin.core.incidents.test_mode import grouped
from tocsin.core.ingest.origin import elsewhere
from tocsin.core.matching.fingerprint import fingerprint, masked_fields
from tocsin.core.matching.invocations import Found, stated_attempt
from tocsin.core.matching.logline import read_line
from tocsin.core.matching.matcher import Matcher
from tocsin.core.matching.recognition import recognised
from tocsin.core.matching.unknown_error import WithUnknownErrors
from tocsin.core.model import (
    AlarmChange,
    AlarmState,
    AlertState,
    Envelope,
    LogEvent,
    Match,
    Millis,
    OccurrenceCount,
    Origin,
)
from tocsin.core.redaction.sample import field_value, name_of, sample_of
from tocsin.core.signatures.signature import Signature
from tocsin.services.unknown_errors import fields_of

MAX_KINDS = 50
"""Alerts of one signature that one envelope can make; the rest are counted as one without fields. Each costs a
write, and whoever tries ten thousand user names must not keep this function from everything else."""
MAX_REMEMBERED = 200
"""Log streams of which a process remembers the redacted name (one sends envelope after envelope), and lines of which it
remembers the redacted fields."""
MAX_REMEMBERED_LENGTH = 2_000
"""Characters of a line of which those are remembered."""


class OccurrenceReader:
    """Reads envelopes and alarm changes into occurrence counts.

    Args:
        matcher: The signatures, compiled.
        recogniser: The same for log lines, with the errors that none of them explains.
        signatures: The same signatures, by id, and that of unknown errors.
        settings: Services and what is redacted.
        home: The account and Region this runs in.
        is_known: Whether an alert, by fingerprint, has its sample already at a time: then it is left out, which
            keeps a storm's writes at one unit each.
    """

    def __init__(
        self,
        matcher: Matcher,
        recogniser: WithUnknownErrors,
        signatures: Mapping[str, Signature],
        settings: Settings,
        *,
        home: Origin,
        is_known: Callable[[str, Millis], bool],
    ) -> None:
        self._matcher, self._recogniser = matcher, recogniser
        self._signatures, self._settings = signatures, settings
        self._home, self._is_known = home, is_known
        self._fields: dict[tuple[object, ...], dict[str, str]] = {}
        self._stream_name = lru_cache(MAX_REMEMBERED)(lambda stream: name_of(stream, settings.redaction))

    def service_of(self, envelope: Envelope) -> str:
        """The service that an envelope's log group belongs to."""
        return self._settings.service_of_log_group(envelope.log_group, self._elsewhere(envelope))

    def _elsewhere(self, of: Envelope | AlarmChange) -> str:
        return elsewhere(Origin(of.account, of.region), self._home)

    def of_envelope(self, envelope: Envelope, service: str, now: Millis) -> list[OccurrenceCount]:
        """One occurrence count per alert in the envelope, which belongs to a service."""
        counts: dict[str, OccurrenceCount] = {}
        times: dict[str, list[Millis]] = {}
        named: dict[tuple[object, ...], tuple[str, dict[str, str]]] = {}
        messages: dict[str, str] = {}
        kinds: Counter[str] = Counter()
        names: dict[int, str] = {}
        found = self._found(envelope, service)
        for event, matches in found:
            for match in matches:
                if id(match) in names:  # of an event with the same words
                    times[names[id(match)]].append(event.timestamp)
                    continue
                if match.signature not in self._signatures:
                    continue  # the heartbeat, where it does not belong
                rule = self._signatures[match.signature]
                raw_fields = masked_fields(match.fields) if rule.catch_all else match.fields
                raw = (match.signature, *raw_fields.items())
                if raw not in named:
                    kinds[match.signature] += 1
                    few = kinds[match.signature] <= MAX_KINDS
                    fields = self._fields_of(match, event.message, few=few)
                    named[raw] = fingerprint(self._signatures[match.signature], service, fields), fields
                name, fields = named[raw]
                if name not in counts:
                    counts[name] = self._occurrence_count(envelope, event, match, name, fields, service, now)
                times.setdefault(name, []).append(event.timestamp)
                messages[name] = event.message
                names[id(match)] = name
        return [
            grouped(_all_of(counted, times[name], messages[name]), self._signatures[counted.signature])
            for name, counted in counts.items()
        ]

    def _fields_of(self, match: Match, message: str, *, few: bool) -> dict[str, str]:
        """See `fields_of`; in a storm batch after batch says the same, and to redact it takes longer than to find it."""
        key = (few, match.signature, message, *match.fields.items())
        fields = self._fields.get(key)
        if fields is None:
            fields = fields_of(match, message, self._settings.redaction, few=few)
            if len(self._fields) >= MAX_REMEMBERED:
                self._fields.clear()
            if len(message) <= MAX_REMEMBERED_LENGTH:
                self._fields[key] = fields
        return fields

    def _found(self, envelope: Envelope, service: str) -> list[Found]:
        """What each event holds: a crash of many events is one, and what an invocation says twice is said once."""
        return recognised(envelope.events, self._recogniser, log_group=envelope.log_group, service=service)

    def _occurrence_count(
        self,
        envelope: Envelope,
        event: LogEvent,
        match: Match,
        name: str,
        fields: Mapping[str, str],
        service: str,
        now: Millis,
    ) -> OccurrenceCount:
        extra = self._settings.redaction
        strict = self._settings.is_strict(service, envelope.log_group)
        rule = self._signatures[match.signature]
        sample = (
            ""
            if self._is_known(name, now)
            else sample_of(
                event.message,
                extra,
                strict=strict,
                known=(rule.title, *rule.any),
                around=read_line(event.message).text[match.start : match.end],
            )
        )
        return OccurrenceCount(
            envelope=envelope.id,
            fingerprint=name,
            signature=match.signature,
            service=service,
            fields=fields,
            count=1,
            first_seen=event.timestamp,
            last_seen=event.timestamp,
            received_at=now,
            sample=sample,
            origin=Origin(
                envelope.account,
                envelope.region or self._home.region,
                envelope.log_group,
                self._stream_name(envelope.log_stream),
            ),
        )

    def of_alarm(self, change: AlarmChange, now: Millis) -> list[OccurrenceCount]:
        """One occurrence count per signature that an alarm change is of."""
        return [
            self._alarm_occurrence_count(change, match, now) for match in self._matcher.match_alarm(change)
        ]

    def _alarm_occurrence_count(self, change: AlarmChange, match: Match, now: Millis) -> OccurrenceCount:
        rule, extra = self._signatures[match.signature], self._settings.redaction
        elsewhere = self._elsewhere(change)
        service = name_of(self._settings.service_of_alarm(change.name, change.dimensions, elsewhere), extra)
        # A service may claim alarms of one name in several accounts: each has an OK of its own.
        alarm = f"{change.name} ({elsewhere})" if elsewhere else change.name
        strict = self._settings.is_strict(service)
        fields = {name: field_value(value, extra) for name, value in match.fields.items()}
        firing = change.state is AlarmState.ALARM
        counted = OccurrenceCount(
            envelope=change.id,
            fingerprint=fingerprint(rule, service, fields, alarm=alarm),
            signature=match.signature,
            service=service,
            fields=fields,
            count=int(firing),
            first_seen=change.at,
            last_seen=change.at,
            received_at=now,
            sample=sample_of(change.reason, extra, strict=strict),
            state=AlertState.FIRING if firing else AlertState.RESOLVED,
            origin=Origin(
                change.account, change.region or self._home.region, alarm=name_of(change.name, extra)
            ),
            continues=bool(change.contributor) or change.previous is not AlarmState.OK,
            contributor=change.contributor,
            contributor_name=field_value(", ".join(map("=".join, change.attributes.items())), extra),
            muted_by=field_value(change.muted_by, extra),
            muted_until=change.muted_until,
        )
        return grouped(counted, rule)


def _all_of(counted: OccurrenceCount, times: list[Millis], message: str) -> OccurrenceCount:
    """An occurrence count of one, as one of all the events with these times.

    What the platform alone says of one request may be said again in the next envelope: the request is its name then.
    """
    if len(times) == 1:
        return replace(counted, envelope=stated_attempt(message, counted.first_seen) or counted.envelope)
    return replace(counted, count=len(times), first_seen=min(times), last_seen=max(times))
