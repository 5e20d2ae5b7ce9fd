"""Shapes of lines that quote an error rather than being one.

An ordered table of named, commented expressions, each looked for in one place around the words that matched. A line
that has one of these shapes raises nothing, whatever its level. What the table gets wrong is recorded in
``tests/corpus/known_wrong.jsonl``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import re2

BEFORE = 600
"""Characters of the line before the match that are looked at."""
AFTER = 400
"""Characters of the line after the match that are looked at."""


class Place(StrEnum):
    """Where a shape is looked for."""

    BEFORE = "before"
    """In the line, up to where the match begins."""
    AFTER = "after"
    """In the line, from where the match ends."""
    LINE = "line"
    """In the whole line."""
    AROUND = "around"
    """In the line, with ``\x01`` and ``\x02`` around what matched."""
    HEAD = "head"
    """In the first line of the event."""


class Shape(NamedTuple):
    """One way of quoting an error.

    Attributes:
        name: What it is called in ``tocsin explain``.
        place: Where it is looked for.
        expression: The RE2 expression that recognises it.
        example: A line of this shape, tried by a test.
    """

    name: str
    place: Place
    expression: str
    example: str


SHAPES = (
    # Queries, filters and rules name errors in order to find them.
    Shape("a Logs Insights query", Place.HEAD, r"^\s*(?:fields|filter|parse|stats|display)\s+@\w|\|\s*(?:filter|stats|fields|sort|parse|limit)\s",
          "fields @timestamp | filter @message like /Task timed out/"),
    Shape("a filter condition", Place.BEFORE, r"(?:@message|\bmessage|\bmsg|\btext|\btextPayload)\s*(?:\bnot\s+)?(?i:like|=~|ilike|contains|matches)\s*[\"'/%(*]",
          "filter @message like /signal: killed|Task timed out/"),
    Shape("a filter pattern", Place.BEFORE, r"(?i)\bfilter[-_ ]?pattern\b",
          "aws logs filter-log-events --filter-pattern 'Task timed out'"),
    Shape("a SQL condition", Place.BEFORE, r"(?i)\b(?:where|and|or|when)\b[^;]*\b(?:i?like|regexp|rlike|similar to|~\*?)\s*'",
          "SELECT count(*) FROM logs WHERE message LIKE '%Task timed out after 3.00 seconds%'"),
    Shape("a SQL comment", Place.BEFORE, r"(?i)(?:;|^)\s*--\s",
          'DROP DATABASE x; -- FATAL: database "x" does not exist is fine here'),
    Shape("a search", Place.BEFORE, r"(?i)\b(?:search(?:ed|ing)?(?:[ _-](?:for|query|term|text|string|results?))?|query|q|keyword|term)\s*[:=]\s*[\"'`]|\bsearch(?:ed|ing)?\s+for\b",
          "search query: \"Unable to import module 'lambda_function'\""),
    Shape("a regular expression", Place.LINE, r"\(\?[iP:][^)]*\)|\.\*\??[A-Za-z]|\\[bsdw][+*]?\W|[A-Za-z]\.\*",
          "pattern: (?i)task timed out after \\d+"),
    Shape("alternatives of a pattern", Place.AROUND, r"(?i:exception|error|exceeded|out|killed|refused|failed|denied)\|\x{1}|\x{2}\|[A-Za-z]",
          "rule: ThrottlingException|Rate exceeded|TooManyRequestsException"),
    # What was asked for is not what happened.
    Shape("an address", Place.BEFORE, r"(?:\bhttps?://|\bwww\.)[^\s\"'<>]*$",
          "see https://docs.example.com/errors/Runtime.ImportModuleError"),
    Shape("a request line", Place.LINE, r"(?:^|[\s\"\]])(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) /\S*(?: HTTP/\d(?:\.\d)?\"?)?\s+(?:\d{3}\b|HTTP)|\"(?:GET|POST|PUT|PATCH|DELETE|HEAD) \S+ HTTP/",
          "GET /docs/errors/NoSuchBucket 200 13ms"),
    Shape("a path", Place.BEFORE, r"(?:^|[\s\"'=(])(?:/|\./|[\w-]+/)[\w./-]*/$",
          "uploaded docs/errors/NoSuchBucket"),
    # Tests name what they test.
    Shape("a test result", Place.LINE, r"(?:^|\s)(?:PASSED|FAILED|SKIPPED|XFAIL|XPASS|PASS|ok|OK)(?:\s*\[\s*\d+%\]|\s*$|\s*\(\d)|\s\.\.\.\s(?:ok|OK|FAIL|ERROR|skipped)\b|^\s*(?:ok|not ok)\s+\d+\b|^\s*--- (?:PASS|FAIL|SKIP):|^\s*[✓✔√✗✘×●○]\s|^\s*(?:PASS|FAIL)\s+\S+/",
          "tests/test_signatures.py::test_task_timed_out PASSED [ 12%]"),
    Shape("a test report's summary", Place.BEFORE, r"^(?:ERROR|FAILED|XFAIL|SKIPPED)(?: \[\d+\])? [\w./-]+\.py(?:::\S+)?(?::\d+)?(?: -|:) ",
          "ERROR tests/test_handler.py - ModuleNotFoundError: No module named 'app'"),
    Shape("a test's name", Place.LINE, r"\w+\.(?:py|ts|js|rb)::\w|::test_\w|\bdef test_|\b(?:it|describe|test)\(\s*['\"`]|\btest_\w+\s+\(",
          "tests/test_signatures.py::test_NoSuchBucket FAILED"),
    Shape("an expectation", Place.BEFORE, r"(?i)(?:^|[\s(\"'*>#`-])(?:expect(?:s|ed|ing|ation)?|assert(?:s|ed|ion)?\w*|should(?: not)?|raises|to[_ ]?throw\w*|to[_ ]?raise)\b(?:\s+(?:be|to|result|output|failure|fail(?:ed)?|error|message|exception|see|raise|throw|get|that|an?|the|with|has|in|contain\w*|equal\w*|match\w*|log\w*|\w+ error))*\s*(?:[:=(\"'`\x{2014}-]|$)",
          "Expected: FAIL \u2014 `ModuleNotFoundError: No module named 'app'` (not written yet)."),
    Shape("as expected", Place.AFTER, r"(?i)(?:\bas expected\b|\(expected\)|\bis expected\b|\bwas expected\b|\bexpected\s+(?:for|here|in|by|error|failure|behaviou?r)\b|->\s*(?:ok|pass))",
          "kms:Decrypt denied on other-key -> as expected"),
    # Code and commands hold errors as text.
    Shape("a command", Place.LINE, r"^\s*(?:[$%\x{276f}>]|>>>|\.\.\.|[\w.-]+@[\w.-]+[:~][^$#]*[$#])\s+(?:sudo\s+)?(?:grep|rg|ag|awk|sed|cat|tail|less|git|aws|curl|echo|printf|python3?|pytest|kubectl|docker|gh|jq|sam|npm|make|psql|mysql|history)\b|^\s*(?:\d+\s+)?(?:sudo\s+)?(?:grep|egrep|zgrep|rg|awk|sed|echo|printf|jq|git\s+(?:log|commit|grep|show|blame)|docker(?:-compose)?\s+(?:exec|run|logs|compose)|kubectl\s+(?:logs|exec|get|describe)|aws\s+(?:logs|secretsmanager|s3|s3api|sqs|lambda|kms|rds|cloudwatch|sts|ssm|ecs|iam|ec2|dynamodb|events|sns)|curl|cat|history)\s+\S",
          "$ grep -rn 'No module named' build/"),
    Shape("a command's argument", Place.BEFORE, r"(?:\||&&|;|^)\s*(?:e?grep|rg|awk|sed|echo|printf|jq)\s+[^|;]*$",
          "tail -f app.log | grep 'Task timed out after 3'"),
    Shape("a line found by grep", Place.BEFORE, r"^[\w./-]+\.(?:py|js|ts|go|rb|java|md|rst|toml|ya?ml|json|txt|tf|sh|html|sql|ipynb|mdx|adoc)[:-]\d+[:-]",
          "docs/troubleshooting.md:14:Unable to import module 'app': No module named 'x'"),
    Shape("source code", Place.BEFORE, r"^\s*(?:\d+[:|]?\s+|>\s+)?(?:use\s+\w+\\|(?:import|using)\s+(?:static\s+|type\s+)?[\w*{]+[.{\s]|except\b|raise\s|catch\s*\(|throw\s|if\s|elif\s|else\s+if|return\s|case\s|assert\s|for\s+\w+\s+in\s|while\s|const\s|let\s|var\s|def\s|class\s|func\s|//|/\*|\*\s|<!--|@pytest|with\s+pytest|self\.\w+\(|(?:logger|logging|log|console|print|logs?)\.?\w*\()",
          "raise ImportError(\"cannot import name 'x' from 'y'\")"),
    Shape("a comparison in code", Place.BEFORE, r"(?:==|!=|===|\.(?:includes|contains|match|test|search|startswith|startsWith|indexOf|toContain|toThrow|toMatch\w*)\s*\(|\bin\s+str\()\s*[rbf]?[\"'`/]?[^\"'`]*$|\bin str\($|^\s+[\"'][^\"']*$",
          "err.name === 'NoSuchBucket'"),
    Shape("a comparison in code", Place.AFTER, r"^[^\"'`]{0,40}[\"'`]\s*(?:in\s+(?:str\(|\w+(?:\.\w+)*\s*[:)]|(?:err|error|exc|e|ex|message|msg|output|log|text|result|stderr|caplog)\b)|[=!]==?)",
          "'Task timed out after' in str(error)"),
    Shape("a text in quotation marks", Place.AROUND, r"^[\"'][^\"'\x{1}]*\x{1}[^\x{2}]*\x{2}[^\"']*(?:[\"']\s*\S|$)",
          "'Task timed out after 3.00 seconds',"),
    Shape("a change in code", Place.LINE, r"^(?:[+-]{3}\s|@@ -\d|[+-]\s*(?:#|//|\w+\s*=|def |raise |except |import |from |- |\"|'))",
          "+ raise ImportError(\"cannot import name 'x' from 'y'\")"),
    Shape("a list of names", Place.LINE, r"(?i)\b(?:retry_?on|retryable\w*|error_?codes?|handled_?errors|exceptions?|known_?errors|patterns?|keywords|alert_?on|ignored?_?errors)\s*[:=]\s*[\[({]",
          "retryable_errors = ['ThrottlingException', 'TooManyRequestsException']"),
    Shape("a list of names", Place.AROUND, r"(?:Exception|Exceeded|Error|(?:Runtime|Sandbox|Extension)\.\w+)\W?\x{2}\W?,\s?['\"]?(?:\w+(?:Exception|Exceeded|Error)|(?:Runtime|Sandbox|Extension)\.\w+)\b|\b(?:\w+(?:Exception|Exceeded|Error)|(?:Runtime|Sandbox|Extension)\.\w+)['\"]?,\s?['\"]?\x{1}(?:\w+(?:Exception|Exceeded|Error)|(?:Runtime|Sandbox|Extension)\.\w+)\W?\x{2}",
          "Retryable errors: ThrottlingException, TooManyRequestsException"),
    Shape("a ticket or an article", Place.BEFORE, r"(?i)\b(?:ticket|article|issue|bug|pull request|pr)\s+(?:#?\d+|[a-z]{2,8}-\d+)\b",
          "opened ticket #4411 'Event loop is closed'"),
    # Prose about errors.
    Shape("prose", Place.BEFORE, r"(?i)^\W*(?:note that|note:|tip:|hint:|todo\b|fixme\b|if (?:you|the|it|your|a|an|there|this|any)\b|whenever |when (?:you|the|it|your|a|an|this|running|using|lambda)\b|unless |in case |for example|e\.g\.|see |see also|how to |why |what |examples?[:,]|symptom|problem\w*:|issue \d+:|troubleshoot|changed?\s|renamed?\s|this (?:pr|patch|commit)\b|(?:i|we) (?:believe|think|guess)\b|intercept\s|classify\s|fix(?:es|ed)?\b|fix\(|feat\(|docs?[:(]|chore[:(]|refactor[:(]|test[:(]|resolve[sd]? |closes? #|added |adds? |improve|handle[sd]? |runbook|alarm(?:s)? on|alert(?:s|ing)? (?:on|when|if)|detects? |matches |this (?:error|means|happens|will|is)\b|the following|common (?:errors?|causes?)|step \d|q:|a:|faq)",
          "If you see Task timed out after 3.00 seconds, raise the timeout."),
    Shape("prose", Place.BEFORE, r"(?i)(?:\bunless the|\bsuch as|\be\.g\.,?|\bfor example|\bfor instance|\bknown as|\bi\.e\.,?|\bcalled|\bnamed|\bsays|\bif (?:you (?:see|get)|there (?:is|are)|an?)|\bwhen you (?:see|get)|\byou (?:may|might|will|can|could|would) (?:see|get)|\b(?:look|watch|grep|alert|page)(?:s|ed|ing)? (?:for|on):?|\bmatch(?:es|ing)|\b(?:will|would|may|might|can) (?:be killed|fail|die|crash|end) with|\bmentions?|\bshow(?:s|ed|n)?|\bcontain(?:s|ing)|\bsaying|\bwhen an?|\bretry (?:on|when|if)|\bwill retry when an?|\binstead of|\brather than|\bto avoid|\bavoids?|\bprevents?|\bto prevent|\bhandl(?:e|es|ed|ing|er for)|\bsimulat(?:e|es|ed|ing)|\bmock(?:s|ed|ing)|\binject(?:s|ed|ing)|\bsuppress(?:es|ed|ing)?|\bignor(?:e|es|ed|ing)|\bno longer)(?: (?:the|an?|any|all|of|error|errors))*\s*(?:[\"'`\x{201c}(]*|[\"'`\x{201c}(]+[\w.]+:\s+)$",
          "the client backs off when you see ThrottlingException"),
    Shape("a name in code", Place.AROUND, r"(?:^|[^A-Za-z])[a-z_][a-z0-9_]*!?\(\x{1}\w+\x{2}\)|[\[({,]\s*[\"']\x{1}\w+\x{2}[\"']\s*[,\])}]|^\s*:(?:raises?|returns?|param)\b|@(?:throws|raises|exception)\b",
          "retry=retry_if_exception_type(ThrottlingException)"),
    Shape("an assignment in code", Place.BEFORE, r"^\s*(?:[a-z]+ )*[\w.]+(?:: ?[\w\[\], .|]+)? = (?:[\w.]+[({\[]|[\"'\[{(]|[rbf][\"'])|^\s*\"[\w-]+\": \(",
          '_NOT_FOUND_CODES = frozenset({"404", "NoSuchBucket"})'),
    Shape("a text in code", Place.AFTER, r"\"\)?\.(?:into|to_string|to_owned)\(\)",
          'detail: "FATAL: password authentication failed for user".into(),'),
    Shape(
        "a quotation in a sentence",
        Place.AROUND,
        r'^(?:[^"\x{1}]*"[^"\x{1}]*")*[^"\x{1}]*"[^"\x{1}]{0,60}\x{1}[^\x{2}]*\x{2}[^"]{0,60}"\)?(?:\.\s*$|\.\s+\S|\*?\s+[\x{2014}\x{2013}]\s|\s+(?:is|are|was|were|means?|may|might|can|could|should|will|would|errors?|exceptions?|appears?|occurs?|happens?|when|if)\b)',
        "the mapper configuration fails with \"expression 'User' failed to locate a name\".",
    ),
    Shape(
        "a text handed to a function",
        Place.BEFORE,
        r"\b(?:format|New|Errorf|Sprintf|printf|println|print|eprintln|panic|bail|anyhow|includes|contains|reject|toThrow|toBe|toEqual|toContain|assertEqual|assertIn|expect|expect_error|append|push|write|warn|info|debug|log|fail)!?\((?:[^)]*\), |[^)\"'`]*)[rbf&]?[\"'`][^\"'`]*$|^\s*[A-Z_][A-Z0-9_]*=\$\(|^\s*#!\s",
        "ErrSecret404 = errors.New(\"aws Secrets Manager can't find the specified secret\")",
    ),
    Shape(
        "a text in a call or a structure",
        Place.BEFORE,
        r"\b[a-z]\w*!?\((?:[^()\"']*|[^()]*,\s*)[&rbf]?[\"'][^\"']*$|=>\s*[\"'][^\"']*$|\b[A-Z]\w+\{[^}]*[\"'][^\"']*$",
        'writeError(w, 400, "The specified queue does not exist.")',
    ),
    Shape(
        "a text that something is said to say",
        Place.BEFORE,
        r"(?i)\b(?:causes?|causing|raises?|throws?|prints?|fails? with|failing with|dies with|says?)\s+[*_]*[\"\x{201c}'][^\"\x{201c}']*$",
        'caching of the driver causes "Task attached to a different loop"',
    ),
    Shape(
        "an entry of a list in code",
        Place.HEAD,
        r"^\s*[(\[]?\"[^\"]*\",\s*(?://.*|#.*)?$",
        '        "Runtime exited with error: signal: killed",',
    ),
    Shape("a remark in code", Place.BEFORE, r"^\s*(?:#|//|/\*|\*)\s(?:.*\s)?[\"'`(]+$",
          '# "RuntimeError: Event loop is closed" was seen here before the client was shared'),
    Shape("a remark in code", Place.BEFORE, r"^\s*(?:#|//|--|\*)\s*(?:raises?|throws?|returns?|e\.g|todo|note|example|solves?|fix(?:es|ed)?|see|handles?|workaround|if|when|would|will|should|avoids?|prevents?)\b",
          "# raises ModuleNotFoundError: No module named 'x' when the layer is missing"),
    Shape("a quotation in a sentence", Place.AROUND, r"[\"'`\x{201c}\x{2018}]\x{1}[^\x{2}]*\x{2}[\"'`\x{201d}\x{2019}]\s+(?:[\w-]+ing\s+)?(?:is|are|was|were|means?|should|will|can|could|may|might|would|errors?|exceptions?|messages?|warnings?|alarms?|logs?|lines?|appears?|occurs?|happens?|in|when|if|by|to|on|for|from|and|or)\b",
          'The warning "Too many connections" is only printed for the first of them'),
    Shape("what it means", Place.AFTER, r"(?i)^[\"'`)]*\s+(?:(?:->|=>|\x{2192})\s|(?:when|if) (?:the|an?|you|your|it|there|this|no)\b|(?:means|indicates|is (?:returned|raised|thrown|logged|reported|caused|an? )|usually|often|typically)\b)|\s[\x{2014}\x{2013}-]\s+(?:usually|often|typically|this|it|you|see|check|means)\b",
          "S3 returns NoSuchBucket when the bucket does not exist."),
    Shape("a title", Place.BEFORE, r"(?i)^\s*[\"']?(?:title|subtitle|headline|placeholder|label|subject)[\"']?\s*[:=]\s",
          "title: 'ERROR 53300: Too many connections'"),
    Shape("a commit", Place.BEFORE, r"(?i)^(?:commit\s+[0-9a-f]{6,40}\b|[0-9a-f]{7,12}\s+(?:fix|feat|chore|docs|test|refactor|merge|add|update|revert)\b|(?:Merge|Revert) )",
          "commit 1a2b3c4 fix ModuleNotFoundError: No module named 'shared.storage'"),
    Shape("code in prose", Place.BEFORE, r"^(?:[^`]*`[^`]*`)*[^`]*`[^`]*$|^[^`]*(?:``[^`]*``[^`]*)*``[^`]*$",
          '- `FATAL: database "None" does not exist` means that the secret lacks a key'),
    Shape("markup", Place.LINE, r"^\s*(?:\|[^|]+\|.*\||#{1,6} (?:\d+[.)] )?[A-Z`\"']|<(?:p|li|td|h\d|code|pre|a|div|span)\b|\[[^\]]+\]\(http)",
          "| `NoSuchBucket` | the bucket was deleted | create it |"),
    Shape("a change log", Place.HEAD, r"^#{1,4}\s+(?:\[?v?\d+\.\d+(?:\.\d+)?\b|\[?(?:unreleased|change ?log)\b)",
          "## [1.2.3] - 2024-05-01\n- Cold start: Unable to import module 'handler'"),
    # It did not happen, or it is over.
    Shape("over", Place.BEFORE, r"(?i)\b(?:retry|retrie[sd]|reconnect\w*|attempt(?: \d+)?)\b[^.;]{0,20}\bsucceeded\b",
          "Retry succeeded after 1 attempt (previous error: Rate exceeded)"),
    Shape("none of them", Place.BEFORE, r"(?i)(?:(?:\b(?:no|zero|without|never|not|isn't|wasn't|didn't|doesn't|don't)|(?:^|[:;,(|-]\s*)0)\b(?:\s+(?:any|a|an|more|further|new|longer|see|seen|get|got|occurrences?|events?|errors?|exceptions?|instances?|cases?|hits?|of|for))*)\s*[\"'`(\[]*$",
          "health: no ThrottlingException in the last hour"),
    Shape("none of them", Place.AROUND, r"(?i)(?:^|[\s:;,(])(?:no|zero|0) [^\x{1}]*\x{1}[^\x{2}]*\x{2}.*\b(?:in the last|in the past|since|so far|today|this (?:hour|week|month)|seen|found|occurred|logged)\b",
          "health: no RuntimeError: Event loop is closed in the last hour"),
    Shape("a count of nothing", Place.AFTER, r"(?i)^\W{0,3}(?:errors?|exceptions?|events?|count|total|metric|rate|s|per (?:minute|second|hour)|in the last[\w ]{0,20}|[\w.]{0,24}(?:count|total|rate))*[\"']?\s*(?:[:=]|is|was|->|,)\s*[\"']?0(?:\.0+)?%?(?:[\s,;}\"'\])|]|$)",
          "ThrottlingException: 0 in the last 5 minutes"),
    Shape("a count of nothing", Place.AFTER, r"(?i)\b(?:metric|count|total|rate|errors?)\b\W{0,3}0(?:\.0+)?%?(?:[\s,;}\"'\])|]|$)",
          "password authentication failed metric: 0 in the last 5 minutes"),
    Shape("a count of nothing", Place.AFTER, r"^[\"'\]})]{1,4}\s+0(?:\.0+)?\s*$",
          'errors{type="ThrottlingException"} 0'),
    Shape("over", Place.AFTER, r"(?i)\b(?:(?:is|was|been|has been|now|got) (?:fixed|resolved|handled|gone|recovered|cleared|solved)|check(?:s)? passed|passed\b|recovered\b|(?:succeeded|success(?:ful(?:ly)?)?|ok) (?:after|on|at|in) (?:retry|attempt|\d)|no longer (?:occurs|happens|seen)|skipping\b|, ignor(?:ed|ing)\b|will page\b|handler (?:registered|installed)|(?:is|are|will be|gets?) retried\b|retry succeeded|false alarm|alarm (?:is )?(?:OK|cleared)|returned to OK)",
          "NoSuchBucket check passed"),
    Shape("a notice", Place.BEFORE, r"\b(?:NOTICE|DEBUG\d?|HINT|DETAIL|CONTEXT|STATEMENT|QUERY):\s+[^:]*$",
          'psql:init.sql:4: NOTICE:  database "app" does not exist, skipping'),
)  # fmt: skip

_SETS: dict[Place, tuple[re2.Set, list[int]]] = {}


def quoted_as(text: str, start: int, end: int) -> str:
    """Name the shape in which a text quotes what matched, or answer the empty string.

    Args:
        text: The canonical text.
        start: Where the match begins.
        end: Where the match ends.
    """
    while start < end and not text[start].isalnum():
        start += 1  # the quotation mark or bracket that an expression took along belongs to what comes before
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", start)
    line_end = len(text) if line_end < 0 else line_end
    end = min(end, line_end)
    while end > start and not text[end - 1].isalnum():
        end -= 1  # punctuation that an expression took along belongs to what follows: `X: 0`
    before = text[max(line_start, start - BEFORE) : start]
    after = text[end : min(line_end, end + AFTER)]
    head_end = text.find("\n", 0, BEFORE)
    places = {
        Place.BEFORE: before,
        Place.AFTER: after,
        Place.LINE: text[max(line_start, start - BEFORE) : min(line_end, end + AFTER)],
        Place.AROUND: f"{before}\x01{text[start : min(end, start + AFTER)]}\x02{after}",
        Place.HEAD: text[: head_end if head_end >= 0 else BEFORE],
    }
    if not _SETS:
        _SETS.update((place, _set_for(place)) for place in Place)
    first = len(SHAPES)
    for place, looked_at in places.items():
        shapes, numbers = _SETS[place]
        for hit in shapes.Match(looked_at.encode("utf-8", "replace")) or ():
            first = min(first, numbers[hit])
    return SHAPES[first].name if first < len(SHAPES) else ""


def _set_for(place: Place) -> tuple[re2.Set, list[int]]:
    """All shapes of one place as one automaton, and where each stands in the table."""
    together, numbers = re2.Set.SearchSet(), []
    for number, shape in enumerate(SHAPES):
        if shape.place is place:
            together.Add(shape.expression)
            numbers.append(number)
    together.Compile()
    return together, numbers
