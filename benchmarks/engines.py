"""Matching engines, inflaters and JSON readers side by side: ``python -m benchmarks.engines`` prints JSON.

Runs in an environment with the extra ``bench`` (``make bench`` makes one beside the usual). Whatever is not installed is
left out by name. The questions are those of ``detect``:

* *rule out*: does anything in the raw bytes of an envelope of 12,000 ordinary lines call for a closer look?
* *identify*: of 2,000 lines of which one in ten is a known failure, which signature recognises which? The expressions
  alone, without levels and quotations, so that every engine can be held to the same answer.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import importlib
import json
import re
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import re2

from benchmarks.batches import ordinary_lines
from benchmarks.matching import ordinary_envelope
from benchmarks.signature_sets import SIZES, made
from benchmarks.stopwatch import best_of, once
from tocsin.core.ingest.inflation import inflate
from tocsin.core.matching.logline import TRANSLATED
from tocsin.core.matching.matcher import ESCAPED_WORD, Matcher
from tocsin.core.matching.prefilter import RawSearch, byte_options
from tocsin.core.signatures.literals import COMMON, Literal
from tocsin.core.signatures.signature import Signature

LINES = 2_000
ONE_IN = 10

Found = set[tuple[int, str]]
"""Line and signature."""


def optional(name: str) -> Any:  # noqa: ANN401 - whatever the module is
    """A module of the extra, or None."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


AHO, HYPERSCAN, ISAL, ZLIB_NG = map(
    optional, ("ahocorasick_rs", "hyperscan", "isal.isal_zlib", "zlib_ng.zlib_ng")
)
ORJSON, MSGSPEC = map(optional, ("orjson", "msgspec"))
MISSING = [
    name
    for name, module in (
        ("ahocorasick_rs", AHO), ("hyperscan", HYPERSCAN), ("isal", ISAL), ("zlib-ng", ZLIB_NG), ("orjson", ORJSON),
        ("msgspec", MSGSPEC),
    )
    if module is None
]  # fmt: skip


def literals_of(signatures: Mapping[str, Signature]) -> list[Literal]:
    return list(Matcher(signatures)._literals)  # noqa: SLF001 - the very literals that are searched for


def telling_word(literal: Literal) -> bytes:
    """The word of a literal that a plain search would look for."""
    return max(literal.words, key=lambda word: (word.lower() not in COMMON, len(word))).encode()


# --- rule out ---


def rule_out(signatures: Mapping[str, Signature], raw: bytes) -> dict[str, dict[str, float | bool | None]]:
    """Milliseconds to build, for the search, and whether the engine could rule the ordinary batch out."""
    literals = literals_of(signatures)
    words = sorted({telling_word(literal) for literal in literals})
    expression = Matcher(signatures).raw_expression
    terms = [literal.expression.encode("latin-1") for literal in literals]
    terms += [text.encode("latin-1") for text in (*TRANSLATED, ESCAPED_WORD)]
    rows: dict[str, dict[str, float | bool | None]] = {}

    def row(name: str, build: Callable[[], Any], search: Callable[[Any], bool]) -> None:
        kept: list[Any] = []
        building = once(lambda: kept.append(build()))
        hit = search(kept[0])
        rows[name] = {
            "build_ms": building, "search_ms": best_of(lambda: search(kept[0]), budget=0.3), "rules_out": not hit,
        }  # fmt: skip

    row("re2 alternation (ours)", lambda: RawSearch(expression), lambda ours: ours.might_match(raw))
    row("re2.Set", lambda: re2_set(terms), lambda found: bool(found.Match(raw)))
    if AHO:
        row(
            "ahocorasick_rs", lambda: AHO.BytesAhoCorasick(words),
            lambda automaton: bool(automaton.find_matches_as_indexes(raw)),
        )  # fmt: skip
    if len(signatures) <= SIZES[1]:
        row("plain `in`", lambda: words, lambda each: sum(word in raw for word in each) > 0)
    if HYPERSCAN and len(signatures) <= SIZES[1]:
        row(
            "hyperscan",
            lambda: hyperscan_database(terms),
            lambda database: bool(hyperscan_hits(database, raw)),
        )
    if len(signatures) <= SIZES[0]:
        row(
            "re (standard library)", lambda: re.compile(expression.encode("latin-1")),
            lambda compiled: compiled.search(raw) is not None,
        )  # fmt: skip
    return rows


def re2_set(expressions: Iterable[bytes]) -> Any:  # noqa: ANN401 - re2's own type
    options = byte_options(256 << 20)
    found = re2.Set.SearchSet(options)
    for expression in expressions:
        found.Add(expression)
    found.Compile()
    return found


def hyperscan_database(expressions: list[bytes]) -> Any:  # noqa: ANN401 - hyperscan's own type
    database = HYPERSCAN.Database()
    flags = [HYPERSCAN.HS_FLAG_SINGLEMATCH | HYPERSCAN.HS_FLAG_ALLOWEMPTY] * len(expressions)
    database.compile(expressions=expressions, ids=list(range(len(expressions))), flags=flags)
    return database


def hyperscan_takes(expression: bytes) -> bool:
    try:
        hyperscan_database([expression])
    except HYPERSCAN.error:
        return False
    return True


def hyperscan_hits(database: Any, text: bytes) -> list[int]:  # noqa: ANN401 - as above
    hits: list[int] = []
    database.scan(text, match_event_handler=lambda number, *_: hits.append(number))
    return hits


# --- identify ---


def dense_lines(signatures: Mapping[str, Signature]) -> list[str]:
    """Ordinary lines, one in ten of them a sample of a signature."""
    samples = [
        sample for entry in signatures.values() for sample in entry.matches if not entry.id[-1].isdigit()
    ]
    lines = ordinary_lines(LINES)
    for place in range(0, LINES, ONE_IN):
        lines[place] = samples[place // ONE_IN % len(samples)]
    return lines


def identify(  # noqa: C901 - one engine after the other
    signatures: Mapping[str, Signature], lines: list[str]
) -> tuple[dict[str, dict[str, float]], dict[str, int], int]:
    """Milliseconds by engine; how far each is from the answer of one search per expression; what hyperscan refuses."""
    encoded = [line.encode() for line in lines]
    numbered = [(name, text) for name, entry in signatures.items() for text in entry.any]
    compiled = [re2.compile(text) for _, text in numbered]
    by_word: dict[bytes, set[int]] = {}
    by_expression = {text: place for place, (_, text) in enumerate(numbered)}
    gate = Matcher(signatures)
    for literal, users in gate._by_literal.items():  # noqa: SLF001 - as above
        for name, number in users:
            by_word.setdefault(telling_word(literal).lower(), set()).add(
                by_expression[signatures[name].any[number]]
            )
    words = list(by_word)
    matcher = Matcher(signatures)
    engines: dict[str, Callable[[], Found]] = {}

    def confirm(place: int, candidates: Iterable[int]) -> Found:
        return {
            (place, numbered[number][0]) for number in candidates if compiled[number].search(lines[place])
        }

    def ours() -> Found:
        found: Found = set()
        for place, each in enumerate(encoded):
            hits = matcher._hits(each)  # noqa: SLF001 - as above
            if hits:
                candidates = matcher._candidates(lines[place], each, hits)  # noqa: SLF001 - as above
                found |= confirm(
                    place,
                    {
                        by_expression[signatures[n].any[k]]
                        for n, numbers in candidates.items()
                        for k in numbers
                    },
                )
        return found

    engines["re2.Set of literals, then re2 (ours)"] = ours
    whole_set = re2_set(text.encode() for _, text in numbered)
    engines["re2.Set of whole expressions"] = lambda: {
        (place, numbered[number][0])
        for place, each in enumerate(encoded)
        for number in whole_set.Match(each) or ()
    }
    if AHO:
        automaton = AHO.BytesAhoCorasick(words)
        engines["ahocorasick_rs, then re2"] = lambda: {
            hit
            for place, each in enumerate(encoded)
            for hit in confirm(
                place,
                {
                    number
                    for word, _, _ in automaton.find_matches_as_indexes(each.lower(), overlapping=True)
                    for number in by_word[words[word]]
                },
            )
        }
    if len(signatures) <= SIZES[0]:
        engines["plain `in`, then re2"] = lambda: {
            hit
            for place, each in enumerate(encoded)
            for low in [each.lower()]
            for hit in confirm(place, {number for word in words if word in low for number in by_word[word]})
        }
    refused: set[int] = set()
    if HYPERSCAN and len(signatures) <= SIZES[0]:
        refused = {number for number, (_, text) in enumerate(numbered) if not hyperscan_takes(text.encode())}
        taken_over = [number for number in range(len(numbered)) if number not in refused]
        database = hyperscan_database([numbered[number][1].encode() for number in taken_over])
        engines["hyperscan (what it refuses: re2)"] = lambda: (
            {
                (place, numbered[taken_over[number]][0])
                for place, each in enumerate(encoded)
                for number in hyperscan_hits(database, each)
            }
            | {hit for place in range(len(lines)) for hit in confirm(place, refused)}
        )
    plain = [re.compile(text) for _, text in numbered]
    truth = {
        (place, numbered[number][0])
        for place, line in enumerate(lines)
        for number, expression in enumerate(plain)
        if expression.search(line)
    } if len(signatures) <= SIZES[0] else engines["re2.Set of whole expressions"]()  # fmt: skip
    if len(signatures) <= SIZES[0]:
        engines["re.search per expression"] = lambda: {
            (place, numbered[number][0])
            for place, line in enumerate(lines)
            for number, expression in enumerate(plain)
            if expression.search(line)
        }
    rows, differing = {}, {}
    for name, engine in engines.items():
        differing[name] = len(engine() ^ truth)
        taken = best_of(engine, most=5, budget=0.3)
        rows[name] = {"ms": taken, "us_per_line": taken / len(lines) * 1000}
    return rows, differing, len(refused)


# --- decode ---


def decoding(data: bytes) -> dict[str, float]:
    """Milliseconds of each step of reading an envelope, by library."""
    packed = base64.b64decode(data)
    raw = gzip.decompress(packed)
    steps: dict[str, Callable[[], object]] = {
        "base64: binascii": lambda: binascii.a2b_base64(data, strict_mode=True),
        "inflate: zlib (ours)": lambda: zlib.decompressobj(31).decompress(packed, 64 << 20),
        "json: standard library": lambda: json.loads(raw),
    }
    if ISAL:
        steps["inflate: isal"] = lambda: ISAL.decompressobj(31).decompress(packed, 64 << 20)
    if ZLIB_NG:
        steps["inflate: zlib-ng"] = lambda: ZLIB_NG.decompressobj(31).decompress(packed, 64 << 20)
    if ORJSON:
        steps["json: orjson"] = lambda: ORJSON.loads(raw)
    if MSGSPEC:
        event = MSGSPEC.defstruct("Event", [("message", str)])
        envelope = MSGSPEC.defstruct("Envelope", [("logEvents", list[event])])  # type: ignore[valid-type]
        reader = MSGSPEC.json.Decoder(envelope)
        steps["json: msgspec, messages only"] = lambda: reader.decode(raw)
    return {name: best_of(step) for name, step in steps.items()}


def whole(data: bytes, signatures: Mapping[str, Signature]) -> dict[str, float]:
    """Milliseconds from the delivered text to "nothing in it", by combination."""
    search = RawSearch(Matcher(signatures).raw_expression)
    packed = base64.b64decode(data)

    def naive_decode() -> object:
        return json.loads(gzip.decompress(base64.b64decode(data)))

    ways: dict[str, Callable[[], object]] = {
        "zlib + json.loads (the floor)": naive_decode,
        "zlib + re2, no JSON (ours)": lambda: search.might_match(inflate(data)),
    }
    if ISAL:
        ways["isal + re2, no JSON"] = lambda: search.might_match(
            ISAL.decompressobj(31).decompress(binascii.a2b_base64(data), 64 << 20)
        )
    if ZLIB_NG:
        ways["zlib-ng + re2, no JSON"] = lambda: search.might_match(
            ZLIB_NG.decompressobj(31).decompress(binascii.a2b_base64(data), 64 << 20)
        )
    if HYPERSCAN:
        terms = [literal.expression.encode("latin-1") for literal in literals_of(signatures)]
        database = hyperscan_database(
            terms + [text.encode("latin-1") for text in (*TRANSLATED, ESCAPED_WORD)]
        )
        ways["zlib + hyperscan, no JSON"] = lambda: hyperscan_hits(database, inflate(data))
        if ISAL:
            ways["isal + hyperscan, no JSON"] = lambda: hyperscan_hits(
                database, ISAL.decompressobj(31).decompress(packed, 64 << 20)
            )
    return {name: best_of(way) for name, way in ways.items()}


def importing() -> dict[str, float]:
    """Milliseconds that importing each takes, over a bare interpreter; the fastest of five."""
    names = (
        "",
        "re2",
        "ahocorasick_rs",
        "hyperscan",
        "isal.isal_zlib",
        "zlib_ng.zlib_ng",
        "orjson",
        "msgspec",
    )
    taken = {
        name: min(
            once(lambda: subprocess.run([sys.executable, "-c", f"import {name or 'sys'}"], check=True))  # noqa: B023 - run at once
            for _ in range(5)
        )
        for name in names
        if not name or optional(name) is not None
    }
    return {name: ms - taken[""] for name, ms in taken.items() if name}


def measure() -> dict[str, Any]:
    """Everything, as JSON can hold it."""
    data = ordinary_envelope()
    raw = inflate(data)
    result: dict[str, Any] = {
        "missing": MISSING,
        "bytes": len(raw),
        "rule_out": {},
        "identify": {},
        "differing": {},
        "hyperscan_refuses": {},
    }
    sets = {size: made(size) for size in SIZES}
    for size, signatures in sets.items():
        result["rule_out"][str(size)] = rule_out(signatures, raw)
        if size == SIZES[1]:
            continue
        rows, differing, refused = identify(signatures, dense_lines(sets[SIZES[0]]))
        result["identify"][str(size)], result["differing"][str(size)] = rows, differing
        result["hyperscan_refuses"][str(size)] = refused
    result["imports"] = importing()
    result["decode"] = decoding(data)
    result["whole"] = whole(data, sets[SIZES[0]])
    return result


if __name__ == "__main__":
    json.dump(measure(), sys.stdout, indent=1)
