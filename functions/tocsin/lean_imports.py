"""msgspec, imported without ``typing_extensions``.

From Python 3.11 on ``typing`` has what msgspec takes from it, and msgspec asks there where ``typing_extensions`` is
missing. It would bring ``inspect``, ``ast``, ``dis`` and ``tokenize``: a twelfth of a cold start with a match.
"""

from __future__ import annotations

import sys
from typing import Any, cast


def import_msgspec() -> None:
    """Import msgspec, if nobody did yet; whoever asks for ``typing_extensions`` later gets it as ever."""
    if "msgspec" in sys.modules or "typing_extensions" in sys.modules:
        return
    modules = cast("dict[str, Any]", sys.modules)
    modules["typing_extensions"] = None  # as if it were not installed
    try:
        import msgspec  # noqa: F401
    finally:
        del modules["typing_extensions"]
