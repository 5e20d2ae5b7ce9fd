"""A press redrives a queue once, whoever presses at once and whatever dies; what comes of it is told before the end."""

from __future__ import annotations

import json

import pytest
from message_moves import Killed, MemoryMoves
from msgspec.structs import replace

from tocsin.core.config.settings import Intervals
from tocsin.core.incidents.actions import Action, ActionKind, ActionOutcome, RedriveState
from tocsin.core.incidents.incident import QueueReading
from tocsin.core.incidents.memory_store import MemoryLedger
from tocsin.core.incidents.policy import Policy
from tocsin.core.incidents.redriving import LONGEST, Move, MoveState
from tocsin.core.model import AlertState, OccurrenceCount, Origin, Reason, Severity
from tocsin.core.notifications.reported_actions import action_words
from tocsin.core.signatures.signature import Signature, Source, Status
from tocsin.core.slack.action_answers import TOO_LATE, outcome_words
from tocsin.core.slack.messages import render
from tocsin.services.reconcile_service import Reconciler

T0 = 1_770_000_000_000
MIN, H = 60_000, 3_600_000


def signature(name, source, **more):
    return Signature(
        id=name, file="signatures/t.toml", title=name, severity=Severity.HIGH, status=Status.STABLE, source=source,
        summary="s", first_action="f", runbook=f"{name}.md", **more,
    )  # fmt: skip


POLICY = Policy(
    Intervals(resolve_after=30 * MIN, repeat_interval=48 * H),
    {
        "dlq": signature("dlq", Source.ALARM, watch_queue=True),
        "boom": signature("boom", Source.LOG),
    },
)


class World:
    """A service whose dead-letter queue has an alarm that fires, and a stack that may redrive it."""

    def __init__(self, ledger, now=T0 + 20 * MIN):
        self.ledger, self.moves, self.published, self.now = ledger, MemoryMoves(), [], T0
        self.depth = 42
        self.reconciler = Reconciler(
            ledger, self, POLICY, "https://r/", queues=self, takes_actions=True, moves=self.moves
        )
        self.alarm(AlertState.FIRING)
        self.now = now
        self.reconcile()

    # What the reconciler is given: a publisher, and queues to look at.
    def publish(self, notification):
        self.published.append(notification)

    def read(self, name, account, region, now):
        return QueueReading(now, self.depth, 14 * 24 * H)

    def depth_of(self, name, account=""):
        return self.depth

    def alarm(self, state, queue="worker-dlq"):
        self._count(f"dlq-{queue}", "dlq", {"queue": queue}, state)

    def error(self):
        self._count("boom", "boom", {}, AlertState.FIRING)

    def _count(self, fingerprint, name, fields, state):
        self.ledger.count(
            OccurrenceCount(
                envelope=f"e{self.now}{fingerprint}{state}", fingerprint=fingerprint, signature=name, service="worker",
                fields=fields, count=int(state is AlertState.FIRING), first_seen=self.now, last_seen=self.now,
                received_at=self.now, sample="s", state=state,
                origin=Origin(alarm=name if name == "dlq" else ""),
            )
        )  # fmt: skip
        self.reconcile()

    def reconcile(self, after=0):
        self.now += after
        return self.reconciler.reconcile("worker", self.now)

    @property
    def incident(self):
        return self.ledger.load("worker").incident

    @property
    def redrive(self):
        return self.incident.redrive

    def press(self, user="UADA", *, insists=False, queue="worker-dlq", apply=True, **more):
        action = Action(
            **{
                "id": f"{user}-{self.now}", "kind": ActionKind.REDRIVE, "service": "worker", "incident": self.incident.id,
                "user": user, "name": user.title(), "at": self.now, "fingerprint": f"dlq-{queue}", "insists": insists,
            } | more
        )  # fmt: skip
        self.ledger.keep_action(action)
        if apply:
            self.reconcile()
        return next((done for done in self.incident.record if done.id == action.id), None)

    def told(self):
        """What people were told about the redrive, in order."""
        return [words for each in self.published for words in action_words(each) if "Redrive" in words]


@pytest.fixture
def world(ledger):
    return World(ledger)


def test_a_press_starts_one_move_and_the_thread_tells_how_it_ended(world):
    assert world.press().outcome is ActionOutcome.DONE
    assert len(world.moves.moves) == 1
    world.reconcile(MIN)
    world.moves.becomes(MoveState.COMPLETED, 42)
    world.reconcile(MIN)
    world.reconcile(MIN)
    assert world.redrive.state is RedriveState.COMPLETED
    assert world.told() == [
        "📤 Redrive by Uada: worker-dlq, about 42 messages.",
        "📤 Redrive by Uada: worker-dlq: 42 of about 42 messages moved, complete.",
    ]
    assert len(world.moves.moves) == 1


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (MoveState.FAILED, "7 of about 42 messages moved, then it failed: the queue is gone"),
        (MoveState.CANCELLED, "7 of about 42 messages moved, then cancelled"),
    ],
)
def test_a_move_that_fails_or_is_cancelled_is_told_with_the_reason(world, state, words):
    world.press()
    world.moves.becomes(state, 7, "the queue is gone")
    world.reconcile(MIN)
    assert words in world.told()[-1]


def test_progress_is_told_every_few_minutes_and_not_every_minute(world):
    world.press()
    for minute in range(1, 13):
        world.moves.becomes(MoveState.RUNNING, minute)
        world.reconcile(MIN)
    assert [words.split(": ")[-1] for words in world.told()[1:]] == [
        "5 of about 42 messages moved so far.",
        "10 of about 42 messages moved so far.",
    ]


def test_the_same_press_delivered_five_times_starts_one_move(world):
    for _ in range(5):
        world.press(id="the-same")
    world.moves.becomes(MoveState.COMPLETED, 42)
    for _ in range(5):
        world.press(id="the-same")
        world.reconcile(MIN)
    assert len(world.moves.moves) == 1
    assert len(world.told()) == 2


def test_of_five_who_press_at_once_one_redrives_and_the_others_are_told_who(world):
    for number in range(5):
        world.press(f"U{number}", apply=False)
    world.reconcile()
    outcomes = {done.user: (done.outcome, done.detail) for done in world.incident.record}
    assert outcomes["U0"][0] is ActionOutcome.DONE
    assert {outcomes[f"U{number}"] for number in range(1, 5)} == {(ActionOutcome.SOMEBODY_ELSE, "U0")}
    assert len(world.moves.moves) == 1
    assert "U0 redrives" in outcome_words(world.incident.record[1])


def test_two_reconciliations_at_once_start_one_move(world):
    """The other one runs wherever it hurts most: after this one looked, before it claims."""
    looked = []
    look = world.moves.look

    def look_and_meanwhile(redrive):
        found = look(redrive)
        if not looked:
            looked.append(True)
            world.reconciler.reconcile("worker", world.now)
        return found

    world.moves.look = look_and_meanwhile
    world.press()
    world.moves.becomes(MoveState.COMPLETED, 42)
    for _ in range(4):
        world.reconcile(MIN)
    assert len(world.moves.moves) == 1


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_process_that_dies_around_the_start_leaves_one_move_in_the_end(world, where):
    world.moves.killed = where
    with pytest.raises(Killed):
        world.press()
    world.moves.clock -= 5  # SQS's clock is not ours
    for _ in range(3):
        world.reconcile(MIN)
    assert len(world.moves.moves) == 1
    world.moves.becomes(MoveState.COMPLETED, 42)
    world.reconcile(MIN)
    assert world.told()[-1].endswith("complete.")


def test_a_move_that_was_over_before_anybody_looked_is_not_started_again(world):
    world.moves.killed = "after"
    with pytest.raises(Killed):
        world.press()
    world.moves.becomes(MoveState.COMPLETED, 42)
    for _ in range(4):
        world.reconcile(MIN)
    assert len(world.moves.moves) == 1
    assert world.redrive.state is RedriveState.COMPLETED


def test_a_second_try_of_the_client_that_is_refused_is_no_failure(world):
    world.moves.tries_again = True
    world.press()
    assert world.redrive.state is RedriveState.STARTING
    world.reconcile(MIN)
    assert world.redrive.state is RedriveState.RUNNING
    assert len(world.moves.moves) == 1


def test_a_press_during_an_outage_of_sqs_is_done_when_it_is_back(world):
    world.moves.away = True
    world.press()
    for _ in range(3):
        world.reconcile(MIN)
    assert world.moves.moves == []
    world.moves.away = False
    world.reconcile(MIN)
    assert len(world.moves.moves) == 1


def test_an_outage_in_the_middle_starts_nothing_twice(world):
    world.press()
    world.moves.away = True
    for _ in range(30):
        world.reconcile(MIN)
    world.moves.away = False
    world.moves.becomes(MoveState.COMPLETED, 42)
    world.reconcile(MIN)
    # Nobody ever saw it begin, and so long after it might be anybody's: that is said, and nothing is started.
    assert world.redrive.state is RedriveState.FAILED
    assert "AWS did not say that it began" in world.told()[-1]
    assert len(world.moves.moves) == 1


def test_an_outage_after_it_was_seen_to_run_is_waited_for(world):
    world.press()
    world.reconcile(MIN)
    world.moves.away = True
    for _ in range(30):
        world.reconcile(MIN)
    world.moves.away = False
    world.moves.becomes(MoveState.COMPLETED, 42)
    world.reconcile(MIN)
    assert world.told()[-1].endswith("complete.")


def test_what_aws_refuses_is_told_in_its_words_and_can_be_pressed_again(world):
    world.moves.refuses = "AccessDenied: not authorized to perform sqs:SendMessage"
    world.press()
    world.reconcile(MIN)
    assert "it failed: AccessDenied" in world.told()[-1]
    world.moves.refuses = ""
    world.press()
    assert len(world.moves.moves) == 1


def test_a_move_that_somebody_else_started_is_followed_and_no_second_one_started(world):
    world.moves.moves.append(Move(9, MoveState.RUNNING, 1, 42))
    world.press()
    world.reconcile(MIN)
    assert world.redrive.state is RedriveState.RUNNING
    world.moves.becomes(MoveState.COMPLETED, 42)
    world.reconcile(MIN)
    assert world.told()[-1].endswith("complete.")
    assert len(world.moves.moves) == 1


def test_while_an_error_of_the_service_fires_it_is_refused_in_words_and_done_if_insisted_on(world):
    world.error()
    refused = world.press()
    assert (refused.outcome, refused.detail) == (ActionOutcome.REFUSED, "boom still fires")
    assert "Redrive anyway" in outcome_words(refused)
    assert world.moves.moves == []
    assert world.press("UBOB", insists=True).outcome is ActionOutcome.DONE
    assert len(world.moves.moves) == 1


def test_once_the_error_is_over_it_is_not_refused(world):
    world.error()
    world.reconcile(31 * MIN)
    assert world.press().outcome is ActionOutcome.DONE


def test_while_messages_come_in_it_is_refused(ledger):
    world = World(ledger, now=T0 + 5 * MIN)
    assert world.press().outcome is ActionOutcome.REFUSED
    world.reconcile(6 * MIN)
    world.depth += 1
    world.reconcile(MIN)
    assert world.press().detail == "messages came into worker-dlq in the last 10 minutes"
    world.reconcile(11 * MIN)
    assert world.press().outcome is ActionOutcome.DONE


def test_another_dead_letter_queue_of_the_service_is_no_cause(world):
    world.alarm(AlertState.FIRING, "other-dlq")
    assert world.press().outcome is ActionOutcome.DONE


def test_the_incident_stays_open_until_it_is_told_what_came_of_the_redrive(world):
    world.press()
    world.depth = 0
    world.now += MIN
    world.alarm(AlertState.RESOLVED)
    world.reconcile(60 * MIN)
    assert world.incident.resolved_at is None
    world.moves.becomes(MoveState.COMPLETED, 42)
    world.reconcile(MIN)
    world.reconcile(MIN)
    assert world.told()[-1].endswith("complete.")
    assert world.published[-1].reason is Reason.RESOLVED


def test_a_redrive_that_is_never_heard_of_again_does_not_keep_the_incident_open(world):
    world.press()
    world.reconcile(MIN)
    world.alarm(AlertState.RESOLVED)
    world.moves.away = True
    world.reconcile(LONGEST)
    world.reconcile(MIN)
    assert world.incident.resolved_at is not None


def test_a_press_on_an_incident_that_is_over_or_on_another_starts_nothing(world):
    assert world.press(incident="20250101-000000-old").outcome is ActionOutcome.TOO_LATE
    world.depth = 0
    world.alarm(AlertState.RESOLVED)
    world.reconcile(60 * MIN)
    assert world.incident.resolved_at is not None
    assert outcome_words(world.press("UBOB")) == TOO_LATE
    assert world.moves.moves == []


@pytest.mark.parametrize("fingerprint", ["", "unknown", "boom"])
def test_a_press_about_no_dead_letter_queue_starts_nothing(world, fingerprint):
    world.error()
    assert world.press(fingerprint=fingerprint, insists=True).outcome is ActionOutcome.NOTHING_TO_DO
    assert world.moves.moves == []


def test_who_may_not_redrive_leaves_it_to_who_may(world):
    """``detect`` reconciles too, and has no permission to redrive."""
    world.press(apply=False)
    replace(world.reconciler, moves=None).reconcile("worker", world.now)
    assert world.redrive.state is RedriveState.ASKED
    assert "worker" in world.ledger.open_services(world.now + MIN)
    world.reconcile(MIN)
    assert len(world.moves.moves) == 1


def test_an_incident_of_a_version_without_redrives_is_read():
    world = World(MemoryLedger())
    assert world.redrive is None


@pytest.mark.parametrize(
    ("queues", "shown"), [(set(), False), ({"another-dlq"}, False), ({"worker-dlq", "x"}, True)]
)
def test_the_menu_has_redrive_only_under_an_incident_of_a_named_queue(world, queues, shown):
    message = render(world.published[-1], acts=True, redrivable=frozenset(queues))
    assert ('"value": "redrive"' in json.dumps(message.blocks)) is shown
    assert ("Redrive" in json.dumps(message.blocks)) is shown


def test_the_menu_has_no_redrive_once_the_alarm_of_the_queue_is_over(world):
    world.error()
    world.depth = 0
    world.now += MIN
    world.alarm(AlertState.RESOLVED)
    world.reconcile(6 * MIN)
    message = render(world.published[-1], acts=True, redrivable=frozenset({"worker-dlq"}))
    assert "tocsin-take" in json.dumps(message.blocks)
    assert "Redrive" not in json.dumps(message.blocks)


def test_without_the_right_to_act_there_is_no_redrive(world):
    message = render(world.published[-1], redrivable=frozenset({"worker-dlq"}))
    assert "Redrive" not in json.dumps(message.blocks)
