"""The front door tells the truth: links lead somewhere, commands exist, tables match the code, samples work."""

from __future__ import annotations

import argparse
import importlib
import re
import struct
import subprocess
import tomllib
from pathlib import Path

import pytest
from aws_commands import Shell, problems_of

from tocsin.core.config.routing import DEFAULT, Route
from tocsin.core.config.routing_reader import DESTINATION_KEYS, OWNER_KEYS, ROUTE_KEYS
from tocsin.core.config.settings import Intervals, Service, parse_settings
from tocsin.core.matching.matcher import Matcher
from tocsin.core.redaction.custom_rules import PROOF
from tocsin.core.signatures.reader import KEYS, parse_signatures
from tocsin_cli import cost_model
from tocsin_cli.authoring.samples import prove
from tocsin_cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[3]
README = ROOT / "README.md"
SETTINGS = ROOT / "docs" / "settings.md"
COMMAND = ROOT / "docs" / "commands.md"
COSTS = ROOT / "docs" / "cost-line-by-line.md"
DEPLOY = ROOT / "docs" / "guides" / "deploy.md"
TRACKED = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\0")
    if name and (ROOT / name).is_file()
]  # fmt: skip
DOCUMENTS = [path for path in TRACKED if path.suffix == ".md"]
FRONT = [
    README, COMMAND, COSTS, ROOT / "docs" / "messages.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "docs" / "architecture.md",
]  # fmt: skip
FOREIGN = [
    "pypi" + ".org", "files.python" + "hosted.org", "registry.npm" + "js.org",
    "proxy." + "golang.org", "deb." + "debian.org",
]  # fmt: skip
"""Package registries: whoever installs has their own. Put together here, so that this file passes its own test."""

MAX_BYTES_OF_A_PICTURE = 400_000
MADE_LATER = {"benchmarks/results.json"}
"""Named files that a command makes."""


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
each_front_page = pytest.mark.parametrize("document", FRONT, ids=relative)


def prose(text: str) -> str:
    """The text without its code blocks."""
    return re.sub(r"(?ms)^```.*?^```$", "", text)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", text)


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of headings."""
    headings = re.findall(r"(?m)^#+ (.+)$", prose(text))
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def raw_table(text: str, heading: str) -> list[list[str]]:
    """The cells of the table whose first header cell is ``heading``."""
    body = re.search(rf"(?m)^\| {heading} \|.*\n\|[-| ]+\n((?:\|.*\n)+)", text)
    assert body, f"no table of {heading}"
    rows = re.sub(r"\\\|", "\0", body[1]).splitlines()
    return [[cell.strip().replace("\0", "|") for cell in row.strip("|").split("|")] for row in rows]


def table(text: str, heading: str) -> list[list[str]]:
    """The same, without the back-ticks around a cell."""
    return [[cell.strip("`") for cell in row] for row in raw_table(text, heading)]


def commands(text: str) -> list[list[str]]:
    return [command for block in blocks(text, "sh") for command in Shell(block).commands]


# --- links and pictures ---


@each_document
def test_links_lead_somewhere(document: Path):
    broken = []
    for target in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", prose(document.read_text("utf-8"))):
        name, _, anchor = target.partition("#")
        path = (document.parent / name) if name else document
        if not path.exists() or (anchor and anchor not in anchors(path.read_text("utf-8"))):
            broken.append(target)
    assert broken == []


def test_the_picture_comes_before_any_explanation_and_is_a_small_png():
    text = README.read_text("utf-8")
    picture = re.search(r"!\[([^\]]+)\]\(([^)]+\.png)\)", text)
    assert picture is not None
    assert len(picture[1]) > 60, "people who cannot see it read this"
    assert picture.start() < text.index("\n## ")
    data = (ROOT / picture[2]).read_bytes()
    width, height = struct.unpack(">II", data[16:24])
    assert data.startswith(b"\x89PNG\r\n")
    assert len(data) <= MAX_BYTES_OF_A_PICTURE
    assert width >= 1200
    assert height <= 1.2 * width, "the reader should reach the text"


def test_code_in_the_readme_is_read_without_scrolling():
    lines = "".join(re.findall(r"(?ms)^```\w+\n(.*?)^```$", README.read_text("utf-8"))).splitlines()
    assert [line for line in lines if len(line) > 96] == []


# --- commands ---


@each_front_page
def test_shell_blocks_parse(document: Path):
    for block in blocks(document.read_text("utf-8"), "sh"):
        done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), block


@each_front_page
def test_aws_and_sam_commands_and_their_options_are_real(document: Path):
    found = commands(document.read_text("utf-8"))
    assert [problem for command in found for problem in problems_of(command)] == []


def test_the_readme_is_the_front_door_and_short():
    text = README.read_text("utf-8")
    assert len(text.splitlines()) <= 130
    assert {"make", "sam", "pipx", "tocsin"} <= {command[0] for command in commands(text)}


@each_front_page
def test_every_make_target_named_exists(document: Path):
    targets = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text("utf-8")))
    text = document.read_text("utf-8")
    named = set(re.findall(r"`make ([a-z]+)`", text))
    named |= {command[1] for command in commands(text) if command[0] == "make"}
    assert named - targets == set()


def test_every_make_target_is_in_contributing_or_explains_itself():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert re.findall(r"(?m)^([a-z]+):(?!.*## ).*$", makefile) == []


@each_front_page
def test_every_tocsin_command_named_exists(document: Path):
    text = document.read_text("utf-8")
    named = set(re.findall(r"`(?:\.venv/bin/)?tocsin ([a-z][a-z-]*)", text))
    named |= {command[1] for command in commands(text) if command[0].endswith("tocsin")}
    missing = {name for name in named if not _module(name).is_file()}
    assert named <= set(COMMANDS), named - set(COMMANDS)
    assert missing == set()


@each_front_page
def test_options_of_tocsin_commands_are_real(document: Path):
    for command in commands(document.read_text("utf-8")):
        if command[0].endswith("/tocsin"):
            parser = argparse.ArgumentParser(prog=f"tocsin {command[1]}")
            importlib.import_module(f"tocsin_cli.commands.{_module(command[1]).stem}").configure(parser)
            parser.parse_args(command[2:])  # says what is wrong, and exits


def test_every_tocsin_command_that_exists_is_in_the_table_of_commands():
    rows = {row[0].removeprefix("tocsin ") for row in table(COMMAND.read_text("utf-8"), "command")}
    assert {name for name in COMMANDS if _module(name).is_file()} == rows, "docs/commands.md"


def _module(command: str) -> Path:
    return ROOT / "tocsin_cli" / "commands" / f"{command.replace('-', '_')}.py"


@each_front_page
def test_files_named_in_running_text_and_commands_exist(document: Path):
    text = document.read_text("utf-8")
    named = set(re.findall(r"`((?:functions|tests|benchmarks|docs|cli|runbooks)/[\w./-]+\.\w+)`", text))
    named |= {word for command in commands(text) for word in command if re.match(r"(events|tests)/", word)}
    assert [name for name in named - MADE_LATER if not (ROOT / name).exists()] == []


# --- settings ---


def template_parameters() -> dict[str, str]:
    """Parameters and defaults as the template writes them; its short forms keep YAML readers away."""
    text = (ROOT / "template.yaml").read_text("utf-8")
    body = text.split("\nParameters:\n", 1)[1].split("\nConditions:\n", 1)[0]
    found = re.findall(r"(?m)^  (\w+):\n    Type: .+\n    Default: (.+)$", body)
    assert len(found) == len(re.findall(r"(?m)^  \w+:$", body)), "a parameter without type and default"
    return {name: default.strip('"') for name, default in found}


def test_the_settings_table_has_every_template_parameter_with_its_default():
    rows = table(SETTINGS.read_text("utf-8"), "parameter")
    assert {name: "" if default == "empty" else default for name, default, _ in rows} == template_parameters()
    assert [name for name, _, meaning in rows if len(meaning) < 20] == []


def test_the_settings_table_has_every_key_of_tocsin_toml_with_its_default():
    rows = {name: default for name, default, _ in table(SETTINGS.read_text("utf-8"), "key")}
    shipped = tomllib.loads((ROOT / "functions" / "tocsin.toml").read_text("utf-8"))
    routing = {f"destinations.<name>.{name}": "" for name in DESTINATION_KEYS}
    routing |= {f"owners.<name>.{name}": "" for name in OWNER_KEYS}
    routing |= {f"routes[].{name}": "" for name in ROUTE_KEYS}
    routing |= {"routes[].destination": Route("", {}, DEFAULT).destination, "routes[].continue": "false"}
    redaction = {f"redaction.keys.<name>.{name}": "" for name in PROOF}
    redaction |= {f"redaction.expressions.<name>.{name}": "" for name in ("expression", *PROOF)}
    redaction |= {"redaction.strict": "none", "services.<name>.redaction": "default"}
    assert {name: rows.pop(name) for name in routing | redaction} == routing | redaction
    overlay = {f"override.<signature>.{name}" for name in ("severity", "scope", "matches", "off")} | {
        "pack.off"
    }
    deployed = {*(f"deploy.{name}" for name in ("stack", "region", "parameters.<parameter>")), "env.<name>"}
    assert {
        name for name in rows if name.partition(".")[0] in {"override", "pack", "deploy", "env"}
    } == overlay | deployed
    for name in overlay | deployed:
        rows.pop(name)
    assert set(shipped) == {name.partition(".")[0] for name in rows}
    services = set(Service.__struct_fields__) - {"name", "strict"}
    errors = dict.fromkeys(
        ('errors.log_groups."<glob>"', "services.<name>.errors", "services.<name>.error_level"), ""
    )
    assert {name: rows.pop(name) for name in errors} == errors
    expected = {f"intervals.{name}": value for name, value in shipped["intervals"].items()}
    expected |= {f"services.<name>.{name}": "" for name in services}
    expected |= {f"errors.{name}": value for name, value in shipped["errors"].items()}
    expected |= {f"slack.{name}": value for name, value in shipped["slack"].items()}
    expected |= {f"links.{name}": value for name, value in shipped["links"].items()}
    assert rows == expected
    assert set(Intervals.__struct_fields__) == set(shipped["intervals"])


def test_what_the_code_falls_back_to_is_what_tocsin_toml_ships():
    shipped = parse_settings((ROOT / "functions" / "tocsin.toml").read_text("utf-8"), {})
    fallback = parse_settings("", {})
    assert (fallback.intervals, fallback.runbooks_url) == (shipped.intervals, shipped.runbooks_url)
    assert fallback.errors == shipped.errors


def test_the_table_of_keys_has_every_key_of_a_signature():
    page = (ROOT / "docs" / "signatures.md").read_text("utf-8")
    named = re.findall(r"`(\w+)", " ".join(row[0] + "`" for row in raw_table(page, "key")))
    assert set(named) == set(KEYS)


# --- claims ---


def test_the_example_signature_loads_and_keeps_what_its_samples_promise():
    (example,) = blocks(README.read_text("utf-8"), "toml")
    signatures, problems = parse_signatures({"signatures/example.toml": example})
    assert problems == []
    assert prove(signatures, {signature.runbook for signature in signatures.values()}) == []


def test_the_example_signature_lives_with_those_that_ship():
    (example,) = blocks(README.read_text("utf-8"), "toml")
    files = {
        path.name: path.read_text("utf-8") for path in (ROOT / "functions" / "signatures").glob("*.toml")
    }
    signatures, problems = parse_signatures({**files, "example.toml": example})
    assert problems == []
    assert prove(signatures, {signature.runbook for signature in signatures.values()}) == []


def test_the_line_that_shows_that_it_works_is_recognised():
    (line,) = re.findall(r"(?m)^LINE='(.+)'$", DEPLOY.read_text("utf-8"))
    signatures, _ = parse_signatures(
        {path.name: path.read_text("utf-8") for path in (ROOT / "functions" / "signatures").glob("*.toml")}
    )
    assert [match.signature for match in Matcher(signatures).match(line)] == ["import-module-error"]


def test_counts_in_the_readme_are_right():
    text = README.read_text("utf-8")
    shipped = [
        name
        for path in (ROOT / "functions" / "signatures").glob("*.toml")
        for name in tomllib.loads(path.read_text("utf-8"))
    ]
    assert re.findall(r"(\d+) signatures", text) == [str(len(shipped))]
    template = (ROOT / "template.yaml").read_text("utf-8").split("- alarms about Tocsin, to the ops topic")[1]
    own = template.count("Type: AWS::CloudWatch::Alarm") - template.count("DeliveryErrorsAlarm:")
    own -= template.count("Type: AWS::CloudWatch::Alarm\n    Condition: ReadsKinesis")  # not in this sum
    assert re.findall(r"(\d+) of Tocsin's own", COSTS.read_text("utf-8")) == [str(own)]


def test_the_computed_costs_add_up():
    """The page's sums, from its own prices and assumptions."""
    text = COSTS.read_text("utf-8")
    minutes = 730 * 60
    gigabyte_second, request, log_gigabyte, read_unit = 0.0000133334, 0.20e-6, 0.50, 0.125e-6
    rows = {row[0]: row[-1] for row in table(text, "in a month with nothing wrong")}
    polling = 5 * 3 * minutes * 0.40e-6
    reconcile = minutes * (request + 0.05 * 0.5 * gigabyte_second + read_unit / 2 + 0.5e-6 * log_gigabyte)
    detect = 1e6 * (request + 0.01 * 1.0 * gigabyte_second + 0.5e-6 * log_gigabyte)
    beats = minutes / 5
    heartbeat = beats * (
        2 * request
        + (0.1 * 1.0 + 0.05 * 0.5) * gigabyte_second
        + 2 * 0.625e-6
        + 1e-6 * log_gigabyte
        + 0.05 / 10_000
    )
    heartbeat += beats * (0.50e-6 + 3 * 0.40e-6)  # SNS, and what the queue asks for a message
    kms = beats * 4 * 0.03 / 10_000
    expected = {
        "alarms": 18 * 0.10,
        "the Slack secret": 0.40,
        "polling the queue": polling,
        "reconcile": reconcile,
        "the heartbeat's metric": 0.30,
        "the heartbeat's way": heartbeat,
        "KMS": kms,
        "**sum**": 2.50 + polling + reconcile + heartbeat + kms,
        "detect, for each million batches of log events": detect,
    }
    assert {name.replace("`", ""): float(value.strip("*")) for name, value in rows.items()} == {
        name: pytest.approx(value, abs=0.006) for name, value in expected.items()
    }
    small = cost_model.tocsin(cost_model.LOADS[0])
    assert sum(small.values()) == pytest.approx(float(rows["**sum**"].strip("*")), abs=0.02), (
        "docs/cost.md says the same of a stack where next to nothing is logged"
    )
    storm = 20_000 * (request + 0.1 * gigabyte_second + 5 * 0.625e-6 + 1e-6 * log_gigabyte)
    assert re.search(r"about \*\*([\d.]+) USD\*\*", text)[1] == f"{storm:.2f}"


@pytest.mark.parametrize("path", TRACKED, ids=relative)
def test_nothing_names_the_machine_it_was_written_on_or_a_package_registry(path: Path):
    content = path.read_bytes()
    assert [word for word in FOREIGN if word.encode() in content] == []
