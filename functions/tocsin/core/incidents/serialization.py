"""An incident as the JSON document the table keeps, of a size that the table takes.

A document, not a row per alert: the incident is always written by one writer at a time, as a whole, under a
version condition, so its parts can never disagree.
"""

from __future__ import annotations

from msgspec.structs import replace

from tocsin.core.incidents.incident import Alert, Incident
from tocsin.core.stored_document import dump_document, load_document

MAX_BYTES = 380_000
"""A DynamoDB item ends at 400 KB, its keys and attribute names included."""

_SHORT_FIELD = 30


def dump_incident(incident: Incident) -> str:
    """Write an incident as compact JSON that fits an item.

    One that does not fit loses the samples of alerts that people have been told of, then all samples and the ends
    of long fields: a document that could not be stored would stop the service's incident from moving at all.
    """
    text = dump_document(incident)
    for lighter in (_without_notified_samples, _bare):
        if len(text.encode()) <= MAX_BYTES:
            break
        alerts = {name: lighter(alert) for name, alert in incident.alerts.items()}
        text = dump_document(replace(incident, alerts=alerts))
    return text


def load_incident(text: str) -> Incident:
    """Read an incident written by this or an older version; keys of a newer version are passed over.

    Raises:
        ValueError: It is not a document that ``dump_incident`` wrote.
    """
    return load_document(text, Incident)


def _without_notified_samples(alert: Alert) -> Alert:
    return replace(alert, sample="") if alert.notified.count else alert


def _bare(alert: Alert) -> Alert:
    fields = {name: value[:_SHORT_FIELD] for name, value in alert.fields.items()}
    return replace(alert, sample="", fields=fields, contributors={}, only_contributors=False)
