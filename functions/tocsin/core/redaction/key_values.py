r"""Values of keys: where the value of ``password=``, ``"token":`` or ``Authorization:`` begins and ends.

Written down in every way that logs have: logfmt, JSON and JSON within JSON, YAML, reprs, pairs, headers, URLs, percent-encoded.
Each finder takes the text and the match of key and separator, and answers with what to hide, or None where the value says
that there is none. Unquoted values are hidden rather too far than too short.
"""

from __future__ import annotations

import re
from typing import Final

from tocsin.core.lazy_expressions import lazy

Span = tuple[int, int]
"""Where something begins and ends in a text."""

INNOCENT: Final = (
    # What may follow a sensitive word in a name and makes it the name of something else: token_type, SecretId,
    # secretsmanager, password_policy, CredentialMate, secret-not-found.
    r"(?!s?[_\-]?(?:managers?|ids?|names?|arns?|versions?|polic(?:y|ies)|types?|expir\w{0,40}|ttl|lengths?|len|counts?|"
    r"limits?|usage|budget|reset\w{0,40}|rotation|urls?|uris?|endpoints?|paths?|files?|stages?|labels?|regions?|"
    r"providers?|schemes?|fields?|params?|mate|cutter|jar|not|is|was|access[_\-]denied|marked|algorithm|errors?|exceptions?|"
    r"iz(?:er|ed|ation|ing|e)\w{0,40})(?![A-Za-z]))"
)
NOT_OURS: Final = r"(?<!REDACTED:)"  # our own markers are no keys
_QUOTE: Final = r"""(?:\\{0,64}["'`]|%(?:25){0,3}2[27]|&quot;|&\#3[49];|\\{1,16}u002[27])"""
SEPARATOR: Final = (
    # What stands between a key and its value: the key's closing quote or bracket, then = : := => and their escapes;
    # or the comma of a pair ("authorization", "x"); or {"name": "password", "value": "x"}.
    rf"(?:[\])]{{0,2}}(?P<close>{_QUOTE})?[\])]{{0,2}}[ \t\u00a0]{{0,8}}"
    r"(?P<separator>=>|:=|={1,3}|:|\\u003[dDaA]|%(?:25){0,3}3[dDaA])"
    rf"|{_QUOTE}[ \t\u00a0]{{0,8}},\s{{0,8}}(?:{_QUOTE}[Vv]alue{_QUOTE}\s{{0,4}}:|(?=[bBuUrR]{{0,2}}{_QUOTE})(?!(?P<pair>\\{{0,64}}[\"'])[^\"'\\\n]{{0,80}}(?P=pair)\s{{0,4}}:)))"
    r"[ \t\u00a0]{0,8}"
)
_WORD_START: Final = (
    r"(?:(?<![A-Za-z])|(?-i:(?<=[a-z])(?=[A-Z]))|(?<=\\[nrtbfv])|(?<=%[0-9A-Fa-f][0-9A-Fa-f])|(?<=&quot;))"
)


def key(*words: str, whole: bool = False) -> str:
    """A key with one of the words in its name; ``whole`` when the word must not be a part of a longer one."""
    start, end = (_WORD_START, r"(?![A-Za-z])[_\-]?\d{0,3}") if whole else ("", INNOCENT + r"[\w\-.]{0,40}")
    return rf"(?i:{NOT_OURS}{start}(?:{'|'.join(words)}){end}){SEPARATOR}"


_QUOTED: Final = lazy(r"""[bBuUrRfF]{0,2}(?P<escapes>\\{0,64})(?P<quote>["'`])""")
_CALL: Final = lazy(r"[A-Za-z_][\w.]{0,60}\(")
_UNQUOTED: Final = lazy(
    # Up to a blank, except where something else visibly begins: the next parameter of a URL or connection
    # string, or a quote that closes what the whole text stands in.
    r"""(?:(?!&[\w.\-%\[\]]{1,60}=|\\u0026|;\s{0,4}[A-Za-z][\w .\-]{0,40}=|\\{0,16}["'`](?:[\s,;:)\]}>]|$)|</?[a-zA-Z])\S)*+"""
)
_BARE: Final = lazy(r"[^\s,}\])]*+")  # what JSON and Python write without quotes
_BLOCK: Final = lazy(r"[|>][+\-\d]{0,2}[ \t]{0,8}\r?\n(?:[ \t]+[^\n]*(?:\n|$)|(?!\n{40})\n)*+")
_ESCAPED_BLOCK: Final = lazy(
    r"""[|>][+\-\d]{0,2}[ \t]{0,8}(?:\\{1,16}r)?(?:\\{1,16}n[ \t]+(?:(?!\\{1,16}[rn]|\\{0,16}["'])[^\n])*+)++"""
)
_PHRASE: Final = lazy(
    # What is read must be hidden, or the next key would read it again; so it ends where many blanks begin.
    r"""(?:(?!,(?! ?\d{4}| [A-Z][a-z]{1,30}[ \t]{0,4}(?:[|;,\n]|\Z))|[;|&\n\r\t"'<>)\]}]|\\[nrt"']|\s{1,4}[\w.\-]{1,40}\s{0,2}[=:]|\s{40}).)*+"""
)
_LINE: Final = lazy(r"""(?:(?!\\{1,16}[rn]|\\{0,16}["'`](?:[,;:)\]}>\s]|$))[^\r\n])*+""")
_TO_END_OF_LINE: Final = lazy(r"[^\r\n]*+")
_PARAMETERS: Final = lazy(r"(?i)[\"'\\]{0,4}(?:digest|oauth|aws4|signature|hawk|mac)[ \-]")
_EMPTY: Final = lazy(
    # Yes and no: MySQL's "(using password: YES)".
    r"(?i)(?:\$\d{1,3}|\?|%s|none|null|nil|undefined|true|false|yes|no|nan|\*+|x{3,}|<[a-z _\-]{0,30}>|)[,;.)\]}\"']*"
)
_PROSE: Final = lazy(
    # After "password:" in a sentence; as a value, none of them keeps anybody out.
    r"(?i)(?:not|must|is|was|are|has|missing|invalid|expired|required|field|empty|unset|failed|failure|denied|error|"
    r"the|an?|for|from|in|no|unable|cannot|could|should|does|value|str|string|int|bool|secretstr|optional|ok|"
    r"user|authentication|unauthorized|forbidden|wrong|incorrect|mismatch|malformed)[,;.:)\]}]*"
)
_NUMBER: Final = lazy(r"\d{1,9}(?:\.\d+)?(?![\w.\-+=~!@$^*]|//)")
_BLANKS: Final = lazy(r"[^\S\r\n]*+")
_MAX_WORD_LENGTH: Final = 64
"""Characters of a value that are read to see whether it is prose; a longer word is none."""
_OPENING: Final = {"[": "]", "{": "}", "(": ")"}
_BRACKET: Final = lazy(r"[\[\]{}()]")


def value(text: str, found: re.Match[str]) -> Span | None:
    """The value that begins where key and separator end; None when it says that there is none."""
    start, groups = found.end(), found.groupdict()
    quoted = _QUOTED.match(text, start)
    if quoted:
        end = _without_closing_quote(text, quoted, _closing_quote(text, quoted))
        return None if _EMPTY.fullmatch(text, quoted.end(), end) else (quoted.end(), end)
    block = _BLOCK.match(text, start)
    if block:
        return start, start + len(block[0].rstrip("\n"))
    block = _ESCAPED_BLOCK.match(text, start)
    if block:
        return block.span()
    call = _CALL.match(text, start)
    if call or text[start : start + 1] in _OPENING:
        end = closing_bracket(text, call.end() - 1 if call else start)
        return start, end if groups.get("close") else _end(_UNQUOTED, text, end)
    end = _end(_BARE if groups.get("close") in {'"', "'"} else _UNQUOTED, text, start)
    if _EMPTY.fullmatch(text, start, end):
        return None
    if groups.get("separator") in {None, ":"} and _PROSE.fullmatch(text, start, end):
        return None
    return start, end


def phrase(text: str, found: re.Match[str]) -> Span | None:
    """A value that may hold blanks, such as a name."""
    start = found.end()
    if _QUOTED.match(text, start) or _CALL.match(text, start) or text[start : start + 1] in _OPENING:
        return value(text, found)
    # The first word comes first: a sentence read to its end at each of its keys would cost the square of its length.
    if found["separator"] == ":" and _PROSE.fullmatch(_first_word(_PHRASE, text, start)):
        return None
    words = text[start : _end(_PHRASE, text, start)].rstrip()
    if _EMPTY.fullmatch(words):
        return None
    return start, start + len(words)


def header(text: str, found: re.Match[str]) -> Span | None:
    """The value of a header: the whole line, for a scheme and its token are two words, and cookies are many."""
    start = found.end()
    if _QUOTED.match(text, start) or text[start : start + 1] in _OPENING:
        return value(text, found)
    line = _TO_END_OF_LINE if _PARAMETERS.match(text, start) else _LINE
    first = _first_word(line, text, _end(_BLANKS, text, start))
    return None if _EMPTY.fullmatch(first) or _PROSE.fullmatch(first) else (start, _end(line, text, start))


def counter_or_value(text: str, found: re.Match[str]) -> Span | None:
    """As `value`, but numbers are kept: how many tokens a language model read, which signal a process got."""
    return None if _NUMBER.match(text, found.end()) else value(text, found)


def path_or_value(text: str, found: re.Match[str]) -> Span | None:
    """As `value`, but the shell's ``PWD=/var/task`` is a path."""
    return None if text.startswith("/", found.end()) else value(text, found)


def credentials(text: str, found: re.Match[str]) -> Span | None:
    """As `value`, but ``INFO:botocore.credentials:Found`` is a logger's name and what it said."""
    logger = text[found.start() - 1 : found.start()] == "." and found["separator"] == ":"
    return None if logger else value(text, found)


def _first_word(pattern: re.Pattern[str], text: str, start: int) -> str:
    """The first word of a value, up to a blank; one that is too long to be prose with a mark that says so."""
    found = pattern.match(text, start, start + _MAX_WORD_LENGTH)
    word = found[0].rstrip().partition(" ")[0] if found else ""
    return word if len(word) < _MAX_WORD_LENGTH else word + "…"


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    return found.end() if found else start


def _closing_quote(text: str, quoted: re.Match[str]) -> int:
    r"""Where the quoted value ends, closing quote included; the end of the text when it is not closed.

    In JSON within JSON the quotes are escaped, ``\"``, and quotes inside the value more so: on the level of k
    backslashes, a quote closes when the backslashes before it are k plus a multiple of 2(k+1), or fewer than k.
    """
    quote, level = quoted["quote"], len(quoted["escapes"])
    position = text.find(quote, quoted.end())
    while position >= 0:
        run = position
        while run > quoted.end() and text[run - 1] == "\\":
            run -= 1
        backslashes = position - run
        if backslashes < level or backslashes % (2 * (level + 1)) == level:
            doubled = text[position + 1 : position + 2] == quote and position > quoted.end()  # SQL's 'it''s'
            if not doubled:
                return position + 1
            position += 1
        position = text.find(quote, position + 1)
    return len(text)


def _without_closing_quote(text: str, quoted: re.Match[str], end: int) -> int:
    closing = quoted["escapes"] + quoted["quote"]
    if end - len(closing) >= quoted.end() and text.endswith(closing, quoted.end(), end):
        return end - len(closing)
    return end - 1 if text.endswith(quoted["quote"], quoted.end(), end) else end


def closing_bracket(text: str, start: int) -> int:
    """Where a bracketed value ends; the end of the text when it is not closed. Quotes are not looked at."""
    closers: list[str] = []
    waiting = dict.fromkeys(_OPENING.values(), 0)
    for found in _BRACKET.finditer(text, start):
        bracket = found[0]
        if bracket in _OPENING:
            closers.append(_OPENING[bracket])
            waiting[closers[-1]] += 1
        elif waiting[bracket]:
            closed = ""
            while closed != bracket:
                closed = closers.pop()
                waiting[closed] -= 1
            if not closers:
                return found.end()
    return len(text)
