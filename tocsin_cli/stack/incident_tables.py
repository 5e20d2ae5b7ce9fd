"""Incidents and silences on a terminal: a table of each, and one incident with its alerts.

What is shown comes out of logs, or was typed by people: every text goes through ``sanitize`` and reaches ``rich`` as
``Text``, never as its mark-up, so that it cannot colour, move or retitle the terminal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tocsin.core.model import Millis
from tocsin.core.notifications.contract import ReportedChange, millis_of
from tocsin.core.notifications.phrases import change_words
from tocsin.core.sanitize import clipped, one_line, visible
from tocsin.core.times import format_duration
from tocsin_cli.terminal import LOOKS, pluralize, to_minute, to_second

Report = Mapping[str, Any]

MAX_SAMPLE_LINES, MAX_LETTERS = 12, 2000
_STATES = {
    "firing": "bold red",
    "resolved": "green",
    "active": "bold",
    "expired": "dim",
    "pending": "dim",
    "counting": "bold",
    "counted": "dim",
}


def show_silences(reports: Sequence[Report], now: Millis, console: Console) -> None:
    """Print a table of silences."""
    table = _table("silence", "until (UTC)", "covers", "because")
    for report in reports:
        begins = f"{to_minute(report['begins_at'])} – " if report["state"] == "pending" else ""
        until = Text(f"{begins}{to_minute(report['expires_at'])}")
        span = millis_of(report["expires_at"]) - now
        until.append(
            f"\n{'in ' + format_duration(span) if span > 0 else format_duration(-span) + ' ago'}", "dim"
        )
        covers = Text(matcher_of(report))
        if report["hours"]:
            covers.append(f"\n{one_line(report['hours'])} {one_line(report['zone'])}", "dim")
        if report["ends_when_quiet_seconds"]:
            quiet = format_duration(report["ends_when_quiet_seconds"] * 1000)
            covers.append(f"\nuntil nothing was seen for {quiet}", "dim")
        if report["state"] == "active":
            covers.append(
                f"\n{mutes(report['firing_alerts'])}", "yellow" if report["firing_alerts"] else "dim"
            )
        because = Text(one_line(report["reason"])).append(f"\n{one_line(report['author'])}", "dim")
        name = Text(one_line(report["id"])).append(f"\n{report['state']}", _STATES[report["state"]])
        table.add_row(name, until, covers, because, style="dim" if report["state"] == "expired" else "")
    console.print(table)


def matcher_of(report: Report) -> str:
    """What a silence covers, on one line: ``signature=db-* worker``."""
    names = {name: report[name].replace("\n", " or ") for name in ("signature", "service")}
    given = {**names, **report["fields"]}
    return " ".join(f"{one_line(name)}={one_line(glob)}" for name, glob in given.items() if glob)


def mutes(alerts: int) -> str:
    """How much of what fires now is muted."""
    return f"mutes {pluralize(alerts, 'firing alert')}" if alerts else "nothing that it covers fires now"


def show_incidents(reports: Sequence[Report], now: Millis, console: Console) -> None:
    """Print a table of incidents."""
    table = _table("service", "state", "since (UTC)", "seen", "what")
    table.columns[3].justify = "right"
    for report in reports:
        opened = millis_of(report["opened_at"])
        end = millis_of(report["resolved_at"]) if report["resolved_at"] else now
        state = Text(report["state"], _STATES[report["state"]])
        if report["severity"]:
            state.append(f"\n{report['severity']}", LOOKS[report["severity"]])
        since = Text(to_minute(report["opened_at"])).append(f"\nfor {format_duration(end - opened)}", "dim")
        what = Text.assemble((one_line(report["title"]), "bold"))
        if others := report["alerts_firing"] + report["alerts_resolved"] - 1:
            what.append(f" +{others} more", "dim")
        if report["alerts_silenced"]:
            what.append(
                f"\n{report['alerts_silenced']} of {report['alerts_firing']} firing silenced", "yellow"
            )
        what.append(f"\n{one_line(report['id'])}", "dim")
        table.add_row(
            Text(one_line(report["service"])), state, since, Text(f"{report['occurrences']:,}"), what
        )
    console.print(table)


def show_incident(report: Report, silences: Mapping[str, Report], now: Millis, console: Console) -> None:
    """Print one incident: its state, what was sent of it, each of its alerts.

    Args:
        report: As ``incident_details`` makes it.
        silences: Reports of silences by id, for those that mute an alert.
        now: The time.
        console: Where to.
    """
    console.print(
        Text.assemble(
            (one_line(report["service"]), "bold"),
            "  ",
            (report["state"], _STATES[report["state"]]),
            "  ",
            (report["severity"] or "", LOOKS.get(report["severity"], "")),
            "  " if report["severity"] else "",
            (one_line(report["title"]), "bold"),
        )
    )
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in _facts(report, now):
        facts.add_row(name, Text(value))
    console.print(facts)
    for alert in report["alerts"]:
        console.print()
        _show_alert(alert, silences, console)


def _facts(report: Report, now: Millis) -> Iterator[tuple[str, str]]:
    yield "Incident", one_line(report["id"])
    opened = millis_of(report["opened_at"])
    if report["resolved_at"]:
        span = format_duration(millis_of(report["resolved_at"]) - opened)
        yield "Open", f"{to_second(report['opened_at'])} – {to_second(report['resolved_at'])} UTC ({span})"
    else:
        yield "Since", f"{to_second(report['opened_at'])} UTC ({format_duration(now - opened)})"
    yield "Last seen", f"{to_second(report['last_seen'])} UTC"
    alerts = f"{pluralize(report['occurrences'], 'occurrence')}; alerts: {report['alerts_firing']} firing"
    if report["alerts_silenced"]:
        alerts += f" ({report['alerts_silenced']} silenced)"
    yield "Counted", f"{alerts}, {report['alerts_resolved']} resolved"
    yield from _acted(report)
    sent = pluralize(report["notifications"], "notification")
    if report["last_notified_at"]:
        sent += f", the last one {to_second(report['last_notified_at'])} UTC"
    if report["waiting"]:
        sent += f"; waiting to be sent: {', '.join(due['reason'] for due in report['waiting'])}"
    yield "Sent", sent
    for change in report["changes"]:
        yield "Changed", one_line(change_words(msgspec.convert(change, ReportedChange), str))
    if not report["changes"]:
        yield (
            "Changed",
            "nothing known; without a trail of CloudTrail direct changes of functions are not seen",
        )
    for delivery in report["slack"]:
        yield "Slack", _delivery(delivery)
    if report["notifications"] and not report["slack"]:
        yield "Slack", "no attempt is recorded"


def _acted(report: Report) -> Iterator[tuple[str, str]]:
    """Who has it, and what people did."""
    if holder := report.get("acknowledged"):
        yield "Has it", f"{one_line(holder['name'])}, since {to_second(holder['since'])} UTC"
    for done in report.get("actions", ()):
        more = f": {one_line(done['detail'])}" if done["detail"] else ""
        what = f"{done['kind']} by {one_line(done['by'])} ({done['outcome']}){more}"
        yield "Done", f"{to_second(done['at'])} UTC  {what}"


def _delivery(delivery: Report) -> str:
    where = f"{one_line(delivery['destination'])}: by webhook"
    if delivery["message"]:
        where = f"{one_line(delivery['destination'])}: message {one_line(delivery['message'])} in {one_line(delivery['channel'])}"
    shown = f"shows notification {delivery['shown']}" if delivery["shown"] else "shows nothing yet"
    doubt = ", ".join(map(str, delivery["unconfirmed"]))
    return f"{where}, {shown}" + (f"; not known whether it was sent: {doubt}" if doubt else "")


def _show_mutes(alert: Report, silences: Mapping[str, Report], console: Console) -> None:
    for silence in alert["silenced_by"]:
        by = silences[silence]
        text = f"silenced until {to_second(by['expires_at'])} UTC by {one_line(silence)}: {one_line(by['reason'])}"
        _inside(Text(text, "yellow"), console)
    if alert["muted_by"]:
        _inside(Text(f"muted by {one_line(alert['muted_by'])}", "yellow"), console)


def _show_alert(alert: Report, silences: Mapping[str, Report], console: Console) -> None:
    look = LOOKS.get(alert["severity"] or "", "bold")
    console.print(
        Text.assemble(
            ("● " if alert["state"] == "firing" else "○ ", look),
            (one_line(alert["title"]), "bold"),
            "  ",
            (one_line(alert["signature"]), "dim"),
            "  ",
            (alert["state"], _STATES[alert["state"]]),
        )
    )
    span = dict.fromkeys(to_second(alert[key]) for key in ("first_seen", "last_seen"))
    counted = f"{pluralize(alert['occurrences'], 'occurrence')}, {' – '.join(span)} UTC"
    if alert["was_over_at"]:
        again = " and began again" if alert["state"] == "firing" else ""
        counted += f"; was over at {to_second(alert['was_over_at'])} UTC{again}"
    if not alert["announced"]:
        counted += f"; in {one_line(alert['service'])} counted without a message (in test mode, or below its threshold)"
    _inside(Text(counted), console)
    for name, value in alert["fields"].items():
        _inside(Text.assemble((f"{one_line(name)} = ", "dim"), one_line(value)), console)
    _show_mutes(alert, silences, console)
    if queue := alert["queue"]:
        waits = f"{pluralize(queue['depth'], 'message')} in the queue at {to_second(queue['at'])} UTC"
        lost = (
            f"; the oldest is lost at {to_second(queue['oldest_lost_at'])} UTC or before"
            if queue["oldest_lost_at"]
            else ""
        )
        _inside(Text(waits + lost), console)
    place = [one_line(alert[key]) for key in ("alarm", "log_group", "log_stream") if alert[key]]
    if place:
        _inside(Text(" · ".join(place), "dim"), console)
    lines = visible(alert["sample"]).split("\n")
    sample = Table.grid(padding=(0, 1, 0, 0))
    for line in lines[:MAX_SAMPLE_LINES] if alert["sample"] else ():
        sample.add_row(Text("│", "dim"), Text(clipped(line.expandtabs(4), MAX_LETTERS), overflow="fold"))
    if len(lines) > MAX_SAMPLE_LINES:
        more = f"… {pluralize(len(lines) - MAX_SAMPLE_LINES, 'more line')}: --json has all"
        sample.add_row(Text("│", "dim"), Text(more, "dim"))
    if sample.row_count:
        console.print(Padding(sample, (0, 0, 0, 2)))


def _inside(text: Text, console: Console) -> None:
    console.print(Padding(text, (0, 0, 0, 2)))


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, header_style="dim", overflow="fold")
    return table
