"""Nothing lost, counted once, told once, order kept: whatever fails, however long Slack is away, whatever the storm.

The harness is in ``tests/reliability``; what all of its runs came to is in ``docs/reliability.md``.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from reliability.deployment import HOUR, MINUTE, SECOND, Deployment, simulated_aws
from reliability.enumeration import ALL_MODES, MODES, calls_without_a_fault, hits, run
from reliability.faults import MEANING, Fault
from reliability.page import is_worse, read_rows
from reliability.people import ACTS, PeopleStory
from reliability.permissions import recorded_requests
from reliability.scenario import LINES, SHORT, Story
from reliability.storm import storm
from reliability.verdict import judge

from tocsin_cli.fake_slack.channel import Fault as SlackFault

pytestmark = pytest.mark.minutes
ALWAYS = 1_000_000


@pytest.fixture(scope="module", autouse=True)
def aws():
    with simulated_aws():
        yield


@pytest.fixture(scope="module")
def unharmed(aws):
    return {mode: calls_without_a_fault(mode) for mode in ALL_MODES}


# --------------------------------------------------------- one fault at every call


@pytest.mark.parametrize("mode", ALL_MODES)
def test_without_a_fault_everything_holds_and_is_told_at_once(unharmed, mode):
    calls, verdict = unharmed[mode]
    assert verdict.broken == []
    assert verdict.twice == 0
    assert verdict.told_at["backend begun"] == 0
    functions = {"detect", "reconcile", "notify"} | ({"respond"} if mode == "people" else set())
    assert {call.function for call in calls} == functions
    assert {call.service for call in calls} >= {"DynamoDB", "SNS", "Secrets Manager", "Slack"}


@pytest.mark.parametrize("mode", ALL_MODES)
def test_the_page_has_a_row_for_every_call_and_a_cell_for_every_fault(unharmed, mode):
    found = {}
    for hit in hits(mode, unharmed[mode][0]):
        found.setdefault(hit.call.row, set()).add(hit.fault)
    page = {row: set(cells) for row, cells in read_rows(mode).items()}
    assert page == found, "run `make reliability`"
    assert not any("BROKEN" in cell for cells in read_rows(mode).values() for cell in cells.values())


def some_for_each_kind_of_call(mode, calls):
    """A call or two of each kind, where there are so many, each with another fault; the page has them all."""
    of_call, seen = {}, {}
    for hit in hits(mode, calls):
        of_call.setdefault(hit.number, []).append(hit)
    for found in of_call.values():
        turn = seen.setdefault(found[0].call.row, [len(seen), 0])
        if turn[1] < (1 if mode == "people" else 2):
            yield found[(turn[0] + 4 * turn[1]) % len(found)]
        turn[1] += 1


@pytest.mark.parametrize("mode", ALL_MODES)
def test_a_fault_at_any_call_breaks_nothing_and_costs_no_more_than_the_page_says(unharmed, mode):
    calls, verdict = unharmed[mode]
    page, complaints = read_rows(mode), []
    for hit in some_for_each_kind_of_call(mode, calls):
        outcome = run(hit, verdict)
        assert outcome.asked <= recorded_requests(), "run `make reliability`"
        known = page.get(hit.call.row, {}).get(hit.fault, "")
        if is_worse(outcome, known):
            complaints.append((hit, outcome, known))
    assert not complaints


def test_every_kind_of_fault_is_explained():
    assert set(MEANING) == set(Fault)


# ------------------------------------------------------ the harness sees what is wrong


def test_the_verdict_sees_what_is_lost_told_twice_or_out_of_order():
    story = Story(Deployment("bot", environment=SHORT))
    story.play()
    assert judge(story).broken == []
    deployment = story.deployment
    story.logged["backend", "lambda-timeout"] += 1
    assert judge(story).broken == ["backend/lambda-timeout: logged 2, counted 1"]
    story.logged["backend", "lambda-timeout"] -= 2
    assert judge(story).broken == ["backend/lambda-timeout: logged 0, counted 1"]
    story.logged["backend", "lambda-timeout"] += 1
    deployment.told.append(deployment.told[0])
    (older,) = judge(story).broken
    assert "was shown over" in older
    deployment.told.pop()
    messages = deployment.slack.channel._messages
    first = next(iter(messages))
    messages["again"] = messages[first]
    assert "1 messages stand there twice" in judge(story).broken
    del messages["again"], messages[first]
    assert any("has no message" in line for line in judge(story).broken)


def test_the_verdict_sees_what_a_webhook_leaves_out():
    story = Story(Deployment("webhook", environment=SHORT))
    story.play()
    kept = story.deployment.told
    story.deployment.told = kept[:-1]
    (missing,) = judge(story).broken
    assert missing.endswith("resolved was not told")
    story.deployment.told = [*kept, kept[0], kept[0]]
    assert any("told 3 times" in line for line in judge(story).broken)


def test_the_verdict_sees_what_people_did_and_was_lost_or_done_twice():
    story = PeopleStory(Deployment("people", environment=ACTS))
    story.play()
    assert judge(story).broken == []
    wire = story.deployment.wire
    wire.moves.append(wire.now)
    assert judge(story).broken == ["2 moves were started"]
    wire.moves.clear()
    assert judge(story).broken == ["0 moves were started"]
    wire.moves.append(wire.now)
    published = story.deployment.published()
    silent = [note for note in published if not any(done["kind"] == "take" for done in note["actions"])]
    assert len(silent) == len(published) - 1
    story.deployment.published = lambda: silent
    assert "take was not told" in judge(story).broken


# ------------------------------------------------------------------ random schedules


SERVICES = st.sampled_from(["backend", "worker", "billing"])
WITH_ALARMS = st.sampled_from(["backend", "worker"])  # the services whose alarms tocsin.toml knows
COUNTS = st.dictionaries(st.sampled_from(sorted(LINES)), st.integers(1, 4), min_size=1, max_size=2)


class Schedules(RuleBasedStateMachine):
    """Anything in any order; what was logged is what must be counted and told."""

    @initialize(mode=st.sampled_from(MODES))
    def deploy(self, mode):
        self.story = Story(Deployment(mode, environment=SHORT))
        self.deployment = self.story.deployment
        self.faults = self.alarms = 0

    @rule(service=SERVICES, counts=COUNTS)
    def log(self, service, counts):
        self.story.log(service, counts)
        self._pass(1)

    @rule(service=WITH_ALARMS, state=st.sampled_from(["ALARM", "OK"]))
    def alarm(self, service, state):
        self.story.alarm(service, state)
        self._pass(1)

    @rule(fault=st.sampled_from(Fault), ahead=st.integers(0, 15))
    def something_will_fail(self, fault, ahead):
        plan = self.deployment.wire.plan
        plan.faults[len(plan.calls) + ahead] = fault
        self.faults += 1

    @precondition(lambda self: self.story.events)
    @rule(data=st.data())
    def an_event_comes_again(self, data):
        self.deployment.deliver(data.draw(st.sampled_from(self.story.events))[0])
        self._pass(1)

    @rule(seconds=st.sampled_from([5, 30, 70, 200, 600]))
    def time_passes(self, seconds):
        self._pass(seconds)

    @rule(status=st.sampled_from([429, 500]), seconds=st.sampled_from([90, 900, 3_000]), lost=st.booleans())
    def slack_is_away(self, status, seconds, lost):
        self.faults += ALWAYS * lost  # it may take each try for a post, and say that it failed
        self.deployment.slack.add_fault(
            SlackFault(status=status, times=ALWAYS, after_effect=lost and status == 500)
        )
        self._pass(seconds)
        self.deployment.slack.channel.clear_faults()

    def _pass(self, seconds):
        self.deployment.run_until(self.deployment.wire.now + seconds * SECOND)

    def teardown(self):
        if not hasattr(self, "story"):
            return
        self.deployment.wire.plan.faults.clear()
        for service in ("backend", "worker"):
            self.story.alarm(service, "OK")
        self.story.until_quiet(HOUR + 30 * MINUTE)
        verdict = judge(self.story, most_told=3 + self.faults)
        assert verdict.broken == []


def test_random_schedules_lose_nothing_and_tell_everything_once():
    run_state_machine_as_test(
        Schedules,
        settings=settings(
            max_examples=8,
            stateful_step_count=8,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink one takes minutes
        ),
    )


# --------------------------------------------------------------------------- Slack away


AWAY = {
    "answers 500": SlackFault(status=500, times=ALWAYS),
    "answers 429": SlackFault(status=429, retry_after=90, times=ALWAYS),
    "never answers": SlackFault(hang=30, times=ALWAYS),
}


@pytest.mark.parametrize(
    ("mode", "away"),
    [
        ("bot", "answers 500"),
        ("webhook", "answers 429"),
        ("bot", "never answers"),
        ("webhook", "never answers"),
    ],
)
def test_after_hours_without_slack_each_incident_is_told_once_and_in_its_newest_state(mode, away):
    story = Story(Deployment(mode))
    deployment = story.deployment
    story.log("backend", {"import-module-error": 2})
    deployment.run_until(deployment.wire.now + MINUTE)
    before = len(deployment.slack.messages())
    deployment.slack.add_fault(AWAY[away])
    for minutes in (0, 20, 46):  # it goes on, so that it is still open when Slack is back
        story.log("backend", {"import-module-error": 3}, after=minutes * MINUTE)
    story.alarm("worker", "ALARM", after=10 * MINUTE)
    story.alarm("worker", "OK", after=50 * MINUTE)  # begins and ends while nobody can be told
    deployment.run_until(deployment.wire.now + 80 * MINUTE)
    assert len(deployment.slack.messages()) == before
    assert deployment.waiting()
    deployment.slack.channel.clear_faults()
    story.log("backend", {"lambda-timeout": 1})
    story.until_quiet()
    verdict = judge(story)
    assert verdict.broken == []
    assert verdict.twice == 0
    assert deployment.dead() == []
    assert verdict.told_at["worker over"] <= deployment.wire.now


REFUSED = {
    "token": {"bot": SlackFault(error="invalid_auth", times=ALWAYS),
              "webhook": SlackFault(status=403, error="invalid_token", times=ALWAYS)},
    "channel": {"bot": SlackFault(error="is_archived", times=ALWAYS),
                "webhook": SlackFault(status=410, error="channel_is_archived", times=ALWAYS)},
}  # fmt: skip


@pytest.mark.parametrize(("mode", "what"), [("bot", "token"), ("webhook", "channel")])
def test_what_slack_refuses_is_parked_and_told_once_when_it_is_mended_and_redriven(mode, what):
    story = Story(Deployment(mode))
    deployment = story.deployment
    deployment.slack.add_fault(REFUSED[what][mode])
    story.log("backend", {"import-module-error": 2})
    deployment.run_until(deployment.wire.now + 12 * MINUTE)
    assert [notification["reason"] for notification in deployment.dead()] == ["opened"]
    assert deployment.slack.messages() == []
    deployment.slack.channel.clear_faults()
    story.log("backend", {"lambda-timeout": 1})
    deployment.run_until(deployment.wire.now + MINUTE)
    assert deployment.slack.messages() != []
    deployment.redrive()
    story.until_quiet()
    assert deployment.dead() == []
    verdict = judge(story)
    assert verdict.broken == []
    assert verdict.twice == 0


@pytest.mark.parametrize("mode", MODES)
def test_blocks_that_slack_refuses_for_an_hour_are_told_as_plain_text_at_once(mode):
    story = Story(Deployment(mode))
    deployment = story.deployment
    story.log("backend", {"import-module-error": 2})
    for _ in range(3):  # refused, and the plain text let through
        method = "chat.postMessage" if mode == "bot" else "webhook"
        deployment.slack.add_fault(
            SlackFault(status=None if mode == "bot" else 400, error="invalid_blocks", method=method)
        )
        story.log("backend", {"import-module-error": 1})
        deployment.run_until(deployment.wire.now + MINUTE)
        deployment.slack.channel.clear_faults()
    assert deployment.slack.messages()[0]["blocks"] == []
    story.until_quiet()
    assert judge(story).broken == []
    assert deployment.dead() == []


# -------------------------------------------------------------------------------- storm


def test_a_storm_of_many_invocations_costs_one_write_for_each_alert_and_batch_and_few_messages():
    found = storm(20_000, "bot", per_envelope=500, own=20_000)
    assert found.broken == []
    assert found.calls["detect", "DynamoDB PutItem (occurrence count)"] == 3 * found.envelopes + 1
    assert max(found.messages.values()) <= 6
    reconciled = sum(count for (function, _), count in found.calls.items() if function == "reconcile")
    assert reconciled <= 12 * (1 + 4 * 6), "a hot loop"


def test_a_storm_of_ever_new_names_stays_within_every_limit():
    found = storm(3_200, "webhook", per_envelope=800)
    assert found.broken == []
    assert found.distinct == 320
