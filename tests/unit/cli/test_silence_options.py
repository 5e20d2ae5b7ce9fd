"""The options of `tocsin silence add`: what is given twice is meant twice, or refused."""

from __future__ import annotations

import argparse

import pytest

from tocsin_cli.commands.silence import RefusedError, configure, new_silence

NOW = 1_785_456_000_000


def made(*options):
    parser = argparse.ArgumentParser()
    configure(parser)
    return new_silence(
        parser.parse_args(["add", "--for", "1h", "--reason", "r", "--author", "a", *options]), NOW
    )


@pytest.mark.parametrize("option", ["signature", "service"])
def test_an_option_given_twice_covers_both_and_not_only_the_last(option):
    silence = made(f"--{option}", "first", f"--{option}", "second-*")
    for name in ("first", "second-1"):
        assert silence.covers(name, name, {})
    assert not silence.covers("third", "third", {})


def test_each_signature_is_covered_in_each_service():
    silence = made("--signature", "a", "--signature", "b", "--service", "x[1]", "--service", "y")
    assert all(silence.covers(signature, service, {}) for signature in "ab" for service in ("x[1]", "y"))
    assert not silence.covers("a", "z", {})


@pytest.mark.parametrize("given", [("a", ""), ("a\nb",), ("", "")])
def test_what_would_cover_something_else_than_it_says_is_refused(given):
    options = [part for glob in given for part in ("--signature", glob)]
    with pytest.raises(RefusedError, match="--signature"):
        made(*options)


def test_a_span_counts_from_the_beginning_that_was_given():
    silence = made("--service", "x", "--from", "2026-08-01T00:00Z")
    assert silence.expires_at - silence.begins == 3_600_000
    assert not silence.active(NOW)
    assert silence.active(silence.begins)


def test_a_silence_can_recur_in_a_time_zone_and_end_by_itself():
    nightly = made("--service", "x", "--every", "mon-fri 22:00-06:00", "--zone", "Europe/Berlin")
    assert (nightly.hours, nightly.zone) == ("mon-fri 22:00-06:00", "Europe/Berlin")
    assert made("--service", "x", "--until-quiet", "30m").ends_when_quiet == 1_800_000


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--every", "at night"), "--every: 'at night' are no hours"),
        (("--every", "22:00-06:00", "--zone", "Berlin"), "--zone: 'Berlin' is no time zone"),
        (("--until-quiet", "soon"), "--until-quiet: 'soon' is not a duration"),
        (("--until-quiet", "1m"), "--until-quiet: must be at least 10 min"),
    ],
)
def test_what_is_wrong_with_recurrence_is_said_by_its_option(options, said):
    with pytest.raises(RefusedError, match=said):
        made("--service", "x", *options)


@pytest.mark.parametrize("begin", ["yesterday", "2020-01-01T00:00Z", "2027-01-01T00:00Z"])
def test_a_beginning_that_is_over_or_too_far_is_refused(begin):
    with pytest.raises(RefusedError, match="--from: "):
        made("--service", "x", "--from", begin)
