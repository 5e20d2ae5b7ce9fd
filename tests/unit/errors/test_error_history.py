"""Whether an unknown error is news: never missed, never for what is known and steady."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tocsin.core.errors.error_history import (
    BACK_AFTER,
    FLOOR,
    NEW_AFTER,
    NEWS_LASTS,
    ErrorRecord,
    ErrorState,
    Sighting,
    is_due,
    observe,
    taken_as_known,
)
from tocsin.core.stored_document import dump_document, load_document
from tocsin.core.times import DAY, HOUR, MINUTE

T0 = 1_770_000_000_000 // DAY * DAY
RESOLVE_AFTER = 15 * MINUTE


def sighting(count=1):
    return Sighting("f1", "backend", "ERROR <*>", "ERROR 1", "/aws/lambda/backend", count)


def life(*seen, learning=False):
    """The state and whether it was news, of each sighting (when, how often)."""
    record, told = None, []
    for at, count in seen:
        observed = observe(record, sighting(count), T0 + at, resolve_after=RESOLVE_AFTER, learning=learning)
        record = observed.record
        told.append((record.state, observed.news))
    return record, told


def steady(days, count=2):
    """Seen in every hour."""
    return [(hour * HOUR, count) for hour in range(days * 24)]


def test_the_first_sighting_is_news():
    assert life((0, 1))[1] == [(ErrorState.NEW, True)]


def test_what_goes_on_belongs_to_its_alert_and_is_no_news_again():
    observed = observe(
        life((0, 1))[0], sighting(), T0 + 10 * MINUTE, resolve_after=RESOLVE_AFTER, learning=False
    )
    assert (observed.record.state, observed.news, observed.notifies) == (ErrorState.NEW, False, True)


def test_what_was_over_and_comes_again_is_known():
    assert life((0, 1), (HOUR, 1))[1][-1] == (ErrorState.KNOWN, False)


def test_what_goes_on_for_longer_than_news_lasts_is_known():
    seen = [(at * 10 * MINUTE, 1) for at in range(6 * 24 + 2)]
    states = [state for state, _ in life(*seen)[1]]
    assert states[: NEWS_LASTS // (10 * MINUTE)] == [ErrorState.NEW] * (NEWS_LASTS // (10 * MINUTE))
    assert states[-1] is ErrorState.KNOWN


def test_a_steady_error_is_news_once():
    assert sum(news for _, news in life(*steady(20))[1]) == 1


def test_not_seen_for_two_weeks_is_new_again():
    assert life((0, 1), (NEW_AFTER + 1, 1))[1][-1] == (ErrorState.NEW, True)


def test_gone_for_days_and_here_again_is_back():
    assert life(*steady(1), (DAY + BACK_AFTER, 1))[1][-1] == (ErrorState.BACK, True)


def test_what_comes_once_a_week_is_back_once_and_then_known():
    told = life(*((week * 7 * DAY, 1) for week in range(5)))[1]
    assert [news for _, news in told] == [True, True, False, False, False]


def test_far_more_than_its_past_escalates_once():
    _, told = life(*steady(4), (4 * DAY, 3 * FLOOR), (4 * DAY + MINUTE, 3 * FLOOR))
    assert told[-2] == (ErrorState.ESCALATING, True)
    assert told[-1][1] is False


@pytest.mark.parametrize("count", [3, FLOOR - 1])
def test_below_the_floor_nothing_escalates(count):
    assert life(*steady(4, 1), (4 * DAY, count))[1][-1] == (ErrorState.KNOWN, False)


def test_what_is_usual_at_this_hour_does_not_escalate():
    busy_at_noon = [
        (day * DAY + hour * HOUR, 200 if hour == 12 else 2) for day in range(5) for hour in range(24)
    ]
    told = life(*busy_at_noon)[1]
    assert [at for at, (_, news) in enumerate(told) if news and at > 24] == []


def test_while_it_is_learned_nothing_is_news_and_afterwards_it_is_known():
    record, told = life((0, 1), (HOUR, 500), learning=True)
    assert [news for _, news in told] == [False, False]
    later = observe(record, sighting(), T0 + 2 * HOUR, resolve_after=RESOLVE_AFTER)
    assert (later.news, later.record.state) == (False, ErrorState.KNOWN)


def test_what_somebody_said_is_known_is_known_until_then():
    record = taken_as_known(life((0, 1))[0], T0 + 30 * DAY, "ann", "is harmless")
    during = observe(record, sighting(5_000), T0 + MINUTE, resolve_after=RESOLVE_AFTER)
    assert (during.news, during.notifies, during.record.known_by) == (False, False, "ann")
    gone_for_long = observe(record, sighting(), T0 + 20 * DAY, resolve_after=RESOLVE_AFTER)
    assert gone_for_long.news is False
    after = observe(record, sighting(), T0 + 31 * DAY, resolve_after=RESOLVE_AFTER)
    assert after.news is True


@pytest.mark.parametrize("until_it_escalates", [True, False])
def test_what_is_known_until_it_escalates_is_news_then_and_what_is_known_regardless_is_not(
    until_it_escalates,
):
    known = taken_as_known(
        life(*steady(4, 1))[0], T0 + 30 * DAY, "ann", "is harmless", until_it_escalates=until_it_escalates
    )
    usual = observe(known, sighting(1), T0 + 4 * DAY, resolve_after=RESOLVE_AFTER)
    assert (usual.news, usual.record.known_until) == (False, T0 + 30 * DAY)
    risen = observe(usual.record, sighting(100), T0 + 4 * DAY + MINUTE, resolve_after=RESOLVE_AFTER)
    assert risen.news is until_it_escalates
    if until_it_escalates:
        assert (risen.record.state, risen.record.known_until) == (ErrorState.ESCALATING, 0)


@given(st.lists(st.tuples(st.integers(0, 20 * DAY), st.integers(1, 10_000)), max_size=30), st.booleans())
def test_whatever_comes_the_first_after_two_weeks_of_quiet_is_news(pauses, learning):
    record, now = None, T0
    for pause, count in pauses:
        now += pause
        was_quiet = record is None or pause > NEW_AFTER
        observed = observe(record, sighting(count), now, resolve_after=RESOLVE_AFTER, learning=learning)
        if was_quiet:
            assert observed.news is not learning
        if observed.news:
            assert observed.notifies
        assert observed.record.version == (record.version if record else 0) + 1
        assert len(observed.record.days) <= 14
        record = observed.record
        assert load_document(dump_document(record), ErrorRecord) == record


@given(st.integers(0, DAY), st.integers(0, DAY))
def test_in_each_minute_one_sighting_is_written(first, second):
    record = life((first, 1))[0]
    later = T0 + first + second
    assert is_due(record, later) == (later // MINUTE > (T0 + first) // MINUTE)


def test_a_document_of_another_kind_is_refused():
    for text in ("[]", "{}", "nonsense"):
        with pytest.raises(ValueError, match="not a errorrecord document"):
            load_document(text, ErrorRecord)


def test_a_document_stays_small_enough_for_one_write_unit():
    record = life(*steady(20, 1_000_000))[0]
    record = replace(record, example="", template="x" * 400)
    assert len(dump_document(record)) < 1_900


def test_the_digest_is_given_what_is_learned_at_once_and_what_is_known_once_an_hour():
    given, record = [], None
    for at in (0, 10 * MINUTE, 20 * MINUTE, HOUR, 90 * MINUTE, 3 * HOUR):
        observed = observe(record, sighting(2), T0 + at, resolve_after=RESOLVE_AFTER, learning=True)
        record = observed.record
        given.append((observed.for_digest, observed.learned))
    assert given == [(2, True), (0, False), (0, False), (6, False), (0, False), (4, False)]


def test_what_is_announced_is_not_given_to_the_digest():
    assert observe(None, sighting(), T0, resolve_after=RESOLVE_AFTER).for_digest == 0
