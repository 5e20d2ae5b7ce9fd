"""Running the SAM CLI."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tocsin_cli.command_error import CommandError


class BuildError(CommandError):
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


_NOISE = (
    "Managed S3 bucket",
    "Auto resolution of buckets",
    "To use a specific S3 bucket",
    "Above settings can be stored",
    "File with same data already exists",
)
"""Advice on sam's own settings, which Tocsin gives it, and each package that needs no upload."""
_EVENTS, _OUTPUTS, _END = "CloudFormation events from", "CloudFormation outputs from", "Successfully"


def brief(lines: Iterable[str]) -> Iterator[str]:
    """What `sam deploy` says, without the events of what goes well, and without the outputs' descriptions.

    Args:
        lines: Its output. A row of a table whose cells are too long goes on in lines that begin with a blank or, of outputs,
            with none of a row's names; they share the row's fate.
    """
    part, shown, blank = "", True, False
    for line in lines:
        text = line.rstrip()
        if text.lstrip().startswith(_NOISE):
            continue
        if text.startswith((_EVENTS, _OUTPUTS, _END)):
            part, shown = text, True
        elif part.startswith(_EVENTS) and text and not text[0].isspace():
            shown = text.startswith("-") or "FAILED" in text or "ROLLBACK" in text or " " not in text.strip()
        elif part.startswith(_OUTPUTS) and re.match(r"(Key|Description|Value) ", text):
            shown = not text.startswith("Description")
        if (shown and text) or (not text and not blank and not part.startswith((_EVENTS, _OUTPUTS))):
            yield text
        blank = not text


_WITHOUT_TELEMETRY = {"SAM_CLI_TELEMETRY": "0"}


def ask_sam(arguments: list[str], project: Path, **environment: str) -> tuple[int, str]:
    """Run sam and keep what it says.

    Returns:
        Its exit status, and its output.

    Raises:
        BuildError: There is no SAM CLI.
    """
    done = subprocess.run(
        [sam_command(), *arguments],
        cwd=project,
        env={**os.environ, **_WITHOUT_TELEMETRY, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def run_sam(arguments: list[str], project: Path, *, whole: bool) -> int:
    """Run sam; into a log, without its progress bar and without the events of what has only begun.

    Returns:
        Its exit status.

    Raises:
        BuildError: There is no SAM CLI.
    """
    command, environment = [sam_command(), *arguments], {**os.environ, **_WITHOUT_TELEMETRY}
    if whole:
        return subprocess.run(command, cwd=project, env=environment, check=False).returncode
    with subprocess.Popen(
        [*command, "--no-progressbar"],
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as running:
        for line in brief(running.stdout or ()):
            print(line, flush=True)
    return running.returncode
