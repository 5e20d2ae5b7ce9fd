"""Muting: which alerts of an incident a silence covers now, and which are announced again because it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from msgspec.structs import replace

from tocsin.core.incidents.incident import Alert, Incident
from tocsin.core.incidents.inhibition import severity_of
from tocsin.core.incidents.silences import Silence
from tocsin.core.model import AlertState, Millis, Severity
from tocsin.core.sanitize import clipped, one_line
from tocsin.core.signatures.signature import Signature
from tocsin.core.times import MINUTE

MAX_WORDS_LENGTH = 300


class Muted(NamedTuple):
    """An incident with its silences applied, and in words which of them ended; empty when none did."""

    incident: Incident
    reason_detail: str


def mute(
    incident: Incident,
    silences: Sequence[Silence],
    now: Millis,
    signatures: Mapping[str, Signature] = MappingProxyType({}),
) -> Muted:
    """Apply silences: mute what an active one covers, and announce again what none covers any more.

    Args:
        incident: As it was left.
        silences: Active ones, and at least those that ended since the incident was last looked at.
        now: The time.
        signatures: By id; what is critical is never start-up noise.
    """
    active = [
        silence
        for silence in silences
        if not silence.startup_noise and as_matched(silence, incident, now).active(now)
    ]
    startup = [silence for silence in silences if silence.startup_noise and silence.begins <= now]
    alerts, ended = dict(incident.alerts), list[str]()
    for name, alert in incident.alerts.items():
        covering = next((silence.id for silence in active if _covers(silence, alert, incident)), "")
        covering = covering or muted_by_cloudwatch(alert, now)
        covering = covering or next(
            (
                silence.id
                for silence in startup
                if _is_startup_noise(silence, alert, incident, now, signatures)
            ),
            "",
        )
        if covering:
            alerts[name] = replace(alert, silence=covering, unmuted=False)
        elif alert.silence:
            alerts[name] = _unmuted(alert)
            if alerts[name].unmuted and alert.silence not in ended:
                ended.append(alert.silence)
    words = [_words(silence) for silence in silences if silence.id in ended]
    known = {silence.id for silence in silences}
    words += [clipped(one_line(f"{name} ended"), MAX_WORDS_LENGTH) for name in ended if name not in known]
    reason_detail = "; ".join(words)
    return Muted(replace(incident, alerts=alerts), reason_detail)


def as_matched(silence: Silence, incident: Incident, now: Millis) -> Silence:
    """A silence that ends by itself, with when this incident last knew something that it covers; else as it is.

    What fires and is muted by it counts as seen now: it would be told the moment the silence ended.
    """
    if not silence.ends_when_quiet:
        return silence
    matched = silence.last_matched
    for alert in incident.alerts.values():
        # What came after its end did not find it active any more.
        if _covers(silence, alert, incident) and alert.active_at < silence.ends_at:
            goes_on = alert.silence == silence.id and alert.state is AlertState.FIRING
            matched = max(matched, now if goes_on else alert.active_at)
    return replace(silence, last_matched=matched)


def matched_since(incident: Incident, silences: Sequence[Silence], now: Millis) -> list[Silence]:
    """The silences of which it must be noted that something they cover fires or was seen: else they would end by themselves.

    Not each time, but often enough.
    """
    known = [(silence, as_matched(silence, incident, now)) for silence in silences if silence.ends_when_quiet]
    return [
        later
        for silence, later in known
        if later.last_matched - silence.last_matched >= max(MINUTE, silence.ends_when_quiet // 10)
        and later.active(now)
    ]


def _is_startup_noise(
    silence: Silence, alert: Alert, incident: Incident, now: Millis, signatures: Mapping[str, Signature]
) -> bool:
    """Whether an alert began while a service started, is not critical, and was not seen since the start was over.

    What says itself when it is over, as an alarm does, is told when the start is over and it still fires.
    """
    if not _covers(silence, alert, incident) or severity_of(alert, signatures) is Severity.CRITICAL:
        return False
    began = alert.regressed or (not alert.notified.individually and alert.joined_at >= silence.begins)
    goes_on = alert.origin.is_stateful and now >= silence.expires_at
    return began and not goes_on and silence.begins <= alert.active_at < silence.expires_at


def muted_by_cloudwatch(alert: Alert, now: Millis) -> str:
    """What in CloudWatch mutes the alarm that an alert is about, in words; empty where nothing does any more."""
    return alert.muted_by if alert.muted_until is None or now < alert.muted_until else ""


def _covers(silence: Silence, alert: Alert, incident: Incident) -> bool:
    return silence.covers(alert.signature, incident.service, alert.fields)


def _unmuted(alert: Alert) -> Alert:
    """An alert whose silence ended: news if something was kept quiet that goes on; what is over stays in the counts."""
    if alert.state is not AlertState.FIRING:
        return replace(
            alert,
            silence="",
            notified=replace(alert.notified, count=alert.count, state=alert.state, individually=True),
            regressed=False,
        )
    goes_on = alert.origin.is_stateful or alert.count > alert.notified.count
    return replace(alert, silence="", unmuted=alert.announced and goes_on)


def _words(silence: Silence) -> str:
    text = f"silence {silence.id} of {silence.author} ended ({silence.reason})"
    return clipped(one_line(text), MAX_WORDS_LENGTH)
