"""Block Kit's rules as Slack keeps them: each limit to the character, each refusal with its reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_cli.fake_slack.block_kit import block_problems


def section(text="x", **more):
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def header(text):
    return {"type": "header", "text": {"type": "plain_text", "text": text}}


def button(**changes):
    return {
        "type": "button",
        "text": {"type": "plain_text", "text": "x"},
        "url": "https://a.example",
    } | changes


@pytest.mark.parametrize(
    ("at_limit", "beyond", "pointer"),
    [
        ([section("x" * 3000)], [section("x" * 3001)], "/blocks/0/text/text"),
        ([header("x" * 150)], [header("x" * 151)], "/blocks/0/text/text"),
        ([section()] * 50, [section()] * 51, "/blocks"),
        (
            [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x" * 2000}]}],
            [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x" * 2001}]}],
            "/blocks/0/fields/0/text",
        ),
        (
            [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x"}] * 10}],
            [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x"}] * 11}],
            "/blocks/0/fields",
        ),
        (
            [{"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 10}],
            [{"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 11}],
            "/blocks/0/elements",
        ),
        (
            [{"type": "actions", "elements": [button()] * 25}],
            [{"type": "actions", "elements": [button()] * 26}],
            "/blocks/0/elements",
        ),
        (
            [{"type": "actions", "elements": [button(text={"type": "plain_text", "text": "x" * 75})]}],
            [{"type": "actions", "elements": [button(text={"type": "plain_text", "text": "x" * 76})]}],
            "/blocks/0/elements/0/text/text",
        ),
        (
            [{"type": "actions", "elements": [button(url="https://a.example/".ljust(3000, "x"))]}],
            [{"type": "actions", "elements": [button(url="https://a.example/".ljust(3001, "x"))]}],
            "/blocks/0/elements/0/url",
        ),
        ([section(block_id="x" * 255)], [section(block_id="x" * 256)], "/blocks/0/block_id"),
        ([section("😀" * 1500)], [section("😀" * 1501)], "/blocks/0/text/text"),
    ],
)
def test_each_limit_of_block_kit_is_kept_to_the_character(at_limit, beyond, pointer):
    assert block_problems(at_limit) == []
    (problem,) = block_problems(beyond)
    assert problem.endswith(f"[json-pointer:{pointer}]")


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"type": "section"}, "must define either `text` or `fields`"),
        (section(""), "must be more than 0 characters"),
        (section(colour="red"), "invalid additional property: colour"),
        ({"type": "section", "text": "bare"}, "must be an object"),
        ({"type": "section", "text": {"type": "markdown", "text": "x"}}, "unsupported type: markdown"),
        ({"type": "section", "text": {"type": "mrkdwn", "text": 7}}, "must be a string"),
        ({"type": "header", "text": {"type": "mrkdwn", "text": "x"}}, "unsupported type: mrkdwn"),
        ({"type": "header"}, "missing required field: text"),
        ({"type": "context", "elements": []}, "must be more than 0 items"),
        ({"type": "actions", "elements": [button(url="javascript:alert(1)")]}, "must be a valid URL"),
        ({"type": "actions", "elements": [button(style="warning")]}, "must be one of: primary, danger"),
        (
            {"type": "actions", "elements": [button(action_id="a"), button(action_id="a")]},
            "`action_id` already exists",
        ),
        (
            {"type": "image", "image_url": "https://a.example/x.png", "alt_text": "x"},
            "unsupported type: image",
        ),
        (section(accessory=button()), "invalid additional property: accessory"),
        ({"type": "carousel"}, "unsupported type: carousel"),
        ("text", "must be an object"),
    ],
)
def test_what_slack_would_refuse_is_refused_with_the_reason(block, words):
    problems = block_problems([block])
    assert any(words in problem for problem in problems), problems


def test_two_blocks_cannot_have_one_id():
    (problem,) = block_problems([section(block_id="a"), section(block_id="a")])
    assert "`block_id` already exists" in problem


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "type",
                        "text",
                        "elements",
                        "fields",
                        "block_id",
                        "action_id",
                        "style",
                        "url",
                    ]
                ),
                inner | st.sampled_from(["section", "button", "mrkdwn", "actions", "rich_text"]),
                max_size=5,
            )
        ),
        max_leaves=15,
    )
)
def test_any_json_at_all_is_judged_and_never_a_crash(blocks):
    problems = block_problems(blocks)
    assert problems or isinstance(blocks, list)
    block_problems([blocks])
