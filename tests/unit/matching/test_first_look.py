"""A first look finds exactly what the compiled searches find, and only ever stands in for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.adapters.files.configuration import load_configuration
from tocsin.core.expressions import MAX_SEARCH_SIZE, byte_options
from tocsin.core.literal import Literal
from tocsin.core.matching.first_look import LEAST_BYTES, MOST_BYTES, MOST_PHRASES, FirstLook
from tocsin.core.matching.logline import TRANSLATED
from tocsin.core.matching.matcher import ESCAPED_WORD, Matcher
from tocsin.core.matching.prefilter import RawSearch
from tocsin.services.screening import open_prefilter

FUNCTIONS = Path(__file__).parents[3] / "functions"
SIGNATURES = load_configuration(FUNCTIONS, {}).signatures
SAMPLES = [sample for entry in SIGNATURES.values() if entry.source == "log" for sample in entry.matches]
ODD = [
    Literal(("abc",), any_case=True), Literal(("a", "b", "c")), Literal(("is", "Key", "ok"), any_case=True),
    Literal(("Kelvin",), any_case=True), Literal(("key.is-odd",)), Literal(("KEY.is-odd",), any_case=True), Literal(("0x1f",)),
]  # fmt: skip
LITERALS = [
    *dict.fromkeys(
        literal
        for each in SIGNATURES.values()
        for found in each.needed.values()
        for literal in found.literals
    ),
    *ODD,
]
OTHERS = [*TRANSLATED, ESCAPED_WORD, "x+y"]


def compiled_set(literals, others):
    together = re2.Set.SearchSet(byte_options(MAX_SEARCH_SIZE))
    for expression in (*(literal.expression for literal in literals), *others):
        together.Add(expression.encode("latin-1"))
    together.Compile()
    return together


SET, LOOK = compiled_set(LITERALS, OTHERS), FirstLook(LITERALS, OTHERS)
COMPILED = Matcher(SIGNATURES)
COMPILED._first_look.takes(MOST_BYTES + 1)
pieces = st.one_of(
    st.sampled_from([word for literal in LITERALS for word in literal.words]),
    st.sampled_from([literal.text for literal in LITERALS]),
    st.sampled_from(
        [
            " ",
            "_",
            "\\n",
            "\\u00a0",
            "\\u006b",
            "\u212a",
            "\u017f",
            "-",
            ".",
            "x",
            "\x1b[0m",
            '\\"',
            "\n",
            "type",
            '" : "',
        ]
    ),
    st.text(max_size=5),
)
texts = st.builds(
    lambda parts, change: change("".join(parts)),
    st.lists(pieces, max_size=12),
    st.sampled_from([str, str.upper, str.lower, str.swapcase, json.dumps]),
)


@settings(max_examples=200, deadline=None)
@given(texts)
def test_a_first_look_finds_what_the_set_finds(text):
    encoded = text.encode("utf-8", "replace")
    # The set compiles nothing new for a text; a first look may: so each text has one that has seen nothing.
    assert FirstLook(LITERALS, OTHERS).hits(encoded) == sorted(SET.Match(encoded) or [])


@pytest.mark.parametrize("sample", SAMPLES, ids=range(len(SAMPLES)))
def test_a_first_look_finds_in_every_sample_what_the_set_finds(sample):
    for text in (sample, json.dumps(sample), json.dumps(json.dumps(sample))):
        encoded = text.encode("utf-8", "replace")
        assert LOOK.hits(encoded) == sorted(SET.Match(encoded) or [])


@pytest.mark.parametrize(
    "text", [b"", b"a", b"abc", b"xabcx", b"keYs", b"a b c", b"a-b\\nc", b"\xff\xfe" * 9]
)
@pytest.mark.parametrize("before", [b"", b"1", b"12", b"123", b"1234"])
def test_a_literal_is_found_wherever_it_stands_and_however_short_the_text(text, before):
    for each in (before + text, before + text + before):
        assert LOOK.hits(each) == sorted(SET.Match(each) or [])


def test_a_process_that_has_looked_at_much_compiles():
    look = FirstLook(ODD, [])
    assert look.takes(MOST_BYTES)
    assert not look.takes(1)
    short = FirstLook(ODD, [])
    taken = sum(short.takes(1) for _ in range(MOST_BYTES))
    assert taken == MOST_BYTES // LEAST_BYTES
    assert not FirstLook(ODD, []).takes(100, texts=MOST_BYTES)


def test_text_that_has_the_words_of_very_many_phrases_is_left_to_the_set():
    phrases = [Literal((f"first{number}", "last")) for number in range(MOST_PHRASES)]
    look = FirstLook(phrases, [])
    assert len(look.hits(" ".join(phrase.text for phrase in phrases).encode())) == MOST_PHRASES
    assert not look.takes(1)


@settings(max_examples=200, deadline=None)
@given(st.lists(texts, max_size=4), st.sampled_from(["", *SAMPLES]))
def test_a_screen_says_the_same_before_and_after_it_is_compiled(messages, sample):
    messages = [*messages, sample]
    fresh = open_prefilter({}).search
    compiled = RawSearch(fresh.expression)
    raw = json.dumps({"logEvents": [{"message": message} for message in messages]}).encode()
    assert fresh.might_match(raw) == compiled.might_match(raw)
    # The border between two messages may make suspects of more.
    assert {*fresh.places(messages)} <= {*compiled.places(messages)}
    for place, message in enumerate(messages):
        alone = compiled.might_match(message.encode("utf-8", "replace"))
        assert (place in fresh.places(messages)) == alone


@settings(max_examples=200, deadline=None)
@given(texts, st.sampled_from(SAMPLES))
def test_a_line_is_recognised_alike_before_and_after_the_set_is_compiled(text, sample):
    line = f"{sample}{text}"
    fresh = Matcher(SIGNATURES)
    assert fresh.match(line) == COMPILED.match(line)
    assert fresh.explain(line).verdicts == COMPILED.explain(line).verdicts
