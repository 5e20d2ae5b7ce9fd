"""A channel with something in it, by the real renderer and the local Slack, to look at the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
from msgspec.structs import replace
from sample_incidents import (
    BUCKET,
    DLQ,
    IMPORT_ERROR,
    MINUTE,
    RUNBOOKS,
    SIGNATURES,
    TIMEOUT,
    incident,
    pending,
)

from tocsin.core.model import AlertState, Reason
from tocsin.core.notifications.building import build_notification
from tocsin.core.notifications.contract import Notification
from tocsin.core.slack.messages import SlackMessage, render, render_standalone, render_thread

if TYPE_CHECKING:
    from tocsin.core.incidents.incident import Alert
    from tocsin_cli.fake_slack.server import LocalSlack

HOSTILE_LINE = (
    "<script>document.title='owned'</script> <!channel> <@U12345> <https://evil.example|your bank> ``` "
    '*bold* "><img src=x onerror="document.title=\'owned\'"> &lt;script&gt; javascript:alert(1) \u202egnp.exe'
)


class Poster:
    """Posts as the app does, and insists that Slack takes it."""

    def __init__(self, slack: LocalSlack) -> None:
        self._slack = slack

    def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        answer = requests.post(
            self._slack.api_url + method,
            json={"channel": self._slack.channel_id, **arguments},
            headers={"Authorization": f"Bearer {self._slack.bot_token}"},
            timeout=10,
        ).json()
        assert answer["ok"], answer
        return answer

    def webhook(self, **payload: Any) -> None:
        answer = requests.post(self._slack.webhook_url, json=payload, timeout=10)
        assert answer.text == "ok", answer.text

    def tell(self, ts: str | None, told: Notification) -> str:
        """Bot mode: post or edit the incident's message, then the reply in its thread."""
        whole = render(told)
        if ts:
            self.call("chat.update", ts=ts, text=whole.text, blocks=whole.blocks)
        else:
            ts = self.call("chat.postMessage", text=whole.text, blocks=whole.blocks)["ts"]
        reply = render_thread(told)
        if reply:
            self._reply(reply, ts)
        return ts

    def _reply(self, reply: SlackMessage, ts: str) -> None:
        said = {"text": reply.text, "blocks": reply.blocks, "reply_broadcast": reply.broadcast}
        self.call("chat.postMessage", thread_ts=ts, **said)


def notification(reason: Reason, sequence: int, about: tuple[Alert, ...], *others: Alert) -> Notification:
    """A notification about some alerts of an incident, which may have others."""
    made = incident(*about, *others, sequence=sequence)
    return build_notification(
        made, pending(reason, *about, sequence=sequence), SIGNATURES, runbooks_url=RUNBOOKS
    )


def fill(slack: LocalSlack) -> None:
    """An incident with its thread and edits, one that is over, one by webhook, and a hostile line."""
    poster = Poster(slack)
    first = replace(IMPORT_ERROR, count=4, last_seen=IMPORT_ERROR.first_seen + MINUTE)
    ts = poster.tell(None, notification(Reason.OPENED, 1, (first,)))
    poster.tell(ts, notification(Reason.NEW_ALERT, 2, (DLQ, TIMEOUT), first))
    poster.tell(ts, notification(Reason.REPEAT, 3, (IMPORT_ERROR,), DLQ, TIMEOUT))

    ts = poster.tell(None, notification(Reason.OPENED, 1, (TIMEOUT,)))
    over = replace(TIMEOUT, state=AlertState.RESOLVED)
    poster.tell(ts, notification(Reason.RESOLVED, 2, (over,)))

    message = render_standalone(notification(Reason.OPENED, 1, (replace(BUCKET, sample=HOSTILE_LINE),)))
    poster.webhook(text=message.text, blocks=message.blocks)
    leak = {"type": "section", "text": {"type": "mrkdwn", "text": "A line with *bold* and <!here>"}}
    poster.webhook(text="What must not happen", blocks=[leak])
