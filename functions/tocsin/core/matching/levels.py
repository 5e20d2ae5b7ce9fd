"""The level that a line states, in text or in JSON, in the spellings and on the scales of the loggers in use."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import count

import re2

from tocsin.core.lazy_expressions import lazy_re2
from tocsin.core.matching.line_header import MOST, without_first_piece
from tocsin.core.model import Level

MAX_SYSLOG_PRIORITY = 191
"""The largest priority there is: facility 23, severity 7."""
MAX_LEVEL_DIGITS = 6
"""Digits of a level that is a number; more are an id."""
MAX_PREFIX_LENGTH = 240
"""Characters of a line within which a level is looked for."""

LEVEL_KEYS = tuple(
    """
    level log_level levelname severity loglevel logLevel LogLevel lvl log.level @level @l severity_text
    severityText SeverityText Level levelno level_name levelName Severity priority PRIORITY level_value
    LEVEL L lev loglevelname severity_level severityLevel
    """.split()
)
_LEVEL_WORDS = {
    Level.TRACE: "trace verbose vrb silly finest trac",
    Level.DEBUG: "debug dbg dbug fine debu d",
    Level.INFO: "info inf information informational notice log success hint deprecated i",
    Level.WARNING: "warn warning wrn w",
    Level.ERROR: "error err fail severe eror erro recoverable e failure failed exception",
    Level.CRITICAL: "critical crit fatal ftl panic alert emerg emergency dpanic fata pani parse f",
}
_WORDS = {word: level for level, words in _LEVEL_WORDS.items() for word in words.split()}
_LETTERS = {
    "I": Level.INFO,
    "W": Level.WARNING,
    "E": Level.ERROR,
    "F": Level.CRITICAL,
    "D": Level.DEBUG,
    "V": Level.TRACE,
    "C": Level.CRITICAL,
    "N": Level.INFO,
}
_UPPER = (
    "TRACE|VERBOSE|DEBUG|DBG|INFO|INF|INFORMATION|NOTICE|LOG|HINT|SUCCESS|WARN|WARNING|WRN|ERROR|ERR|CRITICAL|CRIT|FATAL|FTL|"
    "SEVERE|PANIC|EMERG|ALERT"
)
_NODE = (
    r"(?:\d{4}-\d\d-\d\dT[\d:.]+Z\s+(?:[0-9a-f]{8}-[0-9a-f-]{27}|undefined)\s+INFO|(?:\[[^\]\n]{1,60}\] )?\[LOG\])"
    r"\s+(?:(?:[Cc]aught )?(?:an? )?(?:[Ee]rr|[Ee]rror|e|ex|[Ee]xception|[Cc]aught|[Cc]atch):? )?[\[{(]{0,2} ?"
)
"""What Node logs by ``console.log``, which Lambda heads with INFO and others with LOG, up to what it says itself."""
_PREFIXES = (
    # 2026-…Z\t8c1-…\tINFO\t[ERROR] …, …\tINFO\tTypeError: … (Lambda's Node heads all that console.log writes with INFO)
    rf"^{_NODE}(ERROR|CRITICAL|FATAL)[\])]?(?::| -|\]) ?\w",
    rf"^{_NODE}(?i:(error)): +[A-Za-z'\"][^\s:]*(?: +|:\s*)\S",
    rf"^{_NODE}(?:[A-Za-z]\w*\.)*[A-Z]\w*(Error|Exception)(?: \[\w+\])?: [^\s\[{{]",
    rf"^{_NODE}(?i:(error)) (?:in|on|at|from|while|during|when|\w+ing)\b[^\n{{]{{0,120}}[{{(]? ?(?:[A-Za-z]\w*\.)*[A-Z]\w*(?:Error|Exception)(?: \[\w+\])?: [^\s\[{{]",
    # [root - ERROR - 2026-…] …
    rf"^\[[\w.-]{{1,60}} - ({_UPPER}) - \d",
    # 2026-01-01 12:00:00,000:ERROR:app:…, 12:00:00.000-ERROR-app …
    rf"^\W{{0,2}}\d[\d:.,/ TZ+-]{{5,40}}[:;-] ?({_UPPER})[:;-]",
    # NOTICE: PHP message: PHP Fatal error:  … (php-fpm passes on what its children say)
    r"^(?:\S+\s+\|\s+)?(?:\[[^\]\n]{8,40}\] )?(?:NOTICE|WARNING): PHP message: PHP (Fatal|Parse|Recoverable|Warning|Notice|Deprecated)\b",
    r"^(?:\S+\s+\|\s+)?(?:\[[^\]\n]{8,40}\] )?(?:NOTICE|WARNING): PHP message: [\w\\]*(Exception|Error): ",
    # [17:17:0304/050607.089231:ERROR:socket.cc(120)] … (Chromium)
    rf"^\[(?:\d+:)*\d{{4}}/\d{{6}}\.\d+:({_UPPER}):",
    # I0102 15:04:05.000000 (glog), E, [2026-…] (Ruby), E 2026-01-02 03:04:05 …, [E 260102 03:04:05 web:17] … (tornado)
    r"^\[?([IWEFD])(?:\d{4} \d\d:\d\d|, \[| (?:\d{4}-\d\d-\d\d[ T]|\d{6} )\d\d:)",
    # INFO:root:…, [ERROR]\t…, WARN  [thread] …, error: …, [notice] …, *** ERROR: …, ERR! …
    rf"^[^\w#`\"']{{0,8}}(?i:({_UPPER}|fail|dbug))\s*(?:[\])>|:!]|\t)",
    rf"^\s*({_UPPER})\s",
    # 2026-01-01 12:00:00,000 - app - INFO - …, 2020-…Z\tundefined\tERROR\t…, [2026-…: ERROR/ForkPoolWorker-1] …
    rf"^\W{{0,2}}\d\S*(?:[\s|,]+\S+){{0,8}}?[\s|,]+[\[(<]*({_UPPER})(?:[\])>:,]*(?:[\s|]|$)|/\w)",
    rf"^\W{{0,2}}\d[^\n]{{4,40}}?\[(?:\w+:)?(?i:({_UPPER}))\s*\]",
    r"^\W{0,2}\d\S*(?:\s+\S+){0,2}?\t(?i:(trace|debug|info|warn|warning|error|fatal))\t",
    r"^\[\w{3} \w{3} +\d+ [^\]]*\] \[(?:\w+:)?(\w+)\]",
    # [2026-…][ERROR][o.e.Bootstrap] …, [request][time][error] …, [appconfig agent] 2025/01/17 02:42:00 INFO …
    rf"^\s*(?:\[[^\]\n]{{0,80}}\][ :-]{{0,3}}){{1,5}}?\[(?i:({_UPPER}))\s*\]",
    rf"^\[[^\]\n]{{1,40}}\] \d\S+ \S+ ({_UPPER})\s",
    # log4j:ERROR …
    rf"^[a-z]\w{{1,30}}:({_UPPER})\s",
    # nova-api.log 2017-… 25746 DEBUG …, 03-17 16:16:10.000  5601  5601 W System.err: … (Android)
    rf"^[\w./-]+ \d{{4}}-\d\d-\d\d[ T]\S+(?: \S+){{0,2}}? ({_UPPER})\s",
    r"^\d\d-\d\d \d\d:\d\d:\d\d\.\d+ +\d+ +\d+ ([VDIWEF]) ",
    # [Nest] 17  - 01/02/2026, 3:04:05 AM   ERROR [Orders] …
    rf"^\[\w+\] \d+ +- +\d\S+ \S+(?: [AP]M)? +({_UPPER}) ",
    # pg_dump: error: …, [17] resolver[1:0] error: …
    r"^(?:\[\d+\] )?[\w./@-]{1,40}(?:\[[\w:.]+\]:?|:) (?:fatal )?(error|fatal|warning): ",
    # [2026-…] app.ERROR: …, app.ERROR: … (Monolog), PHP Fatal error:  …
    rf"^(?:\[[^\]\n]{{8,40}}\] )?[\w-]{{1,40}}\.({_UPPER}):",
    r"^(?:\[[^\]\n]{8,40}\] )?PHP (Fatal|Parse|Recoverable|Warning|Notice|Deprecated)\b",
    # Jan  2 03:04:05 host app[17]: ERROR …, <11>1 2026-… host app 17 - - …
    rf"^(?:<\d{{1,3}}>)?\w{{3}} [ \d]\d \d\d:\d\d:\d\d \S+ [^:\n]{{1,60}}: +[\[(<]?({_UPPER})[\])>:]*\s",
    # app-1  | INFO:     …, [12:00:01 INF] …, postgres FATAL:  …
    rf"^(?:\S+[\s|]+){{1,4}}?[\[(<]?({_UPPER})(?:[\])>:]|\s-\s|\s\||/\w)",
    # Microsoft.AspNetCore.Server.Kestrel Critical: …
    r"^[| ]{0,4}(?:[A-Za-z]\w*\.)+[A-Z]\w* (Critical|Error|Fatal|Warning|Information|Debug): \S",
    # CannotPullContainerError: … level=info msg="…": what another process logged, which the error quotes
    r"^[A-Z]\w*(Error|Exception): [^\n]*?\b(?:level|lvl|severity)=",
    # level=info, lvl=warn, severity: ERROR, :level=>:warn, "level":"info" in JSON that could not be read
    r"""(?i)\b(?:level|lvl|severity|log_?level|levelname)["']?\s*(?:=>|[=:])\s*[:"']?([a-z]+)""",
    rf"(?:^|, )(?:label|type|log): ({_UPPER}), ",
    r"(?:^|\s)at=(error|warning|info)\b",
    # Fatal error: …, Webhook Error: …, [ERROR shop::orders] … (env_logger)
    r"^\W{0,8}(?i:(fatal)) error: ",
    r"^[A-Z]\w+ (Error): [A-Z]\w*[ '][A-Za-z]",
    rf"^\[(?:\d\S+ +)?({_UPPER}) +[\w:.-]+\] ",
    # ERRO[0012] (logrus), npm ERR! …, nginx: [emerg] …, error Command failed with … (yarn)
    r"^(error|warning|info|success) (?:[A-Z]|in |\(\w[\w.-]*:\w[\w.-]*\) \w)",
    r"^(INFO|WARN|ERRO|FATA|PANI|DEBU|TRAC)\[\d{2,}\]",
    r"^npm (ERR|WARN|warn|error)!? ",
    r"^[\w./-]{1,40}: \[(emerg|alert|crit|error|warn|notice|info|debug)\] ",
    # %3|1540199111.115|FAIL|… (librdkafka): a severity of syslog; 2026-… C | etcdmain: …, 2026-…T… F STORAGE  [main] …
    r"^%([0-7])\|\d",
    r"^\d{4}-\d\d-\d\d[ T]\S+ ([CEWNIDF])\d? (?:\| | *[A-Z]+ +\[)",
    # <3>… (journald), <11>1 … (syslog): the severity is the number modulo eight
    r"^<(\d{1,3})>",
)
"""Where lines state their level: RE2 expressions with the word as their group, in the order they are believed."""
_AMID_WORDS = next(
    place for place, prefix in enumerate(_PREFIXES) if prefix.startswith(r"^(?:\S+[\s|]+){1,4}?")
)
"""The one that looks past words which may be prose: "if you see ERROR: …"."""
_LOGGER_WORDS = lazy_re2(r"^(?:\S*[^\sa-zA-Z,'\"`]\s*)+\|?\s*[\[(<]?$|^\S+\s*\|\s*[\[(<]?$")
_EACH = tuple(map(lazy_re2, _PREFIXES))
_OF_NODE = frozenset(number for number, prefix in enumerate(_PREFIXES) if prefix.startswith(f"^{_NODE}"))
_OF_PHP = frozenset(number for number, prefix in enumerate(_PREFIXES) if "PHP " in prefix)
"""Those that take longest to compile, and need words that few lines have."""
_TOGETHER: list[re2.Set] = []
_LINES = count()
MAX_REMEMBERED = 64
"""Beginnings of lines of which a process remembers the level: several ask for that of one line."""
FEW_LINES = 32
"""Lines of a process for which the expressions are tried in turn; then it is worth compiling them into one set."""


def stated_level(line: str) -> Level | None:
    """The level that the beginning of a text line states, or None.

    Args:
        line: One line; only its beginning counts, pass no more than ``MAX_PREFIX_LENGTH`` characters.
    """
    return statement(line)[0]


@lru_cache(MAX_REMEMBERED)
def statement(line: str) -> tuple[Level | None, bool]:
    """The level of a text line, and whether what comes before it is certainly a logger's.

    Where the line itself states none, what comes after the pieces of its header may.
    """
    rest: str | None = line
    for _ in range(MOST):
        if not rest:
            break
        level, certain = _statement(rest)
        if level is not None:
            return level, certain
        rest = without_first_piece(rest)
    return None, False


def _statement(line: str) -> tuple[Level | None, bool]:
    """The same of a line as it begins."""
    amid_words = None
    encoded = line.encode("utf-8", "replace")
    # In ASCII a place among the bytes is the same place in the text, and found in half the time.
    searched = encoded if line.isascii() else line
    for number in _worth_trying(encoded):
        found = _EACH[number].search(searched)
        if found:
            word = line[slice(*found.span(1))]
            level = _LETTERS.get(word) or _WORDS.get(word.lower())
            if word.isdigit() and int(word) <= MAX_SYSLOG_PRIORITY:
                level = _numeric_level(int(word) % 8, python=False)
            if level is not None:
                amid = number == _AMID_WORDS and not _LOGGER_WORDS.search(line[: found.start(1)])
                if not amid:
                    return level, True
                amid_words = level  # unless a logger states one
    if amid_words is not None:
        return amid_words, False
    return None, False


def _worth_trying(encoded: bytes) -> Iterable[int]:
    """Those of the expressions that a line may have, by their numbers and in their order."""
    if not _TOGETHER:
        if next(_LINES) < FEW_LINES:
            # One of the first nearly always does, and only those are compiled.
            idle = _OF_NODE if b"INFO" not in encoded and b"[LOG]" not in encoded else frozenset()
            idle |= _OF_PHP if b"PHP " not in encoded else frozenset()
            return [number for number in range(len(_EACH)) if number not in idle]
        together = re2.Set.SearchSet()
        for prefix in _PREFIXES:
            together.Add(prefix)
        together.Compile()
        _TOGETHER.append(together)
    return sorted(_TOGETHER[0].Match(encoded) or ())


def word_level(word: str) -> Level | None:
    """The level that a word or a letter stands for, in any case; None for a word that is none."""
    return _WORDS.get(word.strip().lower())


def level_in(key: str, stated: object) -> Level | None:
    """The level under one key: a word, a number on one of the scales in use, or an object with the word in it."""
    if isinstance(stated, dict):
        stated = stated.get("name") or stated.get("levelStr") or stated.get("standardLevel")
    if isinstance(stated, str):
        level = _WORDS.get(stated.strip().lower())
        if level is not None:
            return level
        if stated.isdigit() and len(stated) < MAX_LEVEL_DIGITS:
            stated = int(stated)
    if isinstance(stated, int) and not isinstance(stated, bool):
        return _numeric_level(stated, python=key == "levelno", google=key.lower().startswith("severity"))
    return None


def _numeric_level(number: int, *, python: bool, google: bool = False) -> Level | None:
    """A level on one of the scales in use.

    Python's ``levelno`` (10 debug … 50 critical), syslog's 0-7, pino's and bunyan's 10 trace … 60 fatal, Monolog's
    100 debug … 600 emergency, Google Cloud's 100 debug … 800 emergency, logback's 5000 trace … 40000 error.
    """
    if python:
        ladder = (Level.DEBUG, Level.INFO, Level.WARNING, Level.ERROR, Level.CRITICAL)
        return ladder[min(max(number, 10), 50) // 10 - 1]
    if 0 <= number <= 7:
        return _SYSLOG[number]
    scale = _GOOGLE if google and number >= _GOOGLE[-1][0] else _SCALES
    return next((level for least, most, level in scale if least <= number <= most), None)


_SYSLOG = (*[Level.CRITICAL] * 3, Level.ERROR, Level.WARNING, Level.INFO, Level.INFO, Level.DEBUG)
"""By number, from emergency to debug."""
_GOOGLE = (
    (600, 800, Level.CRITICAL),
    (500, 599, Level.ERROR),
    (400, 499, Level.WARNING),
    (200, 399, Level.INFO),
    (100, 199, Level.DEBUG),
)
_SCALES = (
    (10, 19, Level.TRACE),
    (20, 29, Level.DEBUG),
    (30, 39, Level.INFO),
    (40, 49, Level.WARNING),
    (50, 59, Level.ERROR),
    (60, 60, Level.CRITICAL),
    (100, 199, Level.DEBUG),
    (200, 299, Level.INFO),
    (300, 399, Level.WARNING),
    (400, 499, Level.ERROR),
    (500, 600, Level.CRITICAL),
    (5_000, 9_999, Level.TRACE),
    (10_000, 19_999, Level.DEBUG),
    (20_000, 29_999, Level.INFO),
    (30_000, 39_999, Level.WARNING),
    (40_000, 49_999, Level.ERROR),
    (50_000, 50_000, Level.CRITICAL),
)
"""Least and most number of each level: pino's and bunyan's, Monolog's, logback's."""
