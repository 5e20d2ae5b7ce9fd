"""Watches as the JSON documents the table keeps, readable by older and newer versions."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from tocsin.core.absence.watch import Sighting, Watch
from tocsin.core.json_document import build, dump


def dump_watch(watch: Watch) -> str:
    """Write a watch as compact JSON; its version is kept beside the document."""
    return dump({key: value for key, value in asdict(watch).items() if key != "version"})


def load_watch(text: str, version: int) -> Watch:
    """Read a watch written by this or another version; keys that are not known are passed over.

    Raises:
        ValueError: It is not a document that ``dump_watch`` wrote.
    """
    data = json.loads(text)
    try:
        sightings = {key: _sighting(data.get(key)) for key in ("sign", "work", "latest")}
        return build(Watch, {**data, **sightings, "version": version})
    except (AttributeError, TypeError) as error:
        raise ValueError(f"not a watch document: {error}") from error


def _sighting(data: dict[str, Any] | None) -> Sighting | None:
    return build(Sighting, data) if data else None
