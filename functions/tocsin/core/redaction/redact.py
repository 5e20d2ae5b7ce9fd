r"""Hiding secrets and personal data in log text, before anything else is done with it.

Every rule finds spans in the *original* text; the union of all spans is then replaced, each by
``[REDACTED:<rule>]``. So no rule sees what another left behind, overlapping finds are hidden together, and the
order in the table only decides which name is shown.

Linear time: a rule looks for plain words first (``needles``), and tries its expression only there. A try that
fails looks at a bounded number of characters, so nothing without a bound stands where something after it can fail;
one that succeeds is skipped over. Without a needle the expression itself is bounded. ``test_linear_time`` tries to
refute it.

Hidden: values of keys whose names say so (``password``, ``token``, ``dob`` and the like; the list grew from
Sentry's default denylist), credentials that show by their form (the prefixes that gitleaks knows), URL passwords,
signatures of presigned URLs, Authorization and Cookie headers, private keys, JSON web tokens, the values in SQL
parameters and in PostgreSQL's ``Failing row contains``, e-mail addresses, public IP addresses, payment cards, US
social security and phone numbers.

Kept, because an engineer cannot work without them: request ids and other UUIDs, ARNs and account numbers, bucket,
module, stream, host and user names, paths, line numbers, versions, times, private and loopback addresses, and
values that say that a secret is missing (``password=None``).

Known to go wrong: a secret without a key, a known form or a known place looks like any word; names of people are
only found by their key; an unquoted value with blanks is hidden up to the first blank (for names of people up to
the next comma).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import count
from typing import Final, NamedTuple

import re2

from tocsin.core.expressions import re2_options
from tocsin.core.lazy_expressions import lazy
from tocsin.core.redaction.key_values import Span
from tocsin.core.redaction.rule import Rule
from tocsin.core.redaction.rules import RULES
from tocsin.core.redaction.shapes import base64_with
from tocsin.core.redaction.strict import ELLIPSIS, STRICT, in_plain_words, strict_spans

MAX_CHARACTERS: Final = 131_072
"""Longer texts are cut to this first, so that a hostile line of 1 MiB, CloudWatch's largest, costs no more than
a few seconds; what comes after the cut is not looked at and not shown."""

GUARD: Final = 4_096
"""Characters before that cut which are read and never shown: a secret that the cut went through lies in them."""

MAX_OVERLAP: Final = 8
"""How many times its own length a text may be read because finds overlap; then the rest is hidden whole."""

_ASCII_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}

_LOOK_ALIKES: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | str.maketrans(
    "\u0410\u0412\u0415\u0405\u0406\u0408\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425"  # Cyrillic
    "\u0430\u0435\u0455\u0456\u0458\u043e\u0440\u0441\u0443\u0445\u051b\u051d\u04bb"
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03bf",  # Greek
    "ABESIJKMHOPCTYXaesijopcyxqwhABEZHIKMNOPTYXo",
)
"""Full-width forms (U+FF01 to U+FF5E) and the letters of other scripts that look like Latin ones, one character for
one. Only the search reads them so; what is shown stays as it was written."""


class Hidden(NamedTuple):
    """Where a text holds something to hide.

    Attributes:
        start: Where it begins.
        end: Where it ends.
        name: The rule's name.
    """

    start: int
    end: int
    name: str


def redact(text: str, extra: Sequence[Rule] = (), *, strict: bool = False, known: Iterable[str] = ()) -> str:
    """Hide secrets and personal data.

    Args:
        text: Any text, of any size; see `MAX_CHARACTERS` for what is cut.
        extra: Rules of the deployment's own, applied with all others.
        strict: Whether only what is known to be harmless is shown; see ``strict``.
        known: Expressions and texts whose words may then be shown too: those of the signature.

    Returns:
        The text with each find replaced by ``[REDACTED:<rule>]``; what only strictness hides by ``…``.
    """
    return redact_with_finds(text, extra, strict=strict, known=known)[0]


def redact_with_finds(
    text: str, extra: Sequence[Rule] = (), *, strict: bool = False, known: Iterable[str] = ()
) -> tuple[str, list[Hidden]]:
    """The same, with what was hidden and where it stood in the text."""
    whole = len(text)
    text = text[:MAX_CHARACTERS]
    shown = whole if whole <= MAX_CHARACTERS else MAX_CHARACTERS - GUARD
    finds = hidden_in(text, extra, strict=strict, known=known)
    cut = f"[CUT:{whole - shown} characters]" if shown < whole else ""
    return masked(text, finds, 0, shown) + cut, [find for find in finds if find.start < shown]


def redact_or_withhold(
    text: str, extra: Sequence[Rule] = (), *, strict: bool = False, known: Iterable[str] = ()
) -> str | None:
    """Hide secrets and personal data, or answer None when that fails: better no text than one not looked at."""
    try:
        return redact(text, extra, strict=strict, known=known)
    except Exception:  # fails closed whatever it is; what it says could quote the text
        return None


def hidden_in(
    text: str, extra: Sequence[Rule] = (), *, strict: bool = False, known: Iterable[str] = ()
) -> list[Hidden]:
    """Find everything that is to be hidden in a text, in order and without overlaps.

    What is hidden in one place is hidden wherever else it stands in the text. Of a longer text only the first
    `MAX_CHARACTERS` are looked at.
    """
    text = text[:MAX_CHARACTERS]
    rules = (*extra, *RULES)
    finds = hidden_by(
        (*rules, Rule("base64", "", (), "", search=base64_with(lambda inner: hidden_by(rules, inner)))), text
    )
    finds = _union([*finds, *_elsewhere(text, finds)])
    if not strict:
        return finds
    return _union([*finds, *(Hidden(*span, STRICT) for span in _strict_spans(text, finds, known))])


def _elsewhere(text: str, finds: list[Hidden]) -> Iterator[Hidden]:
    """What is hidden already, where it stands in the open."""
    told = dict.fromkeys(
        (text[find.start : find.end].strip("\\\"' \t"), find.name)
        for find in finds
        if find.name not in _ONLY_WHERE_FOUND
    )
    for secret, name in list(told)[:MAX_REPEATED]:
        if not _is_telling(secret):
            continue
        position = text.find(secret)
        while position >= 0:
            yield Hidden(position, position + len(secret), name)
            position = text.find(secret, position + len(secret))


_ONLY_WHERE_FOUND: Final = frozenset({"ip-address"})
MAX_REPEATED: Final = 40
"""Different finds of one text that are looked for elsewhere in it; each costs a pass."""
_MIN_REPEATED, _MAX_REPEATED_LENGTH = 6, 512


def _is_telling(secret: str) -> bool:
    """Whether a text says so much that hiding it everywhere takes no ordinary word away."""
    if not _MIN_REPEATED <= len(secret) <= _MAX_REPEATED_LENGTH:
        return False
    if any(map(str.isdigit, secret)):
        return not secret.isdigit() or len(secret) >= _MIN_REPEATED
    return not in_plain_words(secret) and (" " in secret or not secret.islower())


def _strict_spans(text: str, finds: list[Hidden], known: Iterable[str]) -> Iterator[Span]:
    """What strictness hides between the finds of the rules."""
    position = 0
    for find in (*finds, Hidden(len(text), len(text), "")):
        for start, end in strict_spans(text[position : find.start], known):
            yield position + start, position + end
        position = find.end


def hidden_by(rules: Iterable[Rule], text: str) -> list[Hidden]:
    """The same with just these rules."""
    if not text.isascii():
        text = text.translate(_LOOK_ALIKES)
    lowered = text.lower()
    if len(lowered) != len(text):  # a few letters grow when lowered, which would shift every position
        lowered = text.translate(_ASCII_LOWER)
    idle = _idle(lowered)
    return _union(
        [
            Hidden(start, end, rule.name)
            for rule in rules
            if id(rule) not in idle
            for start, end in _spans(rule, text, lowered)
            if end > start
        ]
    )


_END: Final = "\0"
"""Put behind each text as a needle: a search that does not find it has failed."""


_DIGIT: Final = lazy(r"\d")
_TEXTS: Final = count()
FEW_TEXTS: Final = 64
"""Texts of a process in which the needles are looked for one by one; then it is worth compiling them into one set."""


def _idle(lowered: str) -> frozenset[int]:
    """The built-in rules, by identity, that find nothing in a text: it has no digit, or none of their needles."""
    return _without_needles(lowered) | (frozenset() if _DIGIT.search(lowered) else _numeric())


def _without_needles(lowered: str) -> frozenset[int]:
    """Those none of whose needles it holds; none where that could not be searched."""
    if next(_TEXTS) < FEW_TEXTS:
        return _tied() - {id(rule) for rule in RULES if any(needle in lowered for needle in rule.needles)}
    search, owners = _needles()
    found = search.Match(lowered + _END) or ()
    return _tied() - {owners[number] for number in found} if 0 in found else frozenset()


@cache
def _numeric() -> frozenset[int]:
    """The built-in rules all of whose finds have a digit."""
    return frozenset(id(rule) for rule in RULES if rule.numeric)


@cache
def _needles() -> tuple[re2.Set, list[int]]:
    """The needles of all built-in rules, searched for at once (most rules have none in a text), and whose each is."""
    search, owners = re2.Set.SearchSet(re2_options()), [0]
    search.Add(_END)
    for rule in RULES:
        for needle in rule.needles if id(rule) in _tied() else ():
            search.Add(re2.escape(needle))
            owners.append(id(rule))
    search.Compile()
    return search, owners


@cache
def _tied() -> frozenset[int]:
    """The built-in rules that find nothing where none of their needles is; deployments' own rules are not among them."""
    return frozenset(id(rule) for rule in RULES if rule.needles and (rule.gated or not rule.search))


def masked(text: str, hidden: Iterable[Hidden], start: int, end: int) -> str:
    """A part of a text, with a marker for each find that reaches into it."""
    parts: list[str] = []
    position = start
    for find in hidden:
        if find.end <= start:
            continue
        if find.start >= end:
            break
        parts += (text[position : find.start], _marker(find))
        position = find.end
    parts.append(text[position:end])
    return "".join(parts)


def _marker(find: Hidden) -> str:
    return ELLIPSIS if find.name == STRICT else f"[REDACTED:{find.name}]"


def shown_at(place: int, hidden: Iterable[Hidden]) -> int:
    """Where a place of the original text is in the text that is shown; within a find, where its marker begins.

    Args:
        place: A position in the original.
        hidden: Its finds, in order.
    """
    moved = 0
    for find in hidden:
        if find.start >= place:
            break
        if find.end > place:
            return find.start + moved
        moved += len(_marker(find)) - (find.end - find.start)
    return place + moved


def _spans(rule: Rule, text: str, lowered: str) -> Iterator[Span]:
    if rule.search:
        return rule.search(text)
    return _at_needles(rule, text, lowered) if rule.needles else _anywhere(rule, text)


def _at_needles(rule: Rule, text: str, lowered: str) -> Iterator[Span]:
    for needle in [needle for needle in rule.needles if needle in lowered]:
        covered = spent = 0
        position = lowered.find(needle)
        while position >= 0:
            found = re.compile(rule.pattern).match(text, position)
            span = _span(rule, text, found) if found else None
            if found and span:
                # A find inside an earlier one counts too: what looked like a value, from an unclosed quote to the
                # next quote, may hold a key whose value only begins there. That such finds overlap is bounded.
                spent += span[1] - span[0] if position < covered else 0
                if spent > MAX_OVERLAP * len(text):
                    yield position, len(text)
                    break
                yield span
                covered = max(covered, span[1])
                if span[1] == len(text):
                    break
            position = lowered.find(needle, max(position + 1, found.end() if found and span else 0))


def _anywhere(rule: Rule, text: str) -> Iterator[Span]:
    for found in re.compile(rule.pattern).finditer(text):
        span = _span(rule, text, found)
        if span:
            yield span


def _span(rule: Rule, text: str, found: re.Match[str]) -> Span | None:
    if rule.span:
        return rule.span(text, found)
    return found.span("hide") if "hide" in found.re.groupindex else found.span()


def _union(finds: list[Hidden]) -> list[Hidden]:
    """Join finds that overlap or touch; the name is that of the one that begins first, then of the first rule."""
    joined: list[Hidden] = []
    for find in sorted(finds, key=lambda find: find.start):
        if (
            joined
            and find.start <= joined[-1].end
            and not (STRICT in {find.name, joined[-1].name} and find.start == joined[-1].end)
        ):
            joined[-1] = joined[-1]._replace(end=max(joined[-1].end, find.end))
        else:
            joined.append(find)
    return joined
