"""Takes ``docs/images/channel.png``: what Slack shows of outage B of the demo while it is still going on.

Everything in the picture is real: the template is deployed onto the embedded cloud, the demo's log lines go
through it, and headless Chromium photographs the channel page. ``make screenshot`` runs it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from chromium import Chromium

from tocsin_cli.commands.demo import INTERVALS, STORM, chapter_of, log
from tocsin_cli.local_aws.local_tocsin import LocalTocsin
from tocsin_cli.outages import load_stories
from tocsin_cli.slack_view.page import render_channel_page

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "channel.png"
WIDTH = 960
"""CSS pixels: near the width of a README on GitHub, so that the text is read at its own size."""
SCALE = 1.5
"""Image pixels per CSS pixel: sharp on a dense screen, and still a small file."""
MAX_PICTURE_SIZE = 400_000
"""Bytes; everyone who reads the README fetches it."""
PATIENCE = 40.0
"""Seconds."""

END_OF_MESSAGE = "Math.ceil(document.querySelector('article').getBoundingClientRect().bottom) + 24"


def main() -> int:
    """Replay, look, save; 1 where the file became too large."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "channel.html"
        page.write_text(replay(), "utf-8")
        with Chromium(width=WIDTH, height=WIDTH, scale=SCALE) as browser:
            browser.open(page.as_uri())
            height = browser.evaluate(END_OF_MESSAGE)
            size = {"width": WIDTH, "height": height, "deviceScaleFactor": SCALE, "mobile": False}
            browser.call("Emulation.setDeviceMetricsOverride", **size)
            browser.picture(PICTURE, whole=False)
    size_of_file = PICTURE.stat().st_size
    print(f"{PICTURE.name}: {WIDTH} x {height} CSS pixels, {size_of_file:,} bytes")
    return int(size_of_file > MAX_PICTURE_SIZE)


def replay() -> str:
    """The channel's page after the outage was announced and updated, and before it is over."""
    story = load_stories()["B"]
    with LocalTocsin(slack_mode="bot", parameters=INTERVALS) as local:
        for times in (1, STORM):
            log(local, story, story.demo[0], times)
            local.slack.wait_for(len, PATIENCE)
        local.slack.wait_for(lambda messages: any(message["edits"] for message in messages), PATIENCE)
        items = [chapter_of(story), *local.slack.messages()]
    return render_channel_page(items, title="#alerts", live=False)


if __name__ == "__main__":
    sys.exit(main())
