"""Many services, one cause: told in one place, and each service's incident whole."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.incidents.test_lifecycle import INTERVALS, T0, occurrence_count, signature
from tocsin.adapters.slack.errors import RetryableDeliveryError
from tocsin.core.incidents.memory_store import MemoryLedger
from tocsin.core.incidents.policy import Policy
from tocsin.core.incidents.wide import MANY
from tocsin.core.model import Origin
from tocsin.core.signatures.signature import Source
from tocsin.services.reconcile_service import Reconciler
from tocsin_cli.fake_slack.in_process import OfflineSlack

S, MIN = 1000, 60_000
SIGNATURES = {
    each.id: each
    for each in (
        signature("db-gone", group_by=("host",)),
        signature("other"),
        signature("anything", catch_all=True),
        signature("depth", source=Source.ALARM),
    )
}
POLICY = Policy(INTERVALS, SIGNATURES)


class World:
    """Many services, one ledger, one channel; what is published is delivered at once."""

    def __init__(self, policy=POLICY, ledger=None, mode="bot"):
        self.ledger, self.slack, self.now = ledger or MemoryLedger(), OfflineSlack(mode), T0
        self.published, self.queue, self.broken = [], [], False
        self.box = Reconciler(self.ledger, self, policy, "https://example.com/")

    def publish(self, notification):
        if self.broken:
            raise ConnectionError
        self.published.append(notification)
        self.queue.append(notification)
        self.deliver()

    def deliver(self):
        """What a queue does: what cannot be told yet comes back."""
        again = []
        for notification in self.queue:
            try:
                self.slack.deliver(notification, self.now)
            except RetryableDeliveryError:
                again.append(notification)
        self.queue = again

    def fails(self, service, at, name="db-gone", **fields):
        counted = replace(
            occurrence_count(at, name=name, fingerprint=f"{service}-{name}"), service=service, fields=fields
        )
        self.ledger.count(counted)
        self.look(service, at, [counted])

    def look(self, service, at, fresh=()):
        self.now = at
        self.deliver()
        self.box.reconcile(service, at, fresh=fresh)

    def in_channel(self):
        return [each for each in self.slack.messages() if each["thread_ts"] is None]

    def in_threads(self):
        return [each for each in self.slack.messages() if each["thread_ts"] is not None]


def services(n):
    return [f"service-{number:02}" for number in range(n)]


def test_thirty_services_that_lose_one_host_are_one_message_in_the_channel_with_all_of_them():
    world = World()
    for number, service in enumerate(services(30)):
        world.fails(service, T0 + number * 30, host="db-1")
    assert len(world.in_channel()) == 1
    assert len(world.in_threads()) == 29
    assert {each["thread_ts"] for each in world.in_threads()} == {world.in_channel()[0]["ts"]}
    world.look("service-00", T0 + MIN)
    [lead] = world.in_channel()
    text = str(lead["blocks"])
    assert "30 services fail at once (the same signature and host db-1)" in text
    assert "service-00" in text
    assert "service-19" in text
    assert "and 10 more" in text


def test_each_services_incident_is_told_with_all_it_is_and_names_the_one_that_leads():
    world = World()
    for service in services(3):
        world.fails(service, T0, host="db-1")
    assert [each.service for each in world.published] == services(3)
    first, *others = world.published
    assert first.wide is None
    assert {each.wide.lead for each in others} == {first.incident.id}
    assert others[-1].wide.services == tuple(services(3))
    assert others[-1].wide.shared == {"host": "db-1"}


def test_what_goes_on_in_a_service_that_joined_is_told_in_the_same_thread():
    world = World()
    for service in services(2):
        world.fails(service, T0, host="db-1")
    world.fails("service-01", T0 + S, name="other")
    world.look("service-01", T0 + 20 * MIN)
    assert len(world.in_channel()) == 1
    assert [each.reason.value for each in world.published[2:]] == ["new_alert", "resolved"]
    assert {each["thread_ts"] for each in world.in_threads()} == {world.in_channel()[0]["ts"]}


def test_the_one_that_leads_may_be_over_long_before_the_others():
    world = World()
    world.fails("service-00", T0, host="db-1")
    world.fails("service-01", T0 + S, host="db-1")
    world.look("service-00", T0 + 15 * MIN)
    world.fails("service-01", T0 + 14 * MIN, host="db-1")
    world.look("service-01", T0 + 30 * MIN)
    assert [(each.service, each.reason.value) for each in world.published if each.reason.value != "update"] == [
        ("service-00", "opened"), ("service-01", "opened"), ("service-00", "resolved"), ("service-01", "resolved"),
    ]  # fmt: skip


@pytest.mark.parametrize("mode", ["bot", "webhook"])
def test_the_end_of_the_first_is_not_said_of_the_others(mode):
    world = World(mode=mode)
    world.fails("service-00", T0, host="db-1")
    world.fails("service-01", T0 + S, host="db-1")
    world.look("service-00", T0 + MIN)
    world.fails("service-01", T0 + 14 * MIN, host="db-1")
    world.look("service-00", T0 + 16 * MIN)
    told = [each for each in world.slack.messages() if "It is over" in str(each["blocks"])]
    assert told
    for text in (str(each["blocks"]) for each in told):
        assert "It is over in service-00" in text
        assert "Nothing to do now" not in text
        assert "services fail at once" not in text
    assert any("2 services failed at once" in str(each["blocks"]) for each in told)
    world.look("service-01", T0 + 40 * MIN)
    assert "Nothing to do now" in str(world.slack.messages()[-1]["blocks"])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"host": "db-1"}, {"host": "db-2"}),
        ({"host": "db-1"}, {"bucket": "db-1"}),
        ({"host": "db-1"}, {}),
        ({"seconds": "30"}, {"seconds": "30"}),
        ({}, {}),
    ],
)
def test_what_shares_nothing_that_several_services_use_is_told_by_itself(first, second):
    world = World()
    world.fails("a", T0, **first)
    world.fails("b", T0 + S, **second)
    assert len(world.in_channel()) == 2


def test_one_signature_in_very_many_services_is_one_cause_whatever_it_shares():
    world = World()
    for number, service in enumerate(services(30)):
        world.fails(service, T0 + number, name="other")
    assert len(world.in_channel()) == MANY - 1
    assert len(world.in_threads()) == 30 - MANY + 1


@pytest.mark.parametrize("name", ["anything", "unknown-error"])
def test_a_rule_for_whatever_nobody_knows_says_nothing_about_a_common_cause(name):
    world = World()
    for service in services(9):
        world.fails(service, T0, name=name, host="db-1")
    assert len(world.in_channel()) == 9


def test_alarms_are_told_by_themselves():
    world = World()
    for service in services(9):
        counted = replace(
            occurrence_count(T0, name="depth", fingerprint=service),
            service=service,
            origin=Origin(alarm="depth"),
        )
        world.ledger.count(counted)
        world.look(service, T0, [counted])
    assert len(world.in_channel()) == 9


def test_who_comes_after_the_time_to_join_begins_another():
    world = World()
    world.fails("a", T0, host="db-1")
    world.fails("b", T0 + 2 * MIN, host="db-1")
    world.fails("c", T0 + 3 * MIN, host="db-1")
    assert len(world.in_channel()) == 2
    assert world.published[-1].wide.services == ("b", "c")


def test_who_comes_when_the_first_may_be_over_begins_another():
    world = World(Policy(replace(INTERVALS, resolve_after=5 * S), SIGNATURES))
    world.fails("a", T0, host="db-1")
    world.look("a", T0 + 5 * S)
    world.fails("b", T0 + 6 * S, host="db-1")
    assert len(world.in_channel()) == 2


def test_a_setting_turns_it_off():
    world = World(Policy(replace(INTERVALS, wide_within=0), SIGNATURES))
    for service in services(9):
        world.fails(service, T0, host="db-1")
    assert len(world.in_channel()) == 9


def test_a_message_of_the_one_that_leads_that_is_gone_hides_nothing():
    world = World()
    world.fails("a", T0, host="db-1")
    world.slack.channel.clear()
    world.fails("b", T0 + S, host="db-1")
    assert [each["thread_ts"] for each in world.slack.messages()] == [None]


def test_a_table_that_cannot_be_asked_who_leads_costs_nothing_but_the_thread():
    class Broken(MemoryLedger):
        def join_wide(self, *_):
            raise ConnectionError

        def wide(self, _):
            raise ConnectionError

    world = World(ledger=Broken())
    for service in services(3):
        world.fails(service, T0, host="db-1")
        world.look(service, T0 + MIN)
    assert len(world.in_channel()) == 3


def test_what_is_published_again_after_a_failure_has_joined_once_and_leads_or_follows_as_before():
    world = World()
    world.fails("a", T0, host="db-1")
    world.broken = True
    with pytest.raises(ConnectionError):
        world.fails("b", T0 + S, host="db-1")
    world.broken = False
    world.fails("c", T0 + 2 * S, host="db-1")
    world.look("b", T0 + 5 * MIN)
    assert len(world.in_channel()) == 1
    assert len(world.in_threads()) == 2
    assert [
        each.wide.service_count for each in world.published if each.wide and each.reason.value == "opened"
    ] == [3, 3]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 30 * 60),
            st.sampled_from(services(8)),
            st.sampled_from(["db-1", "db-2"]),
            st.integers(0, 9),
        ),
        min_size=1,
        max_size=40,
    )
)
@example([(second, "service-00", "db-1", 0) for second in (0, 1077, 1387)])
@settings(max_examples=15, deadline=None)
def test_whatever_joins_what_each_service_is_told_of_is_what_it_would_be_told_without(storm):
    def told(policy):
        world = World(policy)
        at = {}
        for second, service, host, fault in sorted(storm):
            at.setdefault(second, []).append((service, host, fault))
        # What comes and goes must be quiet for hours until it counts as over, and its counts are shown then at the latest.
        for second in sorted({*at, *range(0, 60 * 60, 60), *range(60 * 60, 24 * 60 * 60, 600)}):
            now = T0 + second * S
            for service, host, fault in at.get(second, ()):
                world.broken = fault == 0
                with suppress(ConnectionError):
                    world.fails(service, now, host=host)
                world.broken = False
            for service in services(8):
                world.look(service, now)
        return world

    wide, alone = told(POLICY), told(Policy(replace(INTERVALS, wide_within=0), SIGNATURES))
    for service in services(8):
        one, two = wide.ledger.load(service).incident, alone.ledger.load(service).incident
        assert (one is None) == (two is None)
        if one and two:
            assert (one.count, one.resolved_at) == (two.count, two.resolved_at)
            assert all(alert.notified.count == alert.count for alert in one.alerts.values())

    def news(world):
        return sorted(
            (each.service, each.reason.value) for each in world.published if each.reason.value != "update"
        )

    assert set(news(wide)) == set(news(alone))
    assert len({each.id for each in wide.published}) == len(wide.published)
    assert wide.queue == []
    assert len(wide.in_channel()) <= len(alone.in_channel())
