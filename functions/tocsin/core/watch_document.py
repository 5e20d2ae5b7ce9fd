"""Watches as the JSON documents the table keeps, readable by older and newer versions."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any

from tocsin.core.watch import Moment, Watch


def dump_watch(watch: Watch) -> str:
    """Write a watch as compact JSON; its version is kept beside the document."""
    data = {key: value for key, value in asdict(watch).items() if key != "version"}
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def load_watch(text: str, version: int) -> Watch:
    """Read a watch written by this or another version; keys that are not known are passed over.

    Raises:
        ValueError: It is not a document that ``dump_watch`` wrote.
    """
    data = json.loads(text)
    known = {each.name for each in fields(Watch)} - {"version"}
    try:
        values = {key: value for key, value in data.items() if key in known}
        moments = {key: _moment(values.get(key)) for key in ("sign", "work", "latest")}
        return Watch(**{**values, **moments}, version=version)
    except (AttributeError, TypeError) as error:
        raise ValueError(f"not a watch document: {error}") from error


def _moment(data: dict[str, Any] | None) -> Moment | None:
    known = {each.name for each in fields(Moment)}
    return Moment(**{key: value for key, value in data.items() if key in known}) if data else None
