"""People in Slack, in the runs: they press, fill in dialogs and type, and press once more where Slack shows a failure.

What they do comes one after the other, each when its button is there.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from reliability.deployment import SECOND
from reliability.scenario import SHORT, Story, envelope
from reliability.verdict import stored_incidents
from tocsin.core.matching.unknown_error import UNKNOWN_ERROR
from tocsin.core.slack.action_blocks import load_target
from tocsin.core.slack.signing import signature_of

ACTS = {
    **SHORT,
    "TOCSIN_SLACK_ACTIONS": "yes",
    "TOCSIN_REDRIVE_QUEUES": "worker-dlq",
    "TOCSIN_ERRORS_LEARNING": "0s",
}
"""The environment of the runs with people."""

_PATIENCE = 3 * SECOND
"""How long Slack waits for an answer before it shows a failure."""

_AGAIN, _NEXT = 10 * SECOND, 5 * SECOND
_TRIES = 200
_ONCE = {"take", "over", "known-error"}


@dataclass(slots=True)
class PeopleStory(Story):
    """Two services fail, a third has an error that nobody knows; people take, silence, redrive and end them.

    Attributes:
        steps_left: What people have not done yet.
    """

    steps_left: list[str] = field(default_factory=list)
    _tries: int = 0
    _view: dict[str, Any] | None = None

    def play(self) -> None:
        """Let it happen, until all is over and told."""
        self.log("backend", {"import-module-error": 2})
        self._unknown()
        self.alarm("worker", "ALARM", after=10 * SECOND)
        self.deployment._at(self.deployment.wire.now + 30 * SECOND, self._act)
        self.steps_left = [name for name, _ in self._steps()]
        self.until_quiet()

    def complaints(self) -> list[str]:
        """What does not hold of what people did."""
        found = [f"nobody could do it: {', '.join(self.steps_left)}"] if self.steps_left else []
        items = self.deployment.items()
        if any("action" in item and "grp" in item for item in items):
            found.append("a press was never applied")
        record = [done for incident in stored_incidents(self.deployment) for done in incident.record]
        if len({done.id for done in record}) < len(record):
            found.append("a press was applied twice")
        outcomes = Counter((done.kind.value, done.outcome.value) for done in record)
        # Where the store could not be written when the error was seen, there is nothing to be known, and people are told.
        refused = {"known-error"} if outcomes["known-error", "refused"] else set()
        once = _ONCE - refused
        found += [
            f"{kind} was done {outcomes[kind, 'done']} times" for kind in once if outcomes[kind, "done"] != 1
        ]
        moves = self.deployment.wire.moves
        if len(moves) != 1:
            found.append(f"{len(moves)} moves were started")
        told = self._told_actions()
        found += [
            f"{kind} was told {times} times: {detail}" for (kind, detail), times in told.items() if times > 1
        ]
        if sum("complete" in detail for _, detail in told) != 1:
            found.append("the end of the redrive was not told")
        found += [f"{kind} was not told" for kind in once if kind not in {each for each, _ in told}]
        reasons = " ".join(item.get("doc", "") for item in items if item["pk"] == "SILENCE")
        found += [f"no silence: {why}" for why in ("by the dialog", "by the command") if why not in reasons]
        errors = [json.loads(item["doc"]) for item in items if item["pk"] == "E#billing" and "doc" in item]
        if not refused and [error["known_by"][:3] for error in errors] != ["Ada"]:
            found.append("the unknown error is not known once")
        return found

    # ------------------------------------------------------------------ what people do

    def _steps(self) -> Iterator[tuple[str, Callable[[], bool]]]:
        yield "two take it", lambda: self._press("backend", "take", "UADA", "UBOB")
        yield "redrive", lambda: self._dialog("worker", "redrive", {"how": "anyway"})
        yield "silence", lambda: self._dialog("worker", "silence", {"reason": "by the dialog", "span": "1h"})
        yield "known error", lambda: self._press("billing", "known-error", "UADA")
        yield "command", lambda: self._type("silence service=payments 1h by the command")
        yield "list", lambda: self._type("")
        yield "the alarm is over", self._alarm_over
        yield "over", lambda: self._press("backend", "over", "UADA")

    def _act(self) -> None:
        """Try the next step; later again where it failed, or its button is not there yet."""
        left = dict(self._steps())
        self._tries += 1
        if self.steps_left and left[self.steps_left[0]]():
            self.steps_left.pop(0)
            self._view = None
        if self.steps_left and self._tries < _TRIES:
            wait = _NEXT if self._view is None else _AGAIN
            self.deployment._at(self.deployment.wire.now + wait, self._act)

    def _alarm_over(self) -> bool:
        self.alarm("worker", "OK")
        return True

    def _unknown(self) -> None:
        at, number = self.deployment.wire.now, self._next()
        event = envelope("billing", ["[ERROR] the ledger does not balance"], at, number)
        self._given(event, Counter({("billing", UNKNOWN_ERROR): 1}), 0)

    def _press(self, service: str, kind: str, *users: str) -> bool:
        """Press, all at once; where Slack showed a failure, only if the message does not show that it was done."""
        if kind in self._shown_as_done:
            return True
        action = self._button(service, kind)
        if action is None:
            return False
        sent = [self._pressed(action, user) for user in users]
        return any(sent)

    @property
    def _shown_as_done(self) -> set[str]:
        """What the messages show to have been done."""
        words = json.dumps([message["blocks"] for message in self.deployment.slack.messages()])
        shown = {
            "take": "tocsin-hand-back",
            "over": "says that it is over",
            "known-error": "as known until",
        }
        return {kind for kind, said in shown.items() if said in words}

    def _pressed(self, action: dict[str, Any], user: str) -> bool:
        trigger = answers = self._trigger()
        payload = self._payload("block_actions", user) | {
            "actions": [action],
            "trigger_id": trigger,
            "response_url": self.deployment.slack.interactivity._answers_url(answers),
            "channel": {"id": self.deployment.slack.channel_id},
        }
        done = self._send({"payload": json.dumps(payload)})
        self._view = self.deployment.slack.interactivity._dialogs.get(trigger, self._view)
        return done

    def _dialog(self, service: str, kind: str, typed: dict[str, str]) -> bool:
        """Open a dialog, once, and submit it until that is taken: it stays open where Slack shows a failure."""
        if self._view is None:
            action = self._button(service, kind)
            if action is None or not self._pressed(action, "UADA") or self._view is None:
                self._view = None
                return False
        view = self._view["view"]
        values = {
            block["block_id"]: {"e": _typed(block["element"], typed.get(block["block_id"], ""))}
            for block in view["blocks"]
        }
        payload = self._payload("view_submission", "UADA") | {
            "view": {
                "id": self._view["id"],
                "callback_id": view["callback_id"],
                "private_metadata": view["private_metadata"],
                "state": {"values": values},
            }
        }
        return self._send({"payload": json.dumps(payload)})

    def _type(self, text: str) -> bool:
        slack = self.deployment.slack
        trigger = answers = self._trigger()
        return self._send(
            {
                "command": "/tocsin", "text": text, "user_id": "UADA", "user_name": "ada",
                "team_id": slack.signing["team_id"], "api_app_id": slack.signing["app_id"], "trigger_id": trigger,
                "channel_id": slack.channel_id, "response_url": slack.interactivity._answers_url(answers),
            }
        )  # fmt: skip

    def _trigger(self) -> str:
        """A trigger as Slack gives one, the same in each run: what people did at once is applied in its order."""
        self._number += 1
        trigger = f"{self._number}.people"
        self.deployment.slack.interactivity._said[trigger] = []
        return trigger

    def _button(self, service: str, kind: str) -> dict[str, Any] | None:
        """The element as a press of it is told; None while no message of the service has it."""
        for message in reversed(self.deployment.slack.messages()):
            for block in message["blocks"]:
                for element in block.get("elements", ()):
                    name = element.get("action_id", "")
                    option = next(
                        (each for each in element.get("options", ()) if each["value"] == kind), None
                    )
                    value = block.get("block_id", "") if option else element.get("value", "")
                    is_it = name == f"tocsin-{kind}" or (name == "tocsin-more" and option is not None)
                    if is_it and load_target(value).service == service:
                        chosen = (
                            {"selected_option": option, "block_id": value} if option else {"value": value}
                        )
                        return {"action_id": name, **chosen}
        return None

    def _payload(self, kind: str, user: str) -> dict[str, Any]:
        return {"type": kind, **self.deployment.slack.interactivity._who_and_where(user)}

    def _send(self, fields: dict[str, str]) -> bool:
        """Whether the person sees that it was taken."""
        deployment = self.deployment
        body, began = urlencode(fields), deployment.wire.now
        at = str(began // 1000)
        signature = signature_of(deployment.slack.signing["signing_secret"], at, body.encode())
        headers = {"x-slack-request-timestamp": at, "x-slack-signature": signature}
        answer = deployment.ask(
            {"requestContext": {"http": {"method": "POST"}}, "headers": headers, "body": body}
        )
        in_time = deployment.wire.now - began <= _PATIENCE
        return (
            in_time
            and isinstance(answer, dict)
            and answer["statusCode"] == 200
            and "errors" not in answer["body"]
        )

    def _told_actions(self) -> Counter[tuple[str, str]]:
        once = {(note["incident"]["id"], note["sequence"]): note for note in self.deployment.published()}
        return Counter(
            (done["kind"], f"{done['by']} {done['at']} {done.get('detail')}")
            for note in once.values()
            for done in note["actions"]
        )


def _typed(element: dict[str, Any], text: str) -> dict[str, Any]:
    if element["type"] != "static_select":
        return {"value": text or None}
    options = element["options"]
    return {
        "selected_option": next(
            (each for each in options if each["value"] == text), element["initial_option"]
        )
    }
