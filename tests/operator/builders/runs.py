"""The run that the tests of the builders build from."""

from __future__ import annotations

from typing import Any

from headwater_operator.builders import BuildSettings, RunContext, Store

IMAGE = "localhost/headwater-runtime:dev"
CLAIM = BuildSettings(IMAGE, Store.parse("claim://headwater-store?size=10Gi"), pull_policy="IfNotPresent")
BARE = BuildSettings(IMAGE, Store.parse("none"))
BUCKET = BuildSettings(IMAGE, Store.parse("s3://bucket/headwater"))


def run(*nodes: dict[str, Any], name: str = "reduce", **spec: Any) -> RunContext:
    """A run whose entry block has these nodes; `blocks` are further blocks."""
    blocks = [{"name": "main", "nodes": list(nodes)}, *spec.pop("blocks", [])]
    uid = "3e9f3b0e-0d7c-4c55-9f0c-6a1f0e6f7a11"
    return RunContext(name, "science", uid, {**spec, "blocks": blocks})
