"""The search over raw bytes never hides a line that the expressions would find."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.adapters.files.configuration import load_configuration
from tocsin.core.matching.matcher import Matcher

CONFIGURATION = load_configuration(Path(__file__).parents[3] / "functions", {})
MATCHER = Matcher(CONFIGURATION.signatures)
SAMPLES = [
    sample for entry in CONFIGURATION.signatures.values() if entry.source == "log" for sample in entry.matches
]


def envelope(message: str, *, ascii_only: bool = False) -> str:
    events = [
        {"id": "1", "timestamp": 1, "message": "INFO nothing"},
        {"id": "2", "timestamp": 1, "message": message},
    ]
    return json.dumps({"messageType": "DATA_MESSAGE", "logEvents": events}, ensure_ascii=ascii_only)


def escaped(text: str, letters: random.Random, share: float) -> str:
    """JSON may write any character as an escape: here, some are."""
    return "".join(
        f"\\u{ord(letter):04x}" if letter.isalnum() and letters.random() < share else letter
        for letter in text
    )


def in_json(message: str, dialect: int) -> str:
    """The same failure as loggers of different kinds would write it."""
    return (
        json.dumps({"level": "ERROR", "message": message}),
        json.dumps({"log_level": "ERROR", "errorType": message.partition(":")[0], "errorMessage": message}),
        json.dumps(
            {"level": 50, "msg": "failed", "err": {"type": "Error", "message": message, "stack": message}}
        ),
        json.dumps({"level": "error", "message": json.dumps({"error": message})}),
        "2026-01-01T00:00:00Z ERROR worker " + json.dumps({"detail": [message]}),
        json.dumps({"event": "failed", "level": "critical", "exc_info": message}, ensure_ascii=False),
    )[dialect]


@pytest.mark.parametrize("sample", SAMPLES, ids=range(len(SAMPLES)))
def test_every_sample_is_seen_in_the_raw_envelope(sample):
    assert MATCHER.might_match(envelope(sample).encode())
    assert MATCHER.might_match(envelope(sample, ascii_only=True).encode())


@settings(max_examples=300, deadline=None)
@given(
    sample=st.sampled_from(SAMPLES),
    dialect=st.none() | st.integers(0, 5),
    twice=st.booleans(),
    space=st.sampled_from([" ", "\xa0", "\xa0 "]),
    newline=st.sampled_from(["\n", "\r", "\r\n"]),
    seed=st.integers(0, 2**32),
    share=st.sampled_from([0.0, 0.02, 1.0]),
    ascii_only=st.booleans(),
)
def test_what_matches_is_never_hidden_however_it_is_encoded(
    sample, dialect, twice, space, newline, seed, share, ascii_only
):
    message = sample.replace(" ", space).replace("\n", newline) if not sample.startswith("{") else sample
    if dialect is not None:
        message = in_json(message, dialect)
        if twice:
            message = json.dumps({"message": message})
    if MATCHER.match(message):
        raw = envelope(message, ascii_only=ascii_only)
        head, mark, tail = raw.partition("INFO nothing")
        assert MATCHER.might_match((head + mark + escaped_message(tail, seed, share)).encode())


def escaped_message(raw: str, seed: int, share: float) -> str:
    """Escape letters only where a JSON string stands and no escape is broken."""
    letters = random.Random(seed)
    pieces = raw.split("\\")
    # What follows a backslash keeps its first five characters: they may belong to an escape.
    return "\\".join(
        [escaped(pieces[0], letters, 0.0)]
        + [piece[:5] + escaped(piece[5:], letters, share) for piece in pieces[1:]]
    )


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200), st.sampled_from(SAMPLES))
def test_text_around_a_match_never_hides_it(noise, sample):
    message = f"{noise}\n{sample}"
    if MATCHER.match(message):
        assert MATCHER.might_match(envelope(message).encode("utf-8", "surrogatepass"))
