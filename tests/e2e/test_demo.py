"""The first thing a newcomer does: the demo runs through, and leaves the channel as a page."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tocsin_cli.outages import load_stories

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.cloud
def test_the_demo_tells_every_outage_and_leaves_a_page(tmp_path):
    page = tmp_path / "demo.html"
    done = subprocess.run(
        [sys.executable, "-m", "tocsin_cli.main", "demo", "--page", str(page)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'functions'}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    html = page.read_text("utf-8")
    replayed = [story for story in load_stories().values() if story.demo]
    assert len(replayed) == 3
    for story in replayed:
        assert story.title in done.stdout
        assert story.title in html
        for secret in story.secrets:
            assert secret not in html
    for told in (
        "Resolved: Lambda cannot import its handler",
        "Resolved: An S3 bucket cannot be used",
        "A stub does the work",
        "database &quot;None&quot; does not exist",
        "dead-letter queue",
        "213",
    ):
        assert told in html, told
    assert "http-equiv" in html
    assert 'src="http' not in html, "the page needs nothing but itself"
