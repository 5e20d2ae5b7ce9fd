"""Runbooks are read at three in the morning: complete, linked, and every command in them is a real one."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from aws_commands import CLI_COMMANDS, Shell, operation_of, problems_of

from tocsin.core.matching.unknown_error import SIGNATURE as BUILT_IN

ROOT = Path(__file__).parents[3]
RUNBOOKS = sorted((ROOT / "runbooks").glob("*.md"))
PAGES = [page for page in RUNBOOKS if page.name != "README.md"]
HEADINGS = ["What it means", "Confirm", "Fix", "If that is not it", "Prevent"]
REQUIRED_HEADINGS = [heading for heading in HEADINGS if heading != "If that is not it"]
FROM_OUTSIDE = {"DATABASE_URL"}
"""Variables that a reader has already."""


def signatures() -> dict[str, dict[str, Any]]:
    return {
        name: table
        for file in sorted((ROOT / "functions" / "signatures").glob("*.toml"))
        for name, table in tomllib.loads(file.read_text()).items()
    }


def sections(text: str) -> dict[str, str]:
    """Bodies by heading of the second level; what comes before the first is under the empty name."""
    parts = re.split(r"(?m)^## (.+)$", without_blocks(text, keep=True))
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def without_blocks(text: str, *, keep: bool = False) -> str:
    """The text with comment lines in code blocks defused (``keep``), or with the blocks left out."""

    def replace(block: re.Match[str]) -> str:
        return re.sub(r"(?m)^##", "#", block[0]) if keep else ""

    return re.sub(r"(?ms)^```.*?^```$", replace, text)


def blocks(text: str, language: str = "sh") -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", text)


def anchors(text: str) -> set[str]:
    headings = re.findall(r"(?m)^#+ (.+)$", without_blocks(text))
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def page_ids(page: Path) -> str:
    return page.stem


each_runbook = pytest.mark.parametrize("page", RUNBOOKS, ids=page_ids)
each_page = pytest.mark.parametrize("page", PAGES, ids=page_ids)


@pytest.mark.parametrize("signature", sorted(signatures()))
def test_every_signature_has_the_runbook_it_names(signature: str):
    assert (ROOT / "runbooks" / signatures()[signature]["runbook"]).is_file()


def test_no_runbook_is_an_orphan():
    named = {table["runbook"] for table in signatures().values()}
    assert [
        page.name
        for page in PAGES
        if page.name not in {*named, BUILT_IN.runbook} and not page.name.startswith("tocsin-")
    ] == []


def test_the_index_links_every_runbook():
    index = (ROOT / "runbooks" / "README.md").read_text()
    assert [page.name for page in PAGES if f"({page.name})" not in index] == []


@each_page
def test_a_runbook_has_a_title_a_summary_and_the_headings_in_order(page: Path):
    text = page.read_text()
    found = [heading for heading in sections(text) if heading]
    assert re.match(r"# \S.*\n\n[A-Z\"].+\.\n\n", text), "a title, then a summary of one line"
    assert found == [heading for heading in HEADINGS if heading in found]
    assert set(REQUIRED_HEADINGS) <= set(found)


@each_page
@pytest.mark.parametrize("heading", REQUIRED_HEADINGS)
def test_no_section_is_empty(page: Path, heading: str):
    assert len(sections(page.read_text())[heading].split()) >= 10


@each_page
@pytest.mark.parametrize("heading", ["Confirm", "Fix"])
def test_confirm_and_fix_hold_commands(page: Path, heading: str):
    assert any(Shell(block).commands for block in blocks(sections(page.read_text())[heading]))


@each_page
def test_a_runbook_fits_a_screen_and_a_half(page: Path):
    assert len(page.read_text().splitlines()) <= 90


@each_runbook
def test_links_lead_somewhere(page: Path):
    broken = []
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", without_blocks(page.read_text())):
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        if not file.is_file() or (anchor and anchor not in anchors(file.read_text())):
            broken.append(target)
    assert broken == []


@each_runbook
def test_shell_blocks_parse(page: Path):
    for block in blocks(page.read_text()):
        done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), block


@each_runbook
def test_every_block_says_its_language(page: Path):
    opening = re.findall(r"(?m)^```(.*)$", page.read_text())[::2]
    assert set(opening) <= {"sh", "python", "sql"}


@each_runbook
def test_commands_and_their_options_are_real(page: Path):
    commands = [command for block in blocks(page.read_text()) for command in Shell(block).commands]
    assert [problem for command in commands for problem in problems_of(command)] == []


@each_runbook
def test_commands_in_running_text_are_real_too(page: Path):
    named = re.findall(r"`(aws [a-z0-9-]+ [a-z0-9-]+)[^`]*`", without_blocks(page.read_text()))
    pairs = [tuple(command.split()[1:]) for command in named]
    assert [pair for pair in pairs if pair not in CLI_COMMANDS and not operation_of(*pair)] == []


@pytest.mark.parametrize("signature", sorted(signatures()))
def test_commands_in_first_actions_are_real(signature: str):
    spans = re.findall(r"`((?:aws|sam) [^`]+)`", signatures()[signature]["first_action"])
    commands = [command for span in spans for command in Shell(span.rstrip(" .")).commands]
    assert [problem for command in commands for problem in problems_of(command)] == []


@each_runbook
def test_variables_are_set_on_the_page_that_uses_them(page: Path):
    script = "\n".join(blocks(page.read_text()))
    used = set(re.findall(r"\$\{?([A-Z_]{2,})", script))
    given = set(re.findall(r"\b([A-Z_]{2,})=", script)) | set(re.findall(r"\bfor ([A-Z_]+) in", script))
    assert used - given - FROM_OUTSIDE == set()


@each_runbook
def test_placeholders_are_quoted_so_that_a_forgotten_one_redirects_nothing(page: Path):
    assert [target for block in blocks(page.read_text()) for target in Shell(block).inputs] == []


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("aws sqs start-message-move-task", "needs --source-arn"),
        ("aws sqs redrive --queue-url x", "no such operation"),
        ("aws sqss list-queues", "no such service"),
        ("aws kms describe-key --key-id x --keyid y", "no option --keyid"),
        ("aws cloudwatch describe-alarms --state-value FIRING", "must be one of"),
        ("aws cloudwatch describe-alarms --query 'Alarms[].Name'", "no field 'Alarms'"),
        ("aws cloudwatch describe-alarms --query 'MetricAlarms[].[AlarmNam]'", "no field 'AlarmNam'"),
        ("aws cloudwatch describe-alarms --query 'MetricAlarms[.Name'", "MetricAlarms[.Name"),
        ("aws logs get-query-results --query-id q --query 'results[*].map(&valu, @)'", "no field 'valu'"),
        ("aws cloudwatch describe-alarms --query 'sort_by(MetricAlarms,&Nam)'", "no field 'Nam'"),
        ("aws lambda wait function-ready --function-name x", "no such waiter"),
        ("aws logs tail", "takes 1 arguments"),
        ("aws logs tail group --from 1h", "no option --from"),
        ("aws lambda update-function-configuration --function-name f --timeout long", "must be a number"),
        (
            "aws lambda update-event-source-mapping --uuid u --scaling-config Concurrency=2",
            "no key 'Concurrency'",
        ),
        ("aws sqs set-queue-attributes --queue-url u --attributes Retention=1", "no key 'Retention'"),
        ("aws lambda update-event-source-mapping --uuid u --enabled true", "takes 0 values"),
        ('echo "$(aws sqs nonsense)"', "no such operation"),
        ("while true; do aws sqs nonsense; done", "no such operation"),
        ("sam deploi", "not a known command"),
        ("sam deploy --force", "no option --force"),
    ],
)
def test_a_wrong_command_is_found(command: str, reason: str):
    problems = [problem for words in Shell(command).commands for problem in problems_of(words)]
    assert any(reason in problem for problem in problems), problems


def test_an_unquoted_placeholder_is_found():
    assert Shell("aws sqs get-queue-url --queue-name <name>").inputs == ["name"]


def test_here_documents_and_comments_hold_no_commands():
    script = "cat > x <<JSON\naws sqs nonsense\nJSON\n# aws sqs nonsense\naws sqs list-queues # aws x\n"
    assert Shell(script).commands == [["cat"], ["aws", "sqs", "list-queues"]]
