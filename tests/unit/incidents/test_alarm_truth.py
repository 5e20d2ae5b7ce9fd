"""What is said of an alarm is so: members are not the alarm, an end is one that was seen, a mute is a mute."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from test_lifecycle import MIN, T0, H, Life, alarm

from tocsin.core.incidents.contributors import MAX_CONTRIBUTORS
from tocsin.core.model import AlertState, Origin

FIRING, OVER = AlertState.FIRING, AlertState.RESOLVED


def member(at, state, name):
    told = alarm(at, state)
    return replace(
        told,
        envelope=f"{at}{state}{name}",
        continues=True,
        contributor=f"id-{name}",
        contributor_name=f"Shard={name}",
    )


def again(at, *, continues):
    return replace(alarm(at, FIRING), continues=continues)


def shown(life):
    return life.incident.alerts["alarm"].fields["contributors"]


def test_one_members_ok_does_not_end_the_alarm_that_still_fires():
    life = Life().at(T0, alarm(T0, FIRING), member(T0, FIRING, "a"), member(T0 + 1, FIRING, "b"))
    life.at(T0 + 5 * MIN, member(T0 + 5 * MIN, OVER, "a")).at(T0 + H)
    assert "resolved" not in life.reasons
    assert shown(life) == "Shard=b, over: Shard=a"


def test_all_members_ok_is_not_the_alarms_ok_where_the_alarm_speaks_for_itself():
    life = Life().at(T0, alarm(T0, FIRING), member(T0, FIRING, "a"))
    life.at(T0 + MIN, member(T0 + MIN, OVER, "a")).at(T0 + 2 * MIN)
    assert life.incident.resolved_at is None
    life.at(T0 + 3 * MIN, alarm(T0 + 3 * MIN, OVER))
    assert life.reasons[-1] == "resolved"


def test_the_alarms_ok_ends_it_whatever_its_members_last_said():
    life = Life().at(T0, alarm(T0, FIRING), member(T0, FIRING, "a"), member(T0, FIRING, "b"))
    life.at(T0 + MIN, alarm(T0 + MIN, OVER))
    assert life.incident.resolved_at is not None
    assert shown(life) == "over: Shard=a, Shard=b"


def test_where_only_members_speak_it_is_over_with_the_last_of_them_and_not_before():
    life = Life().at(T0, member(T0, FIRING, "a"), member(T0 + 1, FIRING, "b"))
    life.at(T0 + MIN, member(T0 + MIN, OVER, "b"))
    assert life.incident.resolved_at is None
    life.at(T0 + 2 * MIN, member(T0 + 2 * MIN, OVER, "a"))
    assert life.reasons[-1] == "resolved"


def test_a_second_member_is_no_return_of_the_alarm():
    life = Life().at(T0, alarm(T0, FIRING), member(T0, FIRING, "a"))
    life.at(T0 + 10 * MIN, member(T0 + 10 * MIN, FIRING, "b")).at(T0 + 20 * MIN)
    assert "regressed" not in life.reasons
    assert shown(life) == "Shard=a, Shard=b"


def test_a_member_that_fires_after_the_end_is_a_return():
    life = Life().at(T0, member(T0, FIRING, "a")).at(T0 + MIN, member(T0 + MIN, OVER, "a"))
    life.at(T0 + H, member(T0 + H, FIRING, "a"))
    assert life.reasons == ["opened", "resolved", "regressed"]


@pytest.mark.parametrize("late", ["a", "b"])
def test_what_a_member_said_before_the_end_and_arrives_late_changes_no_state(late):
    life = Life().at(T0, alarm(T0, FIRING), member(T0, FIRING, "a"))
    life.at(T0 + 9 * MIN, alarm(T0 + 9 * MIN, OVER))
    life.at(T0 + 10 * MIN, replace(member(T0 + MIN, FIRING, late), received_at=T0 + 10 * MIN))
    assert life.incident.alerts["alarm"].state is OVER


def test_members_beyond_the_most_are_told_by_number_and_never_end_the_alarm():
    names = [f"{number:03}" for number in range(MAX_CONTRIBUTORS + 20)]
    life = Life().at(T0, *(member(T0, FIRING, name) for name in names))
    life.at(T0 + MIN, *(member(T0 + MIN, OVER, name) for name in names))
    alert = life.incident.alerts["alarm"]
    assert alert.state is FIRING
    assert len(alert.contributors) == MAX_CONTRIBUTORS
    assert shown(life).endswith(" more")


def test_an_alarm_that_lost_its_data_and_fires_again_is_still_firing():
    life = Life().at(T0, again(T0, continues=False)).at(T0 + 6 * MIN, again(T0 + 6 * MIN, continues=True))
    life.at(T0 + 20 * MIN)
    assert "regressed" not in life.reasons
    assert life.incident.alerts["alarm"].count == 2


def test_an_alarm_that_comes_from_ok_is_back_even_where_its_ok_never_arrived():
    life = Life().at(T0, again(T0, continues=False)).at(T0 + 6 * MIN, again(T0 + 6 * MIN, continues=False))
    assert life.reasons == ["opened", "regressed"]


def test_an_alarm_that_was_seen_to_be_ok_is_back_whatever_it_comes_from():
    life = Life().at(T0, again(T0, continues=False)).at(T0 + MIN, alarm(T0 + MIN, OVER))
    life.at(T0 + 30 * MIN, again(T0 + 30 * MIN, continues=True))
    assert life.reasons[-1] == "regressed"


def muted(at, until):
    return replace(alarm(at, FIRING), muted_by="CloudWatch mute rule patch-day", muted_until=until)


def test_what_cloudwatch_mutes_is_counted_and_announced_to_nobody():
    life = Life().at(T0, muted(T0, T0 + 3 * H)).at(T0 + H)
    assert life.reasons == []
    assert life.incident.count == 1
    assert life.incident.alerts["alarm"].silence == "CloudWatch mute rule patch-day"
    life.at(T0 + 2 * H, alarm(T0 + 2 * H, OVER)).at(T0 + 4 * H)
    assert life.reasons == []


def test_an_alarm_that_still_fires_when_its_mute_ends_is_told_with_the_reason():
    life = Life().at(T0, muted(T0, T0 + H)).at(T0 + H)
    assert life.reasons == ["silence_expired"]
    assert "patch-day ended" in life.said[0][2].reason_detail


def test_the_same_transition_sent_again_after_the_mute_is_told_and_counts_once():
    life = Life().at(T0, muted(T0, None)).at(T0 + H)
    assert life.reasons == []
    life.at(T0 + 2 * H, replace(alarm(T0, FIRING, T0 + 2 * H), envelope="unmuted"))
    assert life.reasons == ["silence_expired"]
    assert life.incident.count == 1


def test_a_mute_of_one_alarm_says_nothing_about_another():
    other = replace(alarm(T0, FIRING), fingerprint="other", origin=Origin(alarm="other"), envelope="o")
    assert Life().at(T0, muted(T0, T0 + H), other).reasons == ["opened"]
