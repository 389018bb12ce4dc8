"""The tables of the run database: the one place where they are defined.

`statements.py` is generated from here (`python -m headwater.records.generate`), and a test holds the alembic
history to the same schema. There are no foreign keys on purpose: records are a mirror, rows may arrive
repeated and in any order. Times are seconds since the epoch; what is structured is JSON in text.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, MetaData, Table, Text

metadata = MetaData()

# `pid` is 0 where no process of its own carries the run out (on a cluster: the operator does), `target` then
# names the cluster.
run = Table(
    "run",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("backend", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("document_digest", Text),
    Column("configuration_digest", Text),
    Column("code", Text),
    Column("inputs", Text),
    Column("outputs", Text),
    Column("error_node", Text),
    Column("error_type", Text),
    Column("error_message", Text),
    Column("error_class", Text),
    Column("exit_code", Integer),
    Column("failed_items", Integer, nullable=False),
    Column("resumed_from", Text),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process", Text, nullable=False),
    Column("login", Text, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("finished_at", Double),
    Column("heartbeat_at", Double),
    Column("version", BigInteger, nullable=False),
    Column("namespace", Text),
    Column("project", Text),
    Column("labels", Text),
    Column("progress_done", Integer),
    Column("progress_total", Integer),
    # The list of runs, latest first, by what people filter it by. `phase` at the end: the most common second
    # filter is then decided in the index, without a look at rows that do not fit.
    Index("run_backend", "backend", "started_at", "phase"),
    Index("run_login", "login", "started_at", "phase"),
    Index("run_name", "name", "started_at", "phase"),
    Index("run_namespace", "namespace", "started_at", "phase"),
    Index("run_phase", "phase", "started_at"),
    Index("run_project", "project", "started_at", "phase"),
    Index("run_started_at", "started_at"),
)

# Kept by triggers: see `counting.py`.
run_count = Table(
    "run_count",
    metadata,
    Column("kind", Text, primary_key=True),  # the column of `run` that has the value; "" for all runs
    Column("value", Text, primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),  # since the epoch, UTC
    Column("namespace", Text, primary_key=True),  # "" for runs of no cluster
    Column("phase", Text, primary_key=True),
    Column("runs", Integer, nullable=False),
)

block = Table(
    "block",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("message", Text, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("inputs", Text),
    Column("outputs", Text),
    Column("answer", Boolean),
    Column("total", Integer),
    Column("succeeded", Integer),
    Column("failed", Integer),
    Column("cached", Integer),
    Column("error_node", Text),
    Column("error_type", Text),
    Column("error_message", Text),
    Column("error_class", Text),
    Column("version", BigInteger, nullable=False),
)

edge = Table(
    "edge",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("from_path", Text, primary_key=True),
    Column("to_path", Text, primary_key=True),
)

attempt = Table(
    "attempt",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("phase", Text, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("error_type", Text),
    Column("error_message", Text),
    Column("error_class", Text),
    Column("version", BigInteger, nullable=False),
)

# Items of maps that failed at least once; the others are in `map_slice` only.
map_item = Table(
    "map_item",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("item_index", Integer, primary_key=True),
    Column("phase", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("error_type", Text),
    Column("error_message", Text),
    Column("error_class", Text),
    Column("finished_at", Double),
    Column("version", BigInteger, nullable=False),
)

# Items that succeeded together, with their outputs: `ranges` is "0-41,43". One row instead of thousands.
map_slice = Table(
    "map_slice",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("first_index", Integer, primary_key=True),
    Column("ranges", Text, nullable=False),
    Column("outputs", Text),
    Column("finished_at", Double),
    Column("version", BigInteger, nullable=False),
)

# `item_index` is -1 where the node is not an item of a map.
runtime_exception = Table(
    "runtime_exception",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("item_index", Integer, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("type", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("error_class", Text, nullable=False),
    Column("traceback", Text, nullable=False),
    Column("raised_at", Double),
    Column("version", BigInteger, nullable=False),
)

configuration = Table(
    "configuration",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("content", Text, nullable=False),
    Column("created_at", Double, nullable=False),
)

document = Table(
    "document",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("content", Text, nullable=False),
    Column("created_at", Double, nullable=False),
)

artifact = Table(
    "artifact",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("format", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("created_at", Double, nullable=False),
)

cache_entry = Table(
    "cache_entry",
    metadata,
    Column("cache_key", Text, primary_key=True),
    Column("node", Text, nullable=False),
    Column("size", BigInteger),
    Column("run_id", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("version", BigInteger, nullable=False),
)

template = Table(
    "template",
    metadata,
    Column("project", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("created_at", Double, nullable=False),
)

flow_result = Table(
    "flow_result",
    metadata,
    Column("result_id", Text, primary_key=True),
    Column("content", Text, nullable=False),
    Column("created_at", Double, nullable=False),
)
