"""The files in events/ are what the generator writes, and every one does what its name says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tocsin.bootstrap import DryRun, configuration, wire_detector
from tocsin.core.ingest.envelopes import ParsedEnvelope, parse_envelope
from tocsin.core.ingest.event_shapes import AlarmRecord, ChangeRecord, LogsRecord, split_event
from tocsin.core.ingest.inflation import inflate
from tocsin.core.notifications.parsing import parse_notification
from tocsin_cli.commands import event as command
from tocsin_cli.main import main
from tocsin_cli.sample_events.events import (
    SHAPES,
    STARTING_SIGNATURES,
    envelope,
    event_text,
    new_event,
    write_events,
)

ROOT = Path(__file__).resolve().parents[3]
EVENTS = ROOT / "events"
CONFIGURATION = configuration({})
NAMES = sorted(path.name for path in EVENTS.glob("*.json"))


def detect(event):
    dry = DryRun()
    return wire_detector({}, CONFIGURATION, dry).detect(event, 1_770_056_100_000), dry


def load(name):
    return json.loads((EVENTS / name).read_text("utf-8"))


def test_the_files_are_what_the_generator_writes_byte_for_byte(tmp_path):
    written = write_events(tmp_path, CONFIGURATION)
    assert [path.name for path in written] == NAMES
    for path in written:
        fixed = "run `tocsin event all`"
        assert path.read_bytes() == (EVENTS / path.name).read_bytes(), f"{path.name} is out of date: {fixed}"


def test_every_shape_has_every_starting_signature():
    expected = {
        f"{shape}-{signature}.json"
        for shape in ("logs", "kinesis", "notify")
        for signature in STARTING_SIGNATURES
    }
    expected |= {
        f"alarm-{road}-dlq-depth-{state}.json"
        for road in ("sns", "eventbridge", "direct")
        for state in ("alarm", "ok")
    }
    assert expected <= set(NAMES)


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith(("notify-", "reconcile-"))])
def test_detect_does_with_each_what_its_name_says(name):
    done, dry = detect(load(name))
    assert not done.failures
    signature = next((known for known in (*STARTING_SIGNATURES, "dlq-depth") if known in name), None)
    if signature:
        assert signature in done.occurrences
        assert bool(dry.notifications) == (not name.endswith("-ok.json"))
        assert signature in json.dumps(dry.notifications) or name.endswith("-ok.json")
    elif name == "kinesis-with-broken-records.json":
        assert done.occurrences["import-module-error"] == 1
        assert len(done.dead_lettered) == len(dry.dead_lettered) == 2
    else:
        assert not done.occurrences
        assert not dry.dead_lettered
    assert ("control message" in " ".join(done.ignored)) == (name == "logs-control-message.json")


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("notify-")])
def test_notify_gets_the_notification_that_detect_would_send(name):
    (record,) = load(name)["Records"]
    told = parse_notification(record["body"])
    assert told.reason == "opened"
    assert told.alerts[0].signature in name


@pytest.mark.parametrize("shape", SHAPES)
def test_a_new_event_of_any_shape_is_one_our_decoders_read(shape):
    lines = ["first \u00a0 line", "second\nwith a traceback", "x" * 200_000]
    (record,) = split_event(json.loads(event_text(new_event(shape, lines, log_group="/aws/lambda/any"))))
    kinds = {"alarm": AlarmRecord, "change": ChangeRecord}
    assert isinstance(record, kinds.get(shape.partition("-")[0], LogsRecord))
    if isinstance(record, LogsRecord):
        parsed = parse_envelope(inflate(record.data))
        assert isinstance(parsed, ParsedEnvelope)
        assert [event.message for event in parsed.envelope.events] == lines
        assert parsed.envelope.log_group == "/aws/lambda/any"


def test_the_same_lines_make_the_same_envelope_and_others_another():
    made = [
        parse_envelope(inflate(envelope(lines, "g", at))).envelope.id
        for lines, at in ((["a"], 1), (["a"], 1), (["b"], 1), (["a"], 2))
    ]
    assert made[0] == made[1]
    assert len(set(made)) == 3


def test_an_unknown_shape_is_refused_by_name():
    with pytest.raises(ValueError, match=r"logs, kinesis.*is 'smoke'"):
        new_event("smoke")


def test_the_command_prints_an_event_from_lines_of_ones_own(capsys):
    assert (
        main(
            [
                "event",
                "logs",
                "--log-group",
                "/aws/lambda/mine",
                "--line",
                'FATAL: database "None" does not exist',
            ]
        )
        == 0
    )
    done, _ = detect(json.loads(capsys.readouterr().out))
    assert done.occurrences == {"database-none": 1}


def test_the_command_writes_all_files(tmp_path, capsys):
    assert main(["event", "all", "--events", str(tmp_path)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(NAMES) == len(list(tmp_path.iterdir()))
    assert command.__doc__
