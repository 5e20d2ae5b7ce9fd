"""Answering what people press in Slack: checked, written down, answered; the incident changes by reconciliation.

Slack waits for three seconds. So a press becomes one conditional write, under an id made of Slack's own, and one
call that asks ``reconcile`` to look at the service now. If that call fails, or anything after it, the next minute's
round finds what was written. A request that is not Slack's is refused without a word.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tocsin.adapters.slack.credentials import BotCredential, Credential
from tocsin.adapters.slack.errors import DeliveryError
from tocsin.core.incidents.actions import Action, ActionKind
from tocsin.core.incidents.incident import Incident
from tocsin.core.incidents.redriving import redrivable
from tocsin.core.incidents.store import Ledger
from tocsin.core.model import TEST_MODE_GROUP, Millis
from tocsin.core.slack import action_answers as answers
from tocsin.core.slack.action_blocks import DIALOG, MENU, Target, kind_of, load_target
from tocsin.core.slack.interactions import (
    Check,
    Command,
    Person,
    Press,
    Pressed,
    Submission,
    identity_of,
    read_interaction,
)
from tocsin.core.slack.redrive_dialog import (
    MAX_QUEUES,
    QUEUE,
    REDRIVE_DIALOG,
    chosen_queue,
    insists,
    redrive_dialog,
)
from tocsin.core.slack.signing import Refusal, refusal_of
from tocsin.core.slack.silence_dialog import (
    REASON,
    Author,
    DialogContext,
    Wrong,
    asks_for_the_morning,
    context_of,
    silence_dialog,
    silence_of,
    silence_typed,
)
from tocsin.core.times import DAY, MINUTE

FRESH_AFTER: Millis = MINUTE
"""How often at most the secret is read again because a signature is wrong: a rotated one counts within a minute."""

MEMBERS_KEPT: Millis = 5 * MINUTE


class Secret(Protocol):
    """A Slack secret; see ``adapters.slack.credentials``."""

    def credential(self, now: Millis, *, fresh: bool = False) -> Credential:
        """The credential, or raise."""


class People(Protocol):
    """What is asked of Slack while somebody waits; see ``adapters.slack.people``."""

    def open_dialog(self, trigger: str, view: Mapping[str, Any]) -> None:
        """Show a dialog."""

    def clock_offset(self, user: str) -> Millis:
        """How far a person's clock is ahead of UTC."""

    def members(self, group: str) -> Sequence[str]:
        """The members of a user group."""

    def answer(self, response_url: str, text: str) -> None:
        """Say something to the person who pressed, and to nobody else."""


class SeenRequests(Protocol):
    """Which requests were taken already; see ``adapters.aws.seen_requests``."""

    def claim(self, signature: str, now: Millis) -> bool:
        """Take a request; False where it was taken before."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came."""

    timestamp: str
    signature: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered.

    Attributes:
        status: HTTP's.
        body: As JSON; None for an empty one.
        refusal: Why it was refused, for our own log.
        did: The kind of action that was written down.
    """

    status: int = 200
    body: Mapping[str, Any] | None = None
    refusal: Refusal | None = None
    did: ActionKind | None = None


REFUSED = 401
OK = Answer()


@dataclass(slots=True)
class Responder:
    """Answers requests of one app.

    Attributes:
        ledger: Where actions, incidents and silences are.
        secret: The app's credential.
        seen: Which requests were taken.
        people_of: What speaks to Slack with a token.
        hurry: Asks for a service to be reconciled now; may fail, and then the next round does.
        redacted: Makes what a person typed fit to be stored and shown.
        may_act: The user group that may act; empty for everybody in the channel.
        redrive_queues: The dead-letter queues that may be redriven.
        depth_of: How many messages wait in a queue of that name; None where it cannot be told.
        notes: Things that did not go as they should; never what was typed.
    """

    ledger: Ledger
    secret: Secret
    seen: SeenRequests
    people_of: Callable[[str], People]
    hurry: Callable[[Action, str], None]
    redacted: Callable[[str], str]
    may_act: str = ""
    redrive_queues: frozenset[str] = frozenset()
    depth_of: Callable[[str], int | None] = lambda _: None
    notes: list[str] = field(default_factory=list)
    _fresh_at: Millis = 0
    _members: tuple[Millis, frozenset[str]] | None = None

    def answer(self, request: Request, now: Millis) -> Answer:
        """Answer one request.

        Raises:
            Exception: Whatever the ledger raises: then nothing is promised, and Slack shows the person that it failed.
        """
        credential, refusal = self._verified(request, now)
        if refusal is not None or credential is None:
            return Answer(REFUSED, refusal=refusal)
        try:
            interaction = read_interaction(request.body)
        except (ValueError, RecursionError):
            return Answer(REFUSED, refusal=Refusal.UNREADABLE)
        if isinstance(interaction, Check):
            return OK
        if identity_of(interaction) != (credential.app_id, credential.team_id):
            return Answer(REFUSED, refusal=Refusal.ANOTHER_APP)
        if not self.seen.claim(request.signature, now):
            return Answer(REFUSED, refusal=Refusal.REPLAYED)
        people = self.people_of(credential.token)
        if isinstance(interaction, Command):
            return self._command(interaction, credential, people, now)
        if isinstance(interaction, Submission):
            return self._submitted(interaction, people, now)
        return self._pressed(interaction, people, now)

    def _verified(self, request: Request, now: Millis) -> tuple[BotCredential | None, Refusal | None]:
        credential = self.secret.credential(now)
        refusal = _refusal(credential, request, now)
        if refusal is Refusal.WRONG_SIGNATURE and now - self._fresh_at >= FRESH_AFTER:
            # The secret may have been rotated; whoever sends forged requests must not make us read it for each.
            self._fresh_at = now
            credential = self.secret.credential(now, fresh=True)
            refusal = _refusal(credential, request, now)
        return credential if isinstance(credential, BotCredential) else None, refusal

    def _pressed(self, press: Press, people: People, now: Millis) -> Answer:
        pressed = press.actions[0]
        name = pressed.action_id
        if name == MENU:
            name = f"tocsin-{pressed.chosen}"
        kind = kind_of(name)
        target = _target_of(pressed)
        if kind is None or target is None:
            return OK  # a button that opens an address, or one of another version
        if not self._may(press.user, people, now):
            return self._tell(people, press.response_url, answers.MAY_NOT)
        context = DialogContext(target, press.response_url)
        if kind is ActionKind.SILENCE:
            return self._open(people, press, silence_dialog(context))
        if kind is ActionKind.REDRIVE:
            queues = self._redrivable(target)
            if not queues:
                return self._tell(people, press.response_url, answers.NO_QUEUE)
            waiting = [
                (alert, name, self.depth_of(name)) for alert, name in list(queues.items())[:MAX_QUEUES]
            ]
            return self._open(people, press, redrive_dialog(context, waiting))
        action = Action(
            id=_identity(press.trigger_id, name),
            kind=kind,
            service=target.service,
            incident=target.incident,
            user=press.user.id,
            name=self._name(press.user),
            at=now,
            signature=target.signature,
            fingerprint=target.fingerprint,
        )
        return self._keep(action, press.response_url)

    def _submitted(self, submission: Submission, people: People, now: Millis) -> Answer:
        dialog, user = submission.view, submission.user
        if dialog.callback_id not in {DIALOG, REDRIVE_DIALOG}:
            return OK
        try:
            context = context_of(dialog)
        except ValueError:
            return Answer(REFUSED, refusal=Refusal.UNREADABLE)
        target = context.target
        redrives = dialog.callback_id == REDRIVE_DIALOG
        if not self._may(user, people, now):
            return _errors(QUEUE if redrives else REASON, answers.MAY_NOT)
        if redrives:
            return self._redrive(submission, context, now)
        offset = self._offset(user, people) if asks_for_the_morning(dialog) else 0
        incident = self.ledger.load(target.service).incident
        alert = incident.alerts.get(target.fingerprint) if incident else None
        identity = _identity(dialog.id, DIALOG)
        author = Author(self._name(user), offset)
        silence = silence_of(dialog, alert, author, now, f"s-{identity[:10]}", self.redacted)
        if isinstance(silence, Wrong):
            return _errors(silence.field, silence.text)
        action = Action(
            id=identity,
            kind=ActionKind.SILENCE,
            service=target.service,
            incident=target.incident,
            user=user.id,
            name=author.name,
            at=now,
            silence=silence,
        )
        return self._keep(action, context.response_url)

    def _redrive(self, submission: Submission, context: DialogContext, now: Millis) -> Answer:
        fingerprint = chosen_queue(submission.view)
        if fingerprint not in self._redrivable(context.target):
            return _errors(QUEUE, answers.NO_QUEUE)
        action = Action(
            id=_identity(submission.view.id, REDRIVE_DIALOG),
            kind=ActionKind.REDRIVE,
            service=context.target.service,
            incident=context.target.incident,
            user=submission.user.id,
            name=self._name(submission.user),
            at=now,
            fingerprint=fingerprint,
            insists=insists(submission.view),
        )
        return self._keep(action, context.response_url)

    def _redrivable(self, target: Target) -> dict[str, str]:
        """The names of the queues of an incident that may be redriven, by the fingerprints of their alerts."""
        incident = self.ledger.load(target.service).incident if self.redrive_queues else None
        if incident is None or incident.id != target.incident or incident.resolved_at is not None:
            return {}
        names: dict[str, str] = {}
        for alert in redrivable(incident, self.redrive_queues):
            # Its depth and its backlog may both have an alarm.
            if alert.fields["queue"] not in names.values():
                names[alert.fingerprint] = alert.fields["queue"]
        return names

    def _open(self, people: People, press: Press, view: Mapping[str, Any]) -> Answer:
        try:
            people.open_dialog(press.trigger_id, view)
        except DeliveryError as error:
            self.notes.append(f"the dialog could not be opened: {error}")
            return self._tell(people, press.response_url, answers.LATER)
        return OK

    def _command(self, command: Command, credential: BotCredential, people: People, now: Millis) -> Answer:
        if command.channel_id != credential.channel:
            return _ephemeral(answers.NOT_HERE)
        what, _, rest = command.text.strip().partition(" ")
        if what in {"", "open", "incidents"}:
            return _ephemeral(answers.open_words(self._open_incidents(now)))
        if what == "silences":
            return _ephemeral(answers.silences_words(self.ledger.silences(), now))
        if what != "silence":
            return _ephemeral(answers.USAGE)
        if not self._may(command.user, people, now):
            return _ephemeral(answers.MAY_NOT)
        identity = f"s-{_identity(command.trigger_id, 'command')[:10]}"
        silence = silence_typed(rest, Author(self._name(command.user)), now, identity, self.redacted)
        if isinstance(silence, Wrong):
            return _ephemeral(silence.text)
        self.ledger.put_silence(silence)
        said = _ephemeral(f"Done. {answers.silence_line(silence)}")
        return Answer(said.status, said.body, did=ActionKind.SILENCE)

    def _keep(self, action: Action, response_url: str) -> Answer:
        """Write it down; then answer, whether or not anybody hurries."""
        self.ledger.keep_action(action)
        try:
            self.hurry(action, response_url)
        except Exception as error:  # whatever it is: what was written is found within a minute
            self.notes.append(f"reconcile was not asked to hurry: {type(error).__name__}")
        return Answer(did=action.kind)

    def _open_incidents(self, now: Millis) -> list[Incident]:
        services = self.ledger.open_services(now + 400 * DAY)  # due at any time: all that are open
        loaded = [self.ledger.load(name).incident for name in services if name != TEST_MODE_GROUP]
        return [
            incident
            for incident in loaded
            if incident and incident.resolved_at is None and incident.notified_at is not None
        ]

    def _may(self, user: Person, people: People, now: Millis) -> bool:
        if not self.may_act:
            return True
        if self._members is None or now - self._members[0] >= MEMBERS_KEPT:
            try:
                self._members = (now, frozenset(people.members(self.may_act)))
            except DeliveryError as error:
                self.notes.append(f"the members of the group that may act are not known: {error}")
        return self._members is not None and user.id in self._members[1]

    def _offset(self, user: Person, people: People) -> Millis:
        try:
            return people.clock_offset(user.id)
        except DeliveryError as error:
            self.notes.append(f"a person's time zone is not known, UTC is taken: {error}")
            return 0

    def _name(self, user: Person) -> str:
        return self.redacted(user.name or user.username) or user.id

    def _tell(self, people: People, response_url: str, text: str) -> Answer:
        try:
            people.answer(response_url, text)
        except DeliveryError as error:
            self.notes.append(f"the person was not answered: {error}")
        return OK


def _refusal(credential: Credential, request: Request, now: Millis) -> Refusal | None:
    secret = credential.signing_secret if isinstance(credential, BotCredential) else ""
    return refusal_of(secret, request.timestamp, request.signature, request.body, now)


def _target_of(pressed: Pressed) -> Target | None:
    try:
        return load_target(pressed.block_id if pressed.selected_option else pressed.value)
    except ValueError:
        return None


def _identity(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _ephemeral(text: str) -> Answer:
    return Answer(body={"response_type": "ephemeral", "text": text})


def _errors(block: str, text: str) -> Answer:
    return Answer(body={"response_action": "errors", "errors": {block: text}})
