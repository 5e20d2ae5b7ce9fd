"""The runbooks as a site: every link leads somewhere, text stays text, and the address in an alert finds its page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tocsin_cli.main import main
from tocsin_cli.runbook_site import site

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def made():
    return site({path.name: path.read_text("utf-8") for path in (ROOT / "runbooks").glob("*.md")})


def test_each_alerts_address_has_its_page_with_a_section_confirm(made):
    for path in (ROOT / "runbooks").glob("*.md"):
        if path.name != "README.md":
            assert 'id="confirm"' in made[f"{path.name}/index.html"], path.name


def test_every_link_within_the_site_leads_to_a_page_and_an_anchor_that_exist(made):
    for name, text in made.items():
        if not name.endswith(".html"):
            continue
        folder = Path(name).parent
        for href in re.findall(r'href="([^"]+)"', text):
            if re.match(r"[a-z]+:", href):
                continue
            path, _, fragment = href.partition("#")
            target = (
                str(Path(*[p for p in (folder / path).parts if p != ".."]))
                if path.startswith("../")
                else str(folder / path)
            )
            target = path.removeprefix("../") if path.startswith("../") else (target if path else name)
            if target.endswith((".html", ".css")):
                assert target in made, (name, href)
                assert not fragment or f'id="{fragment}"' in made[target], (name, href)
            else:
                assert path.startswith("../"), (name, href)  # into the repository, as on GitHub


def test_text_of_a_runbook_is_never_obeyed():
    page = site(
        {"x.md": "# A <script>alert(1)</script>\n\n<img src=x onerror=alert(1)> [a](javascript:alert(1))\n"}
    )
    assert "<script>alert" not in page["x.md/index.html"]
    assert "<img" not in page["x.md/index.html"]
    assert 'href="javascript' not in page["x.md/index.html"]
    assert "<script>alert" not in page["index.html"]


def test_the_command_writes_own_pages_beside_those_of_the_pack(tmp_path, monkeypatch, capsys):
    (tmp_path / "tocsin.toml").write_text("", "utf-8")
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "mine.md").write_text("# Mine alone\n\n## Confirm\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["runbooks", "--html", "site"]) == 0
    assert "runbooks in site/index.html" in capsys.readouterr().out
    index = (tmp_path / "site" / "index.html").read_text("utf-8")
    assert index.index("Your own") < index.index("Mine alone") < index.index("All pages")
    assert (tmp_path / "site" / "lambda-timeout.md" / "index.html").is_file()
    assert "mine alone" in (tmp_path / "site" / "search.js").read_text("utf-8")
