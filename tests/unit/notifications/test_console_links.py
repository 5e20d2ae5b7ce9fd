"""Console addresses: the same ones the console makes, and readable back whatever the names are."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.notifications.console_links import (
    alarm_link,
    insights_link,
    insights_query,
    log_stream_link,
    required_text,
)
from tocsin.core.signatures.reader import parse_signatures
from tocsin.core.signatures.signature import Source

REAL_STREAM = (  # found in a public repository's issue notes, copied from the console
    "https://eu-west-3.console.aws.amazon.com/cloudwatch/home?region=eu-west-3#logsV2:log-groups/log-group/"
    "$252Faws$252Flambda$252Fpreprod-compute-geo-jobs-WorkerFunction-UB0GNzuahUcv/log-events/"
    "2024$252F02$252F07$252F$255B38$255Da243edf56b59432eb12a16383db699eb$3Fstart$3D1707340881941"
)
REAL_STREAM_WINDOW = (  # and from another one
    "https://ap-northeast-1.console.aws.amazon.com/cloudwatch/home?region=ap-northeast-1#logsV2:log-groups/log-group/"
    "$252Faws$252Flambda$252Fluciferous-animanch-bbs-database-cloud-threads-dumper/log-events/"
    "2024$252F04$252F11$252F$255B$2524LATEST$255D3363f5957f0c4cfca501707e079092ef"
    "$3Fstart$3D1712809338551$26end$3D1712810248551"
)
REAL_INSIGHTS = (
    "https://us-west-2.console.aws.amazon.com/cloudwatch/home?region=us-west-2#logsV2:logs-insights$3FqueryDetail$3D"
    "~(end~'2023-03-30T08*3a20*3a41.000Z~start~'2023-02-01T09*3a08*3a42.000Z~timeType~'ABSOLUTE~tz~'Local"
    "~editorString~'fields*20*40timestamp*2c*20*40message*0a*7c*20filter*20*40message*20like*20*22backup*20complete*22"
    "*0a*7c*20sort*20*40timestamp*20desc~queryId~'78b3f82c-5b6c-4914-9105-8131076af8a5"
    "~source~(~'prod-backup-ipfs-cluster))$26tab$3Dlogs"
)
REAL_INSIGHTS_SLASH = (
    "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#logsV2:logs-insights$3FqueryDetail$3D"
    "~(end~'2026-02-16T05*3a55*3a00.000Z~start~'2026-02-15T12*3a40*3a00.000Z~timeType~'ABSOLUTE~tz~'UTC~editorString"
    "~'filter*20*40message*20like*20*2f*28*22status*22*3a*225*29*2f~queryId~'6c584ad0-336a-47aa-9b0d-15756d9848fd"
    "~source~(~'API-Gateway-Access-Logs_etmsu5l0ak*2fprod)~lang~'CWLI~logClass~'STANDARD~queryBy~'logGroupName)"
)


def decode_insights(url):  # noqa: C901 - a grammar in one place
    """What the console reads out of such an address: JSURL's grammar, written down independently."""
    fragment = unquote(url.partition("#")[2].replace("$", "%"))
    text = fragment.partition("queryDetail=")[2].partition("&tab=")[0]
    at = 0

    def expect(token):
        nonlocal at
        assert text.startswith(token, at), f"expected {token!r} at {text[at : at + 20]!r}"
        at += len(token)

    def string():
        nonlocal at
        units = []
        while at < len(text) and text[at] not in "~)":
            if text[at] == "*":
                width = 4 if text[at + 1] == "*" else 2
                start = at + (2 if width == 4 else 1)
                units.append(int(text[start : start + width], 16))
                at = start + width
            else:
                units.append(ord("$" if text[at] == "!" else text[at]))
                at += 1
        return b"".join(unit.to_bytes(2, "big") for unit in units).decode("utf-16-be", "surrogatepass")

    def value():
        expect("~")
        if text[at] == "(":
            expect("(")
            answer = sequence() if text[at] == "~" else mapping()
            expect(")")
            return answer
        expect("'")
        return string()

    def sequence():
        entries = []
        while text[at] == "~":
            entries.append(value())
        return entries

    def mapping():
        nonlocal at
        answer = {}
        while text[at] != ")":
            if answer:
                expect("~")
            name = string()
            answer[name] = value()
        return answer

    answer = value()
    assert at == len(text)
    return answer


def decode_stream(url):
    path = unquote(url.partition("#")[2].replace("$", "%"))
    found = re.fullmatch(
        r"logsV2:log-groups/log-group/([^/]*)/log-events/([^/?]*)\?start=(\d+)(?:&end=(\d+))?", path
    )
    assert found, path
    return unquote(found[1]), unquote(found[2]), int(found[3]), int(found[4] or 0)


def test_the_decoder_reads_addresses_that_the_console_made():
    assert decode_insights(REAL_INSIGHTS)["editorString"].splitlines()[1] == (
        '| filter @message like "backup complete"'
    )
    assert decode_insights(REAL_INSIGHTS_SLASH)["source"] == ["API-Gateway-Access-Logs_etmsu5l0ak/prod"]
    assert decode_insights(REAL_INSIGHTS_SLASH)["editorString"] == 'filter @message like /("status":"5)/'
    assert decode_stream(REAL_STREAM)[1] == "2024/02/07/[38]a243edf56b59432eb12a16383db699eb"


def test_a_log_stream_link_is_the_one_the_console_makes():
    link = log_stream_link(
        "ap-northeast-1",
        "/aws/lambda/luciferous-animanch-bbs-database-cloud-threads-dumper",
        "2024/04/11/[$LATEST]3363f5957f0c4cfca501707e079092ef",
        1712809338551 + 60_000,
        1712810248551 - 60_000,
    )
    assert link == REAL_STREAM_WINDOW


def test_an_insights_link_writes_query_times_and_log_group_as_the_console_does():
    query = 'filter @message like /("status":"5)/'
    link = insights_link(
        "us-east-1",
        "API-Gateway-Access-Logs_etmsu5l0ak/prod",
        query,
        1771159200000 + 60_000,
        1771221300000 - 60_000,
    )
    real, ours = decode_insights(REAL_INSIGHTS_SLASH), decode_insights(link)
    assert {
        key: ours[key] for key in ("end", "start", "timeType", "tz", "editorString", "source", "lang")
    } == {key: real[key] for key in ("end", "start", "timeType", "tz", "editorString", "source", "lang")}
    for part in ("end~'2026-02-16T05*3a55*3a00.000Z~start~'2026-02-15T12*3a40*3a00.000Z~timeType~'ABSOLUTE",
                 "editorString~'filter*20*40message*20like*20*2f*28*22status*22*3a*225*29*2f",
                 "source~(~'API-Gateway-Access-Logs_etmsu5l0ak*2fprod)"):  # fmt: skip
        assert part in REAL_INSIGHTS_SLASH
        assert part in link


def test_the_partitions_have_their_own_consoles():
    assert log_stream_link("cn-northwest-1", "/aws/sagemaker/Endpoints/ocr", "s", 0, 0).startswith(
        # https://cn-northwest-1.console.amazonaws.cn/… stands in a public README
        "https://cn-northwest-1.console.amazonaws.cn/cloudwatch/home?region=cn-northwest-1"
        "#logsV2:log-groups/log-group/$252Faws$252Fsagemaker$252FEndpoints$252Focr"
    )
    assert alarm_link("us-gov-west-1", "a").startswith("https://us-gov-west-1.console.amazonaws-us-gov.com/")
    assert alarm_link("us-east-1", "API Gateway 5xx/€").endswith(
        "#alarmsV2:alarm/API%20Gateway%205xx%2F%E2%82%AC"
    )


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eusc-de-east-1", "eusc-de-east-1.console.amazonaws-eusc.eu"),
        ("eu-central-1", "eu-central-1.console.aws.amazon.com"),
        ("us-gov-east-1", "us-gov-east-1.console.amazonaws-us-gov.com"),
        ("cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("ap-southeast-6", "ap-southeast-6.console.aws.amazon.com"),
    ],
)
def test_every_kind_of_link_leads_to_the_console_of_its_partition(region, host):
    for link in (
        log_stream_link(region, "/a", "b", 0, 1),
        insights_link(region, "/a", "q", 0, 1),
        alarm_link(region, "a"),
    ):
        assert link.startswith(f"https://{host}/cloudwatch/home?region={region}#")


@pytest.mark.parametrize("region", ["us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "us-isof-south-1"])
def test_a_partition_whose_console_is_not_public_gets_no_link_rather_than_a_wrong_one(region):
    assert alarm_link(region, "a") is None
    assert insights_link(region, "/a", "q", 0, 1) is None


@pytest.mark.parametrize("region", ["", "nowhere", "us-east-1.evil.example/", "US East (N. Virginia)"])
def test_an_unknown_region_makes_no_link(region):
    assert log_stream_link(region, "/a", "b", 0, 1) is None
    assert insights_link(region, "/a", "q", 0, 1) is None
    assert alarm_link(region, "a") is None


names = st.text(st.characters(exclude_categories=()), min_size=1, max_size=60)
stream_names = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=60)


@given(
    group=stream_names, stream=stream_names, first=st.integers(10**9, 2 * 10**12), span=st.integers(0, 10**9)
)
def test_any_log_stream_is_read_back(group, stream, first, span):
    link = log_stream_link("eu-west-1", group, stream, first, first + span)
    assert decode_stream(link) == (group, stream, first - 60_000, first + span + 60_000)
    assert re.fullmatch(r"[!-~]+", link)


@given(group=names, query=names)
def test_any_query_and_log_group_are_read_back(group, query):
    link = insights_link("eu-west-1", group, query, 10**12, 10**12)
    found = decode_insights(link)
    assert (found["editorString"], found["source"]) == (query, [group])
    assert re.fullmatch(r"[!-~]+", link)


def test_the_query_looks_for_what_every_match_contains():
    assert "like /Runtime\\.ImportModuleError/" in insights_query([r"Runtime\.ImportModuleError.*No module"])
    assert "like /(?i)S3.bucket.NOT.accessible/" in insights_query(["(?i)S3 bucket NOT accessible"])
    both = insights_query(["time to live", "path/to/file"])
    assert "@message like /time.to.live/ or @message like /path\\/to\\/file/" in both
    assert "filter" not in insights_query(["a sure text", "[a-z]+"])
    assert "filter" not in insights_query([])


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("abc|defgh", ""),
        ("(abc|def) and more", "and more"),
        ("colou?r", "colo"),
        ("ab{0,3}cde", "cde"),
        ("[]x]tail", "tail"),
        ("[^]x]+tail", "tail"),
        (r"\[ERROR\] x", "[ERROR] x"),
        (r"\d+ items", "items"),
        (r"\Qa.b\E", ""),
        ("some (?i)text", ""),
        ('say "hello" to', "hello"),
        ("((a)b(c))d", "d"),
    ],
)
def test_required_text(expression, text):
    assert required_text(expression) == text


def signature_files():
    root = Path(__file__).parents[3] / "functions"
    return {str(path.relative_to(root)): path.read_text() for path in sorted(root.glob("signatures/*.toml"))}


def test_a_text_the_query_looks_for_is_in_every_match_of_its_expression():
    checked = 0
    for rule in parse_signatures(signature_files())[0].values():
        if rule.source is not Source.LOG:
            continue
        for expression in rule.any:
            text = required_text(expression)
            for sample in rule.matches:
                line = sample.replace("\u00a0", " ")
                if found := re2.search(expression, line):
                    assert text.lower() in found[0].lower()
                    checked += 1
    assert checked
