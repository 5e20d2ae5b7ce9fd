"""Looking at suspects only gives the same answer as looking at everything."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tocsin.adapters.files.configuration import load_configuration
from tocsin.core.ingest.envelopes import parse_envelope, parse_irregular_envelope
from tocsin.core.ingest.inflation import EnvelopeError
from tocsin.core.matching.crash_lines import crash_spans, joined, stands_alone
from tocsin.core.matching.invocations import Found, once_per_invocation
from tocsin.core.matching.matcher import Matcher
from tocsin.core.matching.prefilter import RawSearch
from tocsin.core.matching.recognition import recognised
from tocsin.core.model import LogEvent

SIGNATURES = load_configuration(Path(__file__).parents[3] / "functions", {}).signatures
MATCHER = Matcher(SIGNATURES)
SAMPLES = [sample for entry in SIGNATURES.values() if entry.source == "log" for sample in entry.matches]
REQUESTS = [f"00000000-0000-4000-8000-00000000000{n}" for n in range(3)]
PLAIN = [
    "",
    " ",
    "INFO nothing",
    "\tindented",
    "GET /a 200 (ok)",
    "x\x1ey",
    "  | table",
    "}{",
    "é\u2028",
    "done.",
    "D",
]
CRASHES = [
    "Traceback (most recent call last):", "ERROR Traceback (most recent call last):", '  File "/var/task/app.py", line 3, in f',
    "    raise ValueError()", "ValueError: no", "KeyError: 'x'", "During handling of the above exception, another exception occurred:",
    "java.lang.IllegalStateException: no", "\tat com.example.App.run(App.java:7)", "Caused by: java.io.IOException: Broken pipe",
    "panic: runtime error: index out of range", "goroutine 1 [running]:", "main.main()", "fatal error: all asleep", "... 3 more",
    "Error: boom", "    at f (/app/i.js:1:2)", "created by main", "#0 /app/index.php(3): f()", "Stack trace:", "exit status 2",
]  # fmt: skip
INVOCATIONS = [
    shape.format(request)
    for request in REQUESTS
    for shape in (
        "START RequestId: {} Version: $LATEST",
        "END RequestId: {}",
        "REPORT RequestId: {}\tDuration: 3000.00 ms\tStatus: timeout",
        "2026-03-04T05:06:07.089Z {} Task timed out after 3.00 seconds",
        "RequestId: {} Error: Runtime exited with error: signal: killed",
        '{{"type":"platform.start","record":{{"requestId":"{}"}}}}',
        '{{"type":"platform.report","record":{{"requestId":"{}","status":"timeout"}}}}',
        "[ERROR]\t2026-03-04T05:06:07.089Z\t{}\tMySQL server has gone away",
    )
] + [
    "INIT_START Runtime Version: python:3.13.v30",
    "INIT_REPORT Init Duration: 229.04 ms\tPhase: init\tStatus: error\tError Type: Runtime.ImportModuleError",
    "[ERROR] Runtime.ImportModuleError: Unable to import module 'app': No module named 'mangum'",
]

lines = (
    st.sampled_from(PLAIN)
    | st.sampled_from(CRASHES)
    | st.sampled_from(INVOCATIONS)
    | st.sampled_from(SAMPLES)
    | st.text(max_size=20)
)


def stream(messages, pauses):
    events, at = [], 1_770_000_000_000
    for number, message in enumerate(messages):
        at += pauses[number % len(pauses)] if pauses else 0
        events.append(LogEvent(f"{number}", at, message.encode("utf-8", "replace").decode()))
    return events


def by_looking_at_all(events):
    found = [Found(event, MATCHER.match(event.message)) for event in joined(events)]
    return once_per_invocation(found, MATCHER.explains, MATCHER.catches_all)


@settings(deadline=None)
@given(st.lists(st.builds(str.__add__, lines, st.sampled_from(["", "\n", " \r\n", ")", ":"])), max_size=8))
def test_an_event_that_is_said_to_stand_alone_is_a_span_by_itself(messages):
    events = stream(messages, [])
    spans = {*crash_spans(events, 0, len(events))}
    texts = [event.message for event in events]
    for place in range(len(texts)):
        assert not stands_alone(texts, place) or (place, place + 1) in spans


@settings(max_examples=400, deadline=None)
@given(st.lists(lines, max_size=30), st.lists(st.sampled_from([0, 1, 2_000]), max_size=4))
@example([CRASHES[0], CRASHES[2], CRASHES[4], SAMPLES[0]], [])
@example([*INVOCATIONS[:8], *INVOCATIONS[8:16]], [])
@example(["y", "Traceback (most recent call last):", " x", SAMPLES[0], "INFO", SAMPLES[0]], [])
def test_what_is_recognised_is_what_looking_at_every_event_recognises(messages, pauses):
    events = stream(messages, pauses)
    assert recognised(events, MATCHER) == by_looking_at_all(events)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_nor_does_it_depend_on_it_in_streams_of_whole_invocations_and_crashes(data):
    blocks = st.sampled_from(
        [
            CRASHES[:5],
            CRASHES[7:10],
            CRASHES[10:14],
            INVOCATIONS[:4],
            INVOCATIONS[8:12],
            SAMPLES[:1],
            PLAIN[2:5] * 4,
        ]
    )
    messages = [line for block in data.draw(st.lists(blocks, max_size=12)) for line in block]
    cut = data.draw(st.integers(0, 3))
    events = stream(messages[cut:], [])
    assert recognised(events, MATCHER) == by_looking_at_all(events)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.text("abc de\n\x1eé", max_size=12) | st.sampled_from(["needle", "hay", "stack"]), max_size=12)
)
def test_no_message_with_something_in_it_is_passed_over_however_short_its_neighbours_are(messages):
    search = RawSearch("needle|a[^x]*b|hay[^0-9A-Za-z_]+stack|é")
    places = search.places(messages)
    assert places == sorted(set(places))
    for place, message in enumerate(messages):
        if search.might_match(message.encode()):
            assert place in places


# --- envelopes ---

texts = st.text(max_size=20) | st.sampled_from(
    ["", '\\"},{"id":"', "\ud800", '{"a":{"b":"}"}}', "\x00\x1e\x7f", "x" * 5_000]
)
fields = st.dictionaries(
    st.sampled_from(["@aws.account", "@aws.region", "@source.log", "id", "message"]),
    texts | st.just("123456789012") | st.none(),
)
values = texts | st.integers() | st.none() | st.booleans() | st.floats() | st.just([]) | st.just({"a": 1})


@st.composite
def entries(draw):
    entry = {
        "id": draw(st.sampled_from(["1", "2", "3" * 56, ""])),
        "timestamp": draw(
            st.integers(0, 2**41) | st.sampled_from([-1, 32_503_680_000_000, 2**70, 1.0, True, "1"])
        ),
        "message": draw(texts),
    }
    if draw(st.booleans()):
        entry["extractedFields"] = draw(fields | values)
    if not draw(st.integers(0, 4)):
        entry[draw(st.sampled_from(["id", "timestamp", "message", "other"]))] = draw(values)
    if not draw(st.integers(0, 9)):
        del entry[draw(st.sampled_from(["id", "timestamp", "message"]))]
    return dict(draw(st.permutations(list(entry.items()))))


@st.composite
def envelopes(draw):
    document = {
        "messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": "/aws/lambda/backend", "logStream": "s",
        "subscriptionFilters": ["tocsin"], "logEvents": draw(st.lists(entries() | (values if not draw(st.integers(0, 9)) else entries()), max_size=4)),
    }  # fmt: skip
    if not draw(st.integers(0, 4)):
        document[draw(st.sampled_from([*document, "policyLevel", "other"]))] = draw(values)
    document = dict(draw(st.permutations(list(document.items()))))
    compact, ascii_only = draw(st.booleans()), draw(st.booleans())
    text = json.dumps(document, separators=(",", ":") if compact else None, ensure_ascii=ascii_only)
    raw = text.encode("utf-8", "surrogatepass")
    if not draw(st.integers(0, 3)):  # damaged: cut short, or some bytes of it others
        place = draw(st.integers(0, len(raw)))
        raw = (
            raw[:place]
            + draw(
                st.sampled_from([b"", b"\\", b'"', b"\xff", b"\n", b",", b"}", b"\\u00", b"\0", b"1", b"NaN"])
            )
            + raw[place + draw(st.integers(0, 2)) :]
        )
    return raw


def outcome(parse, raw):
    try:
        return parse(raw)
    except EnvelopeError as error:
        return str(error)


@settings(max_examples=600, deadline=None)
@given(envelopes())
def test_an_envelope_is_read_alike_by_its_types_and_value_by_value(raw):
    assert outcome(parse_envelope, raw) == outcome(parse_irregular_envelope, raw)


def test_a_key_that_comes_twice_counts_by_its_last_value():
    raw = (
        b'{"messageType":"DATA_MESSAGE","logGroup":"g","logEvents":[{"id":"1","timestamp":1,"message":"a","message":"b"},'
        b'{"id":"2","timestamp":1,"messag\\u0065":"c"}],"logGroup":"h"}'
    )
    assert parse_envelope(raw) == parse_irregular_envelope(raw)
    assert [event.message for event in parse_envelope(raw).envelope.events] == ["b", "c"]
