"""Scaffold a signature from a pasted log line: its rule, its samples and its runbook.

What varies from line to line becomes a named group; everything is redacted before it is written. The new signature is on
trial (`status = "test"`: counted and never posted) until somebody has reviewed it. Nothing is written unless everything
passes `tocsin check`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tocsin.adapters.aws.error_table import ErrorTable
from tocsin.adapters.files.configuration import read_signature_files
from tocsin.adapters.files.settings_file import load_settings
from tocsin.core.config.settings import FILE
from tocsin.core.matching.logline import read_line
from tocsin.core.matching.matcher import Matcher
from tocsin.core.model import Level, Severity
from tocsin.core.problems import Problem
from tocsin.core.signatures.literals import NoLiteralError, required_literals
from tocsin.core.signatures.reader import ID, parse_signatures
from tocsin_cli.authoring.samples import prove
from tocsin_cli.authoring.scaffold import Scaffold, ScaffoldError, scaffold
from tocsin_cli.commands.errors import find_error
from tocsin_cli.configuration_folder import own_runbooks, pack_of, read_configuration, runbook_pages
from tocsin_cli.options import add_root, given_line
from tocsin_cli.shown_paths import shown
from tocsin_cli.stack.target import add_deployed, deployed
from tocsin_cli.unexplained import signature_name

DEFAULT_FAMILY = "own"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_root(parser)
    parser.add_argument(
        "signature",
        metavar="SIGNATURE",
        nargs="?",
        default="",
        help="its id: lower-case words joined by hyphens (with --from-error default: made from the error's words)",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--from-line", metavar="LINE", help="the log line; - for standard input (a traceback, for example)"
    )
    source.add_argument(
        "--from-error", metavar="ID", help="the id of an unknown error, as `tocsin errors` lists it"
    )
    add_deployed(parser)
    parser.add_argument(
        "--family",
        default=DEFAULT_FAMILY,
        metavar="FILE",
        help="the file in signatures/ (default: %(default)s)",
    )
    parser.add_argument(
        "--severity",
        choices=list(Severity),
        type=Severity,
        help="default: high, or critical where the line says so itself",
    )
    parser.add_argument("--title", default="", help="what broke, in a few words (default: made from the id)")
    parser.add_argument(
        "--runbooks", type=Path, help="the folder with the runbooks (default: beside the deployment root)"
    )
    parser.add_argument("--dry-run", action="store_true", help="print what would be written")


def run(arguments: argparse.Namespace) -> int:
    """Scaffold; 0 when it is written, 1 when it is refused with nothing written."""
    name = arguments.signature
    if arguments.from_error:
        with deployed(arguments) as tocsin:
            record = find_error(ErrorTable(tocsin.client, tocsin.table), arguments.from_error)
        arguments.from_line, name = record.example or record.template, name or signature_name(record.template)
    line = given_line(arguments.from_line)
    runbooks = arguments.runbooks or own_runbooks(arguments.root)
    read_configuration(arguments.root)  # refuses what is wrong before anything is added to it
    # What is no UTF-8 came from the shell as half characters, which no file can hold.
    made, files = plan(
        name,
        line.encode("utf-8", "replace").decode().rstrip("\r\n"),
        arguments.root,
        runbooks,
        family=arguments.family,
        severity=arguments.severity,
        title=arguments.title,
    )
    if arguments.dry_run:
        print(made.table)
        print(made.runbook)
        return 0
    try:
        write_all(files)
    except OSError as error:
        print(f"tocsin new: nothing was written: {error}", file=sys.stderr)
        return 1
    for path in files:
        print(f"wrote {shown(path)}")
    print(_next_steps(name, made, files))
    return 0


def plan(
    name: str,
    line: str,
    root: Path,
    runbooks: Path,
    *,
    family: str = DEFAULT_FAMILY,
    severity: Severity | None = None,
    title: str = "",
) -> tuple[Scaffold, dict[Path, str]]:
    """Make everything, check it, and say what is to be written.

    Args:
        name: The new signature's id.
        line: The log line.
        root: The deployment root.
        runbooks: The folder with the runbooks.
        family: The file in ``signatures/``, with or without its ending.
        severity: How bad it is; None for critical where the line says so, else high.
        title: What broke; made from the id where empty.

    Returns:
        The scaffold, and the new content of each file.

    Raises:
        ScaffoldError: The id or the family is no good or taken, the line holds nothing to go by, or what was made does
            not pass the checks.
    """
    if not ID.fullmatch(name):
        raise ScaffoldError(
            f"{name!r} is no id: lower-case words joined by hyphens, such as import-module-error"
        )
    stem = family.removesuffix(".toml")
    if not ID.fullmatch(stem):
        raise ScaffoldError(f"{family!r} is no family: the name of a file in signatures/, such as database")
    texts, _ = read_signature_files(root, pack=pack_of(root))
    known, _ = parse_signatures(texts)
    if name in known:
        raise ScaffoldError(f"there is a signature {name} already, in {known[name].file}")
    page = runbooks / f"{name}.md"
    if page.exists():
        raise ScaffoldError(f"there is a runbook {page} already")
    matcher = Matcher(known)
    found = [match.signature for match in matcher.match(line)]
    explained = [other for other in found if not known[other].catch_all]
    made = scaffold(
        name,
        line,
        severity=severity or _stated(line),
        title=title or _free_title(name, known),
        inhibits=explained,
        redaction=load_settings(root, {}).redaction if (root / FILE).is_file() else (),
    )
    file = f"signatures/{stem}.toml"
    texts[file] = (
        texts[file].rstrip("\n") + "\n\n"
        if file in texts
        else f"# {stem.replace('-', ' ').capitalize()}.\n\n"
    ) + made.table
    problems = _problems(texts, {*runbook_pages(root, runbooks), page.name})
    if problems and explained and not any(problem.key.startswith(name) for problem in problems):
        raise ScaffoldError(
            f"{', '.join(explained)} describes this line already; add it to its matches, or paste a line that distinguishes the two"
        )
    if problems:
        raise ScaffoldError(
            "what was made from this line does not pass the checks; write it by hand:\n"
            + "\n".join(map(str, problems))
        )
    files = {page: made.runbook, root / file: texts[file]}
    index = runbooks / "README.md"
    if index.is_file():
        files[index] = _with_link(index.read_text("utf-8"), name)
    return made, files


def _stated(line: str) -> Severity:
    return Severity.CRITICAL if read_line(line).level is Level.CRITICAL else Severity.HIGH


def write_all(files: Mapping[Path, str]) -> None:
    """Write all files or none: first beside their places, then into them; what fails is undone.

    Raises:
        OSError: They cannot be written; all is as it was.
    """
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
    before = {path: path.read_bytes() if path.exists() else None for path in files}
    beside = {path: path.with_name(f".{path.name}.{os.getpid()}.new") for path in files}
    placed: list[Path] = []
    try:
        for path, text in files.items():
            beside[path].write_text(text, "utf-8")
        for path in files:
            beside[path].replace(path)
            placed.append(path)
    except OSError:
        for path in placed:
            content = before[path]
            if content is None:
                path.unlink()
            else:
                path.write_bytes(content)
        raise
    finally:
        for path in beside.values():
            path.unlink(missing_ok=True)


def _problems(texts: Mapping[str, str], runbooks: set[str]) -> Sequence[Problem]:
    """What ``tocsin check`` would say."""
    signatures, problems = parse_signatures(texts)
    for rule in signatures.values():
        for number, expression in enumerate(rule.any):
            try:
                required_literals(expression)
            except NoLiteralError as error:
                problems.append(Problem(rule.file, f"{rule.id}.any[{number}]", str(error)))
    return problems or prove(signatures, runbooks)


def _free_title(name: str, known: Mapping[str, object]) -> str:
    words = name.replace("-", " ").capitalize()
    titles = {str(getattr(rule, "title", "")).lower() for rule in known.values()}
    return words if words.lower() not in titles else f"{words} ({name})"


def _with_link(index: str, name: str) -> str:
    """The index of the runbooks with the new page under a heading of one's own pages."""
    heading, link = "**Own**:", f"[{name}]({name}.md)"
    if heading in index:
        head, _, tail = index.partition(heading)
        block, gap, rest = tail.partition("\n\n")
        return f"{head}{heading}{block} ·\n{link}{gap}{rest}"
    before, mark, after = index.partition("\n## What changed")
    return f"{before.rstrip()}\n\n{heading}\n{link}\n{mark}{after}"


def _next_steps(name: str, made: Scaffold, files: Mapping[Path, str]) -> str:
    page, table = map(shown, list(files)[:2])
    steps = [
        f"{table}: say in summary what it means and in first_action what to do first",
        f"{table}: read the expression; loosen or tighten it, and add a sample for each wording you know",
        f"{page}: fill in the four parts; somebody will read it at three in the morning",
        "tocsin backtest your-logs.jsonl: what would it have found, and how often?",
        'take out status = "test" (until then it is counted and listed in one digest a day), and run tocsin check',
    ]
    if made.inhibits:
        steps.insert(
            1,
            f"{table}: {', '.join(made.inhibits)} recognised the line too; inhibits says that {name} explains it",
        )
    return "Next:\n" + "\n".join(f"  {number}. {step}" for number, step in enumerate(steps, start=1))
