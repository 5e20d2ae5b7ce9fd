"""Reading the suspects of an envelope only gives the same answer as reading all of it."""

from __future__ import annotations

import json
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from unit.matching.test_suspects import (
    CRASHES,
    INVOCATIONS,
    PLAIN,
    SAMPLES,
    SIGNATURES,
    envelopes,
    lines,
    stream,
)

from tocsin.core.config.error_settings import ErrorSettings
from tocsin.core.ingest import raw_events
from tocsin.core.ingest.envelopes import ParsedEnvelope, parse_irregular_envelope, read_suspects
from tocsin.core.ingest.raw_events import RawEvents, SuspectSearch
from tocsin.core.matching import near_suspects
from tocsin.core.matching.matcher import Matcher
from tocsin.core.matching.prefilter import RawSearch
from tocsin.core.matching.recognition import recognised
from tocsin.core.matching.unknown_error import ErrorFinder, WithUnknownErrors

ALL = WithUnknownErrors(Matcher(SIGNATURES), ErrorFinder(SIGNATURES, ErrorSettings()), lambda *_: False)
EXPRESSION = "needle|a[^x]*b"
SEARCH, REAL_SEARCH = (
    SuspectSearch(expression, wait=0, least=0) for expression in (EXPRESSION, ALL.raw_expression)
)
PLAIN_SEARCH = RawSearch(EXPRESSION)
HEAD = {
    "messageType": "DATA_MESSAGE",
    "owner": "1",
    "logGroup": "/g",
    "logStream": "s",
    "subscriptionFilters": ["t"],
}
LAYOUTS = [(",", ":"), (", ", ": ")]

words = st.sampled_from([
    "needle", "INFO nothing", '"message":', '"message": ', "}", "{", '"},{"id":"', '"}, {"id": "', '"', "\\", "\\\\",
    ",", "]}", ":", " ", "", "a", "x", "b", "é", "\u2028", "\x1e", "\n", "\t", "\x00", "\ud800", "\U0001f600", '"id":', "timestamp", "]",
])  # fmt: skip
messages = st.lists(words, max_size=5).map("".join)


def event(number, message, at=1_770_000_000_000):
    return {"id": f"{number:056d}", "timestamp": at, "message": message}


def written(events, layout=LAYOUTS[0], *, ascii_only=False, head=HEAD):
    text = json.dumps({**head, "logEvents": events}, separators=layout, ensure_ascii=ascii_only)
    return text.encode("utf-8", "surrogatepass")


irregular = st.sampled_from([
    {"id": ""}, {"id": None}, {"id": 'q"'}, {"id": "]"}, {"id": "\\"}, {"id": 7}, {"timestamp": -1}, {"timestamp": 10**13}, {"timestamp": 10**15},
    {"timestamp": 1.5}, {"timestamp": True}, {"timestamp": "1"}, {"timestamp": 0}, {"message": None}, {"message": 1}, {"message": {}},
    {"message": {"id": "1"}}, {"message": []}, {"message": ""}, {"other": 1}, {"other": ""}, {"extractedFields": {"@aws.region": "eu-west-1"}},
    {"messag\u0065": "x"},
])  # fmt: skip
TEXTUAL = [
    (b'","message"', b'","message":"x","message"'), (b'"}', b'" }'), (b'"}', b'"\n}'), (b'"},', b'"} ,'), (b'"},', b'"},\r'), (b'"timestamp"', b'"timestamp" '),
    (b'"message":"', b'"message":"x","message":"'), (b'"message":', b'"message": '), (b'"message":', b'"messag\\u0065":'), (b'"message":', b'"m":0,"message":'),
    (b'"}]}', b'"}],"policyLevel":"a"}'), (b'"}]}', b'"}]}}'), (b'"}]}', b'"},]}'), (b'"}]}', b'"},{}]}'), (b'"}]}', b'"},1]}'), (b'"}]}', b'"}]} '),
    (b'{"id"', b'{},{"id"'), (b'{"id"', b'null,{"id"'), (b'{"id"', b'{"id":"1","id"'), (b'"logEvents":[', b'"logEvents":[],"logEvents":['),
    (b'"/g"', b'"logEvents"'), (b'"/g"', b'"\\"logEvents\\":[{"'), (b'"/g"', b"null"), (b'"/g"', b'""'), (b"DATA", b"CONTROL"), (b'"s"', b'"\xff"'),
]  # fmt: skip


@st.composite
def nearly_regular(draw):
    events = [event(number, message) for number, message in enumerate(draw(st.lists(messages, max_size=6)))]
    if events and not draw(st.integers(0, 3)):
        place = draw(st.integers(0, len(events) - 1))
        events[place] = {**events[place], **draw(irregular)}
        for key in (
            draw(st.sets(st.sampled_from(list(events[place])), max_size=1)) if draw(st.booleans()) else ()
        ):
            del events[place][key]
    raw = written(events, draw(st.sampled_from(LAYOUTS)), ascii_only=draw(st.booleans()))
    how = draw(st.integers(0, 5))
    if how == 0:
        old, new = draw(st.sampled_from(TEXTUAL))
        place = raw.find(old, draw(st.integers(0, len(raw))))
        if place >= 0:
            raw = raw[:place] + new + raw[place + len(old) :]
    elif how == 1:
        place = draw(st.integers(0, len(raw)))
        new = draw(
            st.sampled_from(
                [
                    b"",
                    b'"',
                    b"\\",
                    b"\xff",
                    b"\n",
                    b" ",
                    b",",
                    b"}",
                    b"]",
                    b"{",
                    b"\0",
                    b"1",
                    b"\xed\xa0\x80",
                    b"\\ud800",
                    b"\\u00",
                ]
            )
        )
        raw = raw[:place] + new + raw[place + draw(st.integers(0, 2)) :]
    return raw


def check(raw):
    """That what is read of the suspects is what is read of the whole."""
    quick = read_suspects(raw, SEARCH)
    if quick is None:
        return False
    whole = parse_irregular_envelope(raw)
    assert isinstance(whole, ParsedEnvelope)
    assert whole.problems == ()
    envelope = whole.envelope
    assert (quick.id, quick.account, quick.log_group, quick.log_stream) == (
        envelope.id, envelope.account, envelope.log_group, envelope.log_stream,
    )  # fmt: skip
    assert envelope.origins == ()
    events = quick.events
    assert isinstance(events, RawEvents)
    assert (len(events), events[0], events[-1]) == (
        len(envelope.events),
        envelope.events[0],
        envelope.events[-1],
    )
    read = [events.around(start, 0).events[0] for start in events.suspects]
    for start, one in zip(events.suspects, read, strict=True):
        near = events.around(start, 2)
        place = near.starts.index(start)
        first = len(events) - len(near.events) if near.ends else 0
        if not (near.begins or near.ends):
            first = next(number for number, other in enumerate(envelope.events) if other == near.events[0])
        assert near.events == list(envelope.events[first : first + len(near.events)])
        assert near.events[place] == one
    assert tuple(events) == envelope.events
    left = [one for one in envelope.events if one not in read]
    assert [one for one in left if PLAIN_SEARCH.might_match(one.message.encode())] == []
    return True


@settings(max_examples=1_500, deadline=None)
@given(nearly_regular())
@example(written([event(1, ":"), {"timestamp": 1, "message": ""}]))
@example(written([event(1, ": "), {"id": "", "timestamp": 1, "message": ""}], LAYOUTS[1]))
@example(written([event(1, '":'), {"timestamp": 1, "message": ""}]))
@example(written([event(1, '"message":'), {"timestamp": 1, "message": ""}]))
@example(written([event(1, "needle"), event(2, ":"), {"timestamp": 1, "message": ""}]))
def test_what_is_read_of_suspects_is_what_is_read_of_the_whole_or_nothing_is(raw):
    check(raw)


@settings(max_examples=300, deadline=None)
@given(envelopes())
def test_nor_is_an_envelope_out_of_order_read_by_its_suspects(raw):
    check(raw)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_envelope_in_order_is_read_by_its_suspects(layout):
    texts = ["INFO", "needle", "", "x", 'say "needle" \\', "}", 'a "message":', "é", "  two", "y" * 9_000]
    assert check(written([event(number, text) for number, text in enumerate(texts)], layout))


@pytest.mark.parametrize(("old", "new"), TEXTUAL)
def test_one_thing_out_of_order_is_seen_wherever_it_is(old, new):
    for place in range(3):
        parts = written([event(number, "INFO: ") for number in range(3)]).split(old)
        if place + 1 < len(parts):
            check(old.join(parts[: place + 1]) + new + old.join(parts[place + 1 :]))


def test_the_first_envelopes_small_ones_and_those_of_many_suspects_are_read_whole():
    raw = written([event(number, "needle") for number in range(20)])
    assert read_suspects(raw, SEARCH) is None
    raw = written([event(1, "needle"), event(2, "x")])
    assert read_suspects(raw, SuspectSearch(EXPRESSION, wait=0, least=len(raw) + 1)) is None
    search = SuspectSearch(EXPRESSION, wait=1, least=len(raw))
    assert read_suspects(raw, search) is None
    assert read_suspects(raw, search) is not None


blocks = st.sampled_from([
    CRASHES[:5], CRASHES[7:10], CRASHES[10:14], INVOCATIONS[:4], INVOCATIONS[8:12], SAMPLES[:1], SAMPLES[7:9], PLAIN[2:5] * 9, ["INFO nothing"] * 60,
    ["ERROR app: order 7 was lost"], ["\tat a.B.c(B.java:1)"] * 5, INVOCATIONS[:1], INVOCATIONS[8:9], ["[ERROR] KeyError: 'a'", *CRASHES[:5]],
])  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(
    st.lists(blocks, max_size=12).map(lambda many: [line for block in many for line in block])
    | st.lists(lines, max_size=30),
    st.lists(st.sampled_from([0, 1, 2_000]), max_size=4),
    st.sampled_from(LAYOUTS),
    st.sampled_from([(1,), (1, 2, 5), (3, 12, 48, 192)]),
)
@example([CRASHES[0], CRASHES[2], CRASHES[4], SAMPLES[0]], [], LAYOUTS[0], (3, 12))
@example([*INVOCATIONS[:8], *["INFO"] * 40, *INVOCATIONS[8:16]], [], LAYOUTS[1], (3, 12, 48))
@example(
    ["y", "Traceback (most recent call last):", " x", SAMPLES[0], "INFO", SAMPLES[0]], [], LAYOUTS[0], (1, 4)
)
def test_what_is_recognised_near_suspects_is_what_is_recognised_in_all_events(texts, pauses, layout, reaches):
    events = stream(texts, pauses)
    raw = written([
        {"id": one.id, "timestamp": one.timestamp, "message": one.message} for one in events
    ], layout)  # fmt: skip
    with patch.object(raw_events, "BYTES_A_SUSPECT", 0), patch.object(near_suspects, "REACHES", reaches):
        quick = read_suspects(raw, REAL_SEARCH)
        if quick is not None:
            assert recognised(quick.events, ALL) == recognised(events, ALL)
