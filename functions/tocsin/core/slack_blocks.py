"""The notification as Slack shows it, for someone woken at three in the morning.

The first line says what broke, where and how bad; the second what to do. With a bot token an incident is one
message that is edited in place (``render``), and each thing that happens to it is a reply in its thread
(``render_thread``); an incoming webhook can neither edit nor reply, so there each notification says
everything (``render_standalone``). After an outage of Slack they may come in any order: one that a newer one
has overtaken says so in its first words and alarms nobody (``late``).

Where text may go is a rule of safety: log text stands in a code fence, in inline code or in ``plain_text``;
everything else in mrkdwn is ours or a reviewed signature's. Limits are Slack's own (docs.slack.dev/reference/
block-kit) and the total that ``chat.postMessage`` enforces without documenting it (slackapi/bolt-js#2509).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tocsin.core.durations import format_duration
from tocsin.core.model import Reason, Severity
from tocsin.core.notification import Notification, millis_of
from tocsin.core.notification_text import email_text, lasted, leading_alert, shown_fields, times
from tocsin.core.slack_text import code, cut, escape, fence, length, mrkdwn, plain, time_token

MOST_JSON = 12_800
"""Characters of all blocks as JSON; from about 13,200 Slack answers ``msg_blocks_too_long``."""
MOST_BLOCKS = 50
_HEADER, _SECTION, _FIELD, _FIELDS, _URL, _BUTTON = 150, 3000, 2000, 10, 3000, 75
_FALLBACK, _PLAIN = 600, 3_500
_MENTIONS = 20

SIGNS = {Severity.CRITICAL: "🔴", Severity.HIGH: "🟠", Severity.MEDIUM: "🟡", Severity.LOW: "🔵"}

_LATE, _CALM = "🕓 Earlier, told late:", "▫️"

Block = dict[str, Any]
Alert = dict[str, Any]

_NEWS = {
    Reason.OPENED: "",
    Reason.NEW_ALERT: "Also: ",
    Reason.UPDATE: "Still going on: ",
    Reason.REPEAT: "Still firing: ",
    Reason.REGRESSED: "Back again: ",
    Reason.RESOLVED: "Resolved: ",
    Reason.SILENCE_EXPIRED: "Silence over, still firing: ",
}
"""The headline's first words in a message of its own."""

_EDITED = {**_NEWS, Reason.NEW_ALERT: "", Reason.UPDATE: ""}
"""The same in the message that is edited: growth does not change what the incident is."""


@dataclass(frozen=True, slots=True)
class SlackMessage:
    """One message as Slack takes it.

    Attributes:
        text: What a phone's push notification and a screen reader say; escaped.
        blocks: Block Kit.
        plain: The whole message as text, escaped: for when Slack refuses the blocks.
        broadcast: For a reply: whether it is also shown in the channel, because an edit of the incident's
            message would wake nobody.
    """

    text: str
    blocks: list[Block]
    plain: str
    broadcast: bool = False


@dataclass(frozen=True, slots=True)
class _Room:
    """How much of what has no natural bound is shown."""

    sample: int
    others: int
    sentence: int
    links: bool = True
    calm: bool = False
    """No colours of severity: what is told late must not look like an alarm."""


_ROOMS = (
    _Room(2600, 20, 1200), _Room(1400, 12, 1200), _Room(700, 8, 700), _Room(300, 4, 500), _Room(150, 0, 300),
    _Room(0, 0, 250, links=False),
)  # fmt: skip


def render(notification: Notification, *, late: bool = False, mentions: Sequence[str] = ()) -> SlackMessage:
    """The incident's one message in bot mode: its state as of this notification.

    Args:
        notification: The contract.
        late: Whether a newer one was told before it.
        mentions: Ids of the user groups that it calls; from configuration, never from what was logged.
    """
    main = leading_alert(notification)[0]
    headline = _headline(notification, main, _EDITED.get(Reason(notification["reason"]), ""), late=late)
    return _fitted(
        notification,
        main,
        headline,
        lambda room: _whole(notification, main, headline, room, min(room.sample, 500)),
        late=late,
        mentions=mentions,
    )


def render_standalone(
    notification: Notification, *, late: bool = False, mentions: Sequence[str] = ()
) -> SlackMessage:
    """The one message of this notification in webhook mode: everything there is; the rest as for `render`."""
    main, words = _news(notification)
    headline = _headline(notification, main, words, late=late)
    return _fitted(
        notification,
        main,
        headline,
        lambda room: _whole(notification, main, headline, room, room.sample),
        late=late,
        mentions=mentions,
    )


def render_thread(
    notification: Notification, *, late: bool = False, mentions: Sequence[str] = ()
) -> SlackMessage | None:
    """The reply in the incident's thread in bot mode, or None where editing the message says it all.

    Args:
        notification: The contract.
        late: Whether a newer one was told before it; then it is not shown in the channel.
        mentions: As for `render`.
    """
    reason = Reason(notification["reason"])
    if reason is Reason.UPDATE:
        return None
    main, words = _news(notification)
    about = [alert for alert in notification["alerts"] if alert["changed"]] or [main]
    headline = _headline(notification, main, words, late=late)
    message = _fitted(
        notification,
        main,
        headline,
        lambda room: _reply(notification, reason, about, room),
        late=late,
        mentions=mentions,
    )
    return replace(message, broadcast=not late and _wakes(notification, reason, about))


def _news(notification: Notification) -> tuple[Alert, str]:
    """The alert that a message about this notification alone is headed by, and the words before its title."""
    reason = Reason(notification["reason"])
    first: Alert = notification["alerts"][0]
    named = reason in {Reason.NEW_ALERT, Reason.REGRESSED} and first["changed"]
    return (first if named else leading_alert(notification)[0]), _NEWS[reason]


def preview(notification: Notification) -> dict[str, Any]:
    """What would be posted, in both modes: for dry runs and for looking at."""
    reply = render_thread(notification)
    return {
        "notification": notification["id"],
        "reason": notification["reason"],
        "bot": {
            "message": _shown(render(notification)),
            "reply": None if reply is None else {**_shown(reply), "reply_broadcast": reply.broadcast},
        },
        "webhook": {"message": _shown(render_standalone(notification))},
    }


def _shown(message: SlackMessage) -> dict[str, Any]:
    return {"text": message.text, "blocks": message.blocks}


def _wakes(notification: Notification, reason: Reason, about: list[Alert]) -> bool:
    """Whether the channel should see the reply: it began again, is forgotten, or something worse joined."""
    if reason in {Reason.REPEAT, Reason.REGRESSED, Reason.SILENCE_EXPIRED}:
        return True
    if reason is not Reason.NEW_ALERT:
        return False
    known = [alert for alert in notification["alerts"] if not alert["changed"] and alert["state"] == "firing"]
    worst = min((Severity(alert["severity"]).rank for alert in known), default=len(Severity))
    return any(not alert["inhibited_by"] and Severity(alert["severity"]).rank < worst for alert in about)


def _whole(notification: Notification, main: Alert, headline: str, room: _Room, sample: int) -> list[Block]:
    reason = Reason(notification["reason"])
    over = reason is Reason.RESOLVED
    blocks = [_header(headline)]
    if room.calm:
        blocks.append(_section(_overtaken(notification)))
    if over and not room.calm:
        blocks.append(_section(_over(notification)))
    if not over:
        blocks += _advice(main, room)
    blocks += _fields(notification, main, reason, room)
    if main["sample"] and sample and not over:
        blocks.append(_section(fence(main["sample"], sample)))
    blocks += _buttons(main, room, primary=not over and not room.calm)
    blocks += _others(notification, [alert for alert in notification["alerts"] if alert is not main], room)
    blocks.append(_context(notification, main))
    return blocks


def _advice(alert: Alert, room: _Room) -> list[Block]:
    """What to do, then what it means."""
    when = "Do first, if it still goes on" if room.calm else "Do first"
    return [
        _section(f"*{when}:* {mrkdwn(alert['first_action'], room.sentence)}"),
        _plain_section(plain(alert["summary"], room.sentence)),
    ]


def _headline(notification: Notification, main: Alert, words: str, *, late: bool) -> str:
    over = Reason(notification["reason"]) is Reason.RESOLVED
    sign = "✅" if over else SIGNS[Severity(main["severity"])]
    return f"{_LATE if late else sign} {words}{main['title']} · {notification['service']}"


def _overtaken(notification: Notification) -> str:
    """What a reader must know before anything else of a message that newer ones have overtaken."""
    return (
        f"🕓 *Told late.* This is from {time_token(millis_of(notification['at']))}. "
        "Newer messages about this incident were told before it; they count."
    )


def _sign(alert: Alert, room: _Room) -> str:
    return _CALM if room.calm else SIGNS[Severity(alert["severity"])]


def _over(notification: Notification) -> str:
    incident = notification["incident"]
    return (
        f"*It is over.* Seen {times(incident['count'])} in {lasted(notification)}, "
        f"last {time_token(millis_of(incident['last_seen']))}. "
        "Nothing to do now; the runbook says how to prevent it."
    )


def _fields(notification: Notification, main: Alert, reason: Reason, room: _Room) -> list[Block]:
    """What is new, how bad, how often, since when, until when; then what the expression found."""
    first, last = millis_of(main["first_seen"]), millis_of(main["last_seen"])
    sign = "" if reason is Reason.RESOLVED or room.calm else _sign(main, room) + " "
    status = _status(notification, reason)
    pairs = [
        ("Status then", status.partition(" ")[2]) if room.calm else ("Status", status),
        ("Severity", f"{sign}{main['severity']}"),
        ("First seen", time_token(first)),
        ("Last seen", time_token(last) if last > first else "the same moment"),
        ("Occurrences", _how_often(notification, main, reason)),
    ]
    known = [_mrkdwn(f"*{name}*\n{value}") for name, value in pairs]
    return [{"type": "section", "fields": [*known, *_found(main)][:_FIELDS]}]


def _found(alert: Alert) -> list[Block]:
    """What the signature's expression found in the line, as inline code."""
    return [_mrkdwn(f"*{_label(name)}*\n{code(value, 250)}") for name, value in shown_fields(alert).items()]


def _label(name: str) -> str:
    """A field's name for people; names of groups are words, and what is not a word is left out."""
    return cut(" ".join(re.findall(r"[^\W_]+", name)) or "found", 60)


def _how_often(notification: Notification, main: Alert, reason: Reason) -> str:
    count, total = main["count"], notification["incident"]["count"]
    since = sum(alert["count_since_last"] for alert in notification["alerts"])
    words = f"*{count:,}*" + (f" of {total:,} in the incident" if total > count else "")
    grew = reason not in {Reason.OPENED, Reason.RESOLVED} and 0 < since < total
    return words + (f" (+{since:,} since the last report)" if grew else "")


def _status(notification: Notification, reason: Reason) -> str:
    age = format_duration(millis_of(notification["at"]) - millis_of(notification["incident"]["first_seen"]))
    joined = sum(alert["changed"] for alert in notification["alerts"])
    return {
        Reason.OPENED: "🆕 New incident",
        Reason.NEW_ALERT: f"\N{HEAVY PLUS SIGN} {'An alert' if joined <= 1 else f'{joined} alerts'} joined",
        Reason.UPDATE: f"📈 Still going on after {age}",
        Reason.REPEAT: f"⏰ Reminder: still firing after {age}",
        Reason.REGRESSED: "🔁 Was over, is back",
        Reason.RESOLVED: f"✅ Resolved {time_token(millis_of(notification['at']))}",
        Reason.SILENCE_EXPIRED: "🔔 Silence ended, still firing",
    }[reason]


def _reply(notification: Notification, reason: Reason, about: list[Alert], room: _Room) -> list[Block]:
    late = [_section(_overtaken(notification))] if room.calm else []
    if reason is Reason.RESOLVED:
        title = f"✅ *Resolved* {time_token(millis_of(notification['at']))}."
        title += "" if late else f" {_over(notification)}"
        return [*late, _section(title), _context(notification, leading_alert(notification)[0])]
    title = {
        Reason.OPENED: "🆕 *What was seen*",
        Reason.NEW_ALERT: "\N{HEAVY PLUS SIGN} *New in this incident*",
        Reason.REPEAT: f"⏰ *Still firing*, and seen {times(notification['incident']['count'])} by now.",
        Reason.REGRESSED: "🔁 *Back again*: it was over and has started once more.",
        Reason.SILENCE_EXPIRED: "🔔 *A silence ended, and this is still firing.*",
    }[reason]
    blocks = [*late, _section(title)]
    shown = about[: 3 if room.others else 1]
    for alert in shown:
        blocks += _details(alert, room, len(shown))
    rest = about[len(shown) :]
    if rest:
        blocks += _others(notification, rest, room)
    blocks.append(_context(notification, shown[0]))
    return blocks


def _details(alert: Alert, room: _Room, of: int) -> list[Block]:
    seen = f"{times(alert['count'])}, last {time_token(millis_of(alert['last_seen']))}"
    because = (
        f"\n_A symptom: `{escape(alert['inhibited_by'])}` explains it._" if alert["inhibited_by"] else ""
    )
    blocks = [
        {"type": "divider"},
        _section(
            f"{_sign(alert, room)} *{mrkdwn(alert['title'], 300)}* · {alert['severity']} · seen {seen}{because}"
        ),
        *_advice(alert, room),
    ]
    found = _found(alert)[:_FIELDS]
    if found:
        blocks.append({"type": "section", "fields": found})
    if alert["sample"] and room.sample:
        blocks.append(_section(fence(alert["sample"], max(150, room.sample // of))))
    return blocks + _buttons(alert, room, primary=False)


def _others(notification: Notification, others: list[Alert], room: _Room) -> list[Block]:
    """The rest of the incident, a line each: what fires, what it explains, what is over."""
    groups = (
        ("Also firing", [a for a in others if a["state"] == "firing" and not a["inhibited_by"]]),
        ("Symptoms of it", [a for a in others if a["state"] == "firing" and a["inhibited_by"]]),
        ("Over", [a for a in others if a["state"] != "firing"]),
    )
    lines: list[str] = []
    left = room.others
    for name, alerts in groups:
        if alerts and left:
            lines += [f"*{name}*", *(_line(alert, room) for alert in alerts[:left])]
            left -= len(alerts[:left])
    shown = room.others - left
    more = notification["incident"]["alert_count"] - (len(notification["alerts"]) - len(others)) - shown
    if more > 0:
        lines.append(f"…and {more} more" if shown else f"{more} more alerts belong to this incident.")
    if notification["incident"]["omitted_count"]:
        lines.append(f"…and {notification['incident']['omitted_count']:,} occurrences of alerts beyond these")
    return [_section("\n".join(lines))] if lines else []


def _line(alert: Alert, room: _Room) -> str:
    sign = _sign(alert, room) if alert["state"] == "firing" else "✅"
    found = next(iter(shown_fields(alert).values()), "")
    what = f" {code(found, 80)}" if found else ""
    new = " 🆕" if alert["changed"] and alert["state"] == "firing" else ""
    return f"{sign} {mrkdwn(alert['title'], 120)}{what} · {times(alert['count'])}{new}"


def _buttons(alert: Alert, room: _Room, *, primary: bool) -> list[Block]:
    addresses = [
        ("📖 Runbook", alert["runbook_url"]),
        ("Log stream", alert["links"]["log_stream"]),
        ("Logs Insights", alert["links"]["insights"]),
        ("Alarm", alert["links"]["alarm"]),
    ]
    elements: list[Block] = [
        {
            "type": "button",
            "text": {"type": "plain_text", "text": cut(label, _BUTTON), "emoji": True},
            "url": url,
        }
        for label, url in (addresses if room.links else addresses[:1])
        if url and length(url) <= _URL and url.startswith(("https://", "http://"))
    ]
    if elements and primary and elements[0]["url"] == alert["runbook_url"]:
        elements[0]["style"] = "primary"
    return [{"type": "actions", "elements": elements}] if elements else []


def _context(notification: Notification, alert: Alert) -> Block:
    source = alert["source"]
    account = f"account {alert['account']}" if alert["account"] else ""
    words = [
        source["log_group"], source["alarm"], account, alert["region"], alert["signature"],
        f"incident {notification['id']}", notification["reason"].replace("_", " "),
    ]  # fmt: skip
    text = plain(" · ".join(filter(None, words)), 900)
    return {"type": "context", "elements": [{"type": "plain_text", "text": text, "emoji": False}]}


def _header(text: str) -> Block:
    return {"type": "header", "text": {"type": "plain_text", "text": plain(text, _HEADER), "emoji": True}}


def _section(text: str) -> Block:
    return {"type": "section", "text": _mrkdwn(text)}


def _plain_section(text: str) -> Block:
    return {"type": "section", "text": {"type": "plain_text", "text": text or "…", "emoji": False}}


def _mrkdwn(text: str) -> Block:
    # verbatim: Slack must not turn words into links or mentions by itself.
    return {"type": "mrkdwn", "text": cut(text, _SECTION), "verbatim": True}


def _fitted(
    notification: Notification,
    main: Alert,
    headline: str,
    build: Callable[[_Room], list[Block]],
    *,
    late: bool,
    mentions: Sequence[str],
) -> SlackMessage:
    """Build with as much room as Slack's total allows, whom it calls after the first line."""
    called = " ".join(f"<!subteam^{group}>" for group in mentions[:_MENTIONS])
    blocks: list[Block] = []
    for room in _ROOMS:
        blocks = build(replace(room, calm=late))
        blocks[1:1] = [_section(called)] if called else []
        if len(blocks) <= MOST_BLOCKS and json_length(blocks) <= MOST_JSON:
            break
    over = Reason(notification["reason"]) is Reason.RESOLVED
    action = "" if over or late else f" — {main['first_action']}"
    whole = email_text(notification)
    if late:
        whole = f"{_LATE} this is from {notification['at'][:19].replace('T', ' ')} UTC.\n\n{whole}"
    text = mrkdwn(whole, _PLAIN - len(called))
    return SlackMessage(
        mrkdwn(headline + action, _FALLBACK), blocks, f"{called}\n\n{text}" if called else text
    )


def json_length(blocks: list[Block]) -> int:
    """What Slack's total is measured in."""
    return length(json.dumps(blocks, ensure_ascii=False))
