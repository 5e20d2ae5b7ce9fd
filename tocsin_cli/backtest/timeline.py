"""A backtest on a terminal: one summary line, then each incident with its alerts and which notifications were sent when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tocsin.core.notifications.contract import millis_of
from tocsin.core.sanitize import one_line as shown
from tocsin.core.signatures.signature import UNKNOWN_ERROR
from tocsin.core.times import MINUTE, format_duration
from tocsin_cli.backtest.report import Report
from tocsin_cli.terminal import LOOKS, pluralize, terminal, to_second
from tocsin_cli.unexplained import lines_about

MAX_INCIDENTS = 30
"""Shown unless all are asked for."""
BARS = " ▁▂▃▄▅▆▇█"
COLUMNS = 60


def summary(report: Report) -> str:
    """The one line that says it: how much was logged, and what people would have seen of it.

    ``14,302 lines · 812 occurrences · 1 incident · 1 message in the channel, 3 replies, 5 silent edits; by webhook 9``
    """
    counts = (pluralize(report["lines"], "line"), pluralize(report["occurrences"], "occurrence"))
    return " · ".join((*counts, in_slack(report["slack"])))


def in_slack(slack: Report) -> str:
    """What people would have seen in the mode that is set, then in the other; how much is assumed after the log's end."""
    if not slack["incidents"]:
        return "nobody would have been notified"
    bot = (
        f"{pluralize(slack['messages'], 'message')} in the channel, "
        f"{slack['replies']:,} {'reply' if slack['replies'] == 1 else 'replies'}, {pluralize(slack['silent_edits'], 'silent edit')}"
    )
    webhook = pluralize(slack["by_webhook"], "message")
    if slack["mode"] == "webhook":
        seen = f"{webhook} in the channel; with a bot {bot.replace(' in the channel', '')}"
        which = f"{slack['after_end']:,} of the {slack['by_webhook']:,}"
    else:
        seen, which = f"{bot}; by webhook {slack['by_webhook']:,}", f"{slack['after_end']:,} of these"
    words = f"{pluralize(slack['incidents'], 'incident')} · {seen}"
    return words + (f" · {which} after the last line" if slack["after_end"] else "")


def show_report(report: Report, *, everything: bool = False, console: Console | None = None) -> None:
    """Print it.

    Args:
        report: The document.
        everything: Whether to print every incident, however many there are.
        console: Where to print; standard output unless given.
    """
    console = console or terminal()
    console.print(Text(summary(report), "bold"))
    if report["first_line"]:
        span = millis_of(report["last_line"]) - millis_of(report["first_line"])
        console.print(
            Text(
                f"{to_second(report['first_line'])} – {to_second(report['last_line'])} UTC ({format_duration(span)})",
                "dim",
            )
        )
    notified = [incident for incident in report["incidents"] if incident["notifications"]]
    for incident in notified if everything else notified[:MAX_INCIDENTS]:
        console.print()
        _show_incident(incident, report["minutes"].get(incident["service"], []), console)
    if not everything and len(notified) > MAX_INCIDENTS:
        console.print(
            Text(
                f"\n… and {len(notified) - MAX_INCIDENTS:,} more incidents: --all shows them, --html draws them",
                "dim",
            )
        )
    silent = [incident for incident in report["incidents"] if not incident["notifications"]]
    names = sorted({alert["signature"] for incident in silent for alert in incident["alerts"]})
    if names := [name for name in names if name != UNKNOWN_ERROR]:  # which the end is about
        console.print(
            Text(f"\nCounted without a message, in test mode or below a threshold: {', '.join(names)}", "dim")
        )
    for reason, count in report["ignored"].items():
        console.print(Text(f"\nPassed over {pluralize(count, 'line')}: {shown(reason)}", "dim"))
    if about := lines_about(report["unexplained"]):
        console.print()
        for line in about:
            console.print(Text(line))
    if "comparison" in report:
        console.print()
        _show_comparison(report["comparison"], console)


def _show_incident(incident: Report, minutes: Sequence[Sequence[Any]], console: Console) -> None:
    end = incident["resolved_at"] or incident["notifications"][-1]["at"]
    head = Text("● ", LOOKS[incident["severity"]])
    head.append(f"{shown(incident['service'])}  ", "bold").append(shown(incident["title"]), "bold")
    head.append(f"  {incident['severity']}", LOOKS[incident["severity"]])
    console.print(head)
    when = f"  {to_second(incident['opened_at'])} – {_until(incident['opened_at'], end)}"
    console.print(Text(f"{when}  {pluralize(incident['count'], 'occurrence')}", "dim"))
    bars = sparkline(minutes, incident["opened_at"], end)
    if len(bars.strip()) > 1:
        console.print(Text(f"  {bars}", "red"))
    sent = Table.grid(padding=(0, 2))
    for row in _sent_rows(incident):
        sent.add_row(*row)
    console.print(Padding(sent, (0, 0, 0, 2)))
    alerts = Table.grid(padding=(0, 2))
    for alert in incident["alerts"]:
        fields = " ".join(f"{name}={value}" for name, value in alert["fields"].items())
        why = (
            f"inhibited by {alert['inhibited_by']}"
            if alert["inhibited_by"]
            else ""
            if alert["announced"]
            else "not announced"
        )
        alerts.add_row(
            Text(shown(alert["signature"]), "dim" if why else ""),
            Text(f"×{alert['count']:,}"),
            Text(shown(fields), "cyan"),
            Text(why, "dim"),
        )
    console.print(Padding(alerts, (0, 0, 0, 2)))


def _sent_rows(incident: Report) -> Iterator[tuple[Text, Text, Text]]:
    """When, why and how much; notifications of one reason in a row are one row."""
    for reason, group in groupby(incident["notifications"], lambda entry: entry["reason"]):
        entries = list(group)
        first, last = entries[0], entries[-1]
        day = incident["opened_at"][:10]
        when = _clock(first["at"], day) + (f" … {_clock(last['at'], day)}" if len(entries) > 1 else "")
        times = f" ×{len(entries)}" if len(entries) > 1 else ""
        note = ", ".join(first["signatures"]) if reason in {"opened", "new_alert", "regressed"} else ""
        note = "after the last line" if last["after_end"] else note
        yield (
            Text(when),
            Text(f"{reason}{times}", "bold"),
            Text(f"{last['count']:,} in all  {note}".rstrip(), "dim"),
        )


def sparkline(minutes: Sequence[Sequence[Any]], start: str, end: str, columns: int = COLUMNS) -> str:
    """Occurrences over an incident's life as a row of bars.

    Args:
        minutes: Pairs of a minute and a count.
        start: When it begins.
        end: When it ends.
        columns: The most bars; fewer where there are fewer minutes.
    """
    first, last = millis_of(start) // MINUTE * MINUTE, millis_of(end)
    width = max(MINUTE, -(-(last - first + 1) // columns))
    counts = [0] * max(1, -(-(last - first + 1) // width))
    for minute, count in minutes:
        at = millis_of(minute)
        if first <= at <= last:
            counts[(at - first) // width] += count
    most = max(counts) or 1
    return "".join(BARS[-(-count * (len(BARS) - 1) // most)] for count in counts)


def _show_comparison(comparison: Mapping[str, Any], console: Console) -> None:
    messages = comparison["messages"]
    head = f"Since {comparison['ref']}: {messages['before']:,} → {pluralize(messages['after'], 'message')}"
    console.print(Text(shown(head), "bold"))
    if not comparison["signatures"] and not comparison["only_before"] and not comparison["only_after"]:
        console.print(Text("  no difference on these lines", "dim"))
    table = Table.grid(padding=(0, 2))
    for name, counts in comparison["signatures"].items():
        table.add_row(
            Text(f"  {shown(name)}"), Text(f"{counts['before']:,} → {counts['after']:,} occurrences", "dim")
        )
    for sign, key, look in (("-", "only_before", "red"), ("+", "only_after", "green")):
        for entry in comparison[key][:MAX_INCIDENTS]:
            what = f"{to_second(entry['at'])}  {entry['service']}  {entry['reason']}"
            table.add_row(Text(f"{sign} {shown(what)}", look), Text(shown(entry["title"])))
        if len(comparison[key]) > MAX_INCIDENTS:
            table.add_row(Text(f"{sign} … and {len(comparison[key]) - MAX_INCIDENTS:,} more", look), "")
    console.print(table)


def _clock(time: str, day: str) -> str:
    return time[11:19] if time[:10] == day else to_second(time)


def _until(start: str, end: str) -> str:
    return end[11:19] if end[:10] == start[:10] else to_second(end)
