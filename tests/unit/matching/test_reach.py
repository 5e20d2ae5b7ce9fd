"""What the last rounds came to, once the kinds that failed had been fixed; first readings are in the evidence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import re2

from tocsin.adapters.files.configuration import load_configuration
from tocsin.core.config.error_settings import ErrorSettings
from tocsin.core.matching.admissions import ADMISSIONS, TRACE, admission_span
from tocsin.core.matching.line_header import HEADER
from tocsin.core.matching.matcher import Matcher
from tocsin.core.matching.unknown_error import ErrorFinder, WithUnknownErrors
from tocsin.core.signatures.signature import UNKNOWN_ERROR
from tools.log_wrappings import wrapped

ROOT = Path(__file__).parents[3]
ROWS = [
    json.loads(line)
    for path in sorted((ROOT / "tests/corpus/reach").glob("*.jsonl"))
    for line in path.read_text().splitlines()
]
FAILING, NEAR_MISSES = [row for row in ROWS if row["labels"]], [row for row in ROWS if not row["labels"]]
CATCH_ALLS = {"unhandled-exception", UNKNOWN_ERROR}
SIGNATURES = load_configuration(ROOT / "functions", {}).signatures
RECOGNISER = WithUnknownErrors(
    Matcher(SIGNATURES), ErrorFinder(SIGNATURES, ErrorSettings()), lambda *_: False
)


def raised(message):
    return {match.signature for match in RECOGNISER.match(message)}


def test_no_more_than_one_failing_line_in_twenty_is_silent_or_gets_another_name():
    found = [raised(row["message"]) for row in FAILING]
    assert sum(not ids for ids in found) <= len(FAILING) // 20
    right = [
        bool(ids) and ids <= {*row["labels"], *CATCH_ALLS} for ids, row in zip(found, FAILING, strict=True)
    ]
    assert right.count(False) <= len(FAILING) // 15


@pytest.mark.parametrize("row", NEAR_MISSES, ids=[str(place) for place in range(len(NEAR_MISSES))])
def test_a_line_of_a_healthy_system_raises_nothing(row):
    assert raised(row["message"]) == set()


def test_no_more_than_one_in_a_thousand_is_silent_in_ordinary_wrappings_at_level_error():
    # Each line in every third wrapping, another third for its neighbour: all wrappings are tried, in a third of the time.
    lines = [
        line
        for number, row in enumerate(FAILING)
        for line in list(wrapped(row["message"]).values())[number % 3 :: 3]
    ]
    assert sum(not found for found in RECOGNISER.match_each(lines)) <= len(lines) // 1000


@pytest.mark.parametrize(
    ("line", "signature"),
    [
        ("[2024-01-01 00:00:00 +0000] [7] [WARNING] Worker with pid 9 was terminated due to signal 15", ""),
        ("[2024-01-01 00:00:00 +0000] [7] [WARNING] Worker with pid 9 was terminated due to signal 6", "worker-killed"),
        ("[3] ! the worker process crashed unexpectedly, starting another", "worker-killed"),
        ("nginx: [alert] could not open error log file: open() failed (13: Permission denied)", UNKNOWN_ERROR),
        ("nginx: [notice] signal process started", ""),
        ("ERRO[0004] the job said: ERROR - no rows", UNKNOWN_ERROR),
        ("2025/01/01 00:00:00 Recovered from panic: assignment to entry in nil map", "unhandled-exception"),
        ("./start.sh: line 3: aws: command not found", "unhandled-exception"),
        ("thread '<unnamed>' has overflowed its stack", "unhandled-exception"),
        ("connect ECONNREFUSED 10.0.0.7:27017", "store-unreachable"),
        ("An unhandled exception occurred while processing the request.", "unhandled-exception"),
        ("Could not open the ledger: it is locked", UNKNOWN_ERROR),
        ("web-1  | failed to open the ledger: it is locked", UNKNOWN_ERROR),
        ("2025/01/01 00:00:00 store.go:17: cannot open the ledger", UNKNOWN_ERROR),
        ("Error while opening the ledger", UNKNOWN_ERROR),
        ('{"message": "Unable to open the ledger", "tenant": 5}', UNKNOWN_ERROR),
        ('{"level": "info", "message": "Unable to open the ledger", "tenant": 5}', ""),
        ("INFO Unable to open the ledger, made a new one", ""),
        ("2025-01-01 00:00:00,000 WARNING store: Failed to open the ledger", ""),
        ("the ledger that we failed to open is here again", ""),
        ("Failed to open the ledger, as expected", ""),
        ("3|api  | Error: no ledger", UNKNOWN_ERROR),
        ("Ledger Error: Page seven is torn", UNKNOWN_ERROR),
        ("Mean Error: 0.31", ""),
        ("asyncpg.exceptions.UndefinedPageError: page seven", "unhandled-exception"),
        ("ledger.errors.Torn: page seven", "unhandled-exception"),
        ("SQLSTATE[HY000]: General error: no ledger", "unhandled-exception"),
        ("INFO 17 lines were read, the process exited as expected", ""),
        ("Mar  4 05:06:07 db-1 ledger[17]: shop.LedgerError: page seven", "unhandled-exception"),
        ("api-1 | 2026-03-04 05:06:07 UTC socket.timeout: no answer", "unhandled-exception"),
        ("{ [LedgerError: page seven] name: 'LedgerError' }", "unhandled-exception"),
        ("[exiting] Fatal exception: page seven", UNKNOWN_ERROR),
        ("E 2026-03-04 05:06:07,089 ledger: page seven", UNKNOWN_ERROR),
        ("[Nest] 9  - 01/02/2026, 3:04:05 AM   ERROR [Ledger] page seven", UNKNOWN_ERROR),
        ("ledgerctl: error: page seven", UNKNOWN_ERROR),
        ("ledgerctl: warning: page seven", ""),
        ("staging.ERROR: page seven", UNKNOWN_ERROR),
        ("Jan  2 03:04:05 db-1 ledger[17]: Closing the year failed: page seven", UNKNOWN_ERROR),
        ("closing the year failed", ""),
        ("12 rows read, 0 failed, took 3 s", ""),
        ("No rows failed: all is well", ""),
        ("INFO closing the year failed: page seven, made it again", ""),
        ("ledger-db:5432 is unavailable yet - waiting for it", ""),
        ("The export of March was unsuccessful!", UNKNOWN_ERROR),
        ("ls: /srv/ledger: Permission denied", UNKNOWN_ERROR),
        ("./close.sh: line 17: 4711 Killed                  ./add-up", "worker-killed"),
        ("Mar  4 05:06:07 db-1 systemd[1]: Failed to start Closing of the year.", "worker-killed"),
        ("Mar  4 05:06:07 db-1 systemd[1]: Started Closing of the year.", ""),
        ("Process ledger terminated with exit code 0", ""),
        ("child process 17 exited with exit status 3", "worker-killed"),
        ("Can't locate Shop/Ledger.pm in @INC (you may need to install Shop::Ledger) at close.pl line 7.", "module-not-found"),
        ("Use of uninitialized value $page in addition (+) at close.pl line 9.", ""),
        ("(worker 3) ERROR 03-04 05:06:07 [ledger.py:17] page seven", UNKNOWN_ERROR),
        ("Mar  4 05:06:07 node-1 kubelet[17]: E0304 05:06:07.089231      17 sync.go:114] page seven", UNKNOWN_ERROR),
        ("Mar  4 05:06:07 node-1 kubelet[17]: I0304 05:06:07.089231      17 sync.go:114] sync failed: later", ""),
        ("2026-03-04 05:06:07 +0100 CET[ledger-2] [2026-03-04 04:06:07,089] ERROR:ledger:page seven", UNKNOWN_ERROR),
        ("2026-03-04T05:06:07.000000+00:00 heroku[router]: at=error code=H12 method=GET path=/ dyno=web.1", UNKNOWN_ERROR),
        ("2026-03-04T05:06:07.000000+00:00 heroku[router]: at=info method=GET path=/error dyno=web.1", ""),
        ("error Command ledger failed", UNKNOWN_ERROR),
        ("[E 260304 05:06:07 web:17] page seven", UNKNOWN_ERROR),
        ("[PM2] Script ledger.js had too many unstable restarts (16). Stopped.", "worker-killed"),
        ("2026-03-04T05:06:07+00:00 heroku[web.1]: Error R14 (Memory quota exceeded)", UNKNOWN_ERROR),
        ("2026-03-04T05:06:07+00:00 heroku[web.1]: Stopping process with SIGKILL", "worker-killed"),
        ("2026-03-04T05:06:07+00:00 heroku[web.1]: Stopping all processes with SIGTERM", ""),
        ("Missing script: close-the-year", UNKNOWN_ERROR),
        ("ledger: unknown option: --close", UNKNOWN_ERROR),
        ("make: *** [Makefile:7: close] Error 1", UNKNOWN_ERROR),
        ("bind(): No such file or directory [core/socket.c line 230]", UNKNOWN_ERROR),
        ("--- no python application found, check your startup logs for errors ---", "unhandled-exception"),
        ("[04-Mar-2026 05:06:07] NOTICE: PHP message: LedgerException: page seven in /srv/l.php:7", UNKNOWN_ERROR),
        ("NOTICE: PHP message: PHP Warning:  page seven in /srv/l.php on line 7", ""),
        ("NOTICE: PHP message: page seven was read", ""),
        ("[17:17:0304/050607.089231:ERROR:socket.cc(120)] page seven", UNKNOWN_ERROR),
        ("[0304/050607.089231:INFO:socket.cc(120)] page seven failed: made it again", ""),
        ("page seven is torn at /srv/ledger.cgi line 7.", UNKNOWN_ERROR),
        ("Backend Server | LedgerError: page seven", "unhandled-exception"),
        ("LedgerError('page seven')", "unhandled-exception"),
        ("Mar  4 05:06:07 db-1 systemd[1]: Unit ledger.service entered failed state.", "worker-killed"),
        ("ledger.nanny - INFO - Worker process 17 was killed by signal 9", "worker-killed"),
        ("Received signal 11 SEGV_MAPERR 000000000000", "worker-killed"),
        ("Received signal 15; stopping", ""),
        ("(service web) Task failed ELB health checks in (target-group web)", "worker-killed"),
        ("tail: /srv/ledger: No such file or directory", UNKNOWN_ERROR),
        ("no such page, made one", ""),
        ("2026-03-04T05:06:07+00:00 app[worker.1]: Don't know how to close the ledger", UNKNOWN_ERROR),
        ("2026-03-04T05:06:07+00:00 app[worker.1]: rake aborted!", "unhandled-exception"),
        ("The ledger wasn't able to close", UNKNOWN_ERROR),
        ("Ledger failed to close: page seven", UNKNOWN_ERROR),
        ("EACCES: page seven", UNKNOWN_ERROR),
        ("ledger.example: 502 Bad Gateway", UNKNOWN_ERROR),
        ("The closing process has died.", UNKNOWN_ERROR),
        ("[sender] io timeout after 30 seconds -- exiting", UNKNOWN_ERROR),
        ("ledger             BACKOFF            Exited too quickly (process log may have details)", "worker-killed"),
        ("Ledger::Exception. Code: 17, page seven", "unhandled-exception"),
        ("[I 260304 05:06:07 web:17] page seven failed: no matter", ""),
        ("3/4/2026, 5:06:07 AM - info: sent, reply '{\"pages\":7,\"error\":0}'", ""),
        ("3/4/2026, 5:06:07 AM - info: sent, reply '{\"pages\":7,\"error\":null}'", ""),
        ("[Ledger] (Ledger Hub)Error - Error reading page seven", UNKNOWN_ERROR),
        ("[Ledger] ledger API: Unable to read page seven", UNKNOWN_ERROR),
        ("Error occurred reading page seven", UNKNOWN_ERROR),
        ("`/srv/ledger-3.4.0` is not writable.", UNKNOWN_ERROR),
        ("ActiveRecord::StatementInvalid (PG::InternalError: page seven)", "unhandled-exception"),
        ("Mar  4 05:06:07 cache-1 varnishd[17]: Child (18) died signal=6", "worker-killed"),
        ("Cache child died pid=18 status=0x0", ""),
        ("Ledger Process Ended. Code: 1", "worker-killed"),
        ("Ledger Process Ended. Code: 0", ""),
        ('api-1 | standard_init_linux.go:207: exec user process caused "no such file or directory"', "unhandled-exception"),
        ("Error [ERR_LEDGER_TORN]: page seven", "unhandled-exception"),
        ("A Shop::LedgerError occurred in ledger#close:", "unhandled-exception"),
        ("  [Shop\\LedgerException]  \n  page seven", "unhandled-exception"),
        ("The year was CLOSED, then the export FAILED!", UNKNOWN_ERROR),
        ("the errors of March are in the report", ""),
        ("AH00558: httpd: Could not determine the name of the server, using 127.0.1.1", ""),
        ("if you see the ledger's error: page seven", ""),
        ("last error: none", ""),
        ("==7==ERROR: LeakSanitizer: detected memory leaks", "unhandled-exception"),
        ("free(): invalid pointer", "unhandled-exception"),
        ("ledger: close.c:31: total: Assertion `page == 7' failed.", "unhandled-exception"),
        ("ledgerd[17]: segfault at 8 ip 00007f1c4c5 sp 00007ffd6 error 4 in ledgerd[400000+1a000]", "unhandled-exception"),
        ("** (Shop.LedgerError) page seven\n    (shop 0.1.0) lib/shop/ledger.ex:31: Shop.Ledger.close/1", "unhandled-exception"),
        ("=CRASH REPORT==== 4-Mar-2026::05:06:07 ===\n  crasher:", "unhandled-exception"),
        ("=INFO REPORT==== 4-Mar-2026::05:06:07 ===\n    application: shop", ""),
        ("Terminating due to java.lang.OutOfMemoryError: Metaspace", "lambda-out-of-memory"),
        ("Error: Could not find or load main class com.example.Ledger", "unhandled-exception"),
        ("Fatal error. System.AccessViolationException: page seven", "unhandled-exception"),
        ("LedgerStack UPDATE_ROLLBACK_FAILED AWS::CloudFormation::Stack", "unhandled-exception"),
        ("LedgerStack UPDATE_COMPLETE AWS::CloudFormation::Stack", ""),
        ("ReplyError: NOSCRIPT No matching script. Please use EVAL.", "unhandled-exception"),
        ("%3|1600000000.111|FAIL|ledger#producer-1| [thrd:main]: page seven", UNKNOWN_ERROR),
        ("%5|1600000000.111|REQTMOUT|ledger#producer-1| [thrd:main]: page seven", ""),
        ("2026-03-04 05:06:07.089231 C | etcdmain: page seven", UNKNOWN_ERROR),
        ("2026-03-04 05:06:07.089231 I | etcdmain: page seven", ""),
        ("17:M 04 Mar 2026 05:06:07.089 # Can't save in background: fork: Cannot allocate memory", UNKNOWN_ERROR),
        ("17:M 04 Mar 2026 05:06:07.089 * 10 changes in 300 seconds. Saving...", ""),
        ("2026-03-04 05:06:07 UTC [7] LOG:  server process (PID 17) was terminated by signal 11: Segmentation fault", "worker-killed"),
        ("2026-03-04 05:06:07 UTC [7] LOG:  could not receive data from client: Connection reset by peer", ""),
        ("Connection to Redis lost: Retry (3/20) in 3.00 second.", "store-unreachable"),
        ("2026-03-04T05:06:07.089Z\t8c1f0e52-9d1a-4c5b-8f6e-0a1b2c3d4e5f\tINFO\t[ERROR] page seven", UNKNOWN_ERROR),
        ("2026-03-04T05:06:07.089Z\t8c1f0e52-9d1a-4c5b-8f6e-0a1b2c3d4e5f\tINFO\tError: page seven is torn", UNKNOWN_ERROR),
        ("2026-03-04T05:06:07.089Z\t8c1f0e52-9d1a-4c5b-8f6e-0a1b2c3d4e5f\tINFO\tLedgerError: page seven", "unhandled-exception"),
        ("2026-03-04T05:06:07.089Z\t8c1f0e52-9d1a-4c5b-8f6e-0a1b2c3d4e5f\tINFO\terror rate: 0.2, no error", ""),
        ("2026-03-04T05:06:07.089Z\t8c1f0e52-9d1a-4c5b-8f6e-0a1b2c3d4e5f\tINFO\terror: null", ""),
        ("2026-03-04T05:06:07.089Z\t8c1f0e52-9d1a-4c5b-8f6e-0a1b2c3d4e5f\tINFO\tRetrying after LedgerError: page seven", ""),
        ("2026-03-04T05:06:07.089Z\t8c1f0e52-9d1a-4c5b-8f6e-0a1b2c3d4e5f\tINFO\t{ LedgerError: [Function: LedgerError] }", ""),
        ("2026-03-04 05:06:07,089:ERROR:ledger:page seven", UNKNOWN_ERROR),
        ("2026-03-04 05:06:07,089:INFO:ledger:no ERROR: page seven", ""),
        ("05:06:07.089-ERROR-ledger page seven", UNKNOWN_ERROR),
        ("NS: Ledger, label: ERROR, message: page seven", UNKNOWN_ERROR),
        ("NS: Ledger, label: INFO, message: page seven had ERROR, made again", ""),
        ("java.sql.SQLTransactionRollbackException: page seven", "unhandled-exception"),
        ("javax.persistence.PersistenceException: page seven", "unhandled-exception"),
        ("java.net.ConnectException: page seven", ""),
        ("ERROR c.e.Ledger - closing\njava.io.IOException: page seven", "unhandled-exception"),
        ("INFO c.e.Ledger - closing\njava.io.IOException: page seven", ""),
        ("ERROR c.e.Ledger - [dispatcher] threw exception [it failed; nested exception is com.example.Torn$PageException: seven]", "unhandled-exception"),
        ("{ LedgerError: page seven", "unhandled-exception"),
        ("{ LedgerError: [Function: LedgerError] }", ""),
        ("web-1  | Error: page seven\nweb-1  |     at close (/app/ledger.js:7:1)", "unhandled-exception"),
        ("Future exception was never retrieved", "unhandled-exception"),
        ("[ExceptionsHandler] page seven +7ms", "unhandled-exception"),
        ("Access to the resource https://queue.amazonaws.com/ is denied.", "aws-access-denied"),
        ("Redis command timed out", "store-unreachable"),
        ("The database server at `db`:`5432` was reached but timed out.", "database-connection-refused"),
        ("[Wed Mar 04 2026 05:06:07] [LOG]   err { LedgerError: page seven", UNKNOWN_ERROR),
        ("[Wed Mar 04 2026 05:06:07] [LOG]   page seven, error: none", ""),
        ("log4j:ERROR No page seven", UNKNOWN_ERROR),
        ("log4j:WARN No page seven", ""),
        ("ledger.core.ExceptionInfo: page seven", "unhandled-exception"),
        ("05:06:07 Killed horse pid 17", "worker-killed"),
        ("2026-03-04 05:06:07,089 INFO reaped unknown pid 17 (terminated by SIGKILL)", "worker-killed"),
        ("2026-03-04 05:06:07,089 INFO reaped unknown pid 17 (exit status 0)", ""),
        ("26/03/04 05:06:07 ERROR YarnScheduler: Lost executor 7 on ip-10-0-0-7.internal: page seven", "worker-killed"),
        ("WARNING amqp.exceptions.ConnectionForced: (0, 0): (320) page seven", "store-unreachable"),
        ("ERROR ledger: Timeout on call http://10.0.0.7/page/seven", "upstream-failed"),
        ("INFO ledger: timeout fetching http://10.0.0.7/page/seven, trying again", ""),
        ("ERROR:root:page seven: Rate limit reached for gpt-4", "upstream-failed"),
        ("ERROR Received status code 502", "upstream-failed"),
        ("Received status code 200", ""),
        ("Error: Connection terminated due to connection timeout", "database-connection-refused"),
        ("The ledger sent error code '403'", UNKNOWN_ERROR),
        ("The ledger sent error code '0'", ""),
        ("2026-03-04T05:06:07.089Z\t8c1f0e52-9d1a-4c5b-8f6e-0a1b2c3d4e5f\tINFO\tcaught error: LedgerError: page seven", UNKNOWN_ERROR),
        ("2026-03-04T05:06:07.089Z\t8c1f0e52-9d1a-4c5b-8f6e-0a1b2c3d4e5f\tINFO\tignored error: LedgerError: page seven", ""),
        ("NoPageSeven: it is torn.\n    at close (/var/task/ledger.js:7:1)", "unhandled-exception"),
        ("Page: seven\n    at the office (see /var/task/readme)", ""),
        ("<--- Last few GCs --->", "lambda-out-of-memory"),
        ("[2026-03-04 05:06:07,089: WARNING/Worker-5] RuntimeWarning: Exception raised outside body: LedgerError('page seven',)", "unhandled-exception"),
        ("com.example.Ledger.close(I)V: java.lang.NoSuchMethodError", "unhandled-exception"),
        ("ERROR ledger: Connection prematurely closed BEFORE response", "connection-dropped"),
        ("Ledger Thread[closing-4] has been blocked for 7000 ms, time limit is 2000 ms", UNKNOWN_ERROR),
        ("INFO the address has been blocked for 7 days", ""),
        ("http: TLS handshake error from 10.0.0.7:50312: EOF", ""),
        ("http: TLS handshake error from 10.0.0.7:50312: read tcp 10.0.0.1:443->10.0.0.7:50312: read: connection reset by peer", ""),
        ("http: TLS handshake error from 10.0.0.7:50312: remote error: tls: bad certificate", UNKNOWN_ERROR),
        ("Error from ledger: EOF", UNKNOWN_ERROR),
        ("closing the year resulted in a panic, giving the ledger back", "unhandled-exception"),
        ("page seven: runtime error: index out of range [7] with length 7", "unhandled-exception"),
        ("2026-03-04T05:06:07.089Z 17 TID-a1b2 LedgerJob JID-17 WARN: ActiveRecord::Torn: page seven", "unhandled-exception"),
        ("2026-03-04T05:06:07.089Z pid=17 tid=a1b2 WARN: NoMethodError: page seven", "unhandled-exception"),
        ("2026-03-04T05:06:07.089Z pid=17 tid=a1b2 WARN: Ledger: page seven will go away in version 8", ""),
        ("2026-03-04T05:06:07.089Z pid=17 tid=a1b2 class=LedgerJob INFO: start", ""),
        ('{:timestamp=>"2026-03-04", :message=>"page seven", :level=>:error}', UNKNOWN_ERROR),
        ('{:timestamp=>"2026-03-04", :message=>"page seven failed: made it again", :level=>:info}', ""),
        ("[close] caught signal (SIGSEGV)", "unhandled-exception"),
        ("[close] caught signal (SIGTERM)", ""),
        ("[Critical] Ledger: cannot be closed.\nSystem.IO.IOException: page seven", "unhandled-exception"),
        ("LedgerError(Page): page seven", "unhandled-exception"),
        ("Shop::LedgerError (undefined method `page' for nil", "unhandled-exception"),
        ('closing: Response { status: StatusCode(503), body: "page seven" }', "unhandled-exception"),
        ('closing: Response { status: StatusCode(200), body: "page seven" }', ""),
        ("Mar  4 05:06:07 db-1 systemd-oomd[17]: Killed /shop.slice/ledger.service due to memory pressure for /shop.slice", "worker-killed"),
        ("Killed 17 idle sessions, none due to memory", ""),
        ("+ make close\nExited with code 137", "worker-killed"),
        ("+ make close\nExited with code 0", ""),
        ("ERROR: Connection to 10.0.0.7:5672 timed out", "store-unreachable"),
        ("ERROR: Connection to 10.0.0.7:5432 timed out", "database-connection-refused"),
        ("Connection to 10.0.0.7:5672 opened, timeout 5 s", ""),
        ("An error occurred using the connection to database 'ledger' on server 'tcp://db:5432'.", "database-connection-refused"),
        ("2026/03/04 05:06:07 [error] 7#7: *1 readv() failed (104: Connection reset by peer) while reading upstream", "upstream-failed"),
        ("2026/03/04 05:06:07 [warn] 7#7: *1 an upstream response is buffered to a temporary file while reading upstream", ""),
        ("ERROR: could not obtain a database connection within 5.000 seconds (waited 5.001 seconds)", "connection-pool-exhausted"),
        ("Shop.SQS.QueueException: Access to the resource https://sqs.eu-west-1.amazonaws.com/ is denied.", "aws-access-denied"),
        ("AWS HTTP error: Client error: AccessDeniedException (client): page seven", "aws-access-denied"),
        ("Aws::SNS::Errors::AuthorizationError: page seven", "aws-access-denied"),
        ("Access to the resource https://shop.example/ledger was asked for", ""),
        ("Aws::Errors::MissingCredentialsError: unable to sign request without credentials set", "aws-credentials-invalid"),
        ("An error occurred (KMSInvalidStateException) when calling the Decrypt operation: page seven", "kms-access-denied"),
        ("arn:aws:kms:eu-west-1:111122223333:key/7 is pending deletion.", "kms-access-denied"),
        ("INFO arn:aws:kms:eu-west-1:111122223333:key/7 is disabled", ""),
        ("arn:aws:kms:eu-west-1:111122223333:key/7 is enabled", ""),
        ('{"id":"7","type":"TaskTimedOut","details":{},"execution_arn":"arn:aws:states:eu-west-1:111122223333:execution:close:7"}', "unhandled-exception"),
        ('{"id":"7","type":"ExecutionSucceeded","details":{},"execution_arn":"arn:aws:states:eu-west-1:111122223333:execution:close:7"}', ""),
        ('{"Error":"States.Timeout","Cause":"page seven"}', "unhandled-exception"),
        ('{"Retry":[{"ErrorEquals":["States.Timeout"],"MaxAttempts":3}]}', ""),
        ("The node was low on resource: memory. Container ledger was using 9 Gi.", "worker-killed"),
        ("exec /srv/close.sh: exec format error", "wrong-platform-binary"),
        ("log4j:ERROR page seven is torn", UNKNOWN_ERROR),
        ("log4j:WARN page seven is torn", ""),
        ("05:06:07|ERROR|Ledger|Closing: System.Net.Sockets.SocketException (104): page seven\n   at Shop.Ledger.Close()", "unhandled-exception"),
        ("ERROR: Actor crashed!\nShop::PageError: page seven\n /srv/ledger.rb:7:in `close'", "unhandled-exception"),
        ("INFO Shop::PageInvalid: page seven\n /srv/ledger.rb:7:in `close'", ""),
        ("E, [2026-03-04T05:06:07.089231 #17] ERROR -- : ActiveRecord::ConnectionNotEstablished (page seven)", "unhandled-exception"),
        ('{"level":"error","message":"Completed #show","exception":{"name":"Shop::PageError","message":"torn","stack_trace":["ledger.rb:7:in `close\'"]}}', "unhandled-exception"),
        ('{"level":"info","message":"Completed #show","exception":{"name":"Shop::PageError","message":"torn","stack_trace":["ledger.rb:7:in `close\'"]}}', ""),
        ('{"method":"GET","status":500,"error":"ActiveRecord::Torn: page seven"}', "unhandled-exception"),
        ("  2026-03-04 05:06:07 App\\Jobs\\CloseYear ..................... 2s FAIL", "unhandled-exception"),
        ("  2026-03-04 05:06:07 App\\Jobs\\CloseYear ..................... 2s DONE", ""),
        ("ERROR ledger: JoinError::Panic(Id(7), page seven)", "unhandled-exception"),
        ("kafka server: Tried to send page seven to a replica that is not the leader", "store-unreachable"),
        ("2026-03-04T05:06:07Z http-err: 17 (1) 500 - 0.004", "upstream-failed"),
        ("2026-03-04T05:06:07Z message: sent to %[http://localhost:80]", ""),
        ("signal: killed", "worker-killed"),
        ("exit status 2", "worker-killed"),
        ("exit status 0", ""),
        ("(service web) (instance i-7) (port 80) is unhealthy in (target-group web) due to (reason Health checks failed)", "worker-killed"),
        ("(service web) has reached a steady state.", ""),
        ("InvalidIdentityToken: No OpenIDConnect provider found", "aws-credentials-invalid"),
        ('{"eventSource":"ec2.amazonaws.com","eventName":"RunInstances","errorCode":"Client.UnauthorizedOperation"}', "aws-access-denied"),
        ('{"eventSource":"ec2.amazonaws.com","eventName":"RunInstances","errorCode":null}', ""),
        ("error sending request for url (https://ledger.example/7): page seven", "upstream-failed"),
        ('Error: Torn { page: 7, reason: "coffee" }', "unhandled-exception"),
        ("api error PageNotFound: page seven", "unhandled-exception"),
        ('{"source":"aws.states","detail-type":"Step Functions Execution Status Change","detail":{"status":"TIMED_OUT"}}', "unhandled-exception"),
        ('{"source":"aws.states","detail-type":"Step Functions Execution Status Change","detail":{"status":"SUCCEEDED"}}', ""),
        ("2026/03/04 05:06:07 ledger.go:7: listen tcp :80: bind: address already in use", UNKNOWN_ERROR),
        ("Ledger::GemNotFound: Could not find coffee-1.0 in any of the sources", "module-not-found"),
        (" Main PID: 17 (code=exited, status=2)", "worker-killed"),
        (" Main PID: 17 (code=exited, status=0/SUCCESS)", ""),
        ("web-1  | Errno::EPIPE: page seven", "unhandled-exception"),
        ("[17] Shop::LedgerError (page seven\n):", "unhandled-exception"),
        ('{"deliveryStreamARN":"ledger","message":"page seven","errorCode":"Ledger.AccessDenied"}', "aws-access-denied"),
        ("KMSDisabledException: page seven", "kms-access-denied"),
        ("Failed to retrieve credentials.", "aws-credentials-invalid"),
        ("05:06:07.089 WARN ledger - Exception encountered during context initialization - cancelling refresh attempt: shop.ledger.TornPage: seven", "unhandled-exception"),
        ("05:06:07.089 WARN ledger - Context initialization is slow - refresh attempt 2: shop.ledger", ""),
        ("| Shop.Ledger.Pages Critical: page seven is torn.", UNKNOWN_ERROR),
        ("Shop.Ledger.Pages Information: page seven failed to close once, is closed", ""),
        ("error (shelf:ledger) page seven is torn", UNKNOWN_ERROR),
        ("[2026-03-04T05:06:07.089Z] error (shelf:ledger) page seven is torn", UNKNOWN_ERROR),
        ("info (shelf:ledger) page seven is open", ""),
        ("error (or warning) lines of page seven: none", ""),
        ('PageTornError: shelf: seven: time="2026-03-04T05:06:07Z" level=info msg="cleaning"', "unhandled-exception"),
        ('time="2026-03-04T05:06:07Z" level=info msg="cleaning after PageTornError: seven"', ""),
        ("Closing the sink of Shop.Ledger: \nShop.Ledger.MissingPageException:\nPage not found: seven\nat Shop.Ledger.Close()", "unhandled-exception"),
        ("INFO tried again after\nShop.Ledger.MissingPageException:\nPage not found: seven\nat Shop.Ledger.Close()", ""),
        ("Shop.Ledger.MissingPage:\nseven\nat Shop.Ledger.Close()", ""),
        ("2026-03-04 05:06:07 +0100: Rack app error handling request { GET /7 }\n#<Shop::PageTorn: seven>", "unhandled-exception"),
        ("Closing failed with error: #<Shop::PageTorn: seven>", "unhandled-exception"),
        ("INFO closed at last, after error: #<Shop::PageTorn: seven>", ""),
        ("no error in these: #<Set: {7, 17}>", ""),
        ("Shop.Client.BrokerUnreachableException: page seven", "store-unreachable"),
        ("INFO asked for brokers: none unreachable", ""),
        ("Cannot connect to host ledger.example:80 ssl:None [page seven]", "upstream-failed"),
        ("Connected to host ledger.example:80 ssl:None", ""),
        ("GetPage error:System.Threading.Tasks.TaskCanceledException: page seven", "unhandled-exception"),
        ("INFO GetPage error:System.Threading.Tasks.TaskCanceledException: page seven, made it again", ""),
        ("GetPage error:none, System.Threading.Tasks are done", ""),
        ("   at System.Ledger.Pages.Read(Int32 page)\n   at Shop.Ledger.Close()", "unhandled-exception"),
        ("   at System.Ledger.Pages.Read(Int32 page)", ""),
        ("at System.Ledger.Pages (the seventh)\nat Shop.Ledger", ""),
        ("INFO where we are\n   at System.Ledger.Pages.Read(Int32 page)\n   at Shop.Ledger.Close()", ""),
        ("[shop - ERROR - 2026-03-04 05:06:07,089] RESULT:\npage seven", UNKNOWN_ERROR),
        ("[shop - INFO - 2026-03-04 05:06:07,089] RESULT:\nfailed to read page seven", ""),
        ("2026-03-04T05:06:07.089Z\t8c1f0e52-9d1a-4c5b-8f6e-0a1b2c3d4e5f\tINFO\tError in closing March { PageException: seven", UNKNOWN_ERROR),
        ("2026-03-04T05:06:07.089Z\t8c1f0e52-9d1a-4c5b-8f6e-0a1b2c3d4e5f\tINFO\tError in closing March { retried: true }", ""),
        ("2026-03-04T05:06:07.089Z\t8c1f0e52-9d1a-4c5b-8f6e-0a1b2c3d4e5f\tINFO\tNo error in closing March { PageException: seven", ""),
        ('{"errorType":"Error","errorMessage":"page seven"}', "unhandled-exception"),
        ('{"errorType":"Error","errorMessage":""}', UNKNOWN_ERROR),
        ("[ERROR] Exception: page seven", "unhandled-exception"),
        ("[INFO] Exception: page seven, made it again", ""),
        ("Timeout performing GET (5000ms), next: GET ledger, inst: 0, qu: 0, qs: 3", "store-unreachable"),
        ("Timeout performing GET ledger, inst: 2, mgr: Inactive, queue: 6", "store-unreachable"),
        ("Timeout performing the rites of March, instead of seven", ""),
        ("No connection is active/available to service this operation: GET ledger", "store-unreachable"),
        ("No connection is open, opening one", ""),
        ("Application 'SHOP/LEDGER' with physical root 'C:\\ledger\\' failed to start process", UNKNOWN_ERROR),
        ("Application 'SHOP/LEDGER' started process 17", ""),
        ("Message:Unhandled Error:\n\nInnerMessage:page seven", UNKNOWN_ERROR),
        ("Message:no unhandled error: page seven", ""),
        ("2026-03-04T05:06:07+00:00 heroku[web.1]: State changed from crashed to starting", ""),
        ("2026-03-04T05:06:07+00:00 heroku[web.1]: State changed from up to crashed", UNKNOWN_ERROR),
    ],
)  # fmt: skip
def test_the_kinds_that_failed_are_recognised_in_other_words_too(line, signature):
    assert raised(line) == ({signature} if signature else set())


@pytest.mark.parametrize("row", ADMISSIONS, ids=[row.example for row in ADMISSIONS])
def test_each_way_of_saying_that_something_failed_finds_its_example_and_leaves_a_trace(row):
    assert admission_span(row.example) is not None
    assert re2.search(row.expression, row.example)
    for header in (
        "",
        "web-1  | ",
        "[2026-03-04 05:06:07] ",
        "Mar  4 05:06:07 host app[17]: ",
        "3|api  | 05:06:07 PM ",
    ):
        assert raised(header + row.example), header


def test_where_it_says_so_is_where_one_expression_for_all_of_it_finds_it():
    rows = "|".join(f"(?:{row.expression})" for row in ADMISSIONS)
    whole = re2.compile(rf"^\s{{0,12}}{HEADER}({rows})")
    headers = ("", "Error: ", "Error: Error: ", "web-1  | ", "é [2026-03-04 05:06:07] ", "'? 3 | x: ")
    lines = [line[:240] for row in ROWS for line in row["message"].split("\n")]
    lines += [header + row.example for header in headers for row in ADMISSIONS]
    spans = {line: admission_span(line) for line in dict.fromkeys(lines)}
    admitted = {line: span for line, span in spans.items() if span is not None}
    assert admitted == {line: whole.search(line).span(1) for line in admitted}
    assert len(admitted) > 200
    silent = [line for line in spans if line not in admitted and whole.search(line)]
    assert len(silent) < len(admitted) // 10, "those that only say what might have failed"


def test_whatever_says_that_it_failed_is_found_by_the_search_over_everything():
    lines = [line for row in ROWS for line in row["message"].split("\n")]
    admitted = [line for line in lines if admission_span(line[:240]) is not None]
    assert len(admitted) > 100
    assert [line for line in admitted if not re2.search(TRACE + r"|(?i)\berror\b", line)] == []
