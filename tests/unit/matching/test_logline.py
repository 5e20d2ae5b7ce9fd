"""One canonical text, whatever dialect a log event was written in."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.matching.levels import stated_level
from tocsin.core.matching.logline import LogLine, read_line
from tocsin.core.model import Level


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("INFO:root:Starting", Level.INFO),
        ("[ERROR] KeyError: 'id'", Level.ERROR),
        ("[WARNING]\t2026-04-22T21:00:55.118Z\t\tLAMBDA_WARNING: Unhandled exception.", Level.WARNING),
        ("2026-09-18T15:04:13 [INFO] processing 42 records", Level.INFO),
        ("2026-08-26T10:55:32.253 INFO 2 --- [db] [           main] o.s.c.Some  : ok", Level.INFO),
        ("2023-11-07 12:05:04 DEBUG botocore.hooks Changing event name", Level.DEBUG),
        (
            "2016-12-20 11:14:09 CST [25667-1] mqtt@test_mqtt FATAL:  remaining connection slots",
            Level.CRITICAL,
        ),
        ("2020-10-27T22:06:10.894Z\tundefined\tERROR\tUncaught Exception", Level.ERROR),
        ("2016-04-12 16:12:48,291 - Thread-3 - awscli - DEBUG - A client error", Level.DEBUG),
        ('NOTICE:  database "app" does not exist, skipping', Level.INFO),
        ("psql: FATAL: database", Level.CRITICAL),
        ('time="2026-01-01" level=debug msg="x"', Level.DEBUG),
        ("[Sun Dec 04 04:47:44 2005] [notice] workerEnv.init() ok", Level.INFO),
        ("I0102 15:04:05.000000 1 server.go:12] listening", Level.INFO),
        ("E, [2026-01-01T00:00:00.1 #1] ERROR -- : failed", Level.ERROR),
        ("Error: connect ECONNREFUSED 127.0.0.1:5432", Level.ERROR),
        ("error: could not connect", Level.ERROR),
        ('"level":"info","message":"cut off', Level.INFO),
        ("START RequestId: 8f50 Version: $LATEST", None),
        ("Task timed out after 3.00 seconds", None),
        ("information about errors", None),
    ],
)
def test_a_line_states_its_level(line, level):
    assert stated_level(line) is level


def test_no_break_spaces_carriage_returns_and_colours_are_gone():
    line = read_line("\x1b[31m[ERROR]\x1b[0m KeyError:\xa0'id'\r\xa0\xa0File \"a.py\"\r\nend")
    assert line.text == "[ERROR] KeyError: 'id'\n  File \"a.py\"\nend"
    assert line.level is Level.ERROR


@pytest.mark.parametrize(
    ("record", "level"),
    [
        ({"log_level": "ERROR", "errorType": "KeyError", "errorMessage": "'id'"}, Level.ERROR),
        ({"level": 50, "msg": "boom"}, Level.ERROR),
        ({"level": 30, "msg": "fine"}, Level.INFO),
        ({"levelno": 30, "message": "careful"}, Level.WARNING),
        ({"level": 3, "short_message": "gelf"}, Level.ERROR),
        ({"severity": "CRITICAL", "message": "x"}, Level.CRITICAL),
        ({"event": "started", "level": "info"}, Level.INFO),
        ({"log": {"level": "warn"}, "message": "ecs"}, Level.WARNING),
        ({"message": "no level"}, None),
        ({"level": True, "message": "odd"}, None),
    ],
)
def test_json_states_its_level_in_many_keys_and_scales(record, level):
    line = read_line(json.dumps(record))
    assert line.is_json
    assert line.level is level


def test_a_function_error_in_json_reads_like_one_in_text():
    message = json.dumps({
        "timestamp": "2026-02-02T00:00:00Z", "log_level": "ERROR", "errorMessage": "'id'", "errorType": "KeyError",
        "requestId": "r", "stackTrace": ["  File \"/var/task/app.py\", line 3, in handler\n    event['id']\n"],
    })  # fmt: skip
    text = read_line(message).text
    assert text.startswith(
        "[ERROR] KeyError: 'id'\nTraceback (most recent call last):\n  File \"/var/task/app.py\""
    )


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (
            {
                "type": "platform.initReport",
                "record": {"phase": "init", "status": "timeout", "metrics": {"durationMs": 10000.487}},
            },
            "INIT_REPORT Init Duration: 10000.487 ms\tPhase: init\tStatus: timeout",
        ),
        (
            {
                "type": "platform.report",
                "record": {"status": "error", "errorType": "Runtime.ExitError", "metrics": {"durationMs": 1}},
            },
            "REPORT Duration: 1 ms\tStatus: error\tError Type: Runtime.ExitError",
        ),
    ],
)
def test_platform_events_are_told_in_the_words_of_the_text_format(record, text):
    assert read_line(json.dumps(record)).text == text


def test_text_and_json_may_share_one_event():
    line = read_line('2026-01-01T00:00:00Z\tr\tINFO\tdone\r{"level": "ERROR", "message": "broken"}')
    assert line.text == "2026-01-01T00:00:00Z\tr\tINFO\tdone\nbroken" or "broken" in line.text
    assert line.level_at(line.text.index("broken")) is Level.ERROR
    assert line.level_at(0) is Level.INFO


def test_json_within_json_is_read_too():
    inner = json.dumps({"level": "ERROR", "message": 'FATAL: database "None" does not exist'})
    line = read_line(json.dumps({"message": inner}))
    assert 'database "None" does not exist' in line.text
    assert line.level is Level.ERROR


def test_json_that_was_cut_off_is_read_with_its_escapes_undone():
    assert 'database "None"' in read_line('{"level":"ERROR","message":"database \\"None\\" does not').text


def test_a_continuation_has_the_level_of_its_header():
    line = read_line("INFO retrying\nTraceback (most recent call last):\nKeyError: 'x'\nERROR gave up")
    assert line.level_at(line.text.index("KeyError")) is Level.INFO
    assert line.level_at(line.text.index("gave up")) is Level.ERROR


def test_what_the_platform_says_has_no_level_of_a_forwarder():
    wrapped = json.dumps(
        {
            "level": "info",
            "message": "2018-05-17T06:46:28.161Z fb63a8b6-599d-11e8-a437-911ac44bc0b4 Task timed out after 18.02 seconds",
        }
    )
    line = read_line(wrapped)
    assert line.level_at(line.text.index("Task")) is None


def test_what_somebody_asked_for_is_left_out():
    assert (
        "timed out"
        not in read_line('{"level":"ERROR","message":"bad request","query":"Task timed out"}').text
    )


def test_nesting_without_end_is_not_followed_without_end():
    deep = '{"a":' * 5_000 + "1" + "}" * 5_000
    assert isinstance(read_line(deep), LogLine)


@given(st.text(max_size=300))
def test_any_text_can_be_read(text):
    line = read_line(text)
    assert line.parts
    for position in (0, len(line.text) // 2, len(line.text)):
        line.level_at(position)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["message", "level", "log", "stack", "record", "type", "errorType", "a"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_can_be_read(value):
    line = read_line(json.dumps(value))
    assert line.level is None or isinstance(line.level, Level)
