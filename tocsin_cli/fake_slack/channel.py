"""The local Slack's memory: its messages with all their versions, and the faults it was asked to show.

No HTTP here. Every method is safe to call from any thread; readers get messages that no later edit changes, and leave
their blocks as they are. Time is the given clock's.
"""

from __future__ import annotations

import copy
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import msgspec
from msgspec import Meta
from msgspec.structs import asdict, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MICROS = 1_000_000
_FIRST_ERROR = 400  # HTTP


class Edit(TypedDict):
    """A version of a message that an edit replaced, and when it did."""

    edited_at: str
    text: str
    blocks: list[dict[str, Any]]


class Message(TypedDict):
    """One message as ``GET /api/messages`` shows it.

    ``via`` is ``bot`` or ``webhook``; ``thread_ts`` is the parent's ``ts`` in a reply, else None; times are
    ISO 8601 in UTC; ``edits`` are the earlier versions, oldest first.
    """

    ts: str
    channel: str
    thread_ts: str | None
    text: str
    blocks: list[dict[str, Any]]
    metadata: dict[str, Any] | None
    username: str
    via: str
    posted_at: str
    edited_at: str | None
    reply_broadcast: bool
    edits: list[Edit]


@dataclass(frozen=True, slots=True)
class Draft:
    """What a caller wants said. In an edit, None keeps what the message has."""

    text: str | None = None
    blocks: list[dict[str, Any]] | None = None
    metadata: dict[str, Any] | None = None
    thread_ts: str | None = None
    username: str | None = None
    reply_broadcast: bool = False


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the next ``times`` calls to Slack go wrong.

    Attributes:
        status: The HTTP status to answer; None with ``hang`` closes the connection without an answer.
        times: How many calls are left to fail.
        retry_after: Seconds for the ``Retry-After`` header; a 429 without it says 1.
        hang: Seconds to wait before answering (or closing).
        error: The error code to answer instead of the usual one for the status.
        after_effect: Whether the call takes effect before it fails: the answer that got lost on its way back.
        method: The only method it applies to (``chat.postMessage``, ``webhook``); None is all.
    """

    status: Annotated[int, Meta(ge=200, le=599)] | None = None
    times: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    retry_after: Annotated[int, Meta(ge=0, le=86_400)] | None = None
    hang: Annotated[float, Meta(gt=0, le=3_600)] | None = None
    error: Annotated[str, Meta(min_length=1)] | None = None
    after_effect: bool = False
    method: Annotated[str, Meta(min_length=1)] | None = None

    def __str__(self) -> str:
        """In a few words, for the page: ``429, 3 times``."""
        what = str(self.status) if self.status else "no answer"
        if self.error:
            what += f" {self.error}"
        if self.hang:
            what += f" after {self.hang:g} s"
        if self.retry_after is not None:
            what += f" (Retry-After {self.retry_after} s)"
        if self.after_effect:
            what += ", although it took effect"
        return f"{what}, {'once' if self.times == 1 else f'{self.times} times'}"


class ChannelError(Exception):
    """A refusal, as Slack's error code."""


class Channel:
    """Messages of all channels of the local workspace, in the order they were posted.

    Args:
        clock: Seconds since the epoch; time stamps are unique and rising whatever it says.
        on_message: Called with each new message, one call at a time, in order.
        on_edit: Called with each edited message, likewise.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        on_message: Callable[[Message], None] | None = None,
        on_edit: Callable[[Message], None] | None = None,
    ) -> None:
        self._clock = clock
        self._on_message = on_message
        self._on_edit = on_edit
        self._messages: dict[str, Message] = {}
        self._faults: list[Fault] = []
        self._last_micros = 0
        self._version = 0
        self._closed = False
        self._changed = threading.Condition(threading.RLock())
        self._announcing = threading.RLock()

    @property
    def version(self) -> int:
        """A number that rises with every change of what the page shows."""
        with self._changed:
            return self._version

    def messages(self) -> list[Message]:
        """All messages, oldest first, replies among them."""
        with self._changed:
            return [_as_it_is(message) for message in self._messages.values()]

    def get(self, ts: str) -> Message | None:
        """One message, or None."""
        with self._changed:
            message = self._messages.get(ts)
            return None if message is None else _as_it_is(message)

    def post(self, channel: str, draft: Draft, *, via: str) -> Message:
        """Add a message.

        Raises:
            ChannelError: ``thread_not_found``: there is no such message to answer to in this channel;
                ``cannot_reply_to_message``: it is itself a reply.
        """
        with self._announcing:
            with self._changed:
                if draft.thread_ts is not None:
                    parent = self._messages.get(draft.thread_ts)
                    if parent is None or parent["channel"] != channel:
                        raise ChannelError("thread_not_found")
                    if parent["thread_ts"] is not None:
                        raise ChannelError("cannot_reply_to_message")
                ts, posted_at = self._stamp()
                message: Message = {
                    "ts": ts,
                    "channel": channel,
                    "thread_ts": draft.thread_ts,
                    "text": draft.text or "",
                    "blocks": copy.deepcopy(draft.blocks or []),
                    "metadata": copy.deepcopy(draft.metadata),
                    "username": draft.username or "Tocsin",
                    "via": via,
                    "posted_at": posted_at,
                    "edited_at": None,
                    "reply_broadcast": draft.reply_broadcast,
                    "edits": [],
                }
                self._messages[ts] = message
                self._touch()
                shown = _as_it_is(message)
            if self._on_message:
                self._on_message(shown)
        return shown

    def update(self, channel: str, ts: str, draft: Draft) -> Message:
        """Replace what a message says; what it said before is kept in its ``edits``.

        Raises:
            ChannelError: ``message_not_found``; ``cant_update_message`` for one that a webhook posted.
        """
        with self._announcing:
            with self._changed:
                message = self._messages.get(ts)
                if message is None or message["channel"] != channel:
                    raise ChannelError("message_not_found")
                if message["via"] != "bot":
                    raise ChannelError("cant_update_message")
                edited_at = self._stamp()[1]
                message["edits"].append(
                    {"edited_at": edited_at, "text": message["text"], "blocks": message["blocks"]}
                )
                message["edited_at"] = edited_at
                if draft.text is not None:
                    message["text"] = draft.text
                if draft.blocks is not None:
                    message["blocks"] = copy.deepcopy(draft.blocks)
                if draft.metadata is not None:
                    message["metadata"] = copy.deepcopy(draft.metadata) or None
                self._touch()
                shown = _as_it_is(message)
            if self._on_edit:
                self._on_edit(shown)
        return shown

    def clear(self) -> int:
        """Forget all messages; answer how many there were."""
        with self._changed:
            count = len(self._messages)
            self._messages.clear()
            self._touch()
            return count

    def add_fault(self, fault: Fault) -> None:
        """Queue a fault; faults are used up in the order they were added."""
        with self._changed:
            self._faults.append(fault)
            self._touch()

    def faults(self) -> list[Fault]:
        """What is left to go wrong."""
        with self._changed:
            return list(self._faults)

    def clear_faults(self) -> int:
        """Forget all faults; answer how many calls they would have failed."""
        with self._changed:
            left = sum(fault.times for fault in self._faults)
            self._faults.clear()
            self._touch()
            return left

    def take_fault(self, method: str, *, named: bool = False) -> Fault | None:
        """Use up one failure for a call of this method, if one is due; with ``named`` only one that names it."""
        with self._changed:
            for position, fault in enumerate(self._faults):
                if fault.method == method or (fault.method is None and not named):
                    if fault.times > 1:
                        self._faults[position] = replace(fault, times=fault.times - 1)
                    else:
                        del self._faults[position]
                    self._touch()
                    return fault
            return None

    def wait_for(self, condition: Callable[[list[Message]], bool], timeout: float = 60.0) -> list[Message]:
        """Wait until the messages satisfy a condition, and answer them.

        Args:
            condition: Asked at once, and after every change.
            timeout: Seconds.

        Raises:
            TimeoutError: They never did; it says what there is instead.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                found = self.messages()
                if condition(found):
                    return found
                left = deadline - time.monotonic()
                if left <= 0 or self._closed:
                    texts = [message["text"][:120] for message in found]
                    raise TimeoutError(
                        f"after {timeout:g} s the channel holds {len(found)} messages: {texts}"
                    )
                self._changed.wait(left)

    def wait_for_change(self, version: int, timeout: float) -> int | None:
        """Wait until the version is another; answer it, the same after the time-out, or None when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._version != version, timeout)
            return None if self._closed else self._version

    def close(self) -> None:
        """Wake everyone who waits, for good."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _touch(self) -> None:
        self._version += 1
        self._changed.notify_all()

    def _stamp(self) -> tuple[str, str]:
        """A ``ts`` (seconds, a point, six digits) later than any before, and its time in ISO 8601."""
        micros = max(int(self._clock() * MICROS), self._last_micros + 1)
        self._last_micros = micros
        at = datetime.fromtimestamp(micros // MICROS, UTC)
        return (
            f"{micros // MICROS}.{micros % MICROS:06d}",
            f"{at:%Y-%m-%dT%H:%M:%S}.{micros % MICROS // 1000:03d}Z",
        )


def read_fault(body: object) -> Fault:
    """Read what ``POST /api/faults`` was given.

    Raises:
        ValueError: It cannot be; the message names the key.
    """
    if not isinstance(body, dict):
        raise ValueError(
            'the body must be a JSON object such as {"status": 429, "retry_after": 2, "times": 3}'
        )
    given = {key: value for key, value in body.items() if value is not None}
    if not {"status", "hang", "error"} & given.keys():
        raise ValueError("status: missing; give a status (429, 500, ...), an error, or hang")
    fault = msgspec.convert(given, Fault)
    if fault.error is None and (fault.status or _FIRST_ERROR) < _FIRST_ERROR:
        raise ValueError(
            f"status: {fault.status} is not a failure; give an error with it, or a status from 400 on"
        )
    return fault


def fault_json(fault: Fault) -> dict[str, Any]:
    """A fault as ``GET /api/faults`` lists it, unset keys left out."""
    return {key: value for key, value in asdict(fault).items() if value is not None and value is not False}


def in_threads(messages: Sequence[Message]) -> list[tuple[Message, list[Message]]]:
    """Messages with the replies below each, oldest first; a reply whose parent is missing stands alone."""
    roots = {message["ts"]: message for message in messages if message["thread_ts"] is None}
    replies: dict[str, list[Message]] = {ts: [] for ts in roots}
    alone: list[Message] = []
    for message in messages:
        parent = message["thread_ts"]
        if parent is not None and parent in replies:
            replies[parent].append(message)
        elif parent is not None:
            alone.append(message)
    tops = sorted([*roots.values(), *alone], key=lambda message: message["ts"])
    return [(top, replies.get(top["ts"], [])) for top in tops]


def _as_it_is(message: Message) -> Message:
    """A message that no later edit changes: one replaces blocks and never changes them, and only adds to the edits."""
    return {**message, "edits": [*message["edits"]]}
