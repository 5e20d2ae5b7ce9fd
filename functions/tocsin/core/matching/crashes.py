"""What an uncaught failure looks like in each runtime: where its type and its message stand, and which frame is its own.

One table, ``RUNTIMES``, a row a runtime. That something is a crash is the matter of the signature
``unhandled-exception`` (its expressions are searched for with all others); what the crash says is read here.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import re2

LONGEST = 20_000
"""Characters of a crash that are read; beyond that the outer frames are not needed."""
MAX_MESSAGE_LENGTH = 200
"""Characters of a crash's message that are kept."""


class Crash(NamedTuple):
    """An uncaught failure; what could not be read is empty.

    Attributes:
        runtime: The row of ``RUNTIMES`` that read it.
        exception: Its type, as its runtime names it.
        message: What it says, its first line.
        frame: The innermost frame of one's own code, without line numbers, so that it stays the same over deployments:
            ``orders/pricing.py:total``.
    """

    runtime: str = ""
    exception: str = ""
    message: str = ""
    frame: str = ""


class Runtime(NamedTuple):
    """How one runtime writes an uncaught failure.

    Attributes:
        name: What it is called.
        frame: RE2: one frame of its stack, with the groups ``path`` and ``function``, either of which may be missing.
        foreign: RE2: what a frame of the runtime, of its libraries or of packages has in it.
        innermost_last: Whether the innermost frame is the last one written (Python), not the first.
        failure: RE2: where type and message stand, in the order they are believed; groups ``exception`` and ``message``.
        last: Whether the last of several failures in one text is the one that was not handled.
    """

    name: str
    frame: str
    foreign: str
    innermost_last: bool
    failure: tuple[str, ...]
    last: bool = False


# A class, a dotted name (zlib.error), Ruby's and PHP's own spelling of it.
_TYPE = r"[A-Za-z_][\w$]*(?:(?:\.|::|\\)[\w$]+)*"
_ENDING = r"(?:Error|Exception|Warning|Exit|Interrupt|Fault|Failure|Failed|NotFound|Timeout|Denied|Missing|Group|Exceeded|Rejected|Panic)"
_NAMED = rf"(?:{_TYPE}\.)?\w*{_ENDING}\w*"
_HEAD = r"(?:\[?(?:ERROR|CRITICAL|FATAL)\]?[\s:|-]+)?"

RUNTIMES = (
    Runtime(
        "python",
        frame=r'(?m)^[^\n"]{0,60}?\bFile "(?P<path>[^"\n]+)",? [Ll]ine \d+(?:, in (?P<function>[\w<>.]+))?',
        foreign=r"site-packages/|dist-packages/|/opt/python/|/usr/(?:local/)?lib|/var/(?:lang|runtime)/|/lib/python\d|^<|/var/task/(?:"
        r"_?(?:aiobotocore|aiohttp|anthropic|anyio|asgiref|asyncpg|attr|aws_lambda_powertools|aws_xray_sdk|boto3|botocore|celery|certifi|"
        r"click|concurrent|cryptography|dateutil|django|fastapi|flask|google|grpc|h11|httpcore|httpx|idna|jinja2|jmespath|jose|"
        r"jsonschema|jwt|lxml|mangum|numpy|openai|pandas|PIL|psycopg|psycopg2|pydantic|pydantic_core|pydantic_settings|pymysql|"
        r"pypdf|redis|requests|s3transfer|sentry_sdk|six|sqlalchemy|starlette|stripe|tenacity|urllib3|werkzeug|wrapt|yaml))(?:/|\.py)",
        innermost_last=True,
        failure=(
            # The last line that is not indented, after the frames, names the exception; in a group it stands after bars.
            r"(?m)^(?:\[ERROR\]\s+|[\w.-]+\s+\| ?|\s*\| )?(?P<exception>[A-Z]\w*|[A-Za-z_]\w*(?:\.\w+)+)(?::\s(?P<message>[^\n]*)|$)",
            # All on one line.
            rf"(?:^|\s)(?P<exception>{_NAMED}): (?P<message>[^\n]*)",
        ),
        last=True,
    ),
    Runtime(
        "node",
        frame=r"(?m)^[ \t]*at (?:async )?(?:(?:new )?(?P<function>[^\s(\n]+)[^(\n]{0,80} \()?(?P<path>(?:file://|webpack:|node:|[A-Za-z]:\\|/|\.{1,2}/|[\w@.-]+/|internal/|[\w.-]+\.[cm]?[jt]s)[^\s():\n]*(?::/[^\s():\n]+)?|<anonymous>|\[?native[^)\n]*)(?::\d+){0,2}\)?",
        foreign=r"node_modules|^node:|^internal/|/var/runtime/|^<anonymous>|native|^(?:net|events|timers|domain|util|fs|dns|stream|vm|module|_\w+)\.js",
        innermost_last=False,
        failure=(
            rf"(?m)(?:Uncaught Exception|Unhandled Promise Rejection|UnhandledPromiseRejectionWarning:|Invoke Error|Uncaught(?: \(in promise\))?|Unhandled rejection|\{{)\s+(?:\[ERROR\] )?(?P<exception>{_NAMED})(?: \[\w+\])?(?:: (?P<message>[^\n]*)|$)",
            rf"(?m)(?:^|[\s:>\]])(?P<exception>{_NAMED})(?: \[\w+\])?: (?P<message>[^\n]*)\n[ \t]*at ",
            rf"(?m)(?:^|\s)(?P<exception>{_NAMED})(?: \[\w+\])?: (?P<message>[^\n]*)",
        ),
    ),
    Runtime(
        "java",
        frame=r"(?m)^[ \t]*at (?:[\w.-]+/+)?(?P<path>[\w.$/@-]+)\.(?P<function>[\w$<>-]+)\((?:[\w$-]+\.(?:java|kt|scala|groovy)(?::\d+)?|Native Method|Unknown Source|<generated>)\)",
        foreign=r"^(?:java|javax|jakarta|jdk|sun|com\.sun|kotlin|kotlinx|scala|groovy|org\.springframework|org\.apache|org\.hibernate|org\.postgresql|"
        r"com\.mysql|com\.zaxxer|com\.amazonaws|software\.amazon|io\.netty|io\.micronaut|io\.quarkus|org\.jboss|org\.eclipse|com\.fasterxml|"
        r"reactor|io\.micrometer|okhttp3|com\.google|lambdainternal|ch\.qos|org\.slf4j|redis\.clients|io\.lettuce)\b",
        innermost_last=False,
        failure=(
            # Spring and others wrap: the last cause is the failure.
            rf"(?m)^[ \t]*Caused by: (?P<exception>{_TYPE})(?:: (?P<message>[^\n]*)|\s*$)",
            rf'Exception in thread "[^"\n]*" (?P<exception>{_TYPE})(?:: (?P<message>[^\n]*)|\s)',
            r"(?m)(?:^|[\s:>\]])(?P<exception>(?:[a-z_]\w*\.)+[A-Z][\w$]*)(?:: (?P<message>[^\n]*)|\s*$)",
            rf"(?m)(?:^|[\s:>\]])(?P<exception>{_NAMED})(?:: (?P<message>[^\n]*)|\s*$)",
        ),
        last=True,
    ),
    Runtime(
        "dotnet",
        frame=r"(?m)^[ \t]*at (?P<path>[\w.`+<>$\[\],]+)\.(?P<function>[\w`<>$|]+)(?:\[[^\]\n]*\])?\([^)\n]*\)(?: in [^\n]+:line \d+)?",
        foreign=r"^(?:System|Microsoft|Interop|Amazon|AWSLambda|AWSSDK|MySql|Npgsql|StackExchange|Newtonsoft|Serilog|lambda_method)\b",
        innermost_last=False,
        failure=(
            rf"(?m)(?:Unhandled exception(?:\.| occurr?ed in runner)?[.:]?\s+|---> )(?P<exception>{_TYPE})(?:: (?P<message>[^\n]*)|\s)",
            r"(?m)^(?P<message>[^\n]{1,400}?)\.?: (?P<exception>\w+(?:Exception|Error))\s*$",
            rf"(?m)(?:^|[\s:>\]])(?P<exception>{_NAMED})(?: \(0x[0-9A-F]+\))?: (?P<message>[^\n]*)",
        ),
    ),
    Runtime(
        "go",
        frame=r"(?m)^(?P<path>(?:[\w.-]+/)*[\w-]+)\.(?P<function>(?:\(\*?[\w.\[\]]+\)\.)?[\w.]+)(?:\([^\n]*\))?(?:\n[ \t]*[^\s:]+\.(?:go|s):\d+|$)",
        foreign=r"^(?:runtime|net|net/http|panic|reflect|testing|sync|syscall|internal/\S+|github\.com/aws/\S+|google\.golang\.org/\S+|golang\.org/\S+|github\.com/gin-gonic/\S+|database/sql|encoding/\S+)$",
        innermost_last=False,
        failure=(
            r"http: panic serving \S+: (?:(?P<exception>runtime error): )?(?P<message>[^\n]*)",
            r"(?m)\bpanic: (?:(?P<exception>runtime error|\*?[a-z]\w*\.\w+): )?(?P<message>[^\n]*)",
            r"(?m)\b(?P<exception>fatal error): (?P<message>[^\n]*)",
            r"\[signal (?P<exception>SIG\w+): (?P<message>[^\n\]]*)",
        ),
    ),
    Runtime(
        "ruby",
        frame=r"(?m)(?P<path>[^\s:'\"`\[]+\.(?:rb|ru|erb|rake)):\d+:in [`'](?:block \([^)]*\) in |block in |rescue in |ensure in )?(?:[\w:]+[#.])?(?P<function>[^'\n]+)'",
        foreign=r"/gems/|/ruby/\d|/var/(?:lang|runtime)/|/lib/ruby/|^<internal",
        innermost_last=False,
        failure=(
            rf"(?m):in [`'][^'\n]+': (?P<message>[^\n]*?) \((?P<exception>{_TYPE})\)",
            r"(?P<exception>(?:[A-Z]\w*::)*[A-Z]\w*) \((?P<message>[^\n]*)\):\s*(?:\n|$)",
            r"\b(?:Init|Function)<(?P<exception>[\w:]+)>(?:: (?P<message>[^\n]*))?",
            rf"(?m)(?:^|[\s\]])(?P<exception>(?:[A-Z]\w*::)*[A-Z]\w*{_ENDING}): (?P<message>[^\n]*)",
        ),
    ),
    Runtime(
        "rust",
        frame=r"panicked at (?:'[^\n]*', )?(?P<path>[^\s:',]+):\d+(?P<function>)",
        foreign=r"^/rustc/|/\.cargo/",
        innermost_last=False,
        failure=(
            r"(?m)(?P<exception>panicked) at (?:src/|/)?[^\n:']+:\d+:\d+:\n(?P<message>[^\n]*)",
            r"(?m)(?P<exception>panicked) at '(?P<message>[^\n]*)', [^\s:']+:\d+",
        ),
    ),
    Runtime(
        "php",
        frame=r"(?m)^\s*#\d+ (?P<path>[^\s(]+\.php)\(\d+\): (?P<function>[\w\\>:-]+)",
        foreign=r"/vendor/",
        innermost_last=False,
        failure=(
            rf"Uncaught (?:exception '?)?(?P<exception>{_TYPE})'?(?:: | with message ')(?P<message>[^\n]*?)(?:'? in [^\s:]+:\d+|\n|$)",
            r"PHP (?P<exception>(?:Fatal|Parse|Recoverable fatal) error):\s+(?P<message>[^\n]*?)(?: in [^\s:]+(?: on line |:)\d+|\n|$)",
            rf"(?m)(?P<exception>{_NAMED}): (?P<message>[^\n]*)",
        ),
    ),
    Runtime(
        "process",
        frame=r"\x00(?P<path>)(?P<function>)",
        foreign=r"\x00",
        innermost_last=False,
        failure=(
            r"(?P<exception>Segmentation fault|segfault|SIG(?:SEGV|KILL|ABRT|BUS|ILL)|terminate called|core dumped)(?P<message>[^\n]*)",
            r"(?i)(?P<exception>(?:exited|exit) (?:with )?(?:code|status):? ?\d+|signal \d+)(?P<message>[^\n]*)",
        ),
    ),
)  # fmt: skip
"""The rows, in the order they are tried: the first whose frames are there, else the first whose failure is."""


class _Compiled(NamedTuple):
    row: Runtime
    frame: re2._Regexp
    foreign: re2._Regexp
    failure: tuple[re2._Regexp, ...]


_ROWS: list[_Compiled] = []
_BY_WORDS = ("rust", "go", "php", "ruby", "dotnet", "node", "java", "process", "python")
_ANYWHERE = re2.compile(rf"(?m)^{_HEAD}(?P<exception>{_NAMED})(?:: (?P<message>[^\n]*)|\s*$)")
_NO_TYPE = frozenset({"Traceback", "During", "The", "ERROR", "CRITICAL", "FATAL", "INFO", "WARNING", "DEBUG"})
_PYTHON_HEAD = re2.compile(r"(?m)^[^\n]{0,60}?Traceback \(most recent call last\):")
_PATH_HEAD = re.compile(
    r"^(?:file://)?(?:/var/task/|/usr/src/app/|/opt/app/|/app/|/code/|/srv/|/home/\w+/|/workspace/|\./)"
)


def read_crash(text: str, start: int = 0) -> Crash:
    """Read a crash.

    Args:
        text: The canonical text of a log event, or of several that belong together.
        start: Where the failure was found in it.
    """
    line_start = text.rfind("\n", 0, start) + 1
    begin = line_start
    if _PYTHON_HEAD.search(text, line_start) is None:
        # It may have been found by the line that ends its traceback.
        before = list(_PYTHON_HEAD.finditer(text[max(0, line_start - LONGEST) : line_start]))
        if before:
            begin = max(0, line_start - LONGEST) + before[-1].start()
    body = text[begin : begin + LONGEST]
    for compiled in _rows():
        frames = [
            (found.group("path") or "", found.group("function") or "")
            for found in compiled.frame.finditer(body)
        ]
        if frames or (compiled.row.name == "python" and _PYTHON_HEAD.search(body)):
            exception, message = _failure(compiled, body)
            return Crash(compiled.row.name, exception, message, _own_frame(compiled, frames))
    found = _ANYWHERE.match(body)
    if found is not None:
        return Crash(
            "", found.group("exception"), (found.group("message") or "").strip()[:MAX_MESSAGE_LENGTH]
        )
    # Without frames the words must do: those rows first whose words are nobody else's, the process's own last.
    for compiled in sorted(_rows(), key=lambda each: _BY_WORDS.index(each.row.name)):
        exception, message = _failure(compiled, body)
        if exception:
            return Crash(compiled.row.name, exception, message)
    return Crash()


def _rows() -> list[_Compiled]:
    if not _ROWS:
        _ROWS.extend(
            _Compiled(
                row, re2.compile(row.frame), re2.compile(row.foreign), tuple(map(re2.compile, row.failure))
            )
            for row in RUNTIMES
        )
    return _ROWS


def _failure(compiled: _Compiled, body: str) -> tuple[str, str]:
    """The type and the message of a crash in the words of one runtime."""
    for expression in compiled.failure:
        found = [each for each in expression.finditer(body) if each.group("exception") not in _NO_TYPE]
        if found:
            chosen = found[0]
            if compiled.row.last:
                # The runtime's own first line says it before any frame (Lambda's "[ERROR] KeyError: …").
                stated = chosen.start() == 0 and body.startswith("[ERROR]")
                chosen = chosen if stated else found[-1]
            groups = chosen.groupdict()
            kind = groups.get("exception") or compiled.row.name
            return kind, (groups.get("message") or "").strip()[:MAX_MESSAGE_LENGTH]
    return "", ""


def _own_frame(compiled: _Compiled, frames: list[tuple[str, str]]) -> str:
    own = [frame for frame in frames if not compiled.foreign.search(frame[0])] or frames
    if not own:
        return ""
    path, function = own[-1] if compiled.row.innermost_last else own[0]
    path = _PATH_HEAD.sub("", path)
    if not function and not compiled.row.innermost_last:
        return path
    return f"{path}:{function or '<module>'}"
