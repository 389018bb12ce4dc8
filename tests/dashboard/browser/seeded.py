"""Runs larger than a test has time for, written into the tables as their recorder would."""

from __future__ import annotations

from tests.dashboard.browser.site import Site

RUN = """
INSERT INTO run (run_id, name, backend, target, phase, message, failed_items, host, pid, process, login, started_at,
  finished_at, version) VALUES ('{run}', '{name}', 'slurm', '', 'Failed', '', {failed}, '', 0, '', 'ada',
  extract(epoch from now()) - 90, extract(epoch from now()) - 30, 1)
"""
NODES = """
INSERT INTO block (run_id, path, kind, ref, phase, attempt, message, started_at, finished_at, version)
SELECT '{run}', 'stage-' || (n / 100) || '/task-' || (n %% 100), 'task', 'flow:f',
  CASE WHEN n = 4321 THEN 'Failed' ELSE 'Succeeded' END, 1, '', extract(epoch from now()) - 90 + n / 100,
  extract(epoch from now()) - 88 + n / 100, 1 FROM generate_series(0, {nodes} - 1) AS n
"""
EDGES = """
INSERT INTO edge (run_id, from_path, to_path) SELECT '{run}', 'stage-' || (n / 100) || '/task-' || (n %% 100),
  'stage-' || (n / 100) || '/task-' || (n %% 100 + 1) FROM generate_series(0, {nodes} - 1) AS n WHERE n %% 100 < 99
"""
MAP = """
INSERT INTO block (run_id, path, kind, ref, phase, attempt, message, started_at, finished_at, total, succeeded, failed,
  version) VALUES ('{run}', 'simulate', 'map', 'flow:simulate', 'Failed', 1, '', extract(epoch from now()) - 90,
  extract(epoch from now()) - 30, {items}, {items} - 50, 50, 1)
"""
MAP_ATTEMPT = """
INSERT INTO attempt (run_id, path, attempt, phase, started_at, finished_at, version) VALUES ('{run}', 'simulate', 1,
  'Failed', extract(epoch from now()) - 90, extract(epoch from now()) - 30, 1)
"""
SLICES = """
INSERT INTO map_slice SELECT '{run}', 'simulate', i * 100, (i * 100) || '-' || (i * 100 + 99), NULL,
  extract(epoch from now()) - 88 + 54 * sqrt(i * 100.0 / {items}), 1 FROM generate_series(0, {items} / 100 - 1) AS i
"""
ITEMS = """
INSERT INTO map_item SELECT '{run}', 'simulate', i * 1999, 'Failed', 1, 'MemoryError', 'grid ' || i || ' is too large',
  'Oom', extract(epoch from now()) - 30, 1 FROM generate_series(0, 49) AS i
"""
EXCEPTIONS = """
INSERT INTO runtime_exception SELECT '{run}', 'simulate', i * 1999, 1, 'MemoryError', 'grid ' || i || ' is too large',
  'Oom', '  File "flow.py", line 12, in simulate\n', extract(epoch from now()) - 30 + i, 1
  FROM generate_series(0, 49) AS i
"""


def large_graph(site: Site, nodes: int = 5_000) -> str:
    """A run of this many nodes, in chains of 100; its id."""
    return _write(site, "large-graph", "cosmology", (NODES, EDGES), failed=0, nodes=nodes)


def wide_map(site: Site, items: int = 100_000) -> str:
    """A run with a map of this many items, 50 of which failed; its id."""
    steps = (MAP, MAP_ATTEMPT, SLICES, ITEMS, EXCEPTIONS)
    return _write(site, "wide-map", "simulation", steps, failed=50, items=items)


def _write(site: Site, run: str, name: str, steps: tuple[str, ...], *, failed: int, **given: int) -> str:
    for sql in (RUN, *steps):
        site.server.execute(
            sql.format(run=run, name=name, failed=failed, **given).replace("%%", "%"), site.database
        )
    return run
