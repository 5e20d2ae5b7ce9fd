"""Log text for Slack: inert, measured after escaping, never cut inside an entity."""

import re

import pytest
from hostile_text import hostile
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.sanitize import one_line, visible
from tocsin.core.slack.mrkdwn import call, code, cut, escape, fence, length, mrkdwn, plain, time_token

ENTITY = re.compile(r"&(?:amp|lt|gt);")


def assert_inert(text):
    """Nothing in it that Slack would read as control sequence, and no half entity."""
    assert "<" not in text
    assert ">" not in text
    assert "&" not in ENTITY.sub("", text)


@given(hostile, st.integers(0, 400))
def test_a_cut_text_fits_and_keeps_its_entities_whole(text, most):
    escaped = escape(visible(text))
    assert_inert(escaped)
    short = cut(escaped, most)
    assert length(short) <= most
    assert_inert(short)
    if length(escaped) <= most:
        assert short == escaped


def test_what_looks_like_an_entity_in_the_log_stays_what_it_was():
    assert escape("&lt;!channel&gt;") == "&amp;lt;!channel&amp;gt;"
    assert cut("&amp;" * 10, 12) == "&amp;&amp;…"
    assert cut("x;&amp;y", 6) == "x;…"


@given(hostile, st.integers(20, 3000))
def test_a_fence_is_closed_once_and_only_at_its_end(text, most):
    block = fence(text, most)
    assert length(block) <= most
    assert block.startswith("```\n")
    assert block.endswith("\n```")
    assert "```" not in block[3:-3]
    assert_inert(block)


@given(hostile, st.integers(3, 300))
def test_inline_code_is_closed_once_and_only_at_its_end(text, most):
    inline = code(text, most)
    assert length(inline) <= most
    assert inline.startswith("`")
    assert inline.endswith("`")
    assert "`" not in inline[1:-1]
    assert "\n" not in inline
    assert_inert(inline)


@given(hostile)
def test_visible_text_holds_nothing_hidden(text):
    shown = visible(text)
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]", shown
    )
    assert visible(shown) == shown
    shown.encode()
    assert "\n" not in one_line(text)


def test_visible_text_keeps_what_people_need():
    assert visible("a\tb\r\nc\rd") == "a\tb\nc\nd"
    assert visible("\x1b[1;31mERROR\x1b[0m größer 🔥") == "ERROR größer 🔥"
    assert visible("user\u202egnp.exe") == "user\ufffdgnp.exe"


@given(hostile, st.integers(1, 300))
def test_plain_text_is_one_line_without_anything_that_looks_like_a_mention(text, most):
    short = plain(text, most)
    assert length(short) <= most
    assert "<" not in short
    assert "\n" not in short


@given(hostile, st.integers(1, 300))
def test_a_sentence_is_escaped_and_fits(text, most):
    assert_inert(mrkdwn(text, most))
    assert length(mrkdwn(text, most)) <= most


@pytest.mark.parametrize("at", [0, 1_785_466_800_345])
def test_a_time_is_shown_in_the_readers_zone_with_utc_to_fall_back_on(at):
    token = time_token(at)
    assert re.fullmatch(
        r"<!date\^\d+\^\{date_short_pretty\} \{time_secs\}\|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC>", token
    )
    assert f"^{at // 1000}^" in token


def test_a_group_a_person_and_whoever_is_here_are_called_as_slack_reads_it():
    assert call("S0614TZR7") == "<!subteam^S0614TZR7>"
    assert [call("U0123ABCD"), call("W0123ABCD")] == ["<@U0123ABCD>", "<@W0123ABCD>"]
    assert call("@here") == "<!here>"
