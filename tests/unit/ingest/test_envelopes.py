"""Envelopes are inflated within bounds, known by what they hold, and read as far as they can be."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
import subprocess
import sys
import tracemalloc
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.core.ingest import inflation
from tocsin.core.ingest.envelopes import BadLogEvent, ControlMessage, parse_envelope
from tocsin.core.ingest.inflation import EnvelopeError, inflate
from tocsin.core.times import LATEST

EVENTS = [
    {"id": "3" * 56, "timestamp": 1_770_056_100_000, "message": "one"},
    {"id": "4" * 56, "timestamp": 1, "message": "two"},
]


def document(**changes):
    return {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": "/aws/lambda/backend",
        "logStream": "s",
        "subscriptionFilters": ["tocsin"],
        "logEvents": EVENTS,
        **changes,
    }


def packed(value, **options):
    raw = value if isinstance(value, bytes) else json.dumps(value, **options).encode()
    return base64.b64encode(gzip.compress(raw)).decode()


def parsed(**changes):
    return parse_envelope(json.dumps(document(**changes)).encode())


def test_an_envelope_is_read_in_order():
    envelope, problems = parse_envelope(inflate(packed(document())))
    assert problems == ()
    assert (envelope.account, envelope.log_group, envelope.log_stream) == (
        "123456789012",
        "/aws/lambda/backend",
        "s",
    )
    assert [(event.id, event.timestamp, event.message) for event in envelope.events] == [
        ("3" * 56, 1_770_056_100_000, "one"),
        ("4" * 56, 1, "two"),
    ]


@given(st.binary(max_size=3000))
def test_inflating_gives_back_what_was_packed_by_any_compressor_level(raw):
    for level in (0, 1, 9):
        data = base64.b64encode(gzip.compress(raw, level))
        assert inflate(data) == raw
        assert inflate(data.decode()) == raw


def test_several_gzip_members_and_zero_padding_are_joined():
    data = gzip.compress(b"one") + gzip.compress(b"") + gzip.compress(b" two") + b"\0" * 7
    assert inflate(base64.b64encode(data)) == b"one two"


def test_line_breaks_in_the_base64_are_forgiven():
    assert inflate(base64.encodebytes(gzip.compress(os.urandom(200) + b"x"))).endswith(b"x")


@pytest.mark.parametrize("members", [1, 3])
def test_exactly_the_limit_passes_and_one_byte_more_does_not(members):
    data = base64.b64encode(b"".join(gzip.compress(b"x" * 100) for _ in range(members)))
    assert len(inflate(data, limit=100 * members)) == 100 * members
    with pytest.raises(EnvelopeError, match="more than"):
        inflate(data, limit=100 * members - 1)


def in_words(data, limit):
    try:
        return inflate(data, limit=limit)
    except EnvelopeError as error:
        return str(error)


LARGE_PACKED = gzip.compress(Random(7).randbytes(inflation.LARGE) * 3)


@settings(max_examples=200)
@given(
    flipped=st.one_of(
        st.just(()), st.lists(st.integers(0, 11)), st.lists(st.integers(0, len(LARGE_PACKED) - 1))
    ),
    cut=st.one_of(st.none(), st.integers(inflation.LARGE, len(LARGE_PACKED))),
    after=st.sampled_from((b"", b"\0\0", b"x", gzip.compress(b"more"), LARGE_PACKED)),
    bit=st.integers(0, 7),
    room=st.integers(-2, 2),
)
def test_a_large_delivery_is_inflated_by_a_faster_library_to_the_same(flipped, cut, after, bit, room):
    packed = bytearray(LARGE_PACKED)
    for place in flipped:
        packed[place] ^= 1 << bit
    data = base64.b64encode(bytes(packed[:cut]) + after)
    limit = 3 * inflation.LARGE + room
    fast = in_words(data, limit)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inflation, "LARGE", len(data))
        assert in_words(data, limit) == fast


def test_only_a_large_delivery_imports_the_faster_library():
    code = (
        "import base64, gzip, os, sys; from tocsin.core.ingest.inflation import LARGE, inflate\n"
        "for size in (LARGE // 2, LARGE * 2):\n"
        "    inflate(base64.b64encode(gzip.compress(os.urandom(size)))); print('isal' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_a_bomb_is_refused_without_being_inflated():
    bomb = base64.b64encode(gzip.compress(b"\0" * 100_000_000, 6))
    tracemalloc.start()
    try:
        with pytest.raises(EnvelopeError, match="more than 1,000,000 bytes"):
            inflate(bomb, limit=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("", "empty"),
        ("*** not base64 ***", "not base64"),
        ("ä", "not base64"),
        (None, "not base64"),
        (7, "not base64"),
        (base64.b64encode(b"plain text"), "not gzip"),
        (base64.b64encode(gzip.compress(b"x" * 1000, mtime=0)[:-9]), "ends too early"),
        (base64.b64encode(gzip.compress(b"x" * 1000, mtime=0)[:-5] + b"\0\0\0\0\0"), "damaged"),
        (base64.b64encode(gzip.compress(b"x", mtime=0) + b"rubbish"), "not gzip"),
    ],
)
def test_what_cannot_be_inflated_is_said_clearly(data, said):
    with pytest.raises(EnvelopeError, match=said):
        inflate(data)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "must be a JSON object, is a list"),
        (b"null", "missing or null"),
        (b"[" * 100_000, "nested too deeply"),
        (b"9" * 5_000, "a number that is too long"),
        (b"{}", "messageType.*keys seen: none"),
        (b'{"password":"x"}', "keys seen: password"),
        (json.dumps(document(logGroup="")).encode(), "logGroup"),
        (json.dumps(document(logEvents=None)).encode(), "logEvents"),
    ],
)
def test_what_is_not_an_envelope_is_said_clearly(raw, said):
    with pytest.raises(EnvelopeError, match=said):
        parse_envelope(raw)


def test_a_control_message_is_none_of_our_business():
    control = {
        "messageType": "CONTROL_MESSAGE",
        "owner": "CloudwatchLogs",
        "logGroup": "",
        "logEvents": [{"message": "probe"}],
    }
    assert parse_envelope(inflate(packed(control))) == ControlMessage("")


def test_keys_that_came_later_are_left_alone():
    event = {**EVENTS[0], "extractedFields": {"@aws.account": "1"}, "new": [1]}
    envelope, problems = parsed(policyLevel="ACCOUNT_LEVEL_POLICY", logEvents=[event], another={"x": None})
    assert [event.message for event in envelope.events] == ["one"]
    assert problems == ()


def test_a_bad_log_event_costs_none_of_the_others_and_is_kept_whole():
    bad = [
        None,
        "text",
        {"id": "1"},
        {"message": 7, "timestamp": 1},
        {"message": "x"},
        {"message": "x", "timestamp": "1"},
        {"message": "x", "timestamp": True},
        {"message": "x", "timestamp": -1},
    ]
    envelope, problems = parsed(logEvents=[bad[0], EVENTS[0], *bad[1:], EVENTS[1]])
    assert [event.message for event in envelope.events] == ["one", "two"]
    assert [problem.original for problem in problems] == bad
    assert problems[0].error == "logEvents[0] must be an object, is missing or null"
    assert problems[3].error == "logEvents[4].message must be text, is a number"
    assert all("logEvents[" in problem.error for problem in problems)


@pytest.mark.parametrize("timestamp", [LATEST, 1_770_056_100_000_000, 253_402_300_800_000, 10**30, -1])
def test_a_time_that_no_calendar_has_room_for_is_refused_with_its_event_alone(timestamp):
    beyond = {**EVENTS[0], "timestamp": timestamp}
    envelope, problems = parsed(logEvents=[beyond, EVENTS[1], {**EVENTS[0], "timestamp": LATEST - 1}])
    assert [event.timestamp for event in envelope.events] == [1, LATEST - 1]
    assert problems == (
        BadLogEvent(
            "logEvents[0].timestamp must be milliseconds of a time between 1970 and 3000, is another number",
            beyond,
        ),
    )


def test_a_redelivery_has_the_same_id_whatever_brought_it():
    first, _ = parsed()
    again, _ = parsed(subscriptionFilters=["another"], policyLevel="ACCOUNT_LEVEL_POLICY")
    assert first.id == again.id


@pytest.mark.parametrize(
    "changes",
    [
        {"owner": "2"},
        {"logGroup": "other"},
        {"logStream": "other"},
        {"logEvents": EVENTS[:1]},
        {"logEvents": EVENTS[::-1]},
        {"logGroup": "/aws/lambda/backends", "logStream": ""},
        {"logEvents": [{**EVENTS[0], "id": "5"}, EVENTS[1]]},
    ],
)
def test_anything_else_has_another_id(changes):
    assert parsed(**changes).envelope.id != parsed().envelope.id


def test_without_ids_the_content_and_the_position_tell_events_apart():
    bare = [
        {key: value for key, value in event.items() if key != "id"}
        for event in (EVENTS[0], EVENTS[0], EVENTS[1])
    ]
    first, again = parsed(logEvents=bare), parsed(logEvents=bare)
    assert first == again
    assert len({event.id for event in first.envelope.events}) == 3
    changed = parsed(logEvents=[*bare[:2], {**bare[2], "message": "three"}])
    assert changed.envelope.id != first.envelope.id


def test_half_a_surrogate_pair_does_not_poison_what_is_written_later():
    envelope, _ = parsed(
        logEvents=[{"id": "1", "timestamp": 1, "message": "x \ud800 y \U0001f600"}], logStream="\udc00"
    )
    assert envelope.events[0].message == "x ? y \U0001f600"
    envelope.log_stream.encode()


def test_bytes_that_are_not_utf8_cost_a_character_and_not_the_envelope():
    raw = json.dumps(document()).encode().replace(b"one", b"o\xffe")
    assert parse_envelope(raw).envelope.events[0].message == "o\ufffde"


def test_a_log_line_of_a_mebibyte_is_read():
    line = "x" * (1024 * 1024 - 26)
    envelope, _ = parse_envelope(
        inflate(packed(document(logEvents=[{"id": "1", "timestamp": 1, "message": line}])))
    )
    assert envelope.events[0].message == line


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["messageType", "logGroup", "logEvents", "message", "timestamp", "id"]), inner
            )
        ),
    )
)
@settings(max_examples=300)
def test_whatever_json_comes_the_answer_is_an_envelope_or_an_envelope_error(value):
    for attempt in (
        value,
        document(logEvents=value),
        document(logEvents=[value]),
        document(owner=value, logStream=value),
    ):
        with contextlib.suppress(EnvelopeError):
            parse_envelope(json.dumps(attempt).encode())


def gathered(*origins):
    """An envelope of a central log group, each of its events with these system fields."""
    return parsed(
        logEvents=[
            {"id": str(number), "timestamp": number, "message": f"line {number}", "extractedFields": fields}
            for number, fields in enumerate(origins)
        ]
    ).envelope


ONE = {"@aws.account": "444455556666", "@aws.region": "ap-south-1", "@source.log": "/aws/lambda/billing"}
OTHER = {**ONE, "@source.log": "/ecs/billing"}


def test_events_of_a_central_log_group_are_parted_by_where_they_were_written():
    first, second = gathered(ONE, OTHER, ONE).origins
    assert (first.account, first.region, first.log_group) == tuple(ONE.values())
    assert [event.message for event in first.events] == ["line 0", "line 2"]
    assert (second.log_group, [event.message for event in second.events]) == ("/ecs/billing", ["line 1"])
    assert first.id != second.id


def test_the_same_delivery_has_the_same_ids_again():
    assert [each.id for each in gathered(ONE, OTHER).origins] == [
        each.id for each in gathered(ONE, OTHER).origins
    ]


def test_an_event_without_an_origin_stays_with_the_log_group_that_it_came_by():
    central, other = gathered({}, OTHER).origins
    assert (central.account, central.log_group, central.log_stream) == (
        "123456789012", "/aws/lambda/backend", "s",
    )  # fmt: skip
    assert other.log_stream == "", "the stream is the central log group's"


@pytest.mark.parametrize(
    "fields",
    [
        None,
        "@source.log",
        {"@source.log": 7, "@aws.account": "12", "@aws.region": "<!here>"},
        {"@source.log": "g" * 600},
    ],
)
def test_what_is_no_origin_changes_nothing(fields):
    envelope = gathered(fields)
    assert envelope.origins == ()
    assert envelope.log_group == "/aws/lambda/backend"


def test_a_log_line_cannot_say_where_it_comes_from():
    message = json.dumps({"extractedFields": ONE, **ONE})
    assert parsed(logEvents=[{"id": "1", "timestamp": 1, "message": message}]).envelope.origins == ()


def test_an_account_before_the_log_group_is_read_as_such():
    (origin,) = gathered({"@source.log": "444455556666:/ecs/billing"}).origins
    assert (origin.account, origin.log_group) == ("444455556666", "/ecs/billing")
