"""Guides are followed by people who have never seen Tocsin: every command, parameter, link and name in them is real."""

from __future__ import annotations

import argparse
import importlib
import re
import subprocess
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml
from aws_commands import Shell, problems_of

from tocsin.core.config.settings import parse_settings
from tocsin.core.matching.matcher import Matcher
from tocsin.core.signatures.reader import parse_signatures
from tocsin_cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "docs" / "guides"
GUIDES = sorted(FOLDER.glob("*.md"))
PAGES = [*GUIDES, ROOT / "README.md", ROOT / "docs" / "brownfield.md", ROOT / "docs" / "deploying.md"]
"""The guides, and the pages that hold what a guide would say."""

MANIFEST = FOLDER / "slack-app-manifest.yaml"
ACTIONS_MANIFEST = FOLDER / "slack-app-manifest-actions.yaml"
DIAGRAM = ROOT / "docs" / "images" / "architecture.svg"
MAX_GUIDE_LENGTH = 90
"""Lines of a guide: a screen or two. Troubleshooting is looked things up in, not read."""

SYMPTOMS = [
    "Nothing arrives in Slack", "It arrives late", "It arrives twice", "Too much noise",
    "A known failure is not recognised", "A line that should be silent alerts", "The deploy fails",
    "The notify dead-letter queue is not empty", "The failure queue is not empty", "The heartbeat stopped",
    "A silence did not work", "An alarm stays open", "The wrong service", "It costs more than expected",
]  # fmt: skip


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", text)


def commands(page: Path) -> list[list[str]]:
    return [command for block in blocks(page.read_text("utf-8"), "sh") for command in Shell(block).commands]


def spans(page: Path) -> list[str]:
    """What stands in back-ticks in running text."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^```.*?^```$", "", page.read_text("utf-8")))


def parameters() -> set[str]:
    """The parameters of the template."""
    body = (
        (ROOT / "template.yaml")
        .read_text("utf-8")
        .split("\nParameters:\n", 1)[1]
        .split("\nConditions:\n", 1)[0]
    )
    return set(re.findall(r"(?m)^  (\w+):$", body))


def parses(words: list[str]) -> None:
    """Give the words after ``tocsin`` to the command's own parser; it says what is wrong, and exits."""
    assert words[0] in COMMANDS, words
    parser = argparse.ArgumentParser(prog=f"tocsin {words[0]}")
    importlib.import_module(f"tocsin_cli.commands.{words[0].replace('-', '_')}").configure(parser)
    parser.parse_args(words[1:])


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)
each_guide = pytest.mark.parametrize("page", GUIDES, ids=name_of)


# --- commands ---


@each_page
def test_shell_blocks_parse(page: Path):
    for block in blocks(page.read_text("utf-8"), "sh"):
        done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), block


@each_page
def test_each_tocsin_command_is_taken_by_the_real_parser(page: Path):
    for command in commands(page):
        if command[0] in {"tocsin", ".venv/bin/tocsin"}:
            parses(command[1:])


@each_page
def test_each_tocsin_command_in_running_text_is_taken_too(page: Path):
    for span in spans(page):
        words = next(iter(Shell(span).commands), [])
        if words[:1] not in (["tocsin"], [".venv/bin/tocsin"]) or len(words) == 1:
            continue
        if len(words) == 2:  # named, not typed: `tocsin new`
            assert words[1] in COMMANDS, span
        else:
            parses(words[1:])


@each_guide
def test_a_guide_is_for_the_installed_command_and_never_for_a_clone(page: Path):
    """The clone's way is in CONTRIBUTING.md."""
    typed = {command[0] for command in commands(page)}
    assert not typed & {".venv/bin/tocsin", "make"}
    assert "functions/tocsin.toml" not in page.read_text("utf-8")


@each_page
def test_each_aws_and_sam_command_is_in_the_services_model(page: Path):
    assert [problem for command in commands(page) for problem in problems_of(command)] == []


@each_page
def test_each_make_target_exists(page: Path):
    targets = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text("utf-8")))
    named = {command[1] for command in commands(page) if command[0] == "make"}
    named |= {span.split()[1] for span in spans(page) if re.match(r"make [a-z]+$", span)}
    assert named - targets == set()


@each_guide
def test_no_command_is_one_that_nobody_checks(page: Path):
    checked = {"make", "aws", "sam", "tocsin", ".venv/bin/tocsin"}
    plain = {"git", "export", "cat", "rm", ".", "for", "date", "head", "pipx", "cd"}
    assert {command[0] for command in commands(page)} - checked - plain == set()


@each_guide
def test_an_aws_command_knows_its_region(page: Path):
    """On each page of its own: whoever lands there from a search has set nothing."""
    script = "\n".join(blocks(page.read_text("utf-8"), "sh"))
    if re.search(r"(?m)^\s*aws ", script):
        assert "export AWS_REGION=" in script


@each_guide
def test_variables_are_set_on_the_page_that_uses_them(page: Path):
    script = "\n".join(blocks(page.read_text("utf-8"), "sh"))
    used = set(re.findall(r"\$\{?([A-Z_]{2,})", script))
    given = set(re.findall(r"\b([A-Z_]{2,})=", script)) | set(re.findall(r"\bfor ([A-Z_]+) in", script))
    assert used - given == set()


@each_guide
def test_placeholders_are_quoted_so_that_a_forgotten_one_redirects_nothing(page: Path):
    assert [name for block in blocks(page.read_text("utf-8"), "sh") for name in Shell(block).inputs] == []


# --- names ---


@each_page
def test_parameters_given_to_a_deploy_exist(page: Path):
    text = "\n".join(blocks(page.read_text("utf-8"), "sh"))
    given = re.findall(r"PARAMETERS='([^']*)'", text) + re.findall(
        r"--parameter-overrides ([^|;]+?)\n\n", text + "\n\n"
    )
    named = {name for one in given for name in re.findall(r"(?:^|[\s'\"])([A-Z]\w+)=", one)}
    named |= {match[1] for span in spans(page) if (match := re.match(r"([A-Z][a-z]\w+)=", span))}
    assert named - parameters() == set()


@each_guide
def test_names_that_look_like_a_parameter_are_something_in_the_template(page: Path):
    """A name of two capitalised words or more in back-ticks is a parameter, a resource or an output; or AWS's word."""
    template = (ROOT / "template.yaml").read_text("utf-8")
    aws = {
        "AlarmActions", "OKActions", "TreatMissingData", "ApplicationLogLevel", "SystemLogLevel", "LimitExceeded",
        "ResourceNotFoundException", "UpdateReplacePolicy", "GetQueueUrl", "GetQueueAttributes", "KinesisBatchInfo",
    }  # fmt: skip
    words = {span for span in spans(page) if re.fullmatch(r"(?:[A-Z][a-z0-9]+){2,}", span)}
    assert {word for word in words - aws if not re.search(rf"\b{word}\b", template)} == set()


@each_page
def test_configuration_shown_is_read_as_it_stands(page: Path):
    for block in blocks(page.read_text("utf-8"), "toml"):
        if page.name != "README.md":  # there it is a signature, held by test_readme
            parse_settings(block, {})


def test_the_line_that_shows_that_it_works_is_one_alert_that_resolves_by_itself_after_fifteen_minutes():
    files = {
        path.name: path.read_text("utf-8") for path in (ROOT / "functions" / "signatures").glob("*.toml")
    }
    signatures, _ = parse_signatures(files)
    matcher = Matcher(signatures)
    for page in PAGES:
        for line in re.findall(r"(?m)^LINE='(.+)'$", page.read_text("utf-8")):
            (match,) = matcher.match(line)
            assert signatures[match.signature].resolve_after is None, "the page says: after 15 quiet minutes"
            assert not set("'\"") & set(line), "the CLI's shorthand takes no quotes"
    shipped = tomllib.loads((ROOT / "functions" / "tocsin.toml").read_text("utf-8"))
    assert shipped["intervals"]["resolve_after"] == "15m"


# --- pages ---


def test_the_index_has_every_guide_and_the_manifest():
    index = (FOLDER / "README.md").read_text("utf-8")
    others = [page.name for page in GUIDES if page.name != "README.md"] + [MANIFEST.name]
    assert [name for name in others if f"({name})" not in index] == []


def test_the_front_door_leads_to_the_guides():
    assert "(docs/guides/README.md)" in (ROOT / "README.md").read_text("utf-8")


@each_guide
def test_a_guide_fits_a_screen_or_two(page: Path):
    if page.name != "troubleshooting.md":
        assert len(page.read_text("utf-8").splitlines()) <= MAX_GUIDE_LENGTH


def test_troubleshooting_has_every_symptom_with_what_to_see_and_how_to_mend():
    text = (FOLDER / "troubleshooting.md").read_text("utf-8")
    parts = re.split(r"(?m)^## (.+)$", text)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert list(sections) == SYMPTOMS
    for symptom, body in sections.items():
        assert "fix |" in body or "](../../runbooks/" in body or "`tocsin explain" in body, symptom
        assert len(body.split()) >= 30, symptom


def test_retention_said_is_retention_kept():
    """The days in data.md are those of the code."""
    page = (FOLDER / "data.md").read_text("utf-8")
    sources = {
        name: re.search(r"KEEP_\w+(?:: int)? = (\d+) \* 86_400", (ROOT / "functions" / "tocsin" / "adapters" / "aws" / file).read_text("utf-8"))
        for name, file in (("delivery records", "delivery_table.py"), ("occurrence_counts", "incident_table.py"))
    }  # fmt: skip
    assert f"occurrence counts {sources['occurrence_counts'][1]} days" in page
    assert f"delivery records {sources['delivery records'][1]}" in page
    table = (ROOT / "functions" / "tocsin" / "adapters" / "aws" / "incident_table.py").read_text("utf-8")
    kept = dict(re.findall(r"(KEEP_\w+): int = (\d+) \* 86_400", table))
    assert f"incidents that are over {kept['KEEP_INCIDENTS']}, silences {kept['KEEP_SILENCES']} after" in page
    template = (ROOT / "template.yaml").read_text("utf-8")
    assert set(re.findall(r"MessageRetentionPeriod: (\d+)", template)) == {str(14 * 86_400)}


def test_what_the_doctor_is_quoted_with_is_what_the_doctor_says():
    said = "".join(path.read_text("utf-8") for path in (ROOT / "tocsin_cli" / "doctor").glob("*.py"))
    rows = re.findall(
        r"(?:`tocsin doctor`|\bdoctor): ([^;|]*)",
        (FOLDER / "troubleshooting.md").read_text("utf-8"),
    )
    quoted = [span for row in rows for span in re.findall(r"`([^`]+)`", row)]
    assert len(quoted) >= 5
    for words in quoted:
        assert re.search(re.sub(r"\d+", r"\\{[^}]+\\}", re.escape(words)), said), words


# --- the Slack app ---


def test_the_manifest_asks_for_exactly_the_scopes_that_the_guide_names_and_no_more():
    manifest = yaml.safe_load(MANIFEST.read_text("utf-8"))
    scopes = manifest["oauth_config"]["scopes"]
    assert scopes == {"bot": ["chat:write", "channels:history", "groups:history"]}
    guide = (FOLDER / "slack.md").read_text("utf-8")
    for_actions = yaml.safe_load(ACTIONS_MANIFEST.read_text("utf-8"))["oauth_config"]["scopes"]["bot"]
    assert set(for_actions) >= set(scopes["bot"])
    guide += (FOLDER / "acting.md").read_text("utf-8")
    assert set(re.findall(r"`(\w+:\w+)`", guide)) == set(for_actions) - {"commands"}


def test_the_manifest_for_acting_differs_in_what_acting_needs_alone():
    plain, acting = (yaml.safe_load(each.read_text("utf-8")) for each in (MANIFEST, ACTIONS_MANIFEST))
    (command,) = acting["features"].pop("slash_commands")
    interactivity = acting["settings"].pop("interactivity")
    assert (command["command"], command["url"]) == ("/tocsin", interactivity["request_url"])
    assert interactivity["is_enabled"] is True
    assert acting["features"] == plain["features"]
    assert acting["settings"] == plain["settings"]


def test_the_manifest_has_the_sections_of_slacks_schema_within_its_limits():
    manifest = yaml.safe_load(MANIFEST.read_text("utf-8"))
    assert set(manifest) == {"display_information", "features", "oauth_config", "settings"}
    shown = manifest["display_information"]
    assert set(shown) == {"name", "description", "background_color"}
    assert len(shown["name"]) <= 35
    assert len(shown["description"]) <= 140
    assert re.fullmatch(r"#[0-9a-f]{6}", shown["background_color"])
    assert set(manifest["features"]) == {"bot_user"}
    assert re.fullmatch(r"[a-z0-9._-]{1,80}", manifest["features"]["bot_user"]["display_name"])


def test_the_manifest_switches_off_what_would_let_the_token_expire_or_slack_call_us():
    settings = yaml.safe_load(MANIFEST.read_text("utf-8"))["settings"]
    assert settings == {
        "org_deploy_enabled": False, "socket_mode_enabled": False, "token_rotation_enabled": False,
    }  # fmt: skip


def test_the_app_is_invited_by_the_name_it_has():
    name = yaml.safe_load(MANIFEST.read_text("utf-8"))["features"]["bot_user"]["display_name"]
    assert f"`/invite @{name}`" in (FOLDER / "slack.md").read_text("utf-8")


# --- the drawing ---


def test_the_drawing_names_what_the_template_has():
    tree = ET.parse(DIAGRAM)
    words = " ".join("".join(text.itertext()) for text in tree.iter("{http://www.w3.org/2000/svg}text"))
    for part in (
        "detect",
        "reconcile",
        "notify",
        "incident table",
        "failure queue",
        "dead-letter queue",
        "Slack",
        "alerts",
        "ops",
    ):
        assert part in words, part


def test_the_drawing_needs_nothing_but_itself_and_has_a_dark_side():
    text = DIAGRAM.read_text("utf-8")
    assert re.findall(r"(?:href|src)=|url\(http|<script|@import", text) == []
    assert "prefers-color-scheme: dark" in text
    root = ET.fromstring(text)
    assert root.get("role") == "img"
    assert len(root.findtext("{http://www.w3.org/2000/svg}desc") or "") > 100, (
        "people who cannot see it read this"
    )
    assert len(text) < 40_000


@pytest.mark.parametrize(
    "words",
    [
        ["silence", "add", "--service", "x"],
        ["doctr"],
        ["doctor", "--stck", "x"],
        ["route", "--lables", "a=b"],
    ],
)
def test_a_wrong_tocsin_command_is_found(words: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises((SystemExit, AssertionError)):
        parses(words)
    capsys.readouterr()
