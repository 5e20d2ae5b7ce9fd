"""What people would use instead, on the same lines with the same expressions.

``make bench`` lets the Python of an environment with the extra ``bench`` run ``python -m benchmarks.peers``, so that
nothing here or in the Lambda package comes to rely on a candidate.

Each way must name the same lines (or the same lines and signatures) as one ``re.search`` per
line and expression. The expressions alone: Tocsin's own answer also leaves out lines that quote an error, that state a
harmless level, or that a more specific signature explains, and is therefore a subset; it is timed with all that.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import re2

from benchmarks.batches import ordinary_lines
from benchmarks.signature_sets import shipped
from benchmarks.stopwatch import ROOT, best_of, in_own_process
from tocsin.core.matching.matcher import Matcher
from tocsin.core.signatures.signature import Signature

QUIET, DENSE, ONE_IN = 3_000, 1_000, 10
REPEATED = 20
"""How often ripgrep gets the lines: it builds its automaton as it goes, which a short text never makes up for."""
PYTHON = Path(os.environ.get("BENCH_PYTHON", ROOT / ".venv-bench" / "bin" / "python"))
Found = set[tuple[int, str]]
"""Line and signature."""
Numbered = list[tuple[str, str]]
"""Signature and expression."""


def lines_of(count: int, one_in: int) -> list[str]:
    """Ordinary lines; one in so many is a one-line sample of a signature, or none where it is 0."""
    samples = [sample for entry in shipped().values() for sample in entry.matches if "\n" not in sample]
    lines = ordinary_lines(count)
    for number, place in enumerate(range(0, count, one_in) if one_in else ()):
        # A number makes each line one of its own.
        lines[place] = f"{samples[number % len(samples)]} (n{place})"
    return lines


# --- the ways; each takes lines and expressions, and answers pairs, or lines alone ---


def naive(lines: list[str], numbered: Numbered) -> Callable[[], Found]:
    compiled = [(name, re.compile(text)) for name, text in numbered]
    return lambda: {
        (place, name) for place, line in enumerate(lines) for name, each in compiled if each.search(line)
    }


def tocsin(lines: list[str], _numbered: Numbered) -> Callable[[], Found]:
    matcher = Matcher(shipped())
    raw = json.dumps(
        {"messageType": "DATA_MESSAGE", "logEvents": [{"message": line} for line in lines]}
    ).encode()

    def run() -> Found:
        if not matcher.might_match(raw):
            return set()
        return {(place, match.signature) for place, line in enumerate(lines) for match in matcher.match(line)}

    return run


def hyperscan(lines: list[str], numbered: Numbered) -> Callable[[], Found] | str:
    try:
        import hyperscan as engine
    except ImportError:
        return "hyperscan is not installed"
    flags = engine.HS_FLAG_SINGLEMATCH | engine.HS_FLAG_ALLOWEMPTY

    def database(expressions: list[str]) -> Any:
        made = engine.Database()
        made.compile(
            expressions=[text.encode() for text in expressions],
            ids=list(range(len(expressions))),
            flags=[flags] * len(expressions),
        )
        return made

    def is_accepted(expression: str) -> bool:
        try:
            database([expression])
        except engine.error:
            return False
        return True

    accepted = [pair for pair in numbered if is_accepted(pair[1])]
    refused = [(name, re2.compile(text)) for name, text in numbered if (name, text) not in accepted]
    scanner = database([text for _, text in accepted])
    encoded = [line.encode() for line in lines]

    def run() -> Found:
        found = {
            (place, name) for place, line in enumerate(lines) for name, each in refused if each.search(line)
        }
        for place, each in enumerate(encoded):
            numbers: list[int] = []
            scanner.scan(each, match_event_handler=lambda number, *_, hits=numbers: hits.append(number))
            found.update((place, accepted[number][0]) for number in numbers)
        return found

    return run


def panther(lines: list[str], numbered: Numbered) -> Callable[[], Found] | str:
    try:
        from panther_core.enriched_event import PantherEvent
        from panther_core.rule import Rule
    except ImportError:
        return "panther-core is not installed"
    by_name: dict[str, list[str]] = {}
    for name, text in numbered:
        by_name.setdefault(name, []).append(text)
    rules = {}
    for name, texts in by_name.items():
        body = (
            "import re\n"
            f"EXPRESSIONS = [re.compile(text) for text in {texts!r}]\n"
            "def rule(event):\n"
            "    return any(each.search(event['message']) for each in EXPRESSIONS)\n"
        )
        rules[name] = Rule({"id": name, "body": body, "versionId": "1", "analysisType": "RULE"})
    events = [PantherEvent({"message": line}, None) for line in lines]
    return lambda: {
        (place, name)
        for place, event in enumerate(events)
        for name, rule in rules.items()
        if rule.run(event, {}, {}).detection_output
    }


def ripgrep(lines: list[str], numbered: Numbered) -> Callable[[], set[int]] | str:
    program = shutil.which("rg")
    if program is None:
        return "ripgrep is not installed (apt-get install ripgrep)"
    folder = Path(tempfile.mkdtemp())
    (folder / "lines").write_text(("\n".join(lines) + "\n") * REPEATED, "utf-8")
    # ripgrep joins its patterns into one expression, in which no name of a group may come twice.
    unnamed = [re.sub(r"\(\?P<\w+>", "(?:", text) for _, text in numbered]
    (folder / "patterns").write_text("\n".join(unnamed) + "\n", "utf-8")
    # Room for its automaton, as its manual advises for many patterns.
    options = ["--dfa-size-limit=512M", "--regex-size-limit=512M"]
    command = [
        program,
        *options,
        "--line-number",
        "--no-filename",
        "-f",
        folder / "patterns",
        folder / "lines",
    ]

    def run() -> set[int]:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode > 1:
            raise RuntimeError(done.stderr)
        return {(int(line.partition(":")[0]) - 1) % len(lines) for line in done.stdout.splitlines()}

    return run


WAYS: dict[str, Callable[[list[str], Numbered], Any]] = {
    "Tocsin (dialects, levels, quotations included)": tocsin,
    "hyperscan (what it refuses: re2)": hyperscan,
    "ripgrep -f (lines only; the batch twenty times)": ripgrep,
    "the naive Lambda: one re.search per line and expression": naive,
    "panther-core (its rule engine)": panther,
}


def expressions_of(signatures: Mapping[str, Signature]) -> Numbered:
    """The expressions that all ways can be given."""
    # A line has no line break in it, and ripgrep refuses an expression that asks for one.
    return [
        (name, text)
        for name, entry in signatures.items()
        for text in entry.any
        if not re.search(r"(?<!\[\^)\\n", text)
    ]


def compare() -> dict[str, Any]:
    """Milliseconds and differences by way, on a quiet and on a dense batch; the reason where a way was left out."""
    numbered = expressions_of(shipped())
    result: dict[str, Any] = {"expressions": len(numbered), "left_out": {}}
    for kind, lines in (("quiet", lines_of(QUIET, 0)), ("dense", lines_of(DENSE, ONE_IN))):
        truth = naive(lines, numbered)()
        rows = result[kind] = {}
        for name, way in WAYS.items():
            run = way(lines, numbered)
            if isinstance(run, str):
                result["left_out"][name] = run
                continue
            found = run()
            wanted = {place for place, _ in truth} if way is ripgrep else truth
            rows[name] = {
                "ms": best_of(run, most=5, budget=0.3),
                "lines": len(lines) * (REPEATED if way is ripgrep else 1),
                "missed": len(wanted - found),
                "more": len(found - wanted),
                "start_ms": best_of(way(["INFO"], numbered), most=3) if way is ripgrep else 0.0,
            }
    return result


def measure() -> dict[str, Any]:
    """What ``compare`` says in the other environment; ``skipped`` with the reason where there is none."""
    return {"peers": elsewhere("benchmarks.peers")}


def elsewhere(module: str) -> dict[str, Any]:
    """What a module prints in the environment of the candidates; ``skipped`` with the reason where there is none."""
    if not PYTHON.exists():
        return {"skipped": f"there is no {PYTHON}; `make bench` makes it, if the candidates can be installed"}
    try:
        return in_own_process(module, python=PYTHON)
    except subprocess.CalledProcessError as error:
        return {"skipped": (error.stderr.strip().splitlines() or ["it failed without a word"])[-1]}


if __name__ == "__main__":
    json.dump(compare(), sys.stdout, indent=1)
