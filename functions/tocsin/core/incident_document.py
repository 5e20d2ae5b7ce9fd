"""Incidents and tallies as the JSON documents the table keeps.

A document, not a row per alert: the incident is always written by one writer at a time, as a whole, under a
version condition, so its parts can never disagree.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any, TypeVar

from tocsin.core.model import Alert, AlertState, Incident, Pending, Reason, Tally

_T = TypeVar("_T", Alert, Incident, Pending, Tally)


def dump_incident(incident: Incident) -> str:
    """Write an incident as compact JSON."""
    return _dump(asdict(incident))


def load_incident(text: str) -> Incident:
    """Read an incident written by this or an older version; keys of a newer version are passed over.

    Raises:
        ValueError: It is not a document that ``dump_incident`` wrote.
    """
    data = json.loads(text)
    data["alerts"] = {name: _alert(entry) for name, entry in data["alerts"].items()}
    data["outbox"] = tuple(_pending(entry) for entry in data["outbox"])
    return _build(Incident, data)


def dump_tally(tally: Tally) -> str:
    """Write a tally as compact JSON."""
    return _dump(asdict(tally))


def load_tally(text: str) -> Tally:
    """Read a tally written by this or an older version.

    Raises:
        ValueError: It is not a document that ``dump_tally`` wrote.
    """
    data = json.loads(text)
    return _build(Tally, {**data, "state": AlertState(data["state"])})


def _alert(data: dict[str, Any]) -> Alert:
    recent = tuple((at, count) for at, count in data.get("recent", ()))
    return _build(Alert, {**data, "state": AlertState(data["state"]), "recent": recent})


def _pending(data: dict[str, Any]) -> Pending:
    changes = {"reason": Reason(data["reason"]), "fingerprints": tuple(data["fingerprints"])}
    return _build(Pending, {**data, **changes})


def _dump(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _build(kind: type[_T], data: dict[str, Any]) -> _T:
    known = {field.name for field in fields(kind)}
    try:
        return kind(**{key: value for key, value in data.items() if key in known})
    except TypeError as error:
        raise ValueError(f"not a {kind.__name__.lower()} document: {error}") from error
