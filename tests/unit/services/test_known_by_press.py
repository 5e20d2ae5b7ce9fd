"""Somebody presses "Known error": no news of it until it escalates or the time is up, whatever crashes between writes."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace
from test_detecting import BOOM, MIN, T0, logs
from test_unknown_errors import DAY, HOUR, PAY, Errors

from tocsin.core.errors.error_history import ErrorState
from tocsin.core.incidents.acting import performed_by
from tocsin.core.incidents.actions import KNOWN_FOR, Action, ActionKind, ActionOutcome
from tocsin.core.notifications.parsing import parse_notification
from tocsin.core.notifications.reported_actions import action_words
from tocsin.core.slack.action_answers import outcome_words
from tocsin.core.slack.action_blocks import MENU, action_buttons

PRESSED = T0 + 5 * MIN


class Pressing(Errors):
    """A world with an unknown error that is news, and people who press."""

    def __init__(self):
        super().__init__()
        self.reconciler = replace(self.reconciler, takes_actions=True, errors=self.store)
        self.lines = 0
        self.see(T0)

    def see(self, at, count=1):
        self.detect(logs([PAY] * count, first_id=self.lines), at)
        self.lines += count

    @property
    def error(self):
        (error,) = self.store.of_service("backend")
        return error

    def press(self, at=PRESSED, **more):
        given = {
            "id": f"a{at}",
            "kind": ActionKind.KNOWN_ERROR,
            "service": "backend",
            "incident": self.incident.id,
            "user": "UADA",
            "name": "Ada",
            "at": at,
            "signature": "unknown-error",
            "fingerprint": self.error.id,
        } | more
        self.ledger.keep_action(Action(**given))

    def reconciled(self, at=PRESSED):
        self.reconciler.reconcile("backend", at)
        return performed_by(self.incident, f"a{PRESSED}")


@pytest.fixture
def world():
    return Pressing()


def test_it_is_known_for_thirty_days_from_the_press_and_by_whom_stands_beside_it(world):
    world.press()
    done = world.reconciled(PRESSED + HOUR)
    assert done.outcome is ActionOutcome.DONE
    assert (world.error.state, world.error.known_by) == (ErrorState.KNOWN, "Ada (Slack)")
    assert world.error.known_until == PRESSED + KNOWN_FOR


def test_the_thread_says_who_until_when_and_of_which_error_and_the_answer_says_the_end(world):
    world.press()
    done = world.reconciled()
    words = action_words(parse_notification(json.dumps(world.published[-1])))
    assert words == [
        "📗 Ada takes this error as known until 2026-03-04T02:45:00.000Z: ERROR payment provider answered <*>"
    ]
    assert f"<!date^{(PRESSED + KNOWN_FOR) // 1000}^" in outcome_words(done)


@pytest.mark.parametrize("process", ["the same", "another"])
def test_what_goes_on_is_news_to_nobody_and_its_incident_ends_once(world, process):
    world.press()
    world.reconciled()
    if process == "another":
        world.detector = world.another_process()
    for hours in range(1, 72):
        world.see(T0 + hours * HOUR, count=3)
        world.reconciled(T0 + hours * HOUR)
    assert world.reasons == ["opened", "update", "resolved"]


def test_when_it_escalates_it_is_news_again_and_no_longer_known(world):
    world.press()
    world.reconciled()
    for hours in range(1, 30):
        world.see(T0 + hours * HOUR, count=3)
        world.reconciled(T0 + hours * HOUR)
    told = len(world.reasons)
    world.see(T0 + 30 * HOUR, count=500)
    assert world.reasons[told:] in (["regressed"], ["opened"])
    assert (world.error.state, world.error.known_until) == (ErrorState.ESCALATING, 0)


def test_what_it_does_within_the_hour_of_its_news_is_no_escalation(world):
    world.press()
    world.reconciled()
    world.see(T0 + 30 * MIN, count=500)
    assert world.error.state is ErrorState.KNOWN


def test_when_the_time_is_up_it_is_news_again(world):
    world.press()
    world.reconciled()
    world.reconciled(T0 + DAY)
    world.see(PRESSED + KNOWN_FOR - 1)
    assert world.reasons == ["opened", "update", "resolved"]
    world.see(PRESSED + KNOWN_FOR + 20 * DAY)
    assert world.reasons[-1] in {"opened", "regressed"}


@pytest.mark.parametrize("broken", ["get", "put"])
def test_as_long_as_the_errors_cannot_be_written_nothing_is_said_and_the_press_is_kept(world, broken):
    world.press()
    world.store.broken = {broken}
    with pytest.raises(OSError, match="no table"):
        world.reconciled()
    assert world.reasons == ["opened"]
    world.store.broken = set()
    assert world.reconciled(PRESSED + MIN).outcome is ActionOutcome.DONE
    assert world.error.known_until == PRESSED + KNOWN_FOR
    assert world.reasons == ["opened", "update"]


def reconciled_and_killed(world, monkeypatch, what, method):
    """Reconcile, and die where a method is called."""

    def crash(*_, **__):
        raise OSError("killed")

    with monkeypatch.context() as broken:
        broken.setattr(what, method, crash)
        with pytest.raises(OSError, match="killed"):
            world.reconciled()


def test_a_crash_between_the_error_and_its_incident_loses_nothing_and_says_nothing_twice(world, monkeypatch):
    world.press()
    reconciled_and_killed(world, monkeypatch, world.ledger, "save")
    assert world.error.known_until == PRESSED + KNOWN_FOR
    written = len(world.store.writes)
    assert world.reconciled(PRESSED + MIN).outcome is ActionOutcome.DONE
    assert len(world.store.writes) == written
    world.reconciled(PRESSED + 2 * MIN)
    assert world.reasons == ["opened", "update"]


def test_a_crash_before_it_is_told_tells_it_once_later(world, monkeypatch):
    world.press()
    reconciled_and_killed(world, monkeypatch, world, "publish")
    for minutes in (1, 2, 3):
        world.reconciled(PRESSED + minutes * MIN)
    assert world.reasons == ["opened", "update"]


def test_an_error_that_escalated_after_the_press_is_not_taken_back_by_trying_again(world, monkeypatch):
    world.press()
    reconciled_and_killed(world, monkeypatch, world.ledger, "save")
    world.store.put(
        replace(
            world.error,
            state=ErrorState.ESCALATING,
            news_at=PRESSED + HOUR,
            known_until=0,
            version=world.error.version + 1,
        )
    )
    done = world.reconciled(PRESSED + HOUR + MIN)
    assert (done.outcome, world.error.state) == (ActionOutcome.REFUSED, ErrorState.ESCALATING)
    assert outcome_words(done) == "Nothing was changed: it became news again after that."


def test_two_who_press_at_once_are_both_answered_and_the_error_is_written_once_each(world):
    world.press()
    world.press(id="b", name="Bob", user="UBOB")
    world.reconciled()
    assert [done.outcome for done in world.incident.record] == [ActionOutcome.DONE] * 2
    assert world.error.known_until == PRESSED + KNOWN_FOR


@pytest.mark.parametrize("missing", ["error", "store"])
def test_what_is_not_kept_is_refused_in_words_and_told_to_nobody_else(world, missing):
    world.press(**({"fingerprint": "f" * 12} if missing == "error" else {}))
    if missing == "store":
        world.reconciler = replace(world.reconciler, errors=None)
    done = world.reconciled()
    assert (done.outcome, outcome_words(done)) == (
        ActionOutcome.REFUSED,
        "Nothing was changed: no such error is kept.",
    )
    assert world.reasons == ["opened"]
    assert world.ledger.pending_actions("backend") == []


def test_sightings_that_are_always_first_are_an_answer_too_and_not_a_failure(world, monkeypatch):
    world.press()
    monkeypatch.setattr(world.store, "put", lambda _: False)
    done = world.reconciled()
    assert outcome_words(done) == "Nothing was changed: it is written to all the time; try again."


def test_a_press_on_an_incident_that_ended_meanwhile_still_counts_for_the_error(world):
    incident = world.incident.id
    world.reconciled(T0 + 3 * HOUR)
    assert world.reasons[-1] == "resolved"
    world.press(incident=incident)
    assert world.reconciled(T0 + 3 * HOUR).outcome is ActionOutcome.DONE
    assert world.error.known_until == PRESSED + KNOWN_FOR


@pytest.mark.parametrize(("line", "offered"), [(PAY, True), (BOOM, False)])
def test_it_is_offered_for_unknown_errors_only(line, offered):
    world = Errors()
    world.detect(logs([line]))
    notification = parse_notification(json.dumps(world.published[-1]))
    (block,) = action_buttons(notification, notification.alerts[0])
    (menu,) = [element for element in block["elements"] if element["action_id"] == MENU]
    assert ("known-error" in [option["value"] for option in menu["options"]]) is offered
