"""Writes ``vocabulary.py`` of the redaction again: the words that are known to be harmless, which strict redaction shows.

    .venv/bin/python tools/vocabulary.py

The words come from what is published about programs, never from logs of anybody:

- botocore's descriptions of AWS's services (Apache-2.0): documentation, operations, parameters, errors. A word counts where it
  occurs in lower case in the documentation of several services, or in a name. Services about health are left out.
- Python's own names (PSF licence): modules, functions, parameters, exceptions, and the language's reference.
- this repository's signatures, runbooks and pages, and the short list below.

Names of persons, places, diseases and drugs are taken out again by the list below; a word that occurs only with a capital
letter is not taken in the first place. Run it after an update of botocore and look at the difference: what is added is shown.
"""

from __future__ import annotations

import ast
import gzip
import importlib.metadata
import json
import pydoc_data.topics
import re
import sys
import sysconfig
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import botocore

ROOT: Final = Path(__file__).resolve().parent.parent
FILE: Final = ROOT / "functions/tocsin/core/redaction/vocabulary.py"
VERSION: Final = 1
"""Raised when the words change."""

_MIN_SERVICES: Final = 6
_MIN_NAMES: Final = 2
_HEALTH: Final = (
    "health",
    "medical",
    "hipaa",
    "omics",
    "pinpoint",
    "location",
    "geo-",
    "transcribe",
    "comprehend",
    "rekognition",
    "lex",
    "polly",
    "translate",
)
_LOWER: Final = re.compile(r"(?<![\w@.'\-/])[a-z]{2,24}(?![\w@]|'[a-z])")
_PART: Final = re.compile(r"[A-Z]?[a-z]{2,24}|[A-Z]{2,12}(?![a-z])")

_ADDED: Final = """
a i an am pm utc gmt ok oom rss tcp udp tls ssl http https grpc dns ip ipv uri url api cpu gpu ram ssd io fd pid tid uid gid sql dml ddl json xml yaml
csv html css js ts jvm jar gc npm pip pypi rpc mq dlq sns sqs ecs eks rds vpc nat alb elb iam sts kms s3 arn eof eio enoent eacces econnrefused
econnreset etimedout epipe enotfound eaddrinuse enospc emfile eperm eexist enotdir eisdir enotempty ehostunreach eai errno stderr stdout stdin init
fatal panic goroutine segfault sigterm sigkill sigsegv sigint sigabrt traceback stacktrace backtrace caused unhandled uncaught rejection throw throws
thrown raise raised retry retries retrying backoff timeout timeouts timed deadline upstream downstream gateway proxy nginx redis postgres postgresql mysql
mongodb kafka rabbitmq celery gunicorn uvicorn django flask fastapi express node java python ruby golang rust dotnet kotlin spring hibernate jdbc
psycopg asyncpg sqlalchemy pydantic boto botocore urllib requests aiohttp httpx axios lambda handler coroutine awaited async thread threads mutex
deadlock semaphore heap stack overflow underflow oops kernel cgroup kubelet kubectl pod pods docker container containerd errored refused giving gave up
attempts attempt failed failing failure failures err warn warning info debug trace critical severe notice emergency alert tenant upstreams hostname
localhost unix socket sockets ping pong ack nack dequeue enqueue requeue redrive poison dead letter backlog lag offset offsets partition consumer
producer broker replica leader follower quorum raft shard sharding rebalance rebalancing checkpoint wal fsync vacuum autovacuum tuple relation
constraint violates violated foreign unique not null deadlocked rollback rolled commit committed savepoint isolation serializable lock locks locked
unlock waited waiting wait blocked blocking nonblocking cannot can't couldn't didn't doesn't isn't wasn't won't don't shouldn't it's that's
unmarshal marshal serialize deserialize serializable decoder encoder codec charset utf latin ascii unicode malformed truncated overflowed checksum
mismatch mismatched corrupt corrupted unreadable unparsable parser lexer unexpectedly nullpointerexception illegalargumentexception runtimeexception
modulenotfounderror importerror attributeerror typeerror valueerror keyerror nonetype undefined nan nil none null true false yes no bool int str dict
elf favicon ico glibc musl libc ssr cors csrf oauth oidc saml jwt jwks hmac aes rsa sha mq sdk cdk cli ide ci cd vm os lb ttl acl fqdn cidr nic mtu mss rst syn fin
sslv tlsv x509 pem csr ca crl ocsp sni alpn spdy quic websocket websockets webpack vite nextjs nuxt nestjs prisma typeorm sequelize mongoose knex axios undici
fetcherror aborterror rangeerror referenceerror syntaxerror typeorm drizzle laravel symfony doctrine composer artisan rails activerecord sidekiq puma unicorn
gorm gin fiber echo tokio serde hyper reqwest actix axum diesel sqlx tonic okhttp retrofit jackson gson netty tomcat jetty undertow quarkus micronaut lettuce
jedis hikari hikaripool flyway liquibase log4j slf4j logback aspnetcore entityframeworkcore system microsoft npgsql sqlclient efcore kestrel nonexistent existent
oomkilled crashloopbackoff imagepullbackoff errimagepull evicted unschedulable taint tainted cordon drain liveness readiness probe probes sidecar envoy istio
linkerd helm argo flux terraform pulumi ansible jenkins github gitlab bitbucket actions runner runners artifact artifacts pipeline pipelines workflow workflows
tuple list set float object class method func function argument arguments param params kwargs args callable iterable subscriptable hashable
"""
"""Words of every log that the sources lack or use too rarely."""

_LEFT_OUT: Final = (
    # Persons, places, health: what the sources use in examples.
    """john jane doe mary richard roe alice bob carol dave eve mike anna maria jose juan carlos david sara sarah susan paul peter pat
    bill jeff martha nikki diego kwaku akua saanvi arnav alejandro rosalez stiles paulo santos li wang zhang xiulan jorge souza nikhil
    jayashankar mateo jackson wolf mia mendez ana silva liu jie sofia martinez joe smith jones brown chen kim lee amy tom tim
    seattle virginia oregon ohio ireland london paris frankfurt tokyo seoul mumbai sydney berlin boston chicago washington california texas
    stockholm milan bahrain jakarta cape dublin york america europe germany france spain italy japan india china brazil canada mexico
    cancer diabetes asthma hiv aids hepatitis tumor tumour depression depressive anxiety disorder disease diagnosis syndrome surgery pregnant pregnancy
    penicillin insulin aspirin metformin sertraline ibuprofen heart blood kidney liver lung drinking drunk alcohol smoking smoker drug drugs
    medication medications prescription dose dosage symptom symptoms therapy clinical clinic hospital nurse doctor physician patient patients allergy allergies
    male female gender religion religious catholic jewish muslim christian hispanic asian african married divorced widowed pregnant gay
    street avenue lane terrace boulevard grace ray rich san jan feb mar apr jun jul aug sep oct nov dec january
    february march april june july august september october november december"""
)


def main() -> None:
    """Collect the words, show what is new, and write the module."""
    left_out = set(_LEFT_OUT.split())
    before = set(FILE.read_text("utf-8").split()) if FILE.is_file() else set()
    words = sorted(word for word in collected() if word not in left_out)
    text = textwrap.fill(" ".join(words), 130, break_on_hyphens=False, break_long_words=False)
    FILE.write_text(
        '"""Words that are known to be harmless. Generated by tools/vocabulary.py; not to be edited.\n\n'
        f"From the API descriptions of botocore {importlib.metadata.version('botocore')} (Apache-2.0), the names of Python\n"
        f"{sys.version_info.major}.{sys.version_info.minor} (PSF licence) and this repository.\n"
        '"""\n\n# fmt: off\n\nfrom __future__ import annotations\n\nfrom typing import Final\n\n'
        f'VERSION: Final = {VERSION}\n\nWORDS: Final = """\n{text}\n"""\n',
        "utf-8",
    )
    print(f"{len(words)} words; new: {' '.join(sorted(set(words) - before)[:200])}")


def collected() -> set[str]:
    """The words of all sources."""
    return {*of_services(), *of_python(), *of_repository(), *_ADDED.split()}


def of_services() -> Iterator[str]:
    """Words in lower case of the documentation of several services, and the parts of names."""
    services: defaultdict[str, set[str]] = defaultdict(set)
    names: Counter[str] = Counter()
    for path in sorted(Path(botocore.__file__).parent.glob("data/*/*/service-2.json.gz")):
        service = path.parent.parent.name
        if any(word in service for word in _HEALTH):
            continue
        document = json.loads(gzip.decompress(path.read_bytes()))
        prose, own = _texts(document)
        for word in set(_LOWER.findall(re.sub(r"<code>.*?</code>|<[^>]*>", " ", prose))):
            services[word].add(service)
        names.update({part.lower() for name in own for part in _PART.findall(name)})
    yield from (word for word, where in services.items() if len(where) >= _MIN_SERVICES)
    yield from (word for word, count in names.items() if count >= _MIN_NAMES)


def _texts(document: dict[str, object]) -> tuple[str, list[str]]:
    """The documentation of a service, and the names in it."""
    prose: list[str] = []
    names: list[str] = []
    waiting: list[object] = [document]
    while waiting:
        here = waiting.pop()
        if isinstance(here, dict):
            for key, inner in here.items():
                names.append(str(key))
                if key == "documentation" and isinstance(inner, str):
                    prose.append(inner)
                elif key != "examples":
                    waiting.append(inner)
        elif isinstance(here, list):
            waiting += here
    return " ".join(prose), names


def of_python() -> Iterator[str]:
    """Words of the language's reference, and the parts of names in the standard library."""
    counted = Counter(_LOWER.findall(" ".join(pydoc_data.topics.topics.values())))
    yield from (word for word, count in counted.items() if count >= _MIN_SERVICES)
    names: Counter[str] = Counter()
    library = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(library.rglob("*.py")):
        if {"test", "tests", "site-packages", "idlelib", "lib2to3"} & set(path.relative_to(library).parts):
            continue
        try:
            tree = ast.parse(path.read_text("utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue
        here = {path.stem}
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                here.add(node.name)
            elif isinstance(node, ast.arg):
                here.add(node.arg)
        names.update({part.lower() for name in here for part in _PART.findall(name)})
    yield from (word for word, count in names.items() if count >= _MIN_NAMES)


def of_repository() -> Iterator[str]:
    """Words in lower case, and the parts of names, of signatures, runbooks and pages."""
    for folder, pattern in (("functions/signatures", "*.toml"), ("runbooks", "*.md"), ("docs", "*.md")):
        for path in sorted((ROOT / folder).glob(pattern)):
            if path.name == "redaction.md":
                continue
            text = re.sub(r"[\w.\-]+@[\w.\-]+", " ", path.read_text("utf-8"))
            yield from _LOWER.findall(text)
            yield from (
                part.lower()
                for name in re.findall(r"\b[A-Z]\w*(?:Error|Exception|Failure|Timeout)\b", text)
                for part in _PART.findall(name)
            )


if __name__ == "__main__":
    main()
