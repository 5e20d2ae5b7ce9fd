"""Incidents and silences as people and scripts see them, whatever text is in them and however wide the terminal is."""

from __future__ import annotations

import io
import json
import re

import pytest
from hostile_text import hostile
from hypothesis import given, settings
from msgspec.structs import replace
from rich.console import Console
from sample_incidents import BUCKET, DLQ, IMPORT_ERROR, SIGNATURES, T0, incident, pending

from tocsin.core.incidents.incident import QueueReading
from tocsin.core.incidents.silences import Silence
from tocsin.core.model import AlertState, Change, ChangeKind, Reason
from tocsin_cli.stack.incident_history import Delivery
from tocsin_cli.stack.incident_json import incident_details, incident_report, silence_report
from tocsin_cli.stack.incident_tables import show_incident, show_incidents, show_silences

HOUR = 3_600_000
NOW = T0 + 2 * HOUR
SILENCE = Silence(
    "s-36afaf", NOW + HOUR, "the partner knows, fixed in the release of Monday", "Ada Lovelace <ada@example.com>",
    NOW - HOUR, "import-*", "worker",
)  # fmt: skip
ACTS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def everything(made, silences, width):
    """What every view prints of an incident and its silences."""
    out = io.StringIO()
    console = Console(file=out, width=width, highlight=False)
    reports = [silence_report(silence, NOW, [made]) for silence in silences]
    show_incidents([incident_report(made, NOW, silences, SIGNATURES)], NOW, console)
    show_silences(reports, NOW, console)
    details = incident_details(
        made, NOW, silences, SIGNATURES, [Delivery("default", "C1", "17.5", 3, "1-3", (4,))]
    )
    show_incident(details, {report["id"]: report for report in reports}, NOW, console)
    return out.getvalue()


@settings(max_examples=60, deadline=None)
@given(text=hostile)
def test_no_text_acts_on_the_terminal(text):
    nasty = replace(
        IMPORT_ERROR, sample=text, fields={"module": text, text: "x"}, origin=replace(IMPORT_ERROR.origin, log_group=text, log_stream=text, alarm=text),
        signature=text,
    )  # fmt: skip
    changed = Change("c", ChangeKind.CODE, text, T0, who=text)
    made = incident(nasty, service=text, id=text, changes=(changed,))
    stored = text.encode("utf-8", "replace").decode()[:150]  # what a silence and the table can hold
    silence = replace(
        SILENCE, id=f"s{stored}"[:60], reason=f"r{stored}", author=f"a{stored}", signature="", service="*",
        fields={"module": "*"},
    )  # fmt: skip
    assert not ACTS.search(everything(made, [silence], 80))


@pytest.mark.parametrize("width", [80, 120])
def test_nothing_is_cut_and_no_line_is_wider_than_the_terminal(width):
    made = incident(IMPORT_ERROR, DLQ, BUCKET, sequence=4, outbox=(pending(Reason.UPDATE, sequence=4),))
    out = everything(made, [SILENCE], width)
    assert max(map(len, out.splitlines())) <= width
    words = set(re.findall(r"[\w-]+", out))
    for each in (made.id, SILENCE.id, "mangum", "1,204", "Lovelace", "Monday", "import-module-error"):
        assert set(re.findall(r"[\w-]+", each)) <= words, each
    assert "…" not in out


def test_text_that_looks_like_mark_up_is_shown_as_it_is():
    made = incident(replace(IMPORT_ERROR, sample="[bold]x[/bold] [/nothing]", fields={"[red]": "[link=x]y"}))
    out = everything(made, [], 120)
    assert "[bold]x[/bold] [/nothing]" in out
    assert "[red] = [link=x]y" in out


def test_a_long_sample_is_shown_from_its_beginning_and_the_rest_is_counted():
    made = incident(replace(IMPORT_ERROR, sample="\n".join(f"line {i}" for i in range(30))))
    out = everything(made, [], 80)
    assert "line 11\n" in re.sub(" +\n", "\n", out)
    assert "line 12" not in out
    assert "18 more lines" in out


def test_only_active_silences_of_firing_alerts_count():
    over = replace(SILENCE, id="s-over", expires_at=NOW)
    made = incident(IMPORT_ERROR, replace(DLQ, state=AlertState.RESOLVED), BUCKET)
    everything_of = replace(SILENCE, id="s-all", signature="")
    assert incident_report(made, NOW, [over], SIGNATURES)["alerts_silenced"] == 0
    assert incident_report(made, NOW, [SILENCE, over], SIGNATURES)["alerts_silenced"] == 1
    assert incident_report(made, NOW, [SILENCE, everything_of], SIGNATURES)["alerts_silenced"] == 2
    details = incident_details(made, NOW, [SILENCE, everything_of, over], SIGNATURES, [])
    assert [alert["silenced_by"] for alert in details["alerts"]] == [["s-36afaf", "s-all"], [], ["s-all"]]
    assert (
        silence_report(over, NOW, [made])["state"],
        silence_report(over, NOW, [made])["firing_alerts"],
    ) == ("expired", 0)


def test_an_incident_that_is_over_shows_how_long_it_was():
    made = incident(replace(IMPORT_ERROR, state=AlertState.RESOLVED), resolved_at=T0 + 900 + HOUR)
    out = everything(made, [], 120)
    assert "resolved" in out
    assert "(1 h)" in out
    assert json.loads(json.dumps(incident_report(made, NOW, [], SIGNATURES)))["state"] == "resolved"


def test_what_changed_before_is_shown_and_what_cannot_be_known_is_said():
    known = Change("c", ChangeKind.STACK, "prod", T0 - HOUR // 10, status="UPDATE_COMPLETE")
    out = everything(incident(IMPORT_ERROR, changes=(known,)), [], 120)
    assert "stack prod UPDATE_COMPLETE, 6 min before" in out
    assert "CloudTrail" not in out
    assert "without a trail of CloudTrail direct changes of functions are not seen" in " ".join(
        everything(incident(IMPORT_ERROR), [], 120).split()
    )


def test_a_queue_that_is_watched_and_an_alert_that_came_back_say_so():
    queue = QueueReading(at=NOW, depth=1200, retention=14 * 24 * HOUR)
    made = incident(replace(DLQ, queue=queue, over_at=T0))
    (alert,) = incident_details(made, NOW, [], SIGNATURES, [])["alerts"]
    assert alert["queue"] == {
        "depth": 1200, "at": "2026-07-31T05:00:00.000Z", "oldest_lost_at": "2026-08-14T03:04:00.000Z",
    }  # fmt: skip
    out = everything(made, [], 160)
    assert (
        "1,200 messages in the queue at 2026-07-31 05:00:00 UTC; the oldest is lost at 2026-08-14 03:04:00 UTC or before"
        in out
    )
    assert "was over at 2026-07-31 03:00:00 UTC and began again" in out
    assert incident_details(incident(IMPORT_ERROR), NOW, [], SIGNATURES, [])["alerts"][0]["queue"] is None
