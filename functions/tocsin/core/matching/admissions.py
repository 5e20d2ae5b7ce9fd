"""How a line that states no level says in its first words that something failed: a table, a row a way of saying it.

What stands before those words is in ``line_header``. Each expression stands with an example that a test tries.
"""

from __future__ import annotations

from typing import NamedTuple

from tocsin.core.expressions import first_span, span_from
from tocsin.core.lazy_expressions import lazy_re2
from tocsin.core.matching.line_header import HEADER


class Admission(NamedTuple):
    """One way of saying that something failed.

    Attributes:
        example: What is said so.
        expression: RE2: what finds it, after the header of its line.
        trace: RE2 over bytes: a part of it that does not occur in the lines of a healthy service, for the one search
            over everything.
    """

    example: str
    expression: str
    trace: str


_SUBJECT = r"(?:[^\s;!?|=]*[^\s.;!?|=] ){0,12}?"
"""What failed: a few words of one sentence."""
_ERRNO = (
    "[Pp]ermission denied|[Oo]peration not permitted|[Nn]o such file or directory|[Nn]o such device|[Nn]o such process|[Ii]s a directory|"
    "[Nn]ot a directory|[Rr]ead-only file system|[Tt]ext file busy|Exec format error|[Cc]annot allocate memory|[Ii]nput/output error|"
    "[Aa]ddress already in use|[Cc]annot assign requested address|[Cc]onnection refused|[Cc]onnection timed out|[Oo]peration timed out|"
    "[Nn]o route to host|[Nn]etwork is unreachable|[Hh]ost is unreachable|[Bb]ad file descriptor|Stale file handle|write error|"
    "exec format error|executable file not found in \\$PATH|Argument list too long|Device or resource busy|Invalid cross-device link|Too many levels of symbolic links"
)
"""What the operating system answers where something failed; not what ends ordinary connections."""
_CODES = (
    "ENOENT|EACCES|EPERM|ENOSPC|EMFILE|ENFILE|ENOMEM|EISDIR|ENOTDIR|EROFS|EBUSY|EADDRINUSE|EADDRNOTAVAIL|EAI_AGAIN|"
    "ENOTFOUND|ECONNREFUSED|ECONNABORTED|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EPROTO|EFATAL|EPARSE|ETELEGRAM|EBADF|EIO"
)
"""The same by its names, and libraries that name theirs likewise."""
_STATUS = "(?:500 Internal Server Error|502 Bad Gateway|503 Service (?:Temporarily )?Unavailable|504 Gateway Time-?[Oo]ut)"
"""What a server answers that failed."""

ADMISSIONS = (
    Admission(
        "Failed to open the ledger",
        r"(?:[A-Z][\w.'/-]* ){0,1}(?:[\w.'/-]+ ){0,1}(?:[Ff]ailed|[Uu]nable) to \w",
        "(?:[Ff]ailed|[Uu]nable) to ",
    ),
    Admission(
        "Ledger 'shop' in 'March' failed to close",
        r"[A-Z]\w* '[^'\n]{1,120}'(?: \w+){0,4}?(?: '[^'\n]{1,160}')? (?:has )?failed to \w",
        "failed to ",
    ),
    Admission(
        "Could not open the ledger",
        r"(?:[Cc]ould ?n[o']t|[Cc]annot|[Cc]an ?not|[Cc]an't|Don't know how to|(?:[\w.'/-]+ ){1,4}(?:was|were)(?: not|n't) able to) \w",
        r"(?:[Cc]ould ?n[o']t|[Cc]an ?not|[Cc]an't|Don't know how to|(?:was|were)(?: not|n't) able to) ",
    ),
    Admission(
        "Error while opening the ledger",
        r"(?:[\w'-]+ ){0,3}?[Ee]rror (?:while|during|in|when|on|occurred|encountered|\w+ing):? +\w|[Ee]rror - \w|"
        r"Exception (?:while|during|in|when|on) +\w",
        r"[Ee]rror (?:while|during|in|when|on|occurred|encountered|-|\w+ing):? |Exception (?:while|during|in|when|on) ",
    ),
    Admission(
        "An unexpected error occurred in the ledger",
        r"[Aa]n? (?:\w+ ){0,2}?(?:error|exception|failure) (?:has |was )?(?:occurr?ed|happened|raised|thrown|encountered)\b",
        r"(?:error|exception|failure) (?:has |was )?(?:occurr?ed|happened|raised|thrown|encountered)\b",
    ),
    Admission(
        "3 error(s) occurred:",
        r"[1-9]\d* errors?(?:\(s\))? (?:occurr?ed|found)\b",
        r"[1-9] errors?(?:\(s\))? (?:occurr?ed|found)\b",
    ),
    Admission(
        "Fatal exception: no ledger",
        r"(?i:fatal|unexpected|unhandled|uncaught|internal|critical)(?i:(?: server)? (?:error|exception|failure))\b",
        r"(?i:fatal|unexpected|unhandled|uncaught|internal|critical)(?i:(?: server)? (?:error|exception|failure))\b",
    ),
    Admission(
        "Opening the ledger failed: it is torn",
        rf"{_SUBJECT}(?:[Ff]ailed(?: ?[:(]|[,;] |[.!](?:\s|$)| (?:with|because|due|after|while|as) )|FAILED\b)",
        r"\b[Ff]ailed(?: ?[:(]|[,;] |[.!]| (?:with|because|due|after|while|as) )|\bFAILED\b",
    ),
    Admission(
        "Gave the ledger back because of three failures",
        r"[^\n]{0,120}\bbecause of (?:[\w'-]+ ){0,6}(?:errors?|failures?|exceptions?)\b",
        "because of ",
    ),
    Admission(
        "The ledger has an error: page seven is torn",
        rf"{_SUBJECT}(?i:error|exception|failure)(?:(?: \([^()\n]{{1,60}}\))?: +[^\s\d]| (?:at|from|of type|code:? ['\"]?[1-9]|['\"]))",
        r"(?i:error|exception|failure)(?:\)?: | \([^()\n]{1,60}\): |['\"]| (?:at|from|of type|code|['\"\\]))",
    ),
    Admission(
        "The ledger's export was unsuccessful",
        rf"{_SUBJECT}(?:unsuccessful|(?:has )?crashed|(?:has|have) died|died unexpectedly|timed out|timeout (?:after|exceeded|expired|waiting|while)|gave up|does not appear to be|[Gg]iving up|did not respond|(?:is )?not responding|"
        r"(?:is|was|are|were|became) (?:dead|unreachable|unavailable|not (?:reachable|available|enough|write?able|readable)|corrupt(?:ed)?|exhausted)|"
        r"is too (?:low|small|large|long|old)|(?:was|were) (?:refused|denied|aborted|killed)|unexpectedly|is DOWN|"
        r"(?:is|was) out of (?:range|bounds|memory|space|sync)|(?:space|limit|quota|memory|deadline|size|capacity) exceeded|"
        r"too many (?:times|retries|errors|failures)|stalled more than|has been blocked for)\b",
        r"unsuccessful\b|\bcrashed\b|h(?:as|ave) died\b|died unexpectedly|\b(?:is|was|are|were) dead\b|timed out\b|timeout (?:after|exceeded|expired|waiting|while) |does not appear to be|gave up\b|[Gg]iving up\b|did not respond\b|not responding\b|unreachable\b|"
        r"unavailable\b|not (?:reachable|available|enough|write?able|readable)\b|\bcorrupt(?:ed)?\b|exhausted\b|"
        r"is too (?:low|small|large|long|old)\b|\b(?:was|were) (?:refused|denied|aborted|killed)\b|unexpectedly\b|is DOWN\b|"
        r"(?:is|was) out of (?:range|bounds|memory|space|sync)\b|(?:space|limit|quota|memory|deadline|size|capacity) exceeded\b|"
        r"too many (?:times|retries|errors|failures)\b|stalled more than\b|has been blocked for\b",
    ),
    Admission(
        "ledger.sh: /etc/ledger: Permission denied",
        rf"[^\n]*(?:[:(,] ?(?:{_ERRNO})|\[Errno -?\d+\] [^\n]*)\W*$",
        rf"(?:{_ERRNO})\b|\[Errno -?\d+\]",
    ),
    Admission(
        "Out of memory while adding up the ledger",
        r"(?:Out of memory|Permission denied|Connection (?:refused|timed out|lost|failed)|Timed out|Giving up|Lost connection|"
        r"No such file|Missing (?:[a-z]\w*|[A-Z]{2,}\w*|['\"`])|Something went wrong|Internal Server Error|Aborting|make(?:\[\d+\])?: \*\*\* \[|"
        r"(?:[Bb]ad|[Ii]nvalid|[Uu]nknown|[Ii]llegal|[Uu]nrecognized|[Uu]nexpected) (?:option|argument|command|flag|token|value)s?|"
        r"[Ee]rror (?:[A-Z]+)?\d+(?:$| [(-])|(?:bind|connect|listen|accept|open|execvp?|fork|mmap)\(\)(?: failed)?: \w+|"
        r"[Uu]nknown error|Too many (?:open|connections|retries|errors)|[Tt]his error (?:originated|is thrown|happened)|"
        r"[Nn]o python application found|Completed 5\d\d )\b",
        r"(?:[Tt]his error |[Nn]o python application|Completed 5\d\d |Out of memory|Permission denied|Connection (?:refused|timed out|lost|failed)|Timed out|Lost connection|"
        r"No such file|Missing [a-zA-Z'\"`\\]|Something went wrong|Aborting|Too many |\*\*\* \[|"
        r"(?:bad|nvalid|nknown|llegal|nrecognized|nexpected) (?:option|argument|command|flag|token|value)|[Ee]rror [A-Z]*\d|(?:bind|connect|listen|accept|open|execvp?|fork|mmap)\(\)(?: failed)?: )",
    ),
    Admission(
        "** (Mix) The ledger for Shop.Repo has no page seven",
        r"\*\* \((?:[A-Z]\w*\.)*[A-Z]\w+\) \w",
        r"\*\* \([A-Z]",
    ),
    Admission(
        "curl: (22) The requested URL returned error: 500",
        r"(?:curl|rsync|wget|tar|ssh): ?\(?\d+\)? ",
        r"curl: \(\d",
    ),
    Admission(
        "page seven is torn at ledger.pl line 17.",
        r"[^\n]* at (?:/\S+|\S+\.p[lm]) line \d+\.\s*$",
        r"\.p[lm] line \d+\.|at /\S+ line \d+\.",
    ),
    Admission(
        "502 Bad Gateway",
        rf"[^\n]{{0,40}}?\b{_STATUS}",
        _STATUS,
    ),
    Admission(
        "EACCES: the ledger is locked",
        rf"(?:{_CODES})[:,] \w",
        rf"\b(?:{_CODES})[:,] ",
    ),
    Admission(
        "\N{CROSS MARK} the ledger was not closed",
        r"[\x{274c}\x{2716}\x{2717}\x{2718}\x{2a2f}\x{2a09}\x{1f6a8}\x{1f4a5}\x{26d4}\x{1f6d1}\x{2a2f}\x{d7}][\x{fe0f}]? *\w",
        r"\xe2\x9d\x8c|\xe2\x9c[\x96\x97\x98]|\xe2\xa8[\x89\xaf]|\xf0\x9f(?:\x9a\xa8|\x92\xa5|\x9b\x91)|\xe2\x9b\x94|\\u(?:274[cC]|271[678]|2[aA]2[fF]|26[dD]4)",
    ),
)
"""The rows; which of them it was is not told."""

TRACE = "|".join(row.trace for row in ADMISSIONS)
"""RE2 over bytes: one of them is found in every line that admits something."""
_ROWS = "|".join(f"(?:{row.expression})" for row in ADMISSIONS)
_BEFORE = rf"^\s{{0,12}}{HEADER}"
# Each without a group: to say where one begins takes RE2 thirty times as long as to say where all of it ends.
_ADMITS = lazy_re2(f"{_BEFORE}(?:{_ROWS})")
_HEADER = lazy_re2(_BEFORE)
_BARE = lazy_re2(_ROWS)
_WHERE = lazy_re2(f"{_BEFORE}({_ROWS})")
_DOUBTFUL = lazy_re2(
    r"^(?i:no (?:[^s]|s[^u]))|^(?i:none|not|zero|never|without|if|when|whenever|unless|in case|once|see|look for|watch for|alert on|grep|"
    r"pattern|rule|alarm|runbook|example|for example|note|tip|hint|todo|fix(?:ed|ing)|skipping|retrying|retry|handled|"
    r"recovered|expected|last|previous|simulat(?:ed|ing))\b|"
    r"\b(?:Use of uninitialized|redefined|masks earlier|isn't numeric|deprecated|experimental|used only once|Wide character|"
    r"Odd number|Deep recursion|Useless use|Possible )\b|"
    r"(?i:\b(?:when|if) you|you (?:see|get|may|might|will)|would|whether)\b|"
    r"(?i:\b(?:\d+ failed|(?:0|no|not|never|none) (?:[\w'-]+ )?(?:failed|timed out|crashed|unsuccessful)))\W*$"
)
"""How a sentence begins that does not say that it happened, or counts what did not."""
_GOES_ON = lazy_re2(
    r"^(?: yet\b| so far\b| to (?:starting|started|running|up|healthy|ready|active)\b|[\"']?:? *(?:none|null|nil|undefined|false|n/a|no|ok|0|-+)\W*$)|, continuing\b|, using |\bfalling back\b|\bwill be retried\b|"
    r"\blocally$|, ignor(?:ing|ed)\b|"
    # A client that breaks off while a server greets it: a health check, a scanner.
    r"^ [\[\]\w.:]+:\d+: (?:EOF|read tcp [^\n]{1,120}: connection reset by peer|tls: first record does not look like a TLS handshake)\s*$"
)
"""How one goes on that waits, or makes do."""


def admission_span(line: str) -> tuple[int, int] | None:
    """Where in its line the words stand that say that something failed; None where none do.

    Args:
        line: The beginning of a line that states no level.
    """
    text = line.encode()
    if first_span(_ADMITS, text)[0] < 0:
        return None
    # Nearly always they stand after all of the header; else some of what looks like one belongs to them.
    start = first_span(_HEADER, text)[1]
    end = span_from(_BARE, text, start)[1]
    if end < 0:
        start, end = _WHERE.search(text).span(1)
    if first_span(_DOUBTFUL, text[start:end])[0] >= 0 or first_span(_GOES_ON, text[end:])[0] >= 0:
        return None
    return (start, end) if line.isascii() else (len(text[:start].decode()), len(text[:end].decode()))
