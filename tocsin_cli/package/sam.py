"""Running the SAM CLI."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path


class BuildError(Exception):
    """There is no package that may be deployed; the message says why and what to do."""


def sam_command() -> str:
    """The SAM CLI: the one beside this Python, else the one on the path.

    Raises:
        BuildError: There is none.
    """
    beside = Path(sys.executable).with_name("sam.exe" if os.name == "nt" else "sam")
    found = str(beside) if beside.is_file() else shutil.which("sam")
    if not found:
        raise BuildError(
            "the SAM CLI is not installed: it comes with Tocsin (pipx install tocsin, in a clone make setup)"
        )
    return found
