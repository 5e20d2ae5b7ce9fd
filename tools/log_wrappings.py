"""Ordinary ways in which a log says, at level error, that something failed: the failure stands somewhere in the line."""

from __future__ import annotations

import json

BEFORE = (
    "ERROR app.main: request GET /api/v1/invoices/17 503 caused by: {}",
    "ERROR app.web: POST /orders 500 in 31 ms, {}",
    '2026-03-04 05:06:07,089 - api.views - ERROR - "GET /health HTTP/1.1" answered 502: {}',
    "[ERROR]\t2026-03-04T05:06:07.089Z\t7e3c1d52-0c0a-4b1f-9d5e-2f0f4f0d9a11\tsearch for 'red shoes' failed: {}",
    'ERROR:catalog.search:search term "boots" gave no answer: {}',
    "ERROR worker: issue 42 could not be synchronised: {}",
    "ERROR sync: ticket ABC-123 was not updated: {}",
    "ERROR * {}",
    "ERROR  - {}",
    "ERROR -> {}",
    "[2026-03-04 05:06:07,089: ERROR/ForkPoolWorker-3] Task billing.charge[4f1d] raised unexpected: {}",
    "[2026-03-04 05:06:07 +0000] [17] [CRITICAL] start-up of the worker: {}",
    "[2026-03-04 05:06:07 +0000] [17] [ERROR] while serving /items: {}",
    "2026-03-04T05:06:07.089Z\t7e3c1d52-0c0a-4b1f-9d5e-2f0f4f0d9a11\tERROR\tcould not save: {}",
    "2026-03-04 05:06:07.089 ERROR 4711 --- [nio-8080-exec-1] c.e.shop.OrderService                    : {}",
    "05:06:07.089 [main] ERROR com.example.Shop - could not go on: {}",
    "2026-03-04 05:06:07 [ERROR] (worker-2) giving up: {}",
    "fail: Shop.Orders.Importer[0]\n      The import stopped: {}",
    "crit: Shop.Host[9]\n      {}",
    "[05:06:07 ERR] Import stopped: {}",
    "[05:06:07 FTL] Host terminated: {}",
    "E, [2026-03-04T05:06:07.089231 #17] ERROR -- : job 5 failed: {}",
    "E0304 05:06:07.089231       1 controller.go:114] sync failed: {}",
    "<3>worker[17]: {}",
    "<11>1 2026-03-04T05:06:07Z host app 17 - - {}",
    "Mar  4 05:06:07 host app[17]: ERROR: {}",
    "error: {}",
    "ERR! {}",
    "ERROR | app.jobs:run:17 - {}",
    "2026-03-04 05:06:07.089 | ERROR    | app.jobs:run:17 - {}",
    "CRITICAL:root:this should not have happened: {}",
    "ERROR note: the copy is not complete: {}",
    "ERROR expected 3 rows, got an error: {}",
    "ERROR test run 17 on staging: {}",
    "ERROR docs/2026/march/17.pdf: {}",
    "ERROR no answer from the partner: {}",
    "ERROR 0 of 5 messages sent: {}",
    "ERROR why: {}",
    "app-1  | ERROR:    {}",
    "ERRO[0012] could not start: {}",
    'time="2026-03-04T05:06:07Z" level=error msg="sync of tenant 5" error="{}"',
    "2026/03/04 05:06:07 [error] 31#31: *42 while reading from upstream: {}",
    "SEVERE: {}",
    "PHP Fatal error:  {}",
    "level=ERROR source=app/jobs.go:17 msg=job err='{}'",
    "ERROR [2026-03-04 05:06:07,089] com.example.Jobs: ! {}",
    "2026-03-04 05:06:07 app ERROR when the importer ran: {}",
    "2026-03-04T05:06:07.089231Z ERROR shop::orders: could not save error={}",
)
AFTER = (
    "ERROR {}, skipping document 12",
    "ERROR {} - see https://wiki.example.com/oncall",
    "ERROR {} (retry 2 of 5)",
    "ERROR {} | request_id=9f2c user=17",
    "ERROR {} for order 5, not resolved",
    "ERROR {} when calling POST /orders 500",
    "ERROR {} -> alerting the owner",
    "ERROR {}; the retry has not succeeded",
)
RECORDS = (
    '{"level": "ERROR", "message": "{}", "logger": "app.main"}',
    '{"level": "ERROR", "message": "GET /api/v1/files 503 caused by: {}", "path": "/api/v1/files"}',
    '{"level": 50, "time": 1772600767089, "pid": 17, "hostname": "h", "msg": "request failed: {}"}',
    '{"level": 60, "msg": "died", "err": {"type": "Error", "message": "{}", "stack": "Error: {}"}}',
    '{"severity": "CRITICAL", "message": "search for \'x\': {}"}',
    '{"event": "import failed", "level": "error", "error": "{}", "logger": "jobs"}',
    '{"@t": "2026-03-04T05:06:07Z", "@l": "Error", "@mt": "Import of {Id} failed", "@x": "{}", "Id": 5}',
    '{"level": "error", "ts": 1772600767.089, "caller": "app/jobs.go:17", "msg": "job failed", "error": "{}"}',
    '{"levelname": "ERROR", "message": "issue 42: {}", "name": "app"}',
    '{"@timestamp": "2026-03-04T05:06:07Z", "log.level": "ERROR", "message": "{}"}',
    '{"time": "2026-03-04T05:06:07Z", "log": {"level": "error"}, "message": "{}"}',
)
"""JSON logs; the failure is put in as JSON writes it."""
LEVELLESS = (
    "request GET /api/v1/invoices/17 503 caused by: {}",
    "POST /orders 500 in 31 ms, {}",
    "search for 'red shoes' failed: {}",
    "issue 42 could not be synchronised: {}",
    "job 17 failed: {}",
    "* {}",
    "{}, skipping document 12",
    "{} - see https://wiki.example.com/oncall",
    "{} -> alerting the owner",
    "no answer from the partner: {}",
    "when the importer ran: {}",
    "handler gave up after 3 tries, last: {}",
)
"""The same without a level: what the shapes of quotations are held against."""


def wrapped(message: str) -> dict[str, str]:
    """A failing line in every wrapping that can hold it, by the wrapping's text or number."""
    found = {frame: frame.replace("{}", message) for frame in (*BEFORE, *AFTER)}
    within_json = json.dumps(message)[1:-1]
    return found | {
        f"record {place}": frame.replace("{}", within_json) for place, frame in enumerate(RECORDS)
    }
