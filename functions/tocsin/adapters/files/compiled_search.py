"""The one search that rules out nearly every batch, kept ready: ``signatures/search.json``.

``tocsin check`` leaves it beside the configuration that it found right, under the digest of exactly those files and of
the code that read them. A cold start that finds it needs nothing else before its first answer: no signature is read, no
setting parsed. After any change it counts for nothing: a build refuses it, and a command reads and tries everything itself.

Imports the standard library only: a build looks at it before any dependency is there.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

SEALED_SEARCH = "signatures/search.json"
COMPILED = "signatures/compiled.json"

_CODE = Path(__file__).resolve().parent.parent.parent
_READERS = (
    "adapters/files/configuration.py", "core/absence/expected_lines.py", "core/config/error_settings.py",
    "core/config/settings.py", "core/expressions.py",
    "core/matching/crashes.py", "core/matching/levels.py", "core/matching/logline.py", "core/matching/matcher.py",
    "core/matching/prefilter.py", "core/matching/unknown_error.py", "core/model.py", "core/signatures/absence_rule.py", "core/signatures/drill.py",
    "core/signatures/field_search.py", "core/signatures/heartbeat.py",
    "core/signatures/literals.py", "core/signatures/overlay.py", "core/signatures/reader.py",
    "core/signatures/signature.py", "core/table_reader.py", "core/times.py",
)  # fmt: skip
"""What decides whether configuration is right, and what the search looks for."""


def compiled_search(root: Path) -> str | None:
    """The expression for `RawSearch`, or None where nothing is known about exactly this configuration.

    Args:
        root: The deployment root.
    """
    expression = compiled_content(root, SEALED_SEARCH).get("expression")
    return expression if isinstance(expression, str) else None


def stale_files(root: Path) -> list[str]:
    """Which of the compiled files are missing, or are of another configuration or code.

    Args:
        root: The deployment root.
    """
    return [name for name in (COMPILED, SEALED_SEARCH) if not compiled_content(root, name)]


def compiled_content(root: Path, name: str) -> dict[str, Any]:
    """The content of a compiled file of exactly this configuration; empty where there is none.

    Args:
        root: The deployment root.
        name: Which: ``COMPILED`` or ``SEALED_SEARCH``.
    """
    content = _content(root, name)
    return content if content.get("digest") == configuration_digest(root) else {}


def seal_search(root: Path, expression: str) -> bool:
    """Keep the expression for configuration that was just found right.

    Returns:
        Whether it had to be written; False where it was current.

    Raises:
        OSError: It cannot be written.
    """
    content = {"digest": configuration_digest(root), "expression": expression}
    if _content(root, SEALED_SEARCH) == content:
        return False
    (root / SEALED_SEARCH).write_text(json.dumps(content, indent=0) + "\n", "utf-8")
    return True


def _content(root: Path, name: str) -> dict[str, Any]:
    try:
        content = json.loads((root / name).read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def configuration_digest(root: Path) -> str:
    """What names a configuration and the code that reads it.

    Args:
        root: The deployment root.
    """
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
