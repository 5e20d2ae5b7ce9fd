r"""Hiding secrets and personal data in log text, before anything else is done with it.

Every rule finds spans in the *original* text; the union of all spans is then replaced, each by
``[REDACTED:<rule>]``. So no rule sees what another left behind, overlapping finds are hidden together, and the
order in the table only decides which name is shown.

Linear time: a rule looks for plain words first (``needles``), and tries its expression only there. A try that
fails looks at a bounded number of characters; one that succeeds is skipped over. Without a needle the
expression itself is bounded.

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

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, NamedTuple

MOST_CHARACTERS: Final = 131_072
"""Longer texts are cut to this first, so that a hostile line of 1 MiB, CloudWatch's largest, costs no more than
a second; what comes after the cut is not looked at and not shown."""

GUARD: Final = 4_096
"""Characters before that cut which are read and never shown: a secret that the cut went through lies in them."""

_EDGE: Final = (
    r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbfv])|(?<=%[0-9A-Fa-f][0-9A-Fa-f])|(?<=\\u00[0-9A-Fa-f][0-9A-Fa-f]))"
)
"""Where a word begins, also after an escape (``\n``), a percent-encoded or a ``\u0026`` character."""

Span = tuple[int, int]


class Rule(NamedTuple):
    """One way to find something to hide.

    Attributes:
        name: What is shown in its place.
        needles: Lower-case words, one of which occurs where the expression is tried; empty to search everywhere.
        pattern: Matched at the needle; compiled when it is first needed, for most never are in a process's life. Group ``hide``, where there is one, is what is hidden, else everything.
        span: Where an expression is not enough: takes the text and the match, answers with what to hide.
    """

    name: str
    needles: tuple[str, ...]
    pattern: str
    span: Callable[[str, re.Match[str]], Span | None] | None = None


def redact(text: str) -> str:
    """Hide secrets and personal data.

    Args:
        text: Any text, of any size; see `MOST_CHARACTERS` for what is cut.

    Returns:
        The text with each find replaced by ``[REDACTED:<rule>]``.
    """
    whole = len(text)
    text = text[:MOST_CHARACTERS]
    spans = _find(text)
    shown = whole if whole <= MOST_CHARACTERS else MOST_CHARACTERS - GUARD
    parts: list[str] = []
    position = 0
    for start, end, name in _union(spans):
        if start >= shown:
            break
        parts += (text[position:start], f"[REDACTED:{name}]")
        position = end
    parts.append(text[position:shown])
    if shown < whole:
        parts.append(f"[CUT:{whole - shown} characters]")
    return "".join(parts)


def redact_or_withhold(text: str) -> str | None:
    """Hide secrets and personal data, or answer None when that fails: better no text than one not looked at."""
    try:
        return redact(text)
    except Exception:  # noqa: BLE001  # fails closed whatever it is; what it says could quote the text
        return None


def _find(text: str) -> list[tuple[int, int, str]]:
    lowered = text.lower()
    if len(lowered) != len(text):  # a few letters grow when lowered, which would shift every position
        lowered = text.translate(_ASCII_LOWER)
    return [
        (start, end, rule.name)
        for rule in RULES
        for start, end in (_at_needles(rule, text, lowered) if rule.needles else _anywhere(rule, text))
        if end > start
    ]


def _at_needles(rule: Rule, text: str, lowered: str) -> Iterator[Span]:
    for needle in rule.needles:
        position = lowered.find(needle)
        while position >= 0:
            found = re.compile(rule.pattern).match(text, position)
            span = _span(rule, text, found) if found else None
            if span:
                yield span
            position = lowered.find(needle, max(position + 1, span[1] if span else 0))


def _anywhere(rule: Rule, text: str) -> Iterator[Span]:
    for found in re.compile(rule.pattern).finditer(text):
        span = _span(rule, text, found)
        if span:
            yield span


def _span(rule: Rule, text: str, found: re.Match[str]) -> Span | None:
    if rule.span:
        return rule.span(text, found)
    return found.span("hide") if "hide" in found.re.groupindex else found.span()


def _union(spans: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Join spans that overlap or touch; the name is that of the one that begins first, then of the first rule."""
    joined: list[tuple[int, int, str]] = []
    for start, end, name in sorted(spans, key=lambda span: span[0]):
        if joined and start <= joined[-1][1]:
            first, last, kept = joined[-1]
            joined[-1] = (first, max(last, end), kept)
        else:
            joined.append((start, end, name))
    return joined


# --- Values of keys -------------------------------------------------------------------------------------------

_INNOCENT: Final = (
    # What may follow a sensitive word in a name and makes it the name of something else: token_type, SecretId,
    # secretsmanager, password_policy, CredentialMate, secret-not-found.
    r"(?!s?[_\-]?(?:managers?|ids?|names?|arns?|versions?|polic(?:y|ies)|types?|expir\w*|ttl|lengths?|len|counts?|"
    r"limits?|usage|budget|reset\w*|rotation|urls?|uris?|endpoints?|paths?|files?|stages?|labels?|regions?|"
    r"providers?|schemes?|fields?|params?|mate|cutter|jar|not|is|was|access[_\-]denied|marked|algorithm|"
    r"iz(?:er|ed|ation|ing|e)\w*)(?![A-Za-z]))"
)
_NOT_OURS: Final = r"(?<!REDACTED:)"  # our own markers are no keys
_QUOTE: Final = r"""(?:\\{0,64}["'`]|%(?:25){0,3}2[27]|&quot;|&\#3[49];)"""
_SEPARATOR: Final = (
    # What stands between a key and its value: the key's closing quote or bracket, then = : := => and their escapes;
    # or the comma of a pair ("authorization", "x"); or {"name": "password", "value": "x"}.
    rf"(?:[\])]{{0,2}}(?P<close>{_QUOTE})?[\])]{{0,2}}[ \t\u00a0]{{0,8}}"
    r"(?P<separator>=>|:=|={1,3}|:|\\u003[dDaA]|%(?:25){0,3}3[dDaA])"
    rf"|{_QUOTE}[ \t\u00a0]{{0,8}},\s{{0,8}}(?:{_QUOTE}value{_QUOTE}\s{{0,4}}:|(?=[bBuUrR]{{0,2}}{_QUOTE})(?!{_QUOTE}[^\"'\n]{{0,80}}{_QUOTE}\s{{0,4}}:)))"
    r"[ \t\u00a0]{0,8}"
)
_WORD_START: Final = (
    r"(?:(?<![A-Za-z])|(?-i:(?<=[a-z])(?=[A-Z]))|(?<=\\[nrtbfv])|(?<=%[0-9A-Fa-f][0-9A-Fa-f])|(?<=&quot;))"
)


def _key(*words: str, whole: bool = False) -> str:
    """A key with one of the words in its name; ``whole`` when the word must not be a part of a longer one."""
    start, end = (_WORD_START, r"(?![A-Za-z])[_\-]?\d{0,3}") if whole else ("", _INNOCENT + r"[\w\-.]{0,40}")
    return rf"(?i:{_NOT_OURS}{start}(?:{'|'.join(words)}){end}){_SEPARATOR}"


_QUOTED: Final = re.compile(r"""[bBuUrRfF]{0,2}(?P<escapes>\\{0,64})(?P<quote>["'`])""")
_CALL: Final = re.compile(r"[A-Za-z_][\w.]{0,60}\(")
_UNQUOTED: Final = re.compile(
    # Up to a blank, except where something else visibly begins: the next parameter of a URL or connection
    # string, or a quote that closes what the whole text stands in.
    r"""(?:(?!&[\w.\-%\[\]]{1,60}=|\\u0026|;\s{0,4}[A-Za-z][\w .\-]{0,40}=|\\{0,16}["'`](?:[\s,;:)\]}>]|$)|</?[a-zA-Z])\S)*+"""
)
_BARE: Final = re.compile(r"[^\s,}\])]*+")  # what JSON and Python write without quotes
_BLOCK: Final = re.compile(r"[|>][+\-\d]{0,2}[ \t]{0,8}\r?\n(?:[ \t]+[^\n]*(?:\n|$)|[ \t]*\n)*+")
_PHRASE: Final = re.compile(
    r"""(?:(?!,(?! ?\d{4})|[;|&\n\r\t"'<>)\]}]|\\[nrt"']|\s{1,4}[\w.\-]{1,40}\s{0,2}[=:]).)*+"""
)
_LINE: Final = re.compile(r"""(?:(?!\\{1,16}[rn]|\\{0,16}["'`](?:[,;:)\]}>\s]|$))[^\r\n])*+""")
_TO_END_OF_LINE: Final = re.compile(r"[^\r\n]*+")
_PARAMETERS: Final = re.compile(r"(?i)[\"'\\]{0,4}(?:digest|oauth|aws4|signature|hawk|mac)[ \-]")
_EMPTY: Final = re.compile(
    r"(?i)(?:none|null|nil|undefined|true|false|nan|\*+|x{3,}|<[a-z _\-]{0,30}>|)[,;.)\]}]*"
)
_PROSE: Final = re.compile(
    # After "password:" in a sentence; as a value, none of them keeps anybody out.
    r"(?i)(?:not|must|is|was|are|has|missing|invalid|expired|required|field|empty|unset|failed|failure|denied|error|"
    r"the|an?|for|from|in|no|unable|cannot|could|should|does|value|str|string|int|bool|secretstr|optional|ok|"
    r"user|unauthorized|forbidden|wrong|incorrect|mismatch|malformed)[,;.:)\]}]*"
)
_NUMBER: Final = re.compile(r"\d{1,9}(?:\.\d+)?(?![\w.\-])")
_OPENING: Final = {"[": "]", "{": "}", "(": ")"}
_BRACKET: Final = re.compile(r"[\[\]{}()]")


def _value(text: str, found: re.Match[str]) -> Span | None:
    """The value that begins where key and separator end; None when it says that there is none."""
    start, groups = found.end(), found.groupdict()
    quoted = _QUOTED.match(text, start)
    if quoted:
        end = _without_closing_quote(text, quoted, _closing_quote(text, quoted))
        return None if _EMPTY.fullmatch(text, quoted.end(), end) else (quoted.end(), end)
    block = _BLOCK.match(text, start)
    if block:
        return start, start + len(block[0].rstrip("\n"))
    call = _CALL.match(text, start)
    if call or text[start : start + 1] in _OPENING:
        end = _closing_bracket(text, call.end() - 1 if call else start)
        return start, end if groups.get("close") else _end(_UNQUOTED, text, end)
    end = _end(_BARE if groups.get("close") in {'"', "'"} else _UNQUOTED, text, start)
    if _EMPTY.fullmatch(text, start, end):
        return None
    if groups.get("separator") in {None, ":"} and _PROSE.fullmatch(text, start, end):
        return None
    return start, end


def _phrase(text: str, found: re.Match[str]) -> Span | None:
    """A value that may hold blanks, such as a name."""
    start = found.end()
    if _QUOTED.match(text, start) or _CALL.match(text, start) or text[start : start + 1] in _OPENING:
        return _value(text, found)
    end = _end(_PHRASE, text, start)
    value = text[start:end].rstrip()
    if _EMPTY.fullmatch(value) or (found["separator"] == ":" and _PROSE.fullmatch(value.partition(" ")[0])):
        return None
    return start, start + len(value)


def _header(text: str, found: re.Match[str]) -> Span | None:
    """The value of a header: the whole line, for a scheme and its token are two words, and cookies are many."""
    start = found.end()
    if _QUOTED.match(text, start) or text[start : start + 1] in _OPENING:
        return _value(text, found)
    end = _end(_TO_END_OF_LINE if _PARAMETERS.match(text, start) else _LINE, text, start)
    first = text[start:end].strip().partition(" ")[0]
    return None if _EMPTY.fullmatch(first) or _PROSE.fullmatch(first) else (start, end)


def _counter_or_value(text: str, found: re.Match[str]) -> Span | None:
    """As `_value`, but numbers are kept: how many tokens a language model read, which signal a process got."""
    return None if _NUMBER.match(text, found.end()) else _value(text, found)


def _path_or_value(text: str, found: re.Match[str]) -> Span | None:
    """As `_value`, but the shell's ``PWD=/var/task`` is a path."""
    return None if text.startswith("/", found.end()) else _value(text, found)


def _credentials(text: str, found: re.Match[str]) -> Span | None:
    """As `_value`, but ``INFO:botocore.credentials:Found`` is a logger's name and what it said."""
    logger = text[found.start() - 1 : found.start()] == "." and text[found.end() - 1] == ":"
    return None if logger else _value(text, found)


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


def _closing_bracket(text: str, start: int) -> int:
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


# --- Other finds that need more than an expression ----------------------------------------------------------------

_DATABASE: Final = re.compile(
    r"(?i)(?:postgres\w*|postgis|psycopg\w*|mysql\w*|mariadb\w*|mssql\w*|sqlserver|oracle\w*|mongodb|rediss?|valkey|"
    r"amqps?|kafka|snowflake|redshift\w*|clickhouse\w*|cockroach\w*|db2|neo4j|bolt|ldaps?|nats|couchbase|cassandra)"
    r"(?:\+[\w.\-]{1,30})?"
)
_SCHEME: Final = re.compile(r"(?i)[a-z][a-z0-9+.\-]{0,30}\Z")
_SLASHES: Final = re.compile(r":(?:\\{0,8}/){2}")
_ENCODED_COLON: Final = re.compile(r"(?i)%(?:25){0,3}3A|:")
_ENDS_URL: Final = re.compile(r"""\s|["'`<>](?:[\s,;:)\]}>]|$)|\\{1,16}["']|\\[nrt]""")
_HOST_AND_PORT: Final = re.compile(r"[^@:]*(?::\d{1,5})?")
_PLAIN_USER: Final = re.compile(r"[a-z][a-z_\-]{0,14}")
_LONGEST_USERINFO: Final = 600


def _userinfo(text: str, found: re.Match[str]) -> Span | None:
    """The password before an @ in a URL; passwords hold unescaped @ and / more often than they should.

    In the URL of a database everything up to the last @ is taken for it; elsewhere an @ in the path is left alone.
    """
    at = found.start()
    first = max(0, at - _LONGEST_USERINFO)
    # A password may itself look like the start of a URL, and a URL may stand in another's query.
    early = [slashes.end() for slashes in islice(_SLASHES.finditer(text, first, at), 2)]
    late = [slashes.end() for begin in _last_colons(text, first, at) if (slashes := _SLASHES.match(text, begin, at))]
    spans = [span for start in dict.fromkeys(early + late) if (span := _userinfo_from(text, start, at))]
    return min(spans, default=None)


def _last_colons(text: str, first: int, at: int) -> Iterator[int]:
    """The last places before an @ where ``://`` or its escaped form could stand."""
    end = at
    for _ in range(3):
        begin = max(text.rfind("://", first, end), text.rfind(":\\", first, end))
        if begin < 0:
            return
        yield begin
        end = begin


def _userinfo_from(text: str, start: int, at: int) -> Span | None:
    """The password between the slashes that end at ``start`` and the @, if that is what it is."""
    colon = text.rfind(":", max(0, start - 20), start)
    scheme = _SCHEME.search(text[max(0, colon - 31) : colon])
    userinfo = text[start:at]
    if not scheme or _ENDS_URL.search(userinfo + "@"):
        return None
    authority = re.split(r"[/?#]", userinfo, maxsplit=1)[0]
    in_path = authority != userinfo and ("@" in authority or _HOST_AND_PORT.fullmatch(authority))
    if in_path and not _DATABASE.fullmatch(scheme[0]):
        return None
    name, separator, secret = userinfo.partition(":")
    if separator:
        return (start + len(name) + 1, at) if secret not in {"", "None", "null"} else None
    return None if _PLAIN_USER.fullmatch(userinfo) else (start, at)


def _encoded_userinfo(text: str, found: re.Match[str]) -> Span | None:
    """The same in a percent-encoded URL, encoded once or more often."""
    at = found.start()
    before = text[max(0, at - _LONGEST_USERINFO) : at].lower()
    found_at = ((before.rfind(slashes), len(slashes)) for slashes in ("%3a%2f%2f", "%253a%252f%252f"))
    begin = max((index + length for index, length in found_at if index >= 0), default=-1)
    userinfo = before[begin:]
    if begin < 0 or _ENDS_URL.search(userinfo):
        return None
    colon = _ENCODED_COLON.search(userinfo)
    return at - len(userinfo) + (colon.end() if colon else 0), at


_KEY_END: Final = re.compile(r"(?i)- ?END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?[A-Z ]{0,10} ?-{0,5}")


def _private_key(text: str, found: re.Match[str]) -> Span | None:
    """A private key from its first line to its last; to the end of the text when it was cut off."""
    end = _KEY_END.search(text, found.end())
    return found.start(), end.end() if end else len(text)


def _private_key_tail(text: str, found: re.Match[str]) -> Span | None:
    """The last part of a private key whose beginning is missing: the base64 before its last line."""
    start = found.start()
    while start > 0 and text[start - 1] == "-" and found.start() - start < len("-----"):
        start -= 1
    while start > 0 and (text[start - 1].isalnum() or text[start - 1] in "+/=\\ \t\r\n"):
        start -= 1
    return start, found.end()


def _rest(text: str, found: re.Match[str]) -> Span | None:
    return found.start(), len(text)


def _with_what_precedes(characters: str, most: int) -> Callable[[str, re.Match[str]], Span | None]:
    """A find that begins earlier than its telling part: with the characters of the class before it."""
    allowed = re.compile(characters)

    def span(text: str, found: re.Match[str]) -> Span | None:
        start = found.start()
        first = max(0, start - most)
        while start > first and allowed.match(text, start - 1):
            start -= 1
        return start, found.end()

    return span


def _basic(_text: str, found: re.Match[str]) -> Span | None:
    """``Basic …`` is a credential when it decodes to user:password; "Basic authentication" is not."""
    value = found["hide"].rstrip("=")
    try:
        decoded = base64.b64decode(value + "=" * (-len(value) % 4))
    except binascii.Error:
        return None
    return found.span("hide") if b":" in decoded else None


_ROW_END: Final = re.compile(r"""\)(?:\.?\s*(?:\n|$|\\{1,16}[nr"])|\.?" | already | is | conflicts )""")
_PARAMETERS_END: Final = re.compile(r"""\](?:\s*(?:\n|$|\\{1,16}[nr"'])|\s*\(Background|["'])""")


def _until(pattern: re.Pattern[str]) -> Callable[[str, re.Match[str]], Span | None]:
    """What follows, up to where the expression begins; to the end of the text when it is never found."""

    def span(text: str, found: re.Match[str]) -> Span | None:
        end = pattern.search(text, found.end())
        return found.end(), end.start() if end else len(text)

    return span


_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
"""Luhn: a digit doubled, its own digits added up."""


def _card(_text: str, found: re.Match[str]) -> Span | None:
    digits = [int(digit) for digit in found[0] if digit.isdecimal()]
    total = sum(digits[-1::-2]) + sum(_DOUBLED[digit] for digit in digits[-2::-2])
    return None if total % 10 else found.span()


_INFRASTRUCTURE: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.168.0.0/16", "224.0.0.0/3",
    )
)  # fmt: skip


def _public_address(_text: str, found: re.Match[str]) -> Span | None:
    """Addresses of visitors are personal data; private, loopback and reserved ones are infrastructure."""
    try:
        address = ipaddress.ip_address(found[0])
    except ValueError:
        return None
    return None if any(address in network for network in _INFRASTRUCTURE) else found.span()


def _email(text: str, found: re.Match[str]) -> Span | None:
    """From the @ back to where the name begins; ``git@`` is no person."""
    start = found.start()
    if (_userinfo if text[start] == "@" else _encoded_userinfo)(text, found):
        return None  # a password before a host
    first = max(0, start - 128)
    while start > first and (text[start - 1].isalnum() or text[start - 1] in "._+-'"):
        start -= 1
    name = text[start : found.start()].strip("'.-")
    return None if name in {"", "git"} else (start, found.end())


# --- The table ------------------------------------------------------------------------------------------------

_ASCII_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}

_SECRET_WORDS: Final = (
    "password", "passwd", "passwort", "passphrase", "passcode", "mysql_pwd", "client_assertion",
    r"(?<![\d*]:)secret",  # not the :secret: of an ARN
    "api_key", "api key", "access_key", "access key", "account_key", "private_key", "private key",
    "signing_key", "encryption_key", "master_key", "service_key", "auth_key", "sas_key", "app_key",
    "application_key", "subscription_key", "functions_key", "ssh_key", "consumer_key", "hmac_key", "storage_key",
    "connection_string", "connection string", "conn_str", "webhook_url", "csrf", "xsrf",
)  # fmt: skip
_WHOLE_WORDS: Final = (
    "pass", "pw", "auth", "x_auth", "session", "session_id", "session_key", "phpsessid", "jsessionid",
    "connect.sid", "sid", "dsn", "otp", "totp", "mfa_code", "pin", "cvv", "cvc", "security_code", "jwt", "bearer",
    "creds", "salt", "ssn", "social_security_number", "social_security", "mrn", "medical_record_number", "npi",
    "npi_number", "dea", "dea_number", "license_number", "licence_number", "member_id", "insurance_id",
    "policy_number", "passport", "passport_number", "tax_id", "ein", "itin", "account_number", "routing_number",
    "iban", "card_number", "credit_card", "fax", "email", "e_mail", "email_address", "x_forwarded_for",
    "x_real_ip", "remote_addr", "client_ip",
)  # fmt: skip
_PHRASE_WORDS: Final = (
    "first_name", "last_name", "full_name", "middle_name", "maiden_name", "surname", "given_name", "family_name",
    "home_address", "street_address", "mailing_address", "patient_name", "patient_id", "patient", "provider_name",
    "doctor_name", "physician_name", "emergency_contact", "dob", "date_of_birth", "birth_date", "birthdate",
    "diagnosis", "phone", "phone_number", "mobile_number",
)  # fmt: skip
_HEADER_WORDS: Final = ("authorization", "cookie", "x-amz-security-token", "x-api-key")
_QUERY_WORDS: Final = (
    "x_amz_signature", "x_amz_credential", "x_amz_security_token", "x_goog_signature", "x_goog_credential",
    "signature", "sig", "awsaccesskeyid", "key_pair_id", "policy", "code", "auth", "hmac", "hdnea", "ticket",
)  # fmt: skip


def _spellings(words: tuple[str, ...]) -> tuple[str, ...]:
    """The needles for names whose parts may be joined by _ or - or nothing."""
    plain = (word.rpartition(")")[2] for word in words)
    return tuple(
        sorted(
            {spelled for word in plain for spelled in (word, word.replace("_", "-"), word.replace("_", ""))}
        )
    )


def _alternatives(words: tuple[str, ...]) -> list[str]:
    """The expressions for the same names, longest first."""
    return [word.replace(".", r"\.").replace("_", r"[_\-]?") for word in sorted(words, key=len, reverse=True)]


def _secret(name: str, needles: str, pattern: str) -> Rule:
    """A rule for a credential that shows by its first characters."""
    return Rule(name, tuple(needles.split()), pattern)


_PATH: Final = r"""[^\s"'<>`|]+"""
_BASE64URL: Final = r"[A-Za-z0-9_\-]"

RULES: Final[tuple[Rule, ...]] = (
    # Private keys: with real line breaks or escaped ones, cut off at the end or the beginning; PuTTY's own form.
    Rule("private-key", ("begin ",),
         (r"(?i)BEGIN (?:[A-Z0-9]{1,12} ){0,4}PRIVATE KEY(?: BLOCK)?"), _private_key),
    Rule("private-key", ("-end ", "- end "), _KEY_END.pattern, _private_key_tail),
    Rule("private-key", ("private-lines:",), (r"(?i)private-lines:"), _rest),
    _secret("private-key", "age-secret-key-", r"(?i)AGE-SECRET-KEY-[A-Z0-9]{20,}"),

    # Headers.
    Rule("header", _HEADER_WORDS,
         (rf"(?i:{_NOT_OURS}(?:{'|'.join(_HEADER_WORDS)})(?:2|s|[_\-]header|[_\-]value)?){_SEPARATOR}"), _header),
    _secret("bearer", "bearer",
            r"(?i:bearer)(?:\s|%20|\+){1,4}(?:\\{0,16}[\"'])?(?P<hide>(?=[a-z]{0,200}[A-Z0-9_=])[A-Za-z0-9._~+/=%\-]{12,})"),
    Rule("basic", ("basic",), (r"(?i:basic)(?:\s|%20|\+){1,4}(?P<hide>[A-Za-z0-9+/]{4,}={0,2})"), _basic),

    # Credentials that show by their form, wherever they stand. A word's edge is asked for only where the prefix is
    # too short to be telling by itself.
    # With the access key's id also a secret key that follows it within a line.
    _secret("aws-key", "akia asia abia acca",
            r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}"
            r"(?:[^\n]{0,80}?(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=]))?"),
    _secret("aws-session-token", "fwog fqog iqoj", r"(?:FwoG|FQoG|IQoJ)[A-Za-z0-9/+=%_\-]{40,}"),
    _secret("aws-bedrock-key", "absk bedrock-api-key-", r"(?:ABSK|bedrock-api-key-)[A-Za-z0-9+/=%]{30,}"),
    _secret("slack-webhook", "hooks.slack",
            rf"(?i)hooks\.slack(?:-gov)?\.com(?::\d{{1,5}})?(?P<hide>(?:\\{{0,8}}/|%(?:25){{0,3}}2F){_PATH})"),
    _secret("slack-token", "xox xapp-", r"(?:xox[a-zA-Z]|xapp)(?:\.xox[a-z])?-[A-Za-z0-9\-]{6,}"),
    _secret("webhook", "/api/webhooks/ .office.com/webhook", rf"(?i)(?:/api/webhooks/|\.office\.com/webhook){_PATH}"),
    _secret("github-token", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", r"(?:gh[pousr]_|github_pat_)\w{16,}"),
    _secret("gitlab-token", "glpat- glptt- gldt- glrt- glcbt- glft- glimt- glagent- glsoat- glffct- gloas-",
            r"gl(?:pat|ptt|dt|rt|cbt|ft|imt|agent|soat|ffct|oas)-[A-Za-z0-9_\-.]{10,}"),
    _secret("stripe-key", "sk_ rk_ pk_ whsec_", r"(?:[srp]k_(?:live|test|prod)_|whsec_)[A-Za-z0-9+/=]{8,}"),
    _secret("anthropic-key", "sk-ant-", rf"sk-ant-{_BASE64URL}{{10,}}"),
    _secret("openai-key", "sk-",
            rf"sk-(?:proj|svcacct|admin|service|or)-{_BASE64URL}{{16,}}|{_EDGE}sk-[A-Za-z0-9]{{20,}}"),
    _secret("google-key", "aiza gocspx- ya29.",
            rf"AIza{_BASE64URL}{{30,}}|GOCSPX-{_BASE64URL}{{16,}}|ya29\.[A-Za-z0-9_\-.]{{16,}}"),
    _secret("sendgrid-key", "sg.", rf"SG\.{_BASE64URL}{{16,}}(?:\.{_BASE64URL}*)?"),
    _secret("twilio-key", "sk", r"SK[0-9a-f]{32}"),
    _secret("mailgun-key", "key-", r"key-[0-9a-f]{32}"),
    _secret("npm-token", "npm_", r"npm_[A-Za-z0-9]{30,}"),
    _secret("pypi-token", "pypi-", rf"pypi-{_BASE64URL}{{40,}}"),
    Rule("azure-secret", ("q~",), (r"Q~[A-Za-z0-9_~.\-]{31,}"), _with_what_precedes(r"[A-Za-z0-9_~.]", 4)),
    _secret("digitalocean-token", "dop_v1_ doo_v1_ dor_v1_", r"do[por]_v1_[0-9a-f]{32,}"),
    _secret("huggingface-token", "hf_ api_org_", r"(?:hf_|api_org_)[A-Za-z0-9]{20,}"),
    _secret("databricks-token", "dapi", r"dapi[0-9a-f]{32}(?:-\d)?"),
    _secret("shopify-token", "shpat_ shpca_ shppa_ shpss_", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{16,}"),
    _secret("square-token", "sq0 eaaa", rf"sq0[a-z]{{3}}-{_BASE64URL}{{20,}}|EAAA{_BASE64URL}{{50,}}"),
    _secret("atlassian-token", "atatt3 atctt3", r"AT[AC]TT3[A-Za-z0-9_\-=]{50,}"),
    _secret("vault-token", "hvs. hvb. hvr.", rf"hv[sbr]\.{_BASE64URL}{{20,}}"),
    _secret("monitoring-key", "nrak- glsa_ glc_ pmak- lin_api_ dp.pt. dp.st.",
            r"NRAK-[A-Z0-9]{20,}|gl(?:sa|c)_[A-Za-z0-9_+/=]{20,}|PMAK-[A-Za-z0-9\-]{20,}|lin_api_[A-Za-z0-9]{20,}|"
            r"dp\.[ps]t\.[A-Za-z0-9.]{20,}"),
    Rule("telegram-token", (":aa",), (rf":AA{_BASE64URL}{{32,}}"), _with_what_precedes(r"\d", 12)),
    # Any base64 of a JSON object; with a digit early on, so that the name KeyJsonSomething is not one.
    _secret("jwt", "eyj",
            r"eyJ(?=[A-Za-z_\-+/=%]{0,80}\d|[A-Za-z0-9_\-]{8,400}\.ey)[A-Za-z0-9_\-+/=%]{12,}(?:\.[A-Za-z0-9_\-+/=%]*){0,4}"),

    # Passwords in URLs, plain, with escaped slashes, percent-encoded; Oracle's thin form; curl's -u.
    Rule("url-password", ("@",), "@", _userinfo),
    Rule("url-password", ("%40", "%2540"), "%(?:25)?40", _encoded_userinfo),
    _secret("url-password", "oracle:", r"(?i)oracle:[a-z0-9]{1,10}:[^\s/@\"']{1,64}/(?P<hide>[^\s\"']{1,256})@"),
    _secret("url-password", "-u --user --proxy-user",
            r"(?:-u|--user|--proxy-user)[ =](?:\\{0,16}[\"'])?[\w.@\-]{1,64}:(?P<hide>[^\s\"']+)"),

    # Values of keys, of options, of XML elements, and of what stands in for a key.
    Rule("credential", _spellings(_SECRET_WORDS), _key(*_alternatives(_SECRET_WORDS)), _value),
    Rule("credential", ("credential",), _key("credentials?"), _credentials),
    Rule("credential", ("token", "sig"), _key(r"(?<!nexpected )tokens?", r"(?<![a-z])sig(?![a-z])"), _counter_or_value),
    Rule("credential", ("pwd",), _key("pwd", "oldpwd", whole=True), _path_or_value),
    Rule("sensitive", _spellings(_WHOLE_WORDS), _key(*_alternatives(_WHOLE_WORDS), whole=True), _value),
    Rule("personal", _spellings(_PHRASE_WORDS), _key(*_alternatives(_PHRASE_WORDS), whole=True), _phrase),
    Rule("credential", ("--",),
         (r"(?i)--[\w\-]{0,30}(?:password|passwd|secret|token|api-?key|passphrase)"
                    r"(?![\w\-]{0,20}(?:file|path|name|stdin|url|type))[\w\-]{0,20}[ \t]{1,4}(?!-)"), _value),
    Rule("credential", ("password", "passwd", "identified by"),
         (r"""(?i)(?:password|passwd|identified by)(?:\s{1,4}|\s{0,4}\(\s{0,4})(?=\\{0,64}["'][^\s,;:)\]}])"""), _value),
    _secret("credential", "<",
            rf"(?i)<(?:[\w:.\-]{{0,40}}?(?:{'|'.join(_alternatives(_SECRET_WORDS))}|credentials?|token){_INNOCENT}[\w:.\-]{{0,40}}|"
            rf"(?:[\w\-]{{1,20}}[:_])?(?:{'|'.join(_alternatives((*_WHOLE_WORDS, *_PHRASE_WORDS, 'pwd')))}))"
            r"(?:\s[^<>]{0,200})?>(?P<hide>[^<]+)"),
    # Parameters that only in a URL mean a secret.
    _secret("query", "? & %26 %3f \\u0026",
            rf"(?i)(?:[?&]|%(?:25){{0,3}}(?:26|3F)|\\u0026)(?:amp;)?(?:{'|'.join(_alternatives(_QUERY_WORDS))})"
            r"(?:=|%(?:25){0,3}3D)(?P<hide>(?:(?!%(?:25){0,3}26|\\u0026)[^\s&\"'<>`;]){6,})"),

    # What databases quote: the parameters of a statement, the values of a row or key.
    Rule("sql-values", ("[parameters: ",), (r"(?i)\[parameters: "), _until(_PARAMETERS_END)),
    Rule("sql-values", ("failing row contains",), (r"(?i)failing row contains \("), _until(_ROW_END)),
    Rule("sql-values", ("key (",), (r"(?i)key \([^=\n]{1,300}\)=\("), _until(_ROW_END)),
    _secret("sql-values", "duplicate entry", r"(?i)duplicate entry '(?P<hide>(?:[^'\n]|'(?! for key)){1,})"),

    # Personal data that shows by its form. lodash@4.17.21 is a version, no address.
    Rule("email", ("@", "%40", "%2540", "\\u0040"),
         (r"(?i)(?:@|%(?:25){0,3}40|\\u0040)(?!\d{1,5}\.\d)(?:[^\W_]|-){1,63}(?:\.(?:[^\W_]|-){1,63}){0,8}"
                    r"\.[^\W\d_]{2,24}"), _email),
    Rule("card", (),
         (rf"{_EDGE}(?<![\d.])(?<!\d-)(?:[3-6]\d{{12,18}}|[3-6]\d{{3}}([ \-])\d{{4}}\1\d{{4}}\1\d{{1,7}}|"
                    r"3[47]\d\d[ \-]\d{6}[ \-]\d{5}|2[2-7]\d\d([ \-]?)\d{4}\2\d{4}\2\d{4})(?![\dA-Za-z]|[.\-]\d)"), _card),
    Rule("ssn", (), (r"(?<![\d\-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d\-])")),
    Rule("phone", (),
         (r"(?<![\w.+\-])(?:\+(?=[1-9](?:[ .\-()]{0,2}\d){7,14}(?!\d))\d{1,3}[ .\-]?(?:\(\d{1,4}\)[ .\-]?)?\d{1,4}"
                    r"(?:[ .\-]?\d{2,4}){1,4}|(?:1[ .\-])?\(\d{3}\)[ .\-]?\d{3}[ .\-]\d{4}|(?:1[.\-])?\d{3}-\d{3}-\d{4}|"
                    r"\d{3}\.\d{3}\.\d{4})(?![\w\-]|\.\d)")),
    Rule("ip-address", (),
         (r"(?<![\w./\-])(?<!==)(?<!ersion )(?<!ersion=)(?<!ersion: )(?:\d{1,3}\.){3}\d{1,3}(?![\w\-]|\.\d)"),
         _public_address),
    Rule("ip-address", (),
         (r"(?<![\w:.])[23][0-9a-fA-F]{3}:(?:[0-9a-fA-F]{1,4}:){6}[0-9a-fA-F]{1,4}(?![\w:])|"
                    r"(?<![\w:.])[23][0-9a-fA-F]{3}(?::[0-9a-fA-F]{1,4}){0,5}::(?:[0-9a-fA-F]{1,4}:){0,5}(?:[0-9a-fA-F]{1,4})?(?![\w:])"),
         _public_address),
)  # fmt: skip
"""In order of precedence for the name; every rule is always applied."""
