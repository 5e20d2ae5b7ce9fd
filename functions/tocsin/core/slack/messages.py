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
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from tocsin.core.model import Reason, Severity
from tocsin.core.notifications.contract import Notification, NotifiedAlert, millis_of
from tocsin.core.notifications.email import email_text
from tocsin.core.notifications.phrases import (
    account_words,
    lasted,
    leading_alert,
    learned_late,
    queue_words,
    subject_alert,
    times,
    why_words,
)
from tocsin.core.notifications.reported_actions import action_words
from tocsin.core.notifications.wide_words import Medium, wide_words
from tocsin.core.slack import digest_blocks as slack_digest
from tocsin.core.slack.action_blocks import action_buttons, done_block, holder_block
from tocsin.core.slack.alert_blocks import (
    SIGNS,
    SizeBudget,
    advice,
    buttons,
    changed_before,
    circumstances,
    details,
    found,
    others,
    sign,
)
from tocsin.core.slack.elements import MAX_FIELDS, Block, context, header, mrkdwn_object, section
from tocsin.core.slack.mrkdwn import call, fence, length, mrkdwn, time_token
from tocsin.core.times import format_duration

MAX_JSON = 12_800
"""Characters of all blocks as JSON; from about 13,200 Slack answers ``msg_blocks_too_long``."""
MAX_BLOCKS = 50
_FALLBACK, _PLAIN = 600, 3_500
_MENTIONS = 20
_MAX_WIDE = 2_000

_LATE = "🕓 Delayed:"

_NEWS = {
    Reason.OPENED: "",
    Reason.NEW_ALERT: "Also: ",
    Reason.UPDATE: "Still going on: ",
    Reason.REPEAT: "Still firing: ",
    Reason.REGRESSED: "Back again: ",
    Reason.RESOLVED: "Resolved: ",
    Reason.SILENCE_EXPIRED: "Silence over, still firing: ",
    Reason.DIGEST: "",
}
"""The headline's first words in a message of its own."""

_EDITED = {**_NEWS, Reason.NEW_ALERT: "", Reason.UPDATE: ""}
"""The same in the message that is edited: growth does not change what the incident is."""


class SlackMessage(Struct, frozen=True):
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


_ROOMS = (
    SizeBudget(2600, 20, 1200),
    SizeBudget(1400, 12, 1200),
    SizeBudget(700, 8, 700),
    SizeBudget(300, 4, 500),
    SizeBudget(150, 0, 300),
    SizeBudget(0, 0, 250, links=False),
)


def render(
    notification: Notification,
    *,
    late: bool = False,
    mentions: Sequence[str] = (),
    acts: bool = False,
    redrivable: frozenset[str] = frozenset(),
) -> SlackMessage:
    """The incident's one message in bot mode: its state as of this notification.

    Args:
        notification: The contract.
        late: Whether a newer one was told before it.
        mentions: Ids of the user groups that it calls; from configuration, never from what was logged.
        acts: Whether people can act on it here.
        redrivable: The dead-letter queues that they may redrive.
    """
    if notification.reason is Reason.DIGEST:
        return _digest(notification)
    main = leading_alert(notification)[0]
    is_news = subject_alert(notification) is main
    words = _EDITED.get(notification.reason, "") if is_news else ""
    headline = _headline(notification, main, words, late=late)
    return _fitted(
        notification,
        main,
        headline,
        lambda budget: [
            *_whole(notification, main, headline, budget, min(budget.sample, 1000), Medium.THREAD),
            *(action_buttons(notification, main, redrivable) if acts else ()),
        ],
        late=late,
        mentions=mentions,
    )


def render_standalone(
    notification: Notification, *, late: bool = False, mentions: Sequence[str] = ()
) -> SlackMessage:
    """The one message of this notification in webhook mode: everything there is; the rest as for `render`."""
    if notification.reason is Reason.DIGEST:
        return _digest(notification)
    main, words = headed_by(notification)
    headline = _headline(notification, main, words, late=late)
    return _fitted(
        notification,
        main,
        headline,
        lambda budget: _whole(notification, main, headline, budget, budget.sample, Medium.WEBHOOK),
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
    reason = notification.reason
    if reason in {Reason.OPENED, Reason.DIGEST}:
        return None
    if reason is Reason.UPDATE and not says_more(notification):
        return None
    if reason is Reason.UPDATE and notification.actions and not _grows(notification):
        return _record_of_actions(notification)
    main, words = headed_by(notification)
    about = growing(notification) if reason is Reason.UPDATE else []
    about = about or [alert for alert in notification.alerts if alert.changed] or [main]
    headline = _headline(notification, main, words, late=late)
    message = _fitted(
        notification,
        main,
        headline,
        lambda budget: [*done_block(notification), *_reply(notification, reason, about, budget)],
        late=late,
        mentions=mentions,
    )
    return replace(message, broadcast=not late and _wakes(notification, reason, about))


def growing(notification: Notification) -> list[NotifiedAlert]:
    """The alerts whose dead-letter queue is news in this notification."""
    return [alert for alert in notification.alerts if alert.queue and alert.queue.growing]


def says_more(notification: Notification) -> bool:
    """Whether an update says more than counts: a queue grows, what changed before became known, somebody did something."""
    return _grows(notification) or bool(notification.actions)


def _grows(notification: Notification) -> bool:
    return bool(growing(notification)) or learned_late(notification)


def _record_of_actions(notification: Notification) -> SlackMessage:
    """The reply that keeps the record of what people did, where there is nothing else to tell."""
    words = mrkdwn("\n".join(action_words(notification)), _FALLBACK)
    return SlackMessage(words, done_block(notification), words)


def headed_by(notification: Notification) -> tuple[NotifiedAlert, str]:
    """The alert that a message about this notification alone is headed by, and the words before its title."""
    reason = notification.reason
    if reason is Reason.UPDATE and (queues := growing(notification)):
        return queues[0], "Growing: "
    return subject_alert(notification), _NEWS[reason]


def preview(notification: Notification) -> dict[str, Any]:
    """What would be posted, in both modes: for dry runs and for looking at."""
    reply = render_thread(notification)
    return {
        "notification": notification.id,
        "reason": notification.reason,
        "bot": {
            "message": _shown(render(notification)),
            "reply": None if reply is None else {**_shown(reply), "reply_broadcast": reply.broadcast},
        },
        "webhook": {"message": _shown(render_standalone(notification))},
    }


def _shown(message: SlackMessage) -> dict[str, Any]:
    return {"text": message.text, "blocks": message.blocks}


def _wakes(notification: Notification, reason: Reason, about: list[NotifiedAlert]) -> bool:
    """Whether the channel should see the reply: it began again, is forgotten, or something worse joined."""
    if reason in {Reason.REPEAT, Reason.REGRESSED, Reason.SILENCE_EXPIRED}:
        return True
    if reason is not Reason.NEW_ALERT:
        return False
    known = [alert for alert in notification.alerts if not alert.changed and alert.state == "firing"]
    worst = min((alert.severity.rank for alert in known), default=len(Severity))
    return any(not alert.inhibited_by and alert.severity.rank < worst for alert in about)


def _whole(
    notification: Notification,
    main: NotifiedAlert,
    headline: str,
    budget: SizeBudget,
    sample: int,
    medium: Medium,
) -> list[Block]:
    reason = notification.reason
    over = reason is Reason.RESOLVED
    blocks = [header(headline)]
    if budget.late:
        blocks.append(section(_overtaken(notification)))
    if over and not budget.late:
        blocks.append(section(_over(notification)))
    if wide := wide_words(notification, medium):
        blocks.append(section(f"🔗 {mrkdwn(wide, _MAX_WIDE)}"))
    if not over:
        blocks += holder_block(notification)
        blocks += changed_before(notification, budget)
        blocks += [*circumstances(main, millis_of(notification.at)), *advice(main, budget)]
    blocks += _fields(notification, main, reason, budget)
    if main.sample and sample and not over:
        blocks.append(section(fence(main.sample, sample)))
    blocks += buttons(main, budget, primary=not over and not budget.late)
    blocks += others(notification, [alert for alert in notification.alerts if alert is not main], budget)
    blocks += _context(notification, main)
    return blocks


def _headline(notification: Notification, main: NotifiedAlert, words: str, *, late: bool) -> str:
    over = notification.reason is Reason.RESOLVED
    sign = "✅" if over else SIGNS[main.severity]
    title, queue = main.title, main.queue
    if queue and queue.growing and notification.reason is Reason.UPDATE:
        title = f"{queue.name}: {queue_words(queue, millis_of(notification.at))}"
    return f"{_LATE if late else sign} {words}{title} · {notification.service}"


def _overtaken(notification: Notification) -> str:
    """What a reader must know before anything else of a message that newer ones have overtaken."""
    return (
        f"🕓 *Delayed.* This is from {time_token(millis_of(notification.at))}. "
        "Newer messages about this incident were sent before it; they count."
    )


def _over(notification: Notification) -> str:
    incident = notification.incident
    count, again = incident.count, incident.reopened_at
    wide = notification.wide
    # Of the one that leads a wide incident: the others may go on failing, of which this knows nothing.
    where = f" in {mrkdwn(notification.service, 200)}" if wide is not None else ""
    words = f"*It is over{where}.* Seen {times(count)}"
    if incident.first_seen != incident.last_seen:
        words += f" in {lasted(notification)}, last"
    words += f" {time_token(millis_of(incident.last_seen))}."
    if again:
        this_time = format_duration(max(0, millis_of(incident.last_seen) - millis_of(again)))
        words += f" This time, since {time_token(millis_of(again))}, it lasted {this_time}."
    nothing_to_do = "" if wide is not None else " Nothing to do now; the runbook says how to prevent it."
    return f"{words}{nothing_to_do}"


def _fields(
    notification: Notification, main: NotifiedAlert, reason: Reason, budget: SizeBudget
) -> list[Block]:
    """What is new, how bad, how often, since when, until when; then what the expression found."""
    first, last = millis_of(main.first_seen), millis_of(main.last_seen)
    colour = "" if reason is Reason.RESOLVED or budget.late else sign(main, budget) + " "
    status = _status(notification, main, reason)
    pairs = [
        ("Status then", status.partition(" ")[2]) if budget.late else ("Status", status),
        ("Severity", f"{colour}{main.severity}"),
        ("First seen", time_token(first)),
        ("Last seen", time_token(last) if last > first else "the same moment"),
        ("Occurrences", _how_often(notification, main, reason)),
    ]
    known = [mrkdwn_object(f"*{name}*\n{value}") for name, value in pairs]
    return [{"type": "section", "fields": [*known, *found(main)][:MAX_FIELDS]}]


def _how_often(notification: Notification, main: NotifiedAlert, reason: Reason) -> str:
    count, total = main.count, notification.incident.count
    since = sum(alert.count_since_last for alert in notification.alerts)
    words = f"*{count:,}*" + (f" of {total:,} in the incident" if total > count else "")
    grew = reason not in {Reason.OPENED, Reason.RESOLVED} and 0 < since < total
    return words + (f" (+{since:,} since the last report)" if grew else "")


def _status(notification: Notification, main: NotifiedAlert, reason: Reason) -> str:
    incident = notification.incident
    began = incident.reopened_at or incident.first_seen
    age = format_duration(millis_of(notification.at) - millis_of(began))
    joined = sum(alert.changed for alert in notification.alerts)
    subject = subject_alert(notification)
    is_news, title = subject is main, mrkdwn(subject.title, 200)
    return {
        Reason.OPENED: "🆕 New incident",
        Reason.NEW_ALERT: f"\N{HEAVY PLUS SIGN} {'An alert' if joined <= 1 else f'{joined} alerts'} joined",
        Reason.UPDATE: f"📈 Still going on after {age}",
        Reason.REPEAT: f"⏰ Reminder: still firing after {age}",
        Reason.REGRESSED: "🔁 Was over, is back" if is_news else f"🔁 Back: *{title}*",
        Reason.RESOLVED: f"✅ Resolved {time_token(millis_of(notification.at))}",
        Reason.SILENCE_EXPIRED: f"🔔 Silence ended, still firing{'' if is_news else f': *{title}*'}",
        Reason.DIGEST: "🧪 In test mode",
    }[reason]


def _reply(
    notification: Notification, reason: Reason, about: list[NotifiedAlert], budget: SizeBudget
) -> list[Block]:
    late = [section(_overtaken(notification))] if budget.late else []
    if reason is Reason.RESOLVED:
        title = f"✅ *Resolved* {time_token(millis_of(notification.at))}."
        title += "" if late else f" {_over(notification)}"
        alerts = notification.alerts
        listed = others(notification, alerts, budget) if len(alerts) > 1 else []
        return [*late, section(title), *listed, *_context(notification, leading_alert(notification)[0])]
    if reason is Reason.UPDATE and not growing(notification):
        title = "🔎 *It is known now what changed before it began.*"
        changes = changed_before(notification, budget)
        return [*late, section(title), *changes, *_context(notification, leading_alert(notification)[0])]
    title = {
        Reason.NEW_ALERT: "\N{HEAVY PLUS SIGN} *New in this incident*",
        Reason.UPDATE: "📥 *The dead-letter queue grows*, and what is in it is lost in time.",
        Reason.REPEAT: f"⏰ *Still firing*, and seen {times(notification.incident.count)} by now.",
        Reason.REGRESSED: "🔁 *Back again*: it was over and has started once more.",
        Reason.SILENCE_EXPIRED: f"🔔 *A silence ended, and this is still firing.*{_kept_quiet(notification)}",
    }[reason]
    blocks = [*late, section(title), *changed_before(notification, budget)]
    shown = about[: 3 if budget.others else 1]
    for alert in shown:
        blocks += details(alert, budget, of=len(shown), at=millis_of(notification.at))
    rest = about[len(shown) :]
    if rest:
        blocks += others(notification, rest, budget)
    return [*blocks, *_context(notification, shown[0])]


def _kept_quiet(notification: Notification) -> str:
    since = sum(alert.count_since_last for alert in notification.alerts if alert.changed)
    return f" It was seen {times(since)} while it was muted." if since else ""


def _context(notification: Notification, alert: NotifiedAlert) -> list[Block]:
    """Why this was sent, then where it comes from: what nobody reads first and somebody needs at last."""
    source = alert.source
    account = f"account {account_words(alert)}" if alert.account else ""
    where = [
        source.log_group,
        source.alarm,
        account,
        alert.region,
        f"incident {notification.id}",
    ]
    return [context(f"Why: {why_words(notification)}"), context(" · ".join(filter(None, where)))]


def _fitted(
    notification: Notification,
    main: NotifiedAlert,
    headline: str,
    build: Callable[[SizeBudget], list[Block]],
    *,
    late: bool,
    mentions: Sequence[str],
) -> SlackMessage:
    """Build with as much budget as Slack's total allows, whom it calls after the first line."""
    called = " ".join(call(each) for each in mentions[:_MENTIONS])
    blocks: list[Block] = []
    for budget in _ROOMS:
        blocks = build(replace(budget, late=late))
        blocks[1:1] = [section(called)] if called else []
        if len(blocks) <= MAX_BLOCKS and json_length(blocks) <= MAX_JSON:
            break
    over = notification.reason is Reason.RESOLVED
    action = "" if over or late else f" — {main.first_action}"
    whole = email_text(notification)
    if late:
        whole = f"{_LATE} this is from {notification.at[:19].replace('T', ' ')} UTC.\n\n{whole}"
    text = mrkdwn(whole, _PLAIN - len(called))
    return SlackMessage(
        mrkdwn(headline + action, _FALLBACK), blocks, f"{called}\n\n{text}" if called else text
    )


def _digest(notification: Notification) -> SlackMessage:
    """The digest, which is never edited, late or answered: there is one of it."""
    blocks: list[Block] = []
    for most, sample in slack_digest.ROOMS:
        blocks = slack_digest.digest_blocks(notification, most, sample)
        if json_length(blocks) <= MAX_JSON:
            break
    text = mrkdwn(slack_digest.headline(notification), _FALLBACK)
    return SlackMessage(text, blocks, mrkdwn(email_text(notification), _PLAIN))


def json_length(blocks: list[Block]) -> int:
    """What Slack's total is measured in."""
    return length(json.dumps(blocks, ensure_ascii=False))
