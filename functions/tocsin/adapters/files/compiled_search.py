"""The one search that rules out nearly every batch, kept ready: ``signatures/search.json``.

``tocsin check`` leaves it beside the configuration that it found right, under the digest of exactly those files and of
the code that read them. A cold start that finds it needs nothing else before its first answer: no signature is read, no
setting parsed. After any change it counts for nothing, and everything is read, tried and refused as ever.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

SEALED_SEARCH = "signatures/search.json"

_CODE = Path(__file__).resolve().parent.parent.parent
_READERS = (
    "adapters/files/configuration.py", "core/absence/expected_lines.py", "core/config/error_settings.py",
    "core/config/settings.py", "core/expressions.py",
    "core/matching/crashes.py", "core/matching/levels.py", "core/matching/logline.py", "core/matching/matcher.py",
    "core/matching/prefilter.py", "core/matching/unknown_error.py", "core/model.py", "core/signatures/absence_rule.py", "core/signatures/drill.py",
    "core/signatures/field_search.py", "core/signatures/heartbeat.py",
    "core/signatures/literals.py", "core/signatures/overlay.py", "core/signatures/reader.py",
    "core/signatures/signature.py", "core/times.py",
)  # fmt: skip
"""What decides whether configuration is right, and what the search looks for."""


def compiled_search(root: Path) -> str | None:
    """The expression for `RawSearch`, or None where nothing is known about exactly this configuration.

    Args:
        root: The deployment root.
    """
    content = _content(root)
    expression = content.get("expression")
    return expression if isinstance(expression, str) and content.get("digest") == _digest(root) else None


def seal_search(root: Path, expression: str) -> bool:
    """Keep the expression for configuration that was just found right.

    Returns:
        Whether it had to be written; False where it was current.

    Raises:
        OSError: It cannot be written.
    """
    content = {"digest": _digest(root), "expression": expression}
    if _content(root) == content:
        return False
    (root / SEALED_SEARCH).write_text(json.dumps(content, indent=0) + "\n", "utf-8")
    return True


def _content(root: Path) -> dict[str, Any]:
    try:
        content = json.loads((root / SEALED_SEARCH).read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _digest(root: Path) -> str:
    digest = hashlib.sha256()
    code = [(name, _CODE / name) for name in _READERS]
    data = [
        (path.name, path) for path in (*sorted(root.glob("*.toml")), *sorted(root.glob("signatures/*.toml")))
    ]
    for name, path in (*code, *data):
        content = path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
