"""The channel's page in a real browser: live, harmless, and readable by day and by night."""

from __future__ import annotations

import os
import time

import pytest
from chromium import Chromium, find_chromium
from slack_samples import HOSTILE_LINE, Poster, fill

from tocsin_cli.fake_slack.channel import Fault
from tocsin_cli.fake_slack.server import LocalSlack
from tocsin_cli.slack_view.page import Chapter, render_channel_page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        find_chromium() is None and os.environ.get("CI") != "true", reason="no Chromium is installed"
    ),
]

EVERYWHERE = [
    HOSTILE_LINE,
    "<img src=x onerror=\"document.title='owned'\">",
    "</div></article><script>document.title='owned'</script>",
    "<svg/onload=document.title='owned'>",
    "<https://a.example/\"onmouseover=\"document.title='owned'|x>",
    "<javascript:document.title='owned'|click>",
    "```</pre><iframe srcdoc='<script>parent.document.title=1</script>'>```",
    "<!date^1^{date}^javascript:document.title='owned'|x>",
]


@pytest.fixture(scope="module")
def browser():
    with Chromium() as running:
        yield running


@pytest.fixture
def slack(browser):
    with LocalSlack() as running:
        yield running
        # Before the server goes: a page left open would ask for it during the next test.
        browser.open("about:blank")


def opened(browser, slack):
    browser.open(slack.url)
    browser.wait_until("document.getElementById('live').textContent === 'live'")
    return browser


def complaints(browser):
    """What the browser has to complain of: errors of scripts, and what the page's policy refused."""
    return [entry["entry"]["text"] for entry in browser.events("Log.entryAdded")] + [
        error["exceptionDetails"]["text"] for error in browser.events("Runtime.exceptionThrown")
    ]


def test_messages_appear_as_they_are_posted_and_change_as_they_are_edited(browser, slack):
    poster = Poster(slack)
    opened(browser, slack)
    assert "All quiet" in browser.evaluate("document.body.innerText")
    started = time.monotonic()
    ts = poster.call("chat.postMessage", text="It *broke*")["ts"]
    browser.wait_until("document.querySelector('.message strong')?.textContent === 'broke'")
    assert time.monotonic() - started < 1.5, (
        "told by the stream of events, not found by polling every two seconds"
    )
    poster.call("chat.update", ts=ts, text="It is over")
    browser.wait_until("document.querySelector('.edits summary')")
    browser.evaluate("document.querySelector('.edits').open = true")
    poster.call("chat.postMessage", text="a reply", thread_ts=ts)
    browser.wait_until("document.querySelector('.thread .message')")
    assert browser.evaluate("document.querySelector('.edits').open"), "what was opened stays open"
    assert "1 reply" in browser.evaluate("document.body.innerText")
    assert complaints(browser) == []


def test_the_page_polls_where_there_are_no_events(browser, slack):
    script = browser.call("Page.addScriptToEvaluateOnNewDocument", source="delete window.EventSource")
    try:
        opened(browser, slack)
        Poster(slack).call("chat.postMessage", text="found by asking")
        browser.wait_until("document.body.innerText.includes('found by asking')")
    finally:
        browser.call("Page.removeScriptToEvaluateOnNewDocument", identifier=script["identifier"])


def test_faults_show_as_a_banner_while_they_last(browser, slack):
    opened(browser, slack)
    slack.add_fault(Fault(status=429, times=3, retry_after=2))
    browser.wait_until(
        "document.querySelector('.banner')?.innerText.includes('429 (Retry-After 2 s), 3 times')"
    )
    slack.channel.clear_faults()
    browser.wait_until("!document.querySelector('.banner')")


def test_a_page_says_so_when_the_server_is_gone(browser, slack):
    opened(browser, slack)
    slack.stop()
    browser.wait_until("document.getElementById('live').textContent === 'not connected'")


@pytest.mark.parametrize("live", [True, False], ids=["live", "file"])
def test_hostile_text_runs_nothing_wherever_it_stands(browser, slack, tmp_path, live):
    poster = Poster(slack)
    for text in EVERYWHERE:
        # An image block's address and a user's name are not checked by Slack for what is in the text.
        blocks = [
            {"type": "header", "text": {"type": "plain_text", "text": text[:150]}},
            {"type": "section", "text": {"type": "mrkdwn", "text": text}},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": text}]},
        ]
        poster.webhook(text=text, blocks=blocks, username=text)
        poster.webhook(text=text, username=text)
    if live:
        opened(browser, slack)
    else:
        chapter = Chapter(EVERYWHERE[2], EVERYWHERE[2])
        page = tmp_path / "demo.html"
        page.write_text(
            render_channel_page([chapter, *slack.messages()], title=EVERYWHERE[1], live=False), "utf-8"
        )
        browser.open(page.as_uri())
    title = browser.evaluate("document.title")
    browser.evaluate(
        "for (const each of document.querySelectorAll('main *')) each.dispatchEvent(new Event('mouseover'))"
    )
    browser.evaluate("new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve, 50)))")
    assert browser.evaluate("document.title") == title != "owned"
    count = browser.evaluate(
        "document.querySelectorAll('main script, main iframe, main img, main style, main link').length"
    )
    assert count == 0
    assert browser.evaluate("document.querySelectorAll('article').length") == 2 * len(EVERYWHERE)
    schemes = browser.evaluate(
        "[...new Set([...document.querySelectorAll('main a')].map(a => a.protocol))].join()"
    )
    assert schemes == "https:"
    assert browser.evaluate("document.querySelectorAll('.mention.loud').length") > 0, (
        "the leak is there to be seen"
    )
    assert complaints(browser) == []


def test_the_policy_holds_even_where_escaping_would_not(browser, slack):
    opened(browser, slack)
    browser.evaluate(
        "document.getElementById('log').innerHTML ="
        ' \'<img src=x onerror="document.title=1"><p style="color:red">x</p>\''
    )
    browser.evaluate("new Promise(resolve => setTimeout(resolve, 100))")
    assert browser.evaluate("document.title") != "1"
    assert browser.evaluate("getComputedStyle(document.querySelector('#log p')).color") != "rgb(255, 0, 0)"


def test_a_real_channel_is_drawn_whole_by_day_and_by_night(browser, slack, tmp_path):
    fill(slack)
    opened(browser, slack)
    for dark in (False, True):
        browser.colours(dark=dark)
        ratio = browser.evaluate(CONTRAST)
        assert ratio["worst"] >= 4.5, ratio
        picture = browser.picture(tmp_path / "channel.png")
        assert picture.stat().st_size > 50_000
    browser.colours(dark=False)
    for width in (1180, 390):
        browser.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False
        )
        assert browser.evaluate("document.documentElement.scrollWidth") <= width, (
            "nothing is cut off at the side"
        )
    assert complaints(browser) == []


# WCAG's contrast of each piece of text against the nearest painted background behind it.
CONTRAST = """(() => {
  const parse = colour => (colour.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  let worst = {worst: 99};
  const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest('.emoji, .edits:not([open]) .version')) continue;
    let behind = element, back = [0, 0, 0, 0];
    while (behind && (back.length === 4 && back[3] < 1)) {
      back = parse(getComputedStyle(behind).backgroundColor); behind = behind.parentElement;
    }
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(back)].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    const text = walker.currentNode.data.slice(0, 60);
    if (ratio < worst.worst) worst = {worst: ratio, text, class: element.className};
  }
  return worst;
})()"""
