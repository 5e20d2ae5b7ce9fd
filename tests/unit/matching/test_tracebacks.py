"""One bug is one alert: every dialect of a traceback gives the same exception and the same innermost own frame."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tocsin.adapters.files.configuration import load_configuration
from tocsin.core.matching.matcher import Matcher

MATCHER = Matcher(load_configuration(Path(__file__).resolve().parents[3] / "functions", {}).signatures)
FRAMES = '  File "/var/task/svc.py", line 9, in foo\n    bar()\n  File "/var/task/lib/x.py", line 3, in bar\n    raise ValueError("boom")\n'
TEXT = f"Traceback (most recent call last):\n{FRAMES}ValueError: boom"
DIALECTS = {
    "plain text": TEXT,
    "after a log message": f"[ERROR]\t2026-02-03T11:02:40.551Z\t0e5d2f7b\tfailed\n{TEXT}",
    "Lambda's text": f"[ERROR] ValueError: boom\nTraceback (most recent call last):\n{FRAMES}",
    "Lambda's text with no-break spaces": f"[ERROR] ValueError: boom\rTraceback (most recent call last):\n{FRAMES}".replace(
        "  ", "\u00a0\u00a0"
    ).replace("\n", "\r"),
    "CRLF and tabs": f"[ERROR] ValueError: boom\n{TEXT}".replace("\n", "\r\n").replace("  File", "\tFile"),
    "Lambda's JSON": json.dumps(
        {"log_level": "ERROR", "errorMessage": "boom", "errorType": "ValueError", "stackTrace": FRAMES.splitlines(keepends=True)}
    ),
    "logging in Lambda's JSON": json.dumps(
        {
            "level": "ERROR", "message": "failed", "logger": "root", "errorType": "ValueError", "errorMessage": "boom",
            "stackTrace": FRAMES.splitlines(keepends=True), "location": "/var/task/svc.py:handler:9",
        }
    ),
    "Powertools": json.dumps(
        {"level": "ERROR", "location": "handler:12", "message": "failed", "exception": TEXT, "exception_name": "ValueError"}
    ),
    "structlog": json.dumps({"level": "error", "event": "failed", "exception": TEXT}),
}  # fmt: skip


@pytest.mark.parametrize("line", DIALECTS.values(), ids=DIALECTS)
def test_the_exception_and_the_innermost_own_frame_are_found(line):
    (match,) = MATCHER.match(line)
    assert match.signature == "unhandled-exception"
    assert match.fields == {"exception": "ValueError", "frame": "lib/x.py:bar", "message": "boom"}


def test_frames_of_packages_are_not_ones_own():
    line = TEXT.replace("/var/task/lib/x.py", "/var/task/sqlalchemy/engine.py")
    (match,) = MATCHER.match(line)
    assert match.fields["frame"] == "svc.py:foo"


def test_a_dotted_exception_keeps_its_module_and_a_json_key_is_no_exception():
    (match,) = MATCHER.match(TEXT.replace("ValueError: boom", "zlib.error: Error -3\nlocation: here"))
    assert match.fields["exception"] == "zlib.error"
