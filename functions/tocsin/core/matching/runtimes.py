"""How each runtime writes an uncaught failure: a table, a row a runtime.

What a row finds in a text is read in ``crashes``. Each expression stands with an example that a test tries.
"""

from __future__ import annotations

from typing import NamedTuple

from tocsin.core.matching.quoting import alternatives, either


class Wording(NamedTuple):
    """One way in which a runtime says something.

    Attributes:
        example: What is written so.
        expression: RE2: what finds it.
    """

    example: str
    expression: str


class Runtime(NamedTuple):
    """How one runtime writes an uncaught failure.

    Attributes:
        name: What it is called.
        frame: One frame of its stack, with the groups ``path`` and ``function``, either of which may be missing.
        foreign: RE2: what a frame of the runtime, of its libraries or of packages has in it.
        failures: Where type and message stand, in the order they are believed; groups ``exception`` and ``message``.
        is_innermost_last: Whether the innermost frame is the last one written (Python), not the first.
        is_last_believed: Whether the last of several failures in one text is the one that was not handled.
    """

    name: str
    frame: Wording
    foreign: str
    failures: tuple[Wording, ...]
    is_innermost_last: bool = False
    is_last_believed: bool = False


TYPE = r"[A-Za-z_][\w$]*(?:(?:\.|::|\\)[\w$]+)*"
"""A class, a dotted name (``zlib.error``), Ruby's and PHP's own spelling of it."""
_ENDING = either(
    "Error|Exception|Warning|Exit|Interrupt|Fault|Failure|Failed",
    "NotFound|Timeout|Denied|Missing|Group|Exceeded|Rejected|Panic",
)
NAMED = rf"(?:{TYPE}\.)?\w*{_ENDING}\w*"
"""A type that says by its name that it is a failure's."""
_RUBY_TYPE = r"(?:[A-Z]\w*::)*[A-Z]\w*"
_MESSAGE = r"(?P<message>[^\n]*)"
_AFTER_A_MARK = r"(?:^|[\s:>\]])"

_PYTHON_PACKAGES = either(
    "aiobotocore|aiohttp|anthropic|anyio|asgiref|asyncpg|attr|aws_lambda_powertools|aws_xray_sdk",
    "boto3|botocore|celery|certifi|click|concurrent|cryptography|dateutil|django|fastapi|flask",
    "google|grpc|h11|httpcore|httpx|idna|jinja2|jmespath|jose|jsonschema|jwt|lxml|mangum|numpy",
    "openai|pandas|PIL|psycopg|psycopg2|pydantic|pydantic_core|pydantic_settings|pymysql|pypdf",
    "redis|requests|s3transfer|sentry_sdk|six|sqlalchemy|starlette|stripe|tenacity|urllib3",
    "werkzeug|wrapt|yaml",
)
"""What lies beside one's own code in a zip file, and is not one's own."""

RUNTIMES = (
    Runtime(
        "python",
        frame=Wording(
            '  File "/var/task/app.py", line 3, in handler',
            r'(?m)^[^\n"]{0,60}?\bFile "(?P<path>[^"\n]+)",? [Ll]ine \d+(?:, in (?P<function>[\w<>.]+))?',
        ),
        foreign=alternatives(
            "site-packages/|dist-packages/|/opt/python/|/usr/(?:local/)?lib",
            r"/var/(?:lang|runtime)/|/lib/python\d|^<",
            rf"/var/task/(?:_?{_PYTHON_PACKAGES})(?:/|\.py)",
        ),
        failures=(
            # The last line that is not indented, after the frames, names the exception; in a group it stands after bars.
            Wording(
                "shop.TaxError: no rate",
                r"(?m)^(?:\[ERROR\]\s+|[\w.-]+\s+\| ?|\s*\| )?"
                r"(?P<exception>[A-Z]\w*|[A-Za-z_]\w*(?:\.\w+)+)(?::\s" + _MESSAGE + "|$)",
            ),
            Wording(
                "all on one line, at last KeyError: 'rate'",
                rf"(?:^|\s)(?P<exception>{NAMED}): {_MESSAGE}",
            ),
        ),
        is_innermost_last=True,
        is_last_believed=True,
    ),
    Runtime(
        "node",
        frame=Wording(
            "    at async Tax.rate (/var/task/tax.js:10:3)",
            r"(?m)^[ \t]*at (?:async )?(?:(?:new )?(?P<function>[^\s(\n]+)[^(\n]{0,80} \()?(?P<path>"
            + either(
                r"file://|webpack:|node:|[A-Za-z]:\\|/|\.{1,2}/|[\w@.-]+/|internal/",
                r"[\w.-]+\.[cm]?[jt]s",
            )
            + r"[^\s():\n]*(?::/[^\s():\n]+)?|<anonymous>|\[?native[^)\n]*)(?::\d+){0,2}\)?",
        ),
        foreign=alternatives(
            "node_modules|^node:|^internal/|/var/runtime/|^<anonymous>|native",
            r"^(?:net|events|timers|domain|util|fs|dns|stream|vm|module|_\w+)\.js",
        ),
        failures=(
            Wording(
                "Uncaught Exception TaxError: no rate",
                "(?m)"
                + either(
                    "Uncaught Exception|Unhandled Promise Rejection|UnhandledPromiseRejectionWarning:",
                    r"Invoke Error|Uncaught(?: \(in promise\))?|Unhandled rejection",
                    r"\{",
                )
                + rf"\s+(?:\[ERROR\] )?(?P<exception>{NAMED})(?: \[\w+\])?(?:: {_MESSAGE}|$)",
            ),
            Wording(
                "TaxError [ERR_RATE]: no rate\n    at ",
                rf"(?m){_AFTER_A_MARK}(?P<exception>{NAMED})(?: \[\w+\])?: {_MESSAGE}\n[ \t]*at ",
            ),
            Wording(
                "TaxError: no rate",
                rf"(?m)(?:^|\s)(?P<exception>{NAMED})(?: \[\w+\])?: {_MESSAGE}",
            ),
        ),
    ),
    Runtime(
        "java",
        frame=Wording(
            "\tat com.example.shop.Tax.rate(Tax.java:31)",
            r"(?m)^[ \t]*at (?:[\w.-]+/+)?(?P<path>[\w.$/@-]+)\.(?P<function>[\w$<>-]+)"
            r"\((?:[\w$-]+\.(?:java|kt|scala|groovy)(?::\d+)?|Native Method|Unknown Source|<generated>)\)",
        ),
        foreign="^"
        + either(
            r"java|javax|jakarta|jdk|sun|com\.sun|kotlin|kotlinx|scala|groovy",
            r"org\.springframework|org\.apache|org\.hibernate|org\.postgresql|com\.mysql|com\.zaxxer",
            r"com\.amazonaws|software\.amazon|io\.netty|io\.micronaut|io\.quarkus|org\.jboss",
            r"org\.eclipse|com\.fasterxml|reactor|io\.micrometer|okhttp3|com\.google|lambdainternal",
            r"ch\.qos|org\.slf4j|redis\.clients|io\.lettuce",
        )
        + r"\b",
        failures=(
            # Spring and others wrap: the last cause is the failure.
            Wording(
                "Caused by: com.example.shop.TaxException: no rate",
                rf"(?m)^[ \t]*Caused by: (?P<exception>{TYPE})(?:: {_MESSAGE}|\s*$)",
            ),
            Wording(
                'Exception in thread "main" java.lang.IllegalStateException: no rate',
                rf'Exception in thread "[^"\n]*" (?P<exception>{TYPE})(?:: {_MESSAGE}|\s)',
            ),
            Wording(
                "com.example.shop.NoRate: none",
                rf"(?m){_AFTER_A_MARK}(?P<exception>(?:[a-z_]\w*\.)+[A-Z][\w$]*)(?:: {_MESSAGE}|\s*$)",
            ),
            Wording(
                "TaxException: no rate",
                rf"(?m){_AFTER_A_MARK}(?P<exception>{NAMED})(?:: {_MESSAGE}|\s*$)",
            ),
        ),
        is_last_believed=True,
    ),
    Runtime(
        "dotnet",
        frame=Wording(
            "   at Shop.Tax.Rate(String name) in /src/Tax.cs:line 31",
            r"(?m)^[ \t]*at (?P<path>[\w.`+<>$\[\],]+)\.(?P<function>[\w`<>$|]+)"
            r"(?:\[[^\]\n]*\])?\([^)\n]*\)(?: in [^\n]+:line \d+)?",
        ),
        foreign="^"
        + either(
            "System|Microsoft|Interop|Amazon|AWSLambda|AWSSDK|MySql|Npgsql|StackExchange",
            "Newtonsoft|Serilog|lambda_method",
        )
        + r"\b",
        failures=(
            Wording(
                "Unhandled exception. Shop.TaxException: no rate",
                r"(?m)(?:Unhandled exception(?:\.| occurr?ed in runner)?[.:]?\s+|---> )"
                rf"(?P<exception>{TYPE})(?:: {_MESSAGE}|\s)",
            ),
            Wording(
                "No rate for this country.: TaxException",
                r"(?m)^(?P<message>[^\n]{1,400}?)\.?: (?P<exception>\w+(?:Exception|Error))\s*$",
            ),
            Wording(
                "TaxException (0x80131500): no rate",
                rf"(?m){_AFTER_A_MARK}(?P<exception>{NAMED})(?: \(0x[0-9A-F]+\))?: {_MESSAGE}",
            ),
        ),
    ),
    Runtime(
        "go",
        frame=Wording(
            "example.com/shop/tax.Rate(0x1)\n\t/app/tax/tax.go:31 +0x1d",
            r"(?m)^(?P<path>(?:[\w.-]+/)*[\w-]+)\.(?P<function>(?:\(\*?[\w.\[\]]+\)\.)?[\w.]+)"
            r"(?:\([^\n]*\))?(?:\n[ \t]*[^\s:]+\.(?:go|s):\d+|$)",
        ),
        foreign="^"
        + either(
            r"runtime|net|net/http|panic|reflect|testing|sync|syscall|internal/\S+|database/sql|encoding/\S+",
            r"github\.com/aws/\S+|google\.golang\.org/\S+|golang\.org/\S+|github\.com/gin-gonic/\S+",
        )
        + "$",
        failures=(
            Wording(
                "http: panic serving 10.0.0.1:5000: no rate",
                rf"http: panic serving \S+: (?:(?P<exception>runtime error): )?{_MESSAGE}",
            ),
            Wording(
                "panic: runtime error: no rate",
                rf"(?m)\bpanic: (?:(?P<exception>runtime error|\*?[a-z]\w*\.\w+): )?{_MESSAGE}",
            ),
            Wording(
                "fatal error: all goroutines are asleep",
                rf"(?m)\b(?P<exception>fatal error): {_MESSAGE}",
            ),
            Wording(
                "[signal SIGSEGV: segmentation violation]",
                r"\[signal (?P<exception>SIG\w+): (?P<message>[^\n\]]*)",
            ),
        ),
    ),
    Runtime(
        "ruby",
        frame=Wording(
            "/app/lib/tax.rb:31:in `rate'",
            r"(?m)(?P<path>[^\s:'\"`\[]+\.(?:rb|ru|erb|rake)):\d+:in [`']"
            r"(?:block \([^)]*\) in |block in |rescue in |ensure in )?(?:[\w:]+[#.])?(?P<function>[^'\n]+)'",
        ),
        foreign=r"/gems/|/ruby/\d|/var/(?:lang|runtime)/|/lib/ruby/|^<internal",
        failures=(
            Wording(
                "tax.rb:31:in `rate': no rate (Shop::TaxError)",
                rf"(?m):in [`'][^'\n]+': (?P<message>[^\n]*?) \((?P<exception>{TYPE})\)",
            ),
            Wording(
                "Shop::TaxError (no rate):\n",
                rf"(?P<exception>{_RUBY_TYPE}) \({_MESSAGE}\):\s*(?:\n|$)",
            ),
            Wording(
                "Function<TaxError>: no rate",
                rf"\b(?:Init|Function)<(?P<exception>[\w:]+)>(?:: {_MESSAGE})?",
            ),
            Wording(
                "Shop::TaxError: no rate",
                rf"(?m)(?:^|[\s\]])(?P<exception>{_RUBY_TYPE}{_ENDING}): {_MESSAGE}",
            ),
        ),
    ),
    Runtime(
        "rust",
        frame=Wording(
            "panicked at src/tax.rs:31:9:",
            r"panicked at (?:'[^\n]*', )?(?P<path>[^\s:',]+):\d+(?P<function>)",
        ),
        foreign=r"^/rustc/|/\.cargo/",
        failures=(
            Wording(
                "thread 'main' panicked at src/tax.rs:31:9:\nno rate",
                rf"(?m)(?P<exception>panicked) at (?:src/|/)?[^\n:']+:\d+:\d+:\n{_MESSAGE}",
            ),
            Wording(
                "thread 'main' panicked at 'no rate', src/tax.rs:31",
                rf"(?m)(?P<exception>panicked) at '{_MESSAGE}', [^\s:']+:\d+",
            ),
        ),
    ),
    Runtime(
        "elixir",
        frame=Wording(
            "    (shop 0.1.0) lib/shop/tax.ex:31: Shop.Tax.rate/1",
            r"(?m)^[ \t]*(?:\([\w .-]+\) )?(?P<path>[\w./-]+\.(?:exs?|erl|eex|heex)):\d+: (?P<function>[^\s(]+)",
        ),
        foreign=r"^(?:lib/)?"
        + either(
            r"(?:gen_|proc_lib|supervisor|application|erl_|lists|timer|user)\w*\.erl|elixir|phoenix|plug|ecto",
            r"db_connection|postgrex|connection|gen_server|task|enum|stream|cowboy|bandit|thousand_island",
        )
        + r"\b",
        failures=(
            Wording(
                "** (Shop.TaxError) no rate",
                rf"\*\* \((?P<exception>(?:[A-Z]\w*\.)*[A-Z]\w*|EXIT|stop|exit|throw)[^)\n]{{0,40}}\) {_MESSAGE}",
            ),
            Wording("=CRASH REPORT==== 1-Jan", rf"(?m)^=(?P<exception>[A-Z]+ REPORT)===={_MESSAGE}"),
        ),
    ),
    Runtime(
        "native",
        frame=Wording(
            "    #0 0x5f41 in tax_rate /app/tax.c:31",
            r"(?m)^[ \t]*#\d+ +0x[0-9a-f]+ in (?P<function>[^\s(]+)[^\n]*? (?P<path>/[^\s:]+):\d+",
        ),
        foreign=r"/(?:sysdeps|csu|sanitizer_common|libsanitizer|asan)/|^/usr/",
        failures=(
            Wording(
                "==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x1",
                rf"(?:ERROR|WARNING|SUMMARY): \w+Sanitizer: (?P<exception>[\w-]+){_MESSAGE}",
            ),
            Wording(
                "terminate called after throwing an instance of 'TaxError'\n  what():  no rate",
                r"terminate called after throwing an instance of '(?P<exception>[\w:]+)'"
                rf"(?:\n\s*what\(\): +{_MESSAGE})?",
            ),
        ),
    ),
    Runtime(
        "php",
        frame=Wording(
            "#1 /app/order.php(12): total(NULL)",
            r"(?m)^\s*#\d+ (?P<path>[^\s(]+\.php)\(\d+\): (?P<function>[\w\\>:-]+)",
        ),
        foreign=r"/vendor/",
        failures=(
            Wording(
                "PHP Fatal error:  Uncaught TaxError: no rate in /app/tax.php:31",
                rf"Uncaught (?:exception '?)?(?P<exception>{TYPE})'?(?:: | with message ')"
                r"(?P<message>[^\n]*?)(?:'? in [^\s:]+:\d+|\n|$)",
            ),
            Wording(
                "PHP Parse error:  unexpected '}' in /app/tax.php on line 31",
                r"PHP (?P<exception>(?:Fatal|Parse|Recoverable fatal) error):\s+"
                r"(?P<message>[^\n]*?)(?: in [^\s:]+(?: on line |:)\d+|\n|$)",
            ),
            Wording("TaxError: no rate", rf"(?m)(?P<exception>{NAMED}): {_MESSAGE}"),
        ),
    ),
    Runtime(
        "process",
        frame=Wording("\x00", r"\x00(?P<path>)(?P<function>)"),  # a process has none
        foreign=r"\x00",
        failures=(
            Wording(
                "Segmentation fault (core dumped)",
                "(?P<exception>"
                + alternatives(
                    "Segmentation fault|segfault|SIG(?:SEGV|KILL|ABRT|BUS|ILL)",
                    "terminate called|core dumped",
                )
                + f"){_MESSAGE}",
            ),
            Wording(
                "exited with code 137",
                r"(?i)(?P<exception>(?:exited|exit) (?:with )?(?:code|status):? ?\d+|signal \d+)" + _MESSAGE,
            ),
        ),
    ),
)
"""The rows, in the order they are tried: the first whose frames are there, else the first whose failure is."""
