"""The outages of tocsin_cli/outages.toml as files, such as somebody exported them from CloudWatch Logs."""

from __future__ import annotations

import json
from pathlib import Path

from tocsin_cli.outages import load_stories, logged


def write_outage(name: str, folder: Path) -> Path:
    """Write what the service logged in one outage (``A`` to ``E``) into a folder, as JSON lines."""
    path = folder / f"{name}.jsonl"
    entries = (
        {"timestamp": line.timestamp, "logGroup": line.log_group, "message": line.message}
        for line in logged(load_stories()[name])
    )
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries), "utf-8")
    return path
