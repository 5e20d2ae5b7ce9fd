"""Matching, with its gates of literals and its sets, says what a plain matcher without any of them says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.batches import ordinary_lines
from tocsin.adapters.files.configuration import load_configuration
from tocsin.core.matching.logline import read_line
from tocsin.core.matching.matcher import MAX_TRIES, Matcher
from tocsin.core.matching.quoting import quoted_as
from tocsin.core.signatures.signature import Source

ROOT = Path(__file__).parents[3]
SIGNATURES = load_configuration(ROOT / "functions", {}).signatures
LOGS = {name: entry for name, entry in SIGNATURES.items() if entry.source is Source.LOG}
MATCHER = Matcher(SIGNATURES)
SAMPLES = [sample for entry in LOGS.values() for sample in (*entry.matches, *entry.ignores)]
CORPUS = [
    json.loads(line)["message"]
    for path in sorted((ROOT / "tests" / "corpus").glob("*.jsonl"))
    for line in path.read_text("utf-8").splitlines()
]
# RE2's classes are ASCII.
PLAIN = {text: re.compile(text, re.ASCII) for entry in LOGS.values() for text in (*entry.any, *entry.none)}


def explained_by(name):
    seen, ahead = set(), [name]
    while ahead:
        for other in SIGNATURES[ahead.pop()].inhibits:
            if other not in seen:
                seen.add(other)
                ahead.append(other)
    return seen - {name}


def one(entry, line):
    """Whether a signature recognises a line, tried expression by expression with the standard library."""
    for text in entry.any:
        for tries, found in enumerate(PLAIN[text].finditer(line.text)):
            if any(PLAIN[forbidden].search(line.text) for forbidden in entry.none):
                break
            level, certain = line.statement_at(found.start())
            is_error = certain and level is not None and level.is_error
            if (level is None or level.rank >= entry.min_level.rank) and (
                is_error or not quoted_as(line.text, *found.span())
            ):
                return True
            if tries >= MAX_TRIES:
                break
    return False


def plainly(message):
    line = read_line(message)
    raised = {name for name, entry in LOGS.items() if one(entry, line)}
    named = {name for name in raised if not SIGNATURES[name].catch_all}
    if named:
        raised = named
    return {name for name in raised if not any(name in explained_by(other) for other in raised)}


def matched(message):
    return {match.signature for match in MATCHER.match(message)}


@pytest.mark.parametrize("start", range(0, len(CORPUS), 100))
def test_on_every_line_of_the_corpus(start):
    for message in CORPUS[start : start + 100]:
        assert matched(message) == plainly(message), message


def test_on_ordinary_lines():
    for message in ordinary_lines(60):
        assert matched(message) == plainly(message) == set()


@settings(max_examples=150, deadline=None)
@given(
    parts=st.lists(
        st.one_of(
            st.sampled_from(SAMPLES),
            st.sampled_from(["INFO ", "[ERROR]\t", "DEBUG: ", "\n", " ", '"', "```", "see ", "\u00a0", "\r"]),
            st.text(alphabet=st.characters(max_codepoint=0x17E, exclude_categories=["Cs"]), max_size=12),
        ),
        min_size=1,
        max_size=5,
    ),
    wrapped=st.sampled_from([None, "message", "errorMessage", "stack_trace"]),
)
def test_on_whatever_lines_are_made_of(parts, wrapped):
    message = "".join(parts)
    if wrapped:
        message = json.dumps({"level": "ERROR", wrapped: message})
    assert matched(message) == plainly(message)
