"""A channel with something in it, by the real renderer and the local Slack, to look at the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests

from tocsin.core.slack_blocks import SlackMessage, render, render_standalone, render_thread

if TYPE_CHECKING:
    from cli.slack_server import LocalSlack

IMPORT_ERROR = {
    "fingerprint": "f1",
    "signature": "import-module-error",
    "title": "Lambda cannot import its handler",
    "severity": "critical",
    "state": "firing",
    "changed": True,
    "inhibited_by": None,
    "count": 214,
    "count_since_last": 210,
    "first_seen": "2026-02-02T00:03:11.000Z",
    "last_seen": "2026-02-02T00:41:52.000Z",
    "fields": {"module": "mangum", "handler": "handler"},
    "summary": "The deployed package lacks the module mangum; every invocation of backend fails.",
    "first_action": "Rebuild with `sam build` and deploy again; check `requirements.txt` for `mangum`.",
    "runbook_url": "https://example.com/runbooks/import-module-error.md",
    "sample": "[ERROR] Runtime.ImportModuleError: Unable to import module 'handler': "
    "No module named 'mangum'\nTraceback (most recent call last):",
    "source": {
        "log_group": "/aws/lambda/prod-BackendApiFunction-x1y2",
        "log_stream": "2026/02/02/[$LATEST]9f8e7d",
        "alarm": None,
    },
    "account": "123456789012",
    "region": "us-east-1",
    "links": {
        "log_stream": "https://us-east-1.console.aws.amazon.com/cloudwatch/home#logsV2:log-groups",
        "insights": "https://us-east-1.console.aws.amazon.com/cloudwatch/home#logsV2:logs-insights",
        "alarm": None,
    },
}

TIMEOUT = IMPORT_ERROR | {
    "fingerprint": "f2",
    "signature": "lambda-timeout",
    "title": "Lambda timed out",
    "severity": "high",
    "count": 9,
    "count_since_last": 9,
    "fields": {"seconds": "30.00"},
    "inhibited_by": "import-module-error",
    "summary": "An invocation of backend did not finish in time.",
    "first_action": "Look for what it waited on in the lines before; check the security groups.",
    "runbook_url": "https://example.com/runbooks/lambda-timeout.md",
    "sample": "2026-02-02T00:09:41.113Z 5c1f0b0e Task timed out after 30.00 seconds",
}

HOSTILE_LINE = (
    "<script>document.title='owned'</script> <!channel> <@U12345> <https://evil.example|your bank> ``` "
    "*bold* "
    '"><img src=x onerror="document.title=\'owned\'"> &lt;script&gt; javascript:alert(1) \u202egnp.exe'
)


def notification(reason: str, sequence: int, alerts: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """A notification as the contract has it."""
    resolved = reason == "resolved"
    return {
        "version": "1",
        "id": f"backend-20260202-000311/{sequence}",
        "sequence": sequence,
        "reason": reason,
        "at": "2026-02-02T00:42:00.000Z",
        "title": alerts[0]["title"],
        "service": "backend",
        "severity": alerts[0]["severity"],
        "incident": {
            "id": "backend-20260202-000311",
            "status": "resolved" if resolved else "firing",
            "opened_at": "2026-02-02T00:03:12.000Z",
            "first_seen": alerts[0]["first_seen"],
            "last_seen": alerts[0]["last_seen"],
            "resolved_at": "2026-02-02T00:42:00.000Z" if resolved else None,
            "count": sum(alert["count"] for alert in alerts),
            "alert_count": len(alerts),
            "omitted_count": 0,
        },
        "alerts": alerts,
    } | changes


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

    def post(self, message: SlackMessage, thread_ts: str | None = None) -> str:
        thread = {"thread_ts": thread_ts, "reply_broadcast": message.broadcast} if thread_ts else {}
        return self.call("chat.postMessage", text=message.text, blocks=message.blocks, **thread)["ts"]

    def webhook(self, **payload: Any) -> None:
        answer = requests.post(self._slack.webhook_url, json=payload, timeout=10)
        assert answer.text == "ok", answer.text


def fill(slack: LocalSlack) -> None:
    """An incident with its thread and edits, one that is over, one by webhook, and a hostile line."""
    poster = Poster(slack)
    first = IMPORT_ERROR | {"count": 4, "count_since_last": 4, "last_seen": "2026-02-02T00:03:16.000Z"}
    ts = poster.post(render(notification("opened", 1, [first])))
    for sequence, reason, alerts in (
        (1, "opened", [first]),
        (2, "new_alert", [TIMEOUT, IMPORT_ERROR | {"changed": False}]),
        (3, "repeat", [IMPORT_ERROR, TIMEOUT | {"changed": False}]),
    ):
        told = notification(reason, sequence, alerts, title=IMPORT_ERROR["title"], severity="critical")
        if sequence > 1:
            whole = render(told)
            poster.call("chat.update", ts=ts, text=whole.text, blocks=whole.blocks)
        reply = render_thread(told)
        if reply:
            poster.post(reply, ts)

    over = [TIMEOUT | {"state": "resolved", "inhibited_by": None}]
    ended = notification("resolved", 2, over, service="worker")
    ts = poster.post(render(notification("opened", 1, [over[0] | {"state": "firing"}], service="worker")))
    whole = render(ended)
    poster.call("chat.update", ts=ts, text=whole.text, blocks=whole.blocks)
    reply = render_thread(ended)
    if reply:
        poster.post(reply, ts)

    bucket = IMPORT_ERROR | {
        "signature": "s3-bucket-not-accessible",
        "title": "S3 bucket is not accessible",
        "severity": "medium",
        "fields": {"bucket": "credmate-documents-dev"},
        "count": 37,
        "summary": "The backend cannot start without valid S3 storage.",
        "first_action": "Check the `s3` section of the secret, the bucket's name and the function's role.",
        "sample": HOSTILE_LINE,
    }
    message = render_standalone(notification("opened", 1, [bucket]))
    poster.webhook(text=message.text, blocks=message.blocks)
    poster.webhook(
        text="fallback",
        attachments=[
            {
                "color": "#e01e5a",
                "blocks": [
                    {
                        "type": "section",
                        "text": {"type": "mrkdwn", "text": "An attachment with *bold* and a bar, <!here>"},
                    }
                ],
            }
        ],
    )
