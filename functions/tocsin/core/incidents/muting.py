"""Muting: which alerts of an incident a silence covers now, and which are heard again because it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from tocsin.core.incidents.incident import Alert, Incident
from tocsin.core.incidents.silences import Silence
from tocsin.core.model import AlertState, Millis
from tocsin.core.sanitize import clipped, one_line

MAX_WORDS_LENGTH = 300


class Muted(NamedTuple):
    """An incident with its silences applied, and in words which of them ended; empty when none did."""

    incident: Incident
    reason_detail: str


def mute(incident: Incident, silences: Sequence[Silence], now: Millis) -> Muted:
    """Apply silences: mute what an active one covers, and let be heard again what none covers any more.

    Args:
        incident: As it was left.
        silences: Active ones, and at least those that ended since the incident was last looked at.
        now: The time.
    """
    active = [silence for silence in silences if silence.active(now)]
    alerts, ended = dict(incident.alerts), list[str]()
    for name, alert in incident.alerts.items():
        covering = next((silence.id for silence in active if _covers(silence, alert, incident)), "")
        covering = covering or muted_by_cloudwatch(alert, now)
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
