"""The local Slack answers as Slack does, keeps what it was told, and fails when told to."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin_cli.fake_slack.channel import Fault
from tocsin_cli.fake_slack.server import LocalSlack


@pytest.fixture
def slack():
    with LocalSlack() as running:
        yield running


class Api:
    def __init__(self, slack: LocalSlack) -> None:
        self.slack = slack

    def __call__(self, method, *, token="xoxb-local-tocsin", **arguments):
        answer = requests.post(
            self.slack.api_url + method,
            json={"channel": "C0ALERTS", **arguments},
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, text="hello", **arguments):
        answer = self("chat.postMessage", text=text, **arguments)
        assert answer["ok"], answer
        return answer["ts"]


@pytest.fixture
def api(slack):
    return Api(slack)


def hook(slack, payload=None, **kwargs):
    kwargs = kwargs or {"json": payload}
    return requests.post(slack.webhook_url, timeout=10, **kwargs)


def control(slack, verb, path, body=None):
    return requests.request(verb, slack.url + path, json=body, timeout=10)


def section(text="x", **more):
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def header(text):
    return {"type": "header", "text": {"type": "plain_text", "text": text}}


# -- incoming webhooks


def test_a_webhook_answers_ok_and_the_message_is_there(slack):
    answer = hook(slack, {"text": "hello", "blocks": [section()]})
    assert (answer.status_code, answer.text) == (200, "ok")
    (message,) = slack.messages()
    assert (message["text"], message["via"], message["thread_ts"], message["edits"]) == (
        "hello",
        "webhook",
        None,
        [],
    )


def test_a_webhook_also_takes_a_form(slack):
    assert hook(slack, data={"payload": json.dumps({"text": "by form"})}).text == "ok"
    assert slack.messages()[0]["text"] == "by form"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("{not json", "invalid_payload"),
        ("", "invalid_payload"),
        ("[]", "invalid_payload"),
        ("[" * 100_000, "invalid_payload"),
        ("{}", "no_text"),
        ('{"text": ""}', "no_text"),
        ('{"blocks": []}', "no_text"),
        ('{"text": "x", "blocks": [{"type": "section"}]}', "invalid_blocks"),
        ('{"text": "x", "attachments": [{"color": "red", "text": "x"}]}', "invalid_attachments"),
    ],
)
def test_a_webhook_says_in_plain_text_what_it_refuses(slack, body, error):
    answer = hook(slack, data=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.text) == (400, error)
    assert slack.messages() == []


def test_an_address_that_is_no_webhook_is_not_found(slack):
    answer = requests.post(slack.url + "/services/nowhere", json={"text": "x"}, timeout=10)
    assert (answer.status_code, answer.text) == (404, "no_service")


# -- Block Kit


def test_refused_blocks_are_answered_with_every_reason(api):
    answer = api("chat.postMessage", text="x", blocks=[{"type": "section"}, header("x" * 151)])
    assert answer == {
        "ok": False,
        "error": "invalid_blocks",
        "errors": [
            "must define either `text` or `fields` [json-pointer:/blocks/0]",
            "must be less than 151 characters [json-pointer:/blocks/1/text/text]",
        ],
        "response_metadata": {
            "messages": [
                "[ERROR] must define either `text` or `fields` [json-pointer:/blocks/0]",
                "[ERROR] must be less than 151 characters [json-pointer:/blocks/1/text/text]",
            ]
        },
    }


def test_the_total_that_slack_does_not_document_is_kept_by_the_web_api_alone(slack, api):
    blocks = [section("x" * 2700)] * 5
    assert api("chat.postMessage", text="x", blocks=blocks)["error"] == "msg_blocks_too_long"
    assert hook(slack, {"text": "x", "blocks": blocks}).text == "ok"


# -- Web API


def test_a_post_answers_its_ts_and_its_metadata_is_kept(slack, api):
    metadata = {"event_type": "tocsin_notification", "event_payload": {"id": "backend-1/1"}}
    answer = api("chat.postMessage", text="hello", metadata=metadata)
    (message,) = slack.messages()
    assert answer["ts"] == message["ts"] == answer["message"]["ts"]
    assert answer["channel"] == "C0ALERTS"
    assert message["metadata"] == metadata


def test_a_post_may_be_a_form(slack):
    answer = requests.post(
        slack.api_url + "chat.postMessage",
        data={"token": "xoxb-local-tocsin", "channel": "#alerts", "blocks": json.dumps([section("by form")])},
        timeout=10,
    ).json()
    assert answer["ok"]
    assert slack.messages()[0]["blocks"][0]["text"]["text"] == "by form"
    answer = requests.post(
        slack.api_url + "chat.postMessage",
        data={"token": "xoxb-local-tocsin", "channel": "#alerts", "blocks": "{"},
        timeout=10,
    ).json()
    assert answer["error"] == "invalid_blocks_format"


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("chat.postMessage", {"text": "x", "channel": "C0OTHER"}, "channel_not_found"),
        ("chat.postMessage", {}, "no_text"),
        ("chat.postMessage", {"text": "x" * 40_001}, "msg_too_long"),
        ("chat.postMessage", {"text": "x", "thread_ts": "1700000000.000100"}, "thread_not_found"),
        ("chat.postMessage", {"text": "x", "thread_ts": 1700000000}, "invalid_thread_ts"),
        ("chat.postMessage", {"text": "x", "metadata": {"event_type": "x"}}, "invalid_metadata_format"),
        ("chat.postMessage", {"text": "x", "attachments": [{}]}, "invalid_attachments"),
        ("chat.update", {"text": "x", "ts": "1700000000.000100"}, "message_not_found"),
        ("chat.update", {"ts": "1700000000.000100"}, "no_text"),
        ("conversations.replies", {"ts": "1700000000.000100"}, "thread_not_found"),
        ("conversations.history", {"limit": 0}, "invalid_limit"),
        ("conversations.history", {"oldest": "yesterday"}, "invalid_ts_oldest"),
        ("chat.dance", {}, "unknown_method"),
    ],
)
def test_the_web_api_refuses_with_slacks_error_codes(slack, api, method, arguments, error):
    answer = api(method, **arguments)
    assert (answer["ok"], answer["error"]) == (False, error)
    assert slack.messages() == []


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({}, "not_authed"),
        ({"Authorization": "Bearer "}, "not_authed"),
        ({"Authorization": "Bearer xoxp"}, "invalid_auth"),
    ],
)
def test_a_call_needs_a_bot_token(slack, headers, error):
    answer = requests.post(slack.api_url + "auth.test", headers=headers, timeout=10).json()
    assert (answer["ok"], answer["error"]) == (False, error)
    assert requests.post(
        slack.api_url + "auth.test", headers={"Authorization": f"Bearer {slack.bot_token}"}, timeout=10
    ).json()["ok"]


def test_an_update_keeps_what_was_said_before_and_what_it_does_not_mention(slack, api):
    metadata = {"event_type": "a", "event_payload": {"n": 1}}
    ts = api.post("first", blocks=[section("one")], metadata=metadata)
    assert api("chat.update", ts=ts, text="second")["ok"]
    assert api("chat.update", ts=ts, text="third", blocks=[section("three")], metadata={})["ok"]
    (message,) = slack.messages()
    assert message["text"] == "third"
    assert message["metadata"] is None
    assert [(edit["text"], edit["blocks"]) for edit in message["edits"]] == [
        ("first", [section("one")]),
        ("second", [section("one")]),
    ]
    assert message["edits"][0]["edited_at"] < message["edits"][1]["edited_at"] == message["edited_at"]
    assert api("chat.update", ts=ts, text="x" * 4001)["error"] == "msg_too_long"


def test_a_message_that_a_webhook_posted_cannot_be_edited(slack, api):
    hook(slack, {"text": "x"})
    assert api("chat.update", ts=slack.messages()[0]["ts"], text="y")["error"] == "cant_update_message"


def test_a_reply_joins_the_thread_and_a_reply_to_a_reply_does_not(slack, api):
    parent = api.post("parent")
    reply = api.post("reply", thread_ts=parent)
    assert slack.messages()[1]["thread_ts"] == parent
    assert api("chat.postMessage", text="x", thread_ts=reply)["error"] == "cannot_reply_to_message"


def test_history_is_newest_first_without_replies_and_counts_them(api):
    first = api.post("first")
    api.post("reply", thread_ts=first)
    loud = api.post("loud reply", thread_ts=first, reply_broadcast=True)
    second = api.post("second")
    messages = api("conversations.history")["messages"]
    assert [message["ts"] for message in messages] == [second, loud, first]
    assert messages[-1]["reply_count"] == 2
    assert messages[-1]["latest_reply"] == loud
    assert "reply_count" not in messages[0]


def test_history_is_bounded_by_time_and_number(api):
    a, *_ = [api.post(text) for text in "abc"]

    def texts(**arguments):
        answer = api("conversations.history", **arguments)
        return [message["text"] for message in answer["messages"]], answer["has_more"]

    assert texts(oldest=a) == (["c", "b"], False)
    assert texts(oldest=a, inclusive=True) == (["c", "b", "a"], False)
    assert texts(limit=2) == (["c", "b"], True)
    assert texts(oldest="0", limit=2) == (["b", "a"], True)


def test_metadata_is_shown_only_to_those_who_ask(api):
    metadata = {"event_type": "tocsin", "event_payload": {"id": "x/1"}}
    parent = api.post("parent", metadata=metadata)
    api.post("reply", thread_ts=parent, metadata=metadata)
    assert "metadata" not in api("conversations.history")["messages"][0]
    assert api("conversations.history", include_all_metadata=True)["messages"][0]["metadata"] == metadata
    replies = api("conversations.replies", ts=parent, include_all_metadata=True)["messages"]
    assert [message["metadata"] for message in replies] == [metadata, metadata]


def test_replies_are_oldest_first_under_their_parent(api):
    parent = api.post("parent")
    a, b, c = (api.post(text, thread_ts=parent) for text in "abc")
    answer = api("conversations.replies", ts=parent)
    assert [message["ts"] for message in answer["messages"]] == [parent, a, b, c]
    assert all(message["thread_ts"] == parent for message in answer["messages"])
    assert [m["ts"] for m in api("conversations.replies", ts=b)["messages"]] == [parent, a, b, c]
    answer = api("conversations.replies", ts=parent, oldest=a, limit=2)
    assert [message["ts"] for message in answer["messages"]] == [parent, b]
    assert answer["has_more"]


@pytest.mark.parametrize("bounds", [{}, {"oldest": "0"}], ids=["newest first", "forward from oldest"])
def test_every_page_of_history_can_be_fetched_with_the_cursor(api, bounds):
    posted = [api.post(str(number)) for number in range(7)]
    seen, cursor = [], None
    while cursor != "":
        answer = api("conversations.history", limit=3, **bounds, **({"cursor": cursor} if cursor else {}))
        page = [message["ts"] for message in answer["messages"]]
        assert page == sorted(page, reverse=True)
        seen.append(page)
        cursor = answer.get("response_metadata", {}).get("next_cursor", "")
        assert answer["has_more"] == bool(cursor)
    assert [len(page) for page in seen] == [3, 3, 1]
    assert sorted(ts for page in seen for ts in page) == posted
    assert seen[0][0] == (posted[2] if bounds else posted[-1])
    assert api("conversations.history", cursor="made up")["error"] == "invalid_cursor"


def test_every_page_of_a_thread_can_be_fetched_with_the_cursor(api):
    parent = api.post("parent")
    posted = [parent, *(api.post(str(number), thread_ts=parent) for number in range(4))]
    seen, cursor = [], None
    while cursor != "":
        answer = api("conversations.replies", ts=parent, limit=2, **({"cursor": cursor} if cursor else {}))
        seen += [message["ts"] for message in answer["messages"]]
        cursor = answer.get("response_metadata", {}).get("next_cursor", "")
    assert seen == posted


def test_time_stamps_are_unique_and_rising_though_the_clock_stands_still():
    with LocalSlack(clock=lambda: 1_700_000_000.0) as slack:
        api = Api(slack)
        with ThreadPoolExecutor(8) as pool:
            given_out = list(pool.map(lambda n: api.post(str(n)), range(40)))
        stamps = [message["ts"] for message in slack.messages()]
    assert stamps == sorted(set(given_out))
    assert stamps[:2] == ["1700000000.000000", "1700000000.000001"]


# -- faults


def test_a_429_says_how_long_to_wait_as_often_as_asked_and_then_it_is_over(slack, api):
    left = control(slack, "POST", "/api/faults", {"status": 429, "retry_after": 2, "times": 2}).json()
    assert left == {"faults": [{"status": 429, "retry_after": 2, "times": 2}]}
    answer = hook(slack, {"text": "x"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")
    assert control(slack, "GET", "/api/faults").json()["faults"][0]["times"] == 1
    answer = requests.post(slack.api_url + "chat.postMessage", json={}, timeout=10)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")
    assert answer.json() == {"ok": False, "error": "ratelimited"}
    assert slack.messages() == []
    assert control(slack, "GET", "/api/faults").json() == {"faults": []}
    assert api.post()


def test_a_500_is_answered_in_the_manner_of_each_road(slack):
    control(slack, "POST", "/api/faults", {"status": 500, "times": 2})
    answer = hook(slack, {"text": "x"})
    assert (answer.status_code, answer.text) == (500, "rollup_error")
    answer = requests.post(slack.api_url + "auth.test", timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (500, "internal_error")


def test_an_error_of_slack_can_be_asked_for_by_name(slack, api):
    control(slack, "POST", "/api/faults", {"error": "is_archived"})
    assert api("chat.postMessage", text="x") == {"ok": False, "error": "is_archived"}
    control(slack, "POST", "/api/faults", {"status": 410})
    assert hook(slack, {"text": "x"}).text == "channel_is_archived"


def test_after_effect_is_the_answer_that_was_lost_on_its_way_back(slack):
    control(slack, "POST", "/api/faults", {"status": 500, "after_effect": True})
    assert hook(slack, {"text": "told once"}).status_code == 500
    assert [message["text"] for message in slack.messages()] == ["told once"]


def test_a_hang_ends_without_an_answer_and_without_effect_unless_told_otherwise(slack):
    control(slack, "POST", "/api/faults", {"hang": 0.01})
    with pytest.raises(requests.ConnectionError):
        hook(slack, {"text": "lost"})
    assert slack.messages() == []
    control(slack, "POST", "/api/faults", {"hang": 600, "after_effect": True})
    with pytest.raises(requests.ReadTimeout):
        requests.post(slack.webhook_url, json={"text": "told"}, timeout=0.3)
    assert [message["text"] for message in slack.messages()] == ["told"]


def test_stopping_lets_go_of_a_call_that_hangs():
    slack = LocalSlack().start()
    slack.add_fault(Fault(hang=600))
    ended = []

    def call():
        try:
            ended.append(hook(slack, {"text": "x"}))
        except requests.ConnectionError as error:
            ended.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    slack.channel.wait_for(lambda _: not slack.channel.faults())
    started = time.monotonic()
    slack.stop()
    caller.join(5)
    assert [type(end) for end in ended] == [requests.ConnectionError]
    assert time.monotonic() - started < 5
    slack.stop()


def test_a_fault_can_be_for_one_method_and_leaves_the_others_alone(slack, api):
    control(slack, "POST", "/api/faults", {"status": 500, "method": "chat.update"})
    ts = api.post()
    answer = requests.post(slack.api_url + "chat.update", json={"ts": ts}, timeout=10)
    assert answer.status_code == 500


def test_faults_do_not_touch_what_is_ours_and_can_be_taken_back(slack, api):
    control(slack, "POST", "/api/faults", {"status": 500, "times": 5})
    for path in ("/", "/channel", "/api/messages", "/api/faults"):
        assert control(slack, "GET", path).status_code == 200
    assert requests.get(slack.url + "/nowhere", timeout=10).status_code == 404
    assert "500, 5 times" in control(slack, "GET", "/").text
    assert control(slack, "DELETE", "/api/faults").json() == {"deleted": 5}
    assert api.post()


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({}, "status"),
        ([], "body"),
        ({"status": "429"}, "status"),
        ({"status": True}, "status"),
        ({"status": 200}, "status"),
        ({"status": 999}, "status"),
        ({"status": 500, "times": 0}, "times"),
        ({"status": 500, "times": 1.5}, "times"),
        ({"status": 429, "retry_after": -1}, "retry_after"),
        ({"hang": -1}, "hang"),
        ({"hang": "1"}, "hang"),
        ({"hang": float("nan")}, "hang"),
        ({"status": 500, "after_effect": 1}, "after_effect"),
        ({"status": 500, "error": 7}, "error"),
        ({"status": 500, "tiems": 3}, "tiems"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_and_the_key_is_named(slack, body, key):
    answer = requests.post(slack.url + "/api/faults", data=json.dumps(body), timeout=10)
    assert answer.status_code == 400
    assert key in answer.json()["error"]
    assert slack.channel.faults() == []
    assert requests.post(slack.url + "/api/faults", data="{", timeout=10).status_code == 400


# -- what is ours


def test_messages_can_be_read_and_forgotten(slack, api):
    parent = api.post("parent")
    api.post("reply", thread_ts=parent)
    messages = control(slack, "GET", "/api/messages").json()["messages"]
    assert messages == slack.messages()
    assert {"ts", "channel", "thread_ts", "text", "blocks", "metadata", "posted_at", "edits"} <= set(
        messages[0]
    )
    assert control(slack, "DELETE", "/api/messages").json() == {"deleted": 2}
    assert control(slack, "GET", "/api/messages").json() == {"messages": []}


def test_a_wrong_verb_is_said_to_be_wrong(slack):
    assert control(slack, "DELETE", "/").status_code == 405
    assert control(slack, "POST", "/api/messages", {}).status_code == 405


def test_a_body_that_is_too_large_is_refused(slack):
    with socket.create_connection(("127.0.0.1", slack.port), timeout=10) as connection:
        connection.sendall(b"POST /api/chat.postMessage HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n")
        assert b" 413 " in connection.makefile("rb").readline()


def test_listeners_hear_each_message_in_order_and_each_edit():
    heard, edited = [], []
    with LocalSlack(on_message=heard.append, on_edit=edited.append) as slack:
        api = Api(slack)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: api.post(str(n)), range(30)))
        api("chat.update", ts=heard[0]["ts"], text="edited")
        assert [message["ts"] for message in heard] == [message["ts"] for message in slack.messages()]
    assert [message["text"] for message in edited] == ["edited"]


def test_waiting_ends_when_the_condition_holds_and_says_what_there_was_when_it_never_did(slack, api):
    poster = threading.Thread(target=lambda: [api.post(str(n)) for n in range(3)])
    poster.start()
    assert len(slack.wait_for(lambda messages: len(messages) == 3)) == 3
    poster.join()
    with pytest.raises(TimeoutError, match=r"holds 3 messages: \['0', '1', '2'\]"):
        slack.wait_for(lambda messages: len(messages) > 3, timeout=0.01)


def test_the_stream_of_events_tells_of_every_change(slack, api):
    with requests.get(slack.url + "/events", stream=True, timeout=10) as stream:
        lines = stream.iter_lines(chunk_size=1)
        seen = []

        def next_version():
            seen.append(int(next(line for line in lines if line.startswith(b"data:")).split()[1]))

        next_version()
        api.post()
        next_version()
        control(slack, "POST", "/api/faults", {"status": 500})
        next_version()
    assert seen == sorted(set(seen))


def test_the_page_shows_a_hostile_message_as_text(slack):
    hook(slack, {"text": "<script>alert(1)</script>\ud800"})
    for path in ("/", "/channel"):
        page = control(slack, "GET", path).text
        assert "&lt;script&gt;alert(1)" in page
        assert "<script>alert" not in page


@settings(max_examples=25, deadline=None)
@given(
    st.binary(max_size=200),
    st.sampled_from(["application/json", "application/x-www-form-urlencoded", "text/plain", ""]),
)
def test_no_body_stops_the_server(body, content_type):
    with LocalSlack() as slack:
        headers = {"Content-Type": content_type, "Authorization": "Bearer xoxb-local-tocsin"}
        for address in (slack.webhook_url, slack.api_url + "chat.postMessage", slack.url + "/api/faults"):
            assert requests.post(address, data=body, headers=headers, timeout=10).status_code in {200, 400}


def test_a_token_that_is_not_this_workspaces_is_refused(slack, api):
    answer = api("chat.postMessage", token="xoxb-of-somebody-else", channel=slack.channel_id, text="hello")
    assert answer["error"] == "invalid_auth"
    assert slack.messages() == []


def test_each_channel_has_its_webhook_and_the_page_says_where_a_message_is():
    with LocalSlack(channels={"C0ALERTS": "alerts", "C01ONCALL": "oncall"}) as slack:
        assert (
            requests.post(slack.webhook_url_of("C01ONCALL"), json={"text": "there"}, timeout=5).text == "ok"
        )
        for url in (slack.webhook_url, slack.webhook_url_of("C0ALERTS")):
            assert requests.post(url, json={"text": "here"}, timeout=5).text == "ok"
        assert [message["channel"] for message in slack.messages()] == ["C01ONCALL", "C0ALERTS", "C0ALERTS"]
        for path in ("/", "/channel"):
            assert requests.get(slack.url + path, timeout=5).text.count("in #oncall") == 1
