"""Detect on events as bad as they come: real envelopes with bits flipped, cut, of wrong types, too deep and too many.

Whatever is wrong with one record, the event is read or refused in declared words, the good records beside it are counted, the
answer is small, and neither time nor memory runs away.
"""

from __future__ import annotations

import base64
import copy
import gzip
import json
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.ingest.test_stream import SIGNATURES
from tocsin.core.config.settings import Intervals, Settings
from tocsin.core.incidents.memory_store import MemoryLedger
from tocsin.core.incidents.policy import Policy
from tocsin.core.ingest.event_shapes import UnknownEventError
from tocsin.core.matching.matcher import Matcher
from tocsin.core.notifications.contract import to_json
from tocsin.services.detection import Detector
from tocsin.services.reconcile_service import Reconciler

T0 = 1_770_000_000_000
ROOT = Path(__file__).resolve().parents[3]
EVENTS = [json.loads(path.read_text("utf-8")) for path in sorted((ROOT / "events").glob("*.json"))]
MAX_ANSWER_LENGTH = 20_000
FUZZ = settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])


class World:
    """A detector whose every effect stays here."""

    def __init__(self):
        self.ledger, self.dead_lettered = MemoryLedger(), []
        reconciler = Reconciler(
            self.ledger, self, Policy(Intervals(), SIGNATURES), "https://runbooks.example/"
        )
        self.detector = Detector(
            Matcher(SIGNATURES),
            SIGNATURES,
            Settings(),
            reconciler=lambda: reconciler,
            failure_queue=lambda: self,
            own_log_groups="/tocsin/",
            region="us-east-1",
        )

    def publish(self, notification):
        assert len(to_json(notification)) < 256_000

    def dead_letter(self, record, error):
        json.dumps(record, default=repr).encode()
        self.dead_lettered.append(error)


def document(number=0, **changes):
    return {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": f"/app/good{number}",
        "logStream": "s",
        "subscriptionFilters": ["f"],
        "logEvents": [
            {"id": f"g{number}", "timestamp": T0, "message": "[ERROR] Kaboom: module 'good' exploded"}
        ],
        **changes,
    }


KABOOM = {"id": "k", "timestamp": T0, "message": "[ERROR] Kaboom: module 'x' exploded"}
"""Without a line that matches, an envelope is passed over unparsed."""


def message(text):
    return document(2, logEvents=[KABOOM, {"id": "x", "timestamp": T0, "message": text}])


def packed(raw):
    return base64.b64encode(gzip.compress(raw, mtime=0)).decode()


GOOD = packed(json.dumps(document()).encode())


def kinesis(*data):
    return {"Records": [{"eventSource": "aws:kinesis", "kinesis": {"data": one}} for one in data]}


def survives(bad):
    """Detect it between two good records; both are counted, whatever it was, and what is said of it is short."""
    world = World()
    second = packed(json.dumps(document(1)).encode())
    done = world.detector.detect(
        {"Records": [*kinesis(GOOD)["Records"], bad, *kinesis(second)["Records"]]}, T0
    )
    assert done.failures == []
    assert done.occurrences["kaboom"] >= 2
    assert len(world.dead_lettered) <= 22
    assert {"/app/good0", "/app/good1"} <= {incident.service for incident in stored(world)}
    assert len(json.dumps(done.summary())) < MAX_ANSWER_LENGTH
    return done


def stored(world):
    return [
        world.ledger.load(name).incident
        for name in ("/app/good0", "/app/good1")
        if world.ledger.load(name).incident
    ]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([10**400, "", T0, GOOD]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@given(
    flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 7)), min_size=1, max_size=8),
    cut=st.none() | st.integers(0, 400),
)
@FUZZ
def test_flipped_bits_and_cut_gzip_cost_only_their_own_record(flips, cut):
    raw = bytearray(gzip.compress(json.dumps(document(2)).encode()))
    for place, bit in flips:
        raw[place % len(raw)] ^= 1 << bit
    survives(kinesis(base64.b64encode(bytes(raw[:cut])).decode())["Records"][0])


@given(text=st.text(max_size=60), place=st.integers(0, 400), kept=st.integers(0, 400))
@FUZZ
def test_damaged_base64_costs_only_its_own_record(text, place, kept):
    survives(kinesis(GOOD[:place] + text + GOOD[place : place + kept])["Records"][0])


@given(data=st.data())
@FUZZ
def test_wrong_types_anywhere_in_an_envelope_cost_only_their_own_record(data):
    bad = document(2)
    key = data.draw(
        st.sampled_from(
            [*bad, "logEvents.0.id", "logEvents.0.timestamp", "logEvents.0.message", "logEvents.0"]
        )
    )
    value = data.draw(JSON)
    if "." not in key:
        bad[key] = value
    elif key == "logEvents.0":
        bad["logEvents"].insert(0, value)
    else:
        bad["logEvents"][0][key.rpartition(".")[2]] = value
    survives(kinesis(packed(json.dumps(bad).encode()))["Records"][0])


@given(value=JSON)
@FUZZ
def test_any_record_at_all_beside_good_ones_costs_only_itself(value):
    survives(value)


def places(value, path=()):
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*path, key))


@given(data=st.data())
@FUZZ
def test_a_real_event_with_any_part_replaced_is_read_or_refused_in_declared_words(data):
    event = copy.deepcopy(data.draw(st.sampled_from(EVENTS)))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from([path for path in places(event) if path] or [None]))
        if path is None:
            break
        inner = event
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = data.draw(JSON)
    try:
        done = World().detector.detect(event, T0)
    except UnknownEventError as error:
        assert len(str(error)) < MAX_ANSWER_LENGTH  # noqa: PT017 - what is refused is refused in words
    else:
        assert done.failures == []
        assert len(json.dumps(done.summary())) < MAX_ANSWER_LENGTH


def nested(depth, opening="[", closing="]"):
    return opening * depth + "1" + closing * depth


@pytest.mark.parametrize(
    "raw",
    [
        nested(200_000).encode(),
        nested(200_000, '{"a":', "}").encode(),
        f'{{"messageType":"DATA_MESSAGE","logGroup":"g","logEvents":{nested(100_000)},"x":"Kaboom: module"}}'.encode(),
        json.dumps(document(2, logEvents=[KABOOM, *[1] * 20_000])).encode(),
        json.dumps(message(nested(50_000))).encode(),
        json.dumps(message("[ERROR] Kaboom: module 'y' " + nested(50_000, '{"a":', "}"))).encode(),
        json.dumps(message("[ERROR] Kaboom: module 'x' {" * 20_000)).encode(),
        b'{"messageType":"DATA_MESSAGE","logGroup":"g","logEvents":[{"message":"Kaboom: module","timestamp":'
        + b"9" * 100_000
        + b"}]}",
        b"\xff\xfe" * 100_000,
        b"\0" * 100_000_000,
    ],
    ids=[
        "deep lists",
        "deep objects",
        "deep events",
        "20,000 bad events",
        "deep message",
        "deep JSON message",
        "many braces",
        "a long number",
        "no text",
        "a bomb",
    ],
)
def test_depth_and_mass_are_bounded_in_time_and_memory(raw):
    record = kinesis(packed(raw))["Records"][0]
    size = min(len(raw), 8 << 20)
    del raw
    tracemalloc.start()
    begin = time.process_time()
    try:
        survives(record)
        spent, (_, peak) = time.process_time() - begin, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert spent < 15, spent  # with every allocation traced, which costs several times as much
    assert peak < (160 << 20) + 40 * size, peak
