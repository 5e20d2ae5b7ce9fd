"""What more than an expression is needed to find: passwords in URLs, private keys, cards, addresses.

Each finder takes the text and the match that gave the place away, and answers with what to hide, or None.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from tocsin.core.lazy_expressions import lazy
from tocsin.core.redaction.key_values import Span

_DATABASE: Final = lazy(
    r"(?i)(?:postgres\w*|postgis|psycopg\w*|mysql\w*|mariadb\w*|mssql\w*|sqlserver|oracle\w*|mongodb|rediss?|valkey|"
    r"amqps?|kafka|snowflake|redshift\w*|clickhouse\w*|cockroach\w*|db2|neo4j|bolt|ldaps?|nats|couchbase|cassandra)"
    r"(?:\+[\w.\-]{1,30})?"
)
_SCHEME: Final = lazy(r"(?i)[a-z][a-z0-9+.\-]{0,30}\Z")
_SLASHES: Final = lazy(r":(?:\\{0,8}/){2}")
_ENCODED_COLON: Final = lazy(r"(?i)%(?:25){0,3}3A|:")
_ENDS_URL: Final = lazy(r"""\s|["'`<>](?:[\s,;:)\]}>]|$)|\\{1,16}["']|\\[nrt]""")
_HOST_AND_PORT: Final = lazy(r"[^@:]*(?::\d{1,5})?")
_PLAIN_USER: Final = lazy(r"[a-z][a-z_\-]{0,14}")
_MAX_USERINFO_LENGTH: Final = 600


def userinfo_password(text: str, found: re.Match[str]) -> Span | None:
    """The password before an @ in a URL; passwords hold unescaped @ and / more often than they should.

    In the URL of a database everything up to the last @ is taken for it; elsewhere an @ in the path is left alone.
    """
    at = found.start()
    first = max(0, at - _MAX_USERINFO_LENGTH)
    if text.find("/", first, at) < 0:
        return None
    # A password may itself look like the start of a URL, and a URL may stand in another's query.
    early = [slashes.end() for slashes in islice(_SLASHES.finditer(text, first, at), 2)]
    late = [
        slashes.end()
        for begin in _last_colons(text, first, at)
        if (slashes := _SLASHES.match(text, begin, at))
    ]
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


def encoded_userinfo_password(text: str, found: re.Match[str]) -> Span | None:
    """The same in a percent-encoded URL, encoded once or more often."""
    at = found.start()
    before = text[max(0, at - _MAX_USERINFO_LENGTH) : at].lower()
    found_at = ((before.rfind(slashes), len(slashes)) for slashes in ("%3a%2f%2f", "%253a%252f%252f"))
    begin = max((index + length for index, length in found_at if index >= 0), default=-1)
    userinfo = before[begin:]
    if begin < 0 or _ENDS_URL.search(userinfo):
        return None
    colon = _ENCODED_COLON.search(userinfo)
    return at - len(userinfo) + (colon.end() if colon else 0), at


KEY_END: Final = lazy(r"(?i)- ?END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?[A-Z ]{0,10} ?-{0,5}")


def private_key(text: str, found: re.Match[str]) -> Span | None:
    """A private key from its first line to its last; to the end of the text when it was cut off."""
    end = KEY_END.search(text, found.end())
    return found.start(), end.end() if end else len(text)


def private_key_tail(text: str, found: re.Match[str]) -> Span | None:
    """The last part of a private key whose beginning is missing: the base64 before its last line."""
    start = found.start()
    while start > 0 and text[start - 1] == "-" and found.start() - start < len("-----"):
        start -= 1
    while start > 0 and (text[start - 1].isalnum() or text[start - 1] in "+/=\\ \t\r\n"):
        start -= 1
    return start, found.end()


def rest(text: str, found: re.Match[str]) -> Span | None:
    """Everything from here on."""
    return found.start(), len(text)


def with_what_precedes(
    characters: str, most: int, *, least: int = 0
) -> Callable[[str, re.Match[str]], Span | None]:
    """A find that begins earlier than its telling part: with the characters of the class before it."""
    allowed = re.compile(characters)

    def span(text: str, found: re.Match[str]) -> Span | None:
        start = found.start()
        first = max(0, start - most)
        while start > first and allowed.match(text, start - 1):
            start -= 1
        return (start, found.end()) if found.start() - start >= least else None

    return span


_MAX_BASIC_LENGTH: Final = 1_000


def basic(_text: str, found: re.Match[str]) -> Span | None:
    """``Basic …`` is a credential when it decodes to user:password; "Basic authentication" is not.

    What is longer than any word is hidden undecoded, or ``basic+basic+…`` would be decoded to its end at each of them.
    """
    value = found["hide"].rstrip("=")
    if len(value) > _MAX_BASIC_LENGTH:
        return found.span("hide")
    try:
        decoded = base64.b64decode(value + "=" * (-len(value) % 4))
    except binascii.Error:
        return None
    return found.span("hide") if b":" in decoded else None


ROW_END: Final = lazy(r"""\)(?:\.?\s*(?:\n|$|\\{1,16}[nr"])|\.?" | already | is | conflicts )""")
PARAMETERS_END: Final = lazy(r"""\](?:\s*(?:\n|$|\\{1,16}[nr"'])|\s*\(Background|["'])""")


def until(pattern: re.Pattern[str]) -> Callable[[str, re.Match[str]], Span | None]:
    """What follows, up to where the expression begins; to the end of the text when it is never found."""

    def span(text: str, found: re.Match[str]) -> Span | None:
        end = pattern.search(text, found.end())
        return found.end(), end.start() if end else len(text)

    return span


_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
"""Luhn: a digit doubled, its own digits added up."""


_CARD: Final = lazy(
    r"4(?:\d{12}|\d{15})|(?:5[1-5]|2[2-7]|6[0245679]|5[0678])\d{14}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|35\d{14}"
)
"""Visa, Mastercard and the rest with sixteen digits, American Express, Diners Club, JCB."""


def card(_text: str, found: re.Match[str]) -> Span | None:
    """A payment card's number, whose check digit is right; another number of that length is none."""
    digits = [int(digit) for digit in found[0] if digit.isdecimal()]
    # Numbers of 64 bits have up to 19 digits, and one in ten has the check digit: so brand and length count too.
    if not _CARD.fullmatch("".join(map(str, digits))):
        return None
    total = sum(digits[-1::-2]) + sum(_DOUBLED[digit] for digit in digits[-2::-2])
    return None if total % 10 else found.span()


_IBAN_COUNTRY: Final = lazy(
    "A[DELTZ]|B[AEGHRY]|C[HRYZ]|D[EKO]|E[EGS]|F[IOR]|G[BEILRT]|H[RU]|I[ELQST]|JO|K[WZ]|L[BCITUVY]|M[CDEKRTU]|N[LO]|OM|P[KLST]|QA|"
    "R[OSU]|S[ACEIKMTV]|T[LNR]|UA|V[AG]|XK"
)


def bank_account(_text: str, found: re.Match[str]) -> Span | None:
    """An IBAN: a country that has them, and ISO 7064's remainder of 1."""
    number = found[0].replace(" ", "")
    if not _IBAN_COUNTRY.match(number) or not number.isascii() or len(number) > 34:  # ISO 13616
        return None
    digits = "".join(str(int(character, 36)) for character in number[4:] + number[:4])
    return found.span() if int(digits) % 97 == 1 else None


def quoted_values(_text: str, found: re.Match[str]) -> Span | None:
    """The values of an SQL statement, if they were written into it; placeholders hide nothing."""
    return found.span("hide") if "'" in found["hide"] else None


_INFRASTRUCTURE: Final = tuple(
    ipaddress.ip_network(network)
    for network in """
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.168.0.0/16 224.0.0.0/3
    """.split()
)


def public_address(_text: str, found: re.Match[str]) -> Span | None:
    """Addresses of visitors are personal data; private, loopback and reserved ones are infrastructure."""
    try:
        address = ipaddress.ip_address(found[0])
    except ValueError:
        return None
    return None if any(address in network for network in _INFRASTRUCTURE) else found.span()


def email(text: str, found: re.Match[str]) -> Span | None:
    """From the @ back to where the name begins; ``git@`` is no person."""
    start = found.start()
    if (userinfo_password if text[start] == "@" else encoded_userinfo_password)(text, found):
        return None  # a password before a host
    first = max(0, start - 128)
    if text[start - 1 : start] == '"':  # "john smith"@example.com
        opening = text.rfind('"', first, start - 1)
        return (opening, found.end()) if opening >= 0 and "\n" not in text[opening:start] else None
    while start > first and (text[start - 1].isalnum() or text[start - 1] in "._+-'"):
        start -= 1
    name = text[start : found.start()].strip("'.-")
    return None if name in {"", "git"} else (start, found.end())
