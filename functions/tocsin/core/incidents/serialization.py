"""Incidents and occurrence counts as the JSON documents the table keeps.

A document, not a row per alert: the incident is always written by one writer at a time, as a whole, under a
version condition, so its parts can never disagree.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

from tocsin.core.json_document import build, dump
from tocsin.core.model import (
    Alert,
    AlertState,
    Change,
    ChangeKind,
    Contributor,
    Incident,
    OccurrenceCount,
    Pending,
    QueueReading,
    Reason,
)

MAX_BYTES = 380_000
"""A DynamoDB item ends at 400 KB, its keys and attribute names included."""

_SHORT_FIELD = 30


def dump_incident(incident: Incident) -> str:
    """Write an incident as compact JSON that fits an item.

    One that does not fit loses the samples of alerts that people have been told of, then all samples and the ends
    of long fields: a document that could not be stored would stop the service's incident from moving at all.
    """
    text = dump(asdict(incident))
    for lighter in (_without_told_samples, _bare):
        if len(text.encode()) <= MAX_BYTES:
            break
        alerts = {name: lighter(alert) for name, alert in incident.alerts.items()}
        text = dump(asdict(replace(incident, alerts=alerts)))
    return text


def load_incident(text: str) -> Incident:
    """Read an incident written by this or an older version; keys of a newer version are passed over.

    Raises:
        ValueError: It is not a document that ``dump_incident`` wrote.
    """
    data = json.loads(text)
    data["alerts"] = {name: _alert(entry) for name, entry in data["alerts"].items()}
    data["outbox"] = tuple(_pending(entry) for entry in data["outbox"])
    data["changes"] = tuple(_change(entry) for entry in data.get("changes", ()))
    data["changes_not_notified"] = tuple(data.get("changes_not_notified", ()))
    return build(Incident, data)


def dump_occurrence_count(occurrence_count: OccurrenceCount) -> str:
    """Write an occurrence count as compact JSON."""
    return dump(asdict(occurrence_count))


def load_occurrence_count(text: str) -> OccurrenceCount:
    """Read an occurrence count written by this or an older version.

    Raises:
        ValueError: It is not a document that ``dump_occurrence_count`` wrote.
    """
    data = json.loads(text)
    return build(OccurrenceCount, {**data, "state": AlertState(data["state"])})


def dump_change(change: Change) -> str:
    """Write a change as compact JSON."""
    return dump(asdict(change))


def load_change(text: str) -> Change:
    """Read a change written by this or an older version.

    Raises:
        ValueError: It is not a document that ``dump_change`` wrote, or of a kind that only a newer version knows.
    """
    return _change(json.loads(text))


def _without_told_samples(alert: Alert) -> Alert:
    return replace(alert, sample="") if alert.notified_count else alert


def _bare(alert: Alert) -> Alert:
    fields = {name: value[:_SHORT_FIELD] for name, value in alert.fields.items()}
    return replace(alert, sample="", fields=fields, contributors={}, only_contributors=False)


def _alert(data: dict[str, Any]) -> Alert:
    told, queue = data.get("notified_state"), data.get("queue")
    changes = {
        "state": AlertState(data["state"]),
        "recent": tuple((at, count) for at, count in data.get("recent", ())),
        "notified_state": AlertState(told) if told else None,
        "notified_individually": data.get("notified_individually", bool(data.get("notified_count"))),
        "queue": build(QueueReading, queue) if queue else None,
        "contributors": {
            name: build(Contributor, {**entry, "state": AlertState(entry["state"])})
            for name, entry in data.get("contributors", {}).items()
        },
    }
    return build(Alert, {**data, **changes})


def _change(data: dict[str, Any]) -> Change:
    return build(Change, {**data, "kind": ChangeKind(data["kind"])})


def _pending(data: dict[str, Any]) -> Pending:
    changes = {
        "reason": Reason(data["reason"]),
        "fingerprints": tuple(data["fingerprints"]),
        "growing": tuple(data.get("growing", ())),
        "learned": tuple(data.get("learned", ())),
    }
    return build(Pending, {**data, **changes})
