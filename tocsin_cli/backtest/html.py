"""A backtest as one HTML page that needs nothing but itself: the timeline, and what Slack would have shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

import msgspec

from tocsin.core.model import Millis
from tocsin.core.notifications.contract import Notification, millis_of
from tocsin.core.sanitize import clipped, visible
from tocsin.core.times import DAY, HOUR, MINUTE, format_duration
from tocsin_cli.backtest.in_slack import DeliveredInSlack
from tocsin_cli.backtest.report import Report
from tocsin_cli.backtest.timeline import summary
from tocsin_cli.fake_slack.channel import Message
from tocsin_cli.slack_view.page import asset, document_head, render_log
from tocsin_cli.terminal import pluralize, to_second

WIDTH, LEFT, LANE, TOP = 1080, 150, 64, 26
"""Of the drawing: its width, the room for names, a lane's height, the room for the axis."""
MAX_NAME_LENGTH = 20
"""Characters of a service's name that the room for names holds."""
COLUMNS = 240
MAX_DRAWN = 200
"""Incidents with details of their own."""
MAX_MESSAGES = 6
"""Messages drawn for one incident; what is between the first and the last of many updates says little."""
STEPS = (
    *(n * MINUTE for n in (1, 5, 10, 30)),
    *(n * HOUR for n in (1, 3, 6, 12)),
    *(n * DAY for n in (1, 7, 30, 365)),
)
"""What may lie between two marks on the axis."""
SAYS = {"opened", "new_alert", "regressed", "resolved", "repeat", "silence_expired"}

STYLE = """
body { display: block; max-width: 1140px; margin: 0 auto; padding: 28px 24px 60px; }
h1 { font-size: 25px; margin: 0 0 4px; font-weight: 900; } h2 { font-size: 18px; margin: 34px 0 8px; font-weight: 900; }
.soft { color: var(--soft); } .numbers { display: flex; flex-wrap: wrap; gap: 12px; margin: 20px 0 24px; }
.number { border: 1px solid var(--line); border-radius: 10px; padding: 12px 20px; min-width: 150px; }
.number b { display: block; font-size: 27px; font-weight: 900; line-height: 1.2; }
.number.main { background: var(--chapter); border-color: var(--chapter-line); }
.chart { border: 1px solid var(--line); border-radius: 10px; padding: 12px 14px 6px; overflow-x: auto; }
svg.time { display: block; width: 100%; min-width: 760px; height: auto; font-size: 12px; fill: var(--fg); }
svg .axis { stroke: var(--faint); } svg .mark { fill: var(--soft); } svg .name { font-weight: 700; font-size: 13px; }
svg .span { fill: #e01e5a; opacity: .13; } svg .bar { fill: #e01e5a; opacity: .75; }
svg .opened, svg .regressed { fill: #e01e5a; } svg .new_alert { fill: #e8912d; } svg .update, svg .repeat { fill: #97979b; }
svg .resolved { fill: #2bac76; } svg .sent { stroke: var(--bg); stroke-width: 1.5; }
.legend { display: flex; flex-wrap: wrap; gap: 16px; margin: 4px 0 4px; font-size: 13px; color: var(--soft); }
.legend svg { width: 11px; height: 11px; vertical-align: -1px; margin-right: 5px; }
details.incident { border: 1px solid var(--line); border-radius: 10px; margin: 10px 0; }
details.incident > summary { padding: 12px 16px; cursor: pointer; display: flex; gap: 12px; align-items: baseline; flex-wrap: wrap; }
details.incident > summary b { font-weight: 900; } details.incident > div { padding: 0 16px 12px; }
.pill { border-radius: 10px; padding: 1px 9px; font-size: 12px; font-weight: 700; color: #fff; background: #616061; }
.pill.critical { background: #c91b51; } .pill.high { background: #c25e00; } .pill.medium { background: #8d6b00; }
.pill.low { background: #1264a3; }
table { border-collapse: collapse; margin: 6px 0 14px; font-size: 14px; } td, th { text-align: left; padding: 4px 18px 4px 0; vertical-align: top; }
th { color: var(--soft); font-weight: 400; } td.at { white-space: nowrap; } td.count { text-align: right; font-variant-numeric: tabular-nums; }
code { color: var(--code); } .removed { color: var(--danger); } .added { color: var(--primary); }
.log { padding: 0; border-top: 1px solid var(--line); }
"""


def render_backtest_page(report: Report) -> str:
    """Draw the page.

    Args:
        report: The document of ``backtest.report.build_report``.
    """
    head = document_head(summary(report), style=asset("channel.css") + STYLE, sources="img-src https: data:")
    notified = [incident for incident in report["incidents"] if incident["notifications"]]
    channel = DeliveredInSlack(
        (msgspec.convert(each, Notification) for each in report["notifications"]), report["slack"]["mode"]
    )
    drawn = "".join(
        _incident(incident, channel.of_incident(incident["id"]), is_open=len(notified) == 1)
        for incident in notified[:MAX_DRAWN]
    )
    more = (
        f'<p class="soft">… and {len(notified) - MAX_DRAWN:,} more incidents; --json has them all.</p>'
        if len(notified) > MAX_DRAWN
        else ""
    )
    return f"""{head}
<body>
<h1>Backtest</h1>
<p class="soft">{_period(report)}</p>
<div class="numbers">{_numbers(report, notified)}</div>
{_timeline(report, notified)}
{_comparison(report)}
<h2>Incidents</h2>
{drawn or '<p class="soft">Nobody would have been notified of anything in these lines.</p>'}{more}
{_notes(report)}
</body>
</html>
"""


def _numbers(report: Report, notified: Sequence[Report]) -> str:
    slack = report["slack"]
    cells = [
        (report["lines"], "lines", ""),
        (report["occurrences"], "occurrences", ""),
        (len(notified), "incidents", ""),
    ]
    if slack["mode"] == "webhook":
        cells += [
            (slack["by_webhook"], "messages in the channel", " main"),
            (slack["messages"], "messages, if with a bot", ""),
        ]
    else:
        cells += [
            (slack["messages"], "messages in the channel", " main"),
            (slack["replies"], "replies in threads", ""),
            (slack["silent_edits"], "silent edits", ""),
            (slack["by_webhook"], "messages, if by webhook", ""),
        ]
    cells.append((slack["after_end"], "of these assumed after the last line", ""))
    return "".join(f'<div class="number{look}"><b>{count:,}</b>{words}</div>' for count, words, look in cells)


def _period(report: Report) -> str:
    if not report["first_line"]:
        return "No lines."
    first, last = report["first_line"], report["last_line"]
    span = format_duration(millis_of(last) - millis_of(first))
    return f"Log lines from {to_second(first)} to {to_second(last)} UTC ({span}), on a simulated clock through the code of the Lambdas."


# --- the timeline ---------------------------------------------------------------------------------------------------


def _timeline(report: Report, notified: Sequence[Report]) -> str:
    if not notified:
        return ""
    start = millis_of(report["first_line"])
    end = max(
        millis_of(report["last_line"]),
        *(millis_of(n["at"]) for i in notified for n in i["notifications"]),
        start + MINUTE,
    )
    services = list(dict.fromkeys(incident["service"] for incident in notified))
    height = TOP + LANE * len(services) + 8
    lanes = "".join(
        _lane(
            number,
            service,
            [i for i in notified if i["service"] == service],
            report["minutes"].get(service, []),
            start,
            end,
        )
        for number, service in enumerate(services)
    )
    legend = "".join(
        f'<span><svg viewBox="0 0 10 10" aria-hidden="true"><circle class="{name}" cx="5" cy="5" r="5"/></svg>{words}</span>'
        for name, words in (
            ("opened", "opened"),
            ("new_alert", "new alert"),
            ("update", "update"),
            ("resolved", "resolved"),
        )
    )
    return f"""<div class="chart">
<svg class="time" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="Occurrences and notifications over time">
{_axis(start, end, height)}{lanes}
</svg>
<div class="legend">{legend}<span>bars: occurrences</span></div>
</div>"""


def _x(at: Millis, start: Millis, end: Millis) -> float:
    return round(LEFT + (WIDTH - LEFT - 16) * (at - start) / (end - start), 1)


def _axis(start: Millis, end: Millis, height: int) -> str:
    step = next((step for step in STEPS if (end - start) / step <= 9), STEPS[-1])  # marks that fit
    parts = []
    for at in range(-(-start // step) * step, end + 1, step):
        x = _x(at, start, end)
        moment = datetime.fromtimestamp(at / 1000, UTC)
        words = f"{moment:%H:%M}" if step < DAY and at % DAY else f"{moment.day} {moment:%b}"
        parts.append(f'<line class="axis" x1="{x}" y1="{TOP - 6}" x2="{x}" y2="{height - 8}"/>')
        parts.append(f'<text class="mark" x="{x}" y="{TOP - 12}" text-anchor="middle">{words}</text>')
    return "".join(parts)


def _lane(
    number: int,
    service: str,
    incidents: Sequence[Report],
    minutes: Sequence[Sequence[Any]],
    start: Millis,
    end: Millis,
) -> str:
    top = TOP + LANE * number
    name = visible(service)
    parts = [f'<text class="name" x="0" y="{top + 34}">{escape(clipped(name, MAX_NAME_LENGTH))}</text>']
    for incident in incidents:
        left = _x(millis_of(incident["opened_at"]), start, end)
        right = _x(millis_of(incident["resolved_at"] or incident["notifications"][-1]["at"]), start, end)
        title = escape(f"{incident['title']}: {pluralize(incident['count'], 'occurrence')}")
        parts.append(
            f'<rect class="span" x="{left}" y="{top + 4}" width="{max(2.0, round(right - left, 1))}" height="{LANE - 12}" rx="4">'
            f"<title>{title}</title></rect>"
        )
    parts += _bars(minutes, top, start, end)
    parts += (
        _notification(entry, top, start, end)
        for incident in incidents
        for entry in _drawn_last(incident["notifications"])
    )
    return "".join(parts)


def _bars(minutes: Sequence[Sequence[Any]], top: int, start: Millis, end: Millis) -> Iterator[str]:
    width = max(MINUTE, -(-(end - start + 1) // COLUMNS))
    columns: dict[int, int] = {}
    for minute, count in minutes:
        column = max(0, (millis_of(minute) - start) // width)
        columns[column] = columns.get(column, 0) + count
    most = max(columns.values(), default=1)
    for column, count in sorted(columns.items()):
        left, right = (
            _x(start + column * width, start, end),
            _x(min(end, start + (column + 1) * width), start, end),
        )
        tall = round(
            max(2.0, 30 * (count / most) ** 0.5), 1
        )  # by the square root: one occurrence beside a storm is seen too
        yield (
            f'<rect class="bar" x="{left}" y="{top + LANE - 10 - tall}" width="{max(1.5, round(right - left - 0.6, 1))}" '
            f'height="{tall}"><title>{pluralize(count, "occurrence")}</title></rect>'
        )


def _drawn_last(notifications: Sequence[Report]) -> list[Report]:
    """What says least first, so that what says more is drawn over it."""
    layers = ("update", "repeat", "resolved", "silence_expired", "new_alert", "regressed", "opened")
    return sorted(notifications, key=lambda entry: layers.index(entry["reason"]))


def _notification(entry: Report, top: int, start: Millis, end: Millis) -> str:
    x, radius = _x(millis_of(entry["at"]), start, end), 5 if entry["reason"] in SAYS else 2.5
    title = escape(f"{entry['reason']} at {to_second(entry['at'])}, {entry['count']:,} in all")
    return f'<circle class="sent {entry["reason"]}" cx="{x}" cy="{top + 14}" r="{radius}"><title>{title}</title></circle>'


# --- the incidents --------------------------------------------------------------------------------------------------


def _incident(incident: Report, messages: Sequence[Message], *, is_open: bool) -> str:
    end = incident["resolved_at"] or incident["notifications"][-1]["at"]
    rows = "".join(
        f'<tr><td><code>{_text(alert["signature"])}</code></td><td class="count">{alert["count"]:,}</td>'
        f"<td>{_text(' '.join(f'{name}={value}' for name, value in alert['fields'].items()))}</td>"
        f'<td class="at">{to_second(alert["first_seen"])}</td><td class="at">{to_second(alert["last_seen"])}</td><td class="soft">{_why(alert)}</td></tr>'
        for alert in incident["alerts"]
    )
    drawn = messages if len(messages) <= MAX_MESSAGES else [*messages[: MAX_MESSAGES - 1], messages[-1]]
    left_out = len(messages) - len(drawn)
    note = f'<p class="soft">{left_out:,} more messages in between are not drawn.</p>' if left_out else ""
    return f"""<details class="incident"{" open" if is_open else ""}>
<summary><span class="pill {incident["severity"]}">{incident["severity"]}</span><b>{_text(incident["title"])}</b>
<span>{_text(incident["service"])}</span><span class="soft">{to_second(incident["opened_at"])} – {to_second(end)} ·
{pluralize(incident["count"], "occurrence")} · {_seen(messages)}</span></summary>
<div><table><tr><th>Alert</th><th>Count</th><th>Fields</th><th>First seen</th><th>Last seen</th><th></th></tr>{rows}</table>
{note}<div class="log">{render_log(drawn)}</div></div>
</details>
"""


def _seen(messages: Sequence[Message]) -> str:
    """How much an incident says in the channel: of a bot's messages, one, with replies in its thread."""
    if not messages or messages[0]["via"] == "webhook":
        return pluralize(len(messages), "message")
    replies = len(messages) - 1
    return f"1 message, {replies:,} {'reply' if replies == 1 else 'replies'}"


def _why(alert: Report) -> str:
    if alert["inhibited_by"]:
        return f"inhibited by <code>{_text(alert['inhibited_by'])}</code>"
    return "" if alert["announced"] else "not announced: in test mode, or below its threshold"


# --- what differs, and what is to be known --------------------------------------------------------------------------


def _comparison(report: Report) -> str:
    comparison = report.get("comparison")
    if not comparison:
        return ""
    messages = comparison["messages"]
    rows = "".join(
        f'<tr><td><code>{_text(name)}</code></td><td class="count">{counts["before"]:,}</td><td class="count">{counts["after"]:,}</td></tr>'
        for name, counts in comparison["signatures"].items()
    )
    table = f"<table><tr><th>Signature</th><th>Before</th><th>Now</th></tr>{rows}</table>" if rows else ""
    lines = [
        f'<tr class="{look}"><td>{sign}</td><td>{to_second(entry["at"])}</td><td>{_text(entry["service"])}</td><td>{entry["reason"]}</td>'
        f"<td>{_text(entry['title'])}</td></tr>"
        for sign, key, look in (("-", "only_before", "removed"), ("+", "only_after", "added"))
        for entry in comparison[key][:MAX_DRAWN]
    ]
    differing = (
        f"<table>{''.join(lines)}</table>" if lines else '<p class="soft">No notification differs.</p>'
    )
    return (
        f"<h2>Since {_text(comparison['ref'])}</h2><p>{messages['before']:,} messages before, <b>{messages['after']:,}</b> now."
        f"</p>{table}{differing}"
    )


def _notes(report: Report) -> str:
    silent = {a["signature"] for i in report["incidents"] if not i["notifications"] for a in i["alerts"]}
    notes = [*report["problems"], *(f"{count:,} × {why}" for why, count in report["ignored"].items())]
    if silent:
        notes.append(
            f"Counted without a message, in test mode or below a threshold: {', '.join(sorted(silent))}."
        )
    return (
        "<h2>Notes</h2><ul>" + "".join(f"<li>{_text(note)}</li>" for note in notes) + "</ul>" if notes else ""
    )


def _text(text: str) -> str:
    return escape(visible(text))
