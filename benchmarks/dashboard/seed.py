"""Fill a PostgreSQL database with runs as a few years of a busy cluster would leave them."""

from __future__ import annotations

import time
from collections.abc import Callable

from headwater.records import upgrade
from headwater.testing.postgres import Server

NOW = 1_800_000_000
DAYS = 365
LARGE = "run-large"
GRAPH = "run-graph"

RUNS = """
INSERT INTO run (run_id, name, backend, target, phase, message, failed_items, host, pid, process, login, started_at,
  finished_at, version, namespace, project, labels, error_node, error_type, error_message, error_class, inputs)
SELECT 'run-' || lpad(i::text, 8, '0'), 'flow-' || (i * 79 %% 200),
  (ARRAY['default', 'parallel', 'slurm', 'kubernetes', 'kubernetes', 'kubernetes'])[1 + i %% 6], '', phase, '',
  0, 'node-' || (i %% 50), 0, '', 'user-' || (i * 31 %% 300), at,
  CASE WHEN phase IN ('Running', 'Suspended') THEN NULL ELSE at + 5 + i %% 600 END, 1,
  'team-' || (i * 13 %% 40), CASE WHEN i %% 3 = 0 THEN NULL ELSE 'project-' || (i * 17 %% 100) END,
  '{{"team":"t' || (i %% 20) || '"}}', CASE WHEN phase = 'Failed' THEN 'process' END,
  CASE WHEN phase = 'Failed' THEN 'ValueError' END,
  CASE WHEN phase = 'Failed' THEN 'cannot read block ' || i || ' of the detector' END,
  CASE WHEN phase = 'Failed' THEN 'Error' END, '{{"n":{{"json":' || i || '}}}}'
FROM (SELECT i, {now} - ({runs} - i) * ({days} * 86400.0 / {runs}) AS at, CASE
    WHEN i > {runs} - 200 THEN (ARRAY['Running', 'Running', 'Suspended'])[1 + i %% 3]
    WHEN i %% 25 = 0 THEN 'Failed' WHEN i %% 100 = 7 THEN 'Cancelled' WHEN i %% 1000 = 11 THEN 'Lost'
    ELSE 'Succeeded' END AS phase FROM generate_series(1, {runs}) AS i) AS numbered
"""
ATTEMPTS = """
INSERT INTO attempt (run_id, path, attempt, phase, started_at, finished_at, version)
SELECT 'run-' || lpad(i::text, 8, '0'), 'node-' || n, 1, 'Succeeded', {now}, {now} + n, 1
FROM generate_series({first}, {last}) AS i, generate_series(1, 10) AS n
"""
ONE_RUN = """
INSERT INTO run (run_id, name, backend, target, phase, message, failed_items, host, pid, process, login, started_at,
  finished_at, version) VALUES
  ('{run}', 'large', 'kubernetes', '', 'Failed', '', 500, '', 0, '', 'ada', {now}, {now} + 60, 1)
"""
NODE = """
INSERT INTO block (run_id, path, kind, ref, phase, attempt, message, started_at, finished_at, total, succeeded, failed,
  version) SELECT '{run}', 'node-' || n, 'map', 'm:f', 'Failed', 1, '', {now}, {now} + 60, {total}, 9500, 500, 1
FROM generate_series(1, {nodes}) AS n
"""
SLICE = "INSERT INTO map_slice VALUES ('{run}', 'node-1', 0, '0-9999', NULL, {now}, 1)"
ITEMS = """
INSERT INTO map_item SELECT '{run}', 'node-1', i * 20, 'Failed', 3, 'ValueError', 'no item ' || i, 'Error', {now}, 1
FROM generate_series(0, 499) AS i
"""
EXCEPTIONS = """
INSERT INTO runtime_exception SELECT '{run}', 'node-1', i * 20, a, 'ValueError', 'no item ' || i, 'Error',
  repeat('  File "flow.py", line 1\n', 20), {now} + i, 1 FROM generate_series(0, 499) AS i, generate_series(1, 3) AS a
"""
AT_ONCE = 100_000


def seed(server: Server, database: str, url: str, runs: int, say: Callable[[str], None]) -> None:
    """Make the tables and fill them: ten attempts a run, one run with a map of 10,000 items, one of 5,000 nodes."""
    upgrade(url)
    began = time.monotonic()
    server.execute(RUNS.format(now=NOW, runs=runs, days=DAYS), database)
    for first in range(1, runs + 1, AT_ONCE):
        last = min(runs, first + AT_ONCE - 1)
        server.execute(ATTEMPTS.format(now=NOW, first=first, last=last), database)
    for run, nodes in ((LARGE, 1), (GRAPH, 5_000)):
        server.execute(ONE_RUN.format(run=run, now=NOW), database)
        server.execute(NODE.format(run=run, now=NOW, total=10_000, nodes=nodes), database)
    for sql in (SLICE, ITEMS, EXCEPTIONS):
        server.execute(sql.format(run=LARGE, now=NOW), database)
    server.execute("VACUUM ANALYZE", database)
    say(f"{runs:,} runs and {runs * 10:,} attempts in {time.monotonic() - began:.0f} s")
