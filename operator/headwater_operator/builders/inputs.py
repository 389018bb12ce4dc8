"""What the builders are told: the operator's settings, the run, and the step to build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from headwater.document.unit import Encoded
from headwater.errors import ConfigError

CLAIM_PATH = "/headwater/store"
"""Where a pod finds the store when it is a claim."""

AccessMode = Literal["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"]
_ACCESS_MODES = ("ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod")


@dataclass(frozen=True, slots=True)
class Store:
    """Where the artifacts of runs lie, as `--store` says it.

    `url` is what a unit is told: the path of the mounted claim, an fsspec URL, or "" where there is no store.
    """

    url: str
    claim: str = ""
    size: str = "10Gi"
    storage_class: str = ""
    access_mode: AccessMode = "ReadWriteOnce"

    @classmethod
    def parse(cls, text: str) -> Store:
        """Read `claim://NAME?size=10Gi&class=X&mode=ReadWriteOnce`, an fsspec URL, or `none`.

        Raises:
            ConfigError: it is none of these.

        >>> Store.parse("claim://headwater-store?size=50Gi&mode=ReadWriteMany")
        ... # doctest: +NORMALIZE_WHITESPACE
        Store(url='/headwater/store', claim='headwater-store', size='50Gi', storage_class='',
              access_mode='ReadWriteMany')
        >>> Store.parse("s3://bucket/headwater").url, Store.parse("none").url
        ('s3://bucket/headwater', '')
        """
        if text in ("", "none"):
            return cls("")
        found = urlsplit(text)
        if not found.scheme:
            raise ConfigError(
                f"{text!r} is not a store",
                fix="Write claim://NAME?size=10Gi, a URL such as s3://bucket/folder, or none.",
            )
        return _claim(text, found.netloc, found.query) if found.scheme == "claim" else cls(text)


def _claim(text: str, name: str, query: str) -> Store:
    given = dict(parse_qsl(query))
    unknown = sorted(set(given) - {"size", "class", "mode"})
    mode = given.get("mode", "ReadWriteOnce")
    if not name or unknown or mode not in _ACCESS_MODES:
        wrong = "its name is missing" if not name else f"unknown: {', '.join(unknown)}" if unknown else mode
        raise ConfigError(
            f"{text!r} is not a claim ({wrong})",
            fix=f"Write claim://NAME?size=10Gi&class=STORAGECLASS&mode={'|'.join(_ACCESS_MODES)}.",
        )
    return Store(CLAIM_PATH, name, given.get("size", "10Gi"), given.get("class", ""), mode)  # type: ignore[arg-type]  # one of the three


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """What holds for every pod that this operator makes.

    `image` runs Python where the document names no image; `pull_policy` "" leaves it to Kubernetes;
    `grace_seconds` is how long a pod that is told to end may take; `allow_host` permits what reaches out of
    the container (hostPath, hostNetwork, privileged).
    """

    image: str
    store: Store
    pull_policy: str = ""
    grace_seconds: int = 10
    allow_host: bool = False


@dataclass(frozen=True, slots=True)
class RunContext:
    """The Workflow that the objects are for; `spec` in its document form.

    `slurm` has the specs of the SlurmClusters that its nodes name, as they were when the run started. With
    `overwrite_cache` pods take nothing from the cache, and put into it what they compute.
    """

    name: str
    namespace: str
    uid: str
    spec: Mapping[str, Any]
    slurm: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, compare=False)
    overwrite_cache: bool = False
    nodes: Mapping[tuple[str, str], Mapping[str, Any]] = field(init=False, compare=False, repr=False)
    """The nodes as they are written, by block and name: every pod that is built, and every result, asks for one."""

    def __post_init__(self) -> None:
        nodes = {
            (block["name"], node["name"]): node
            for block in self.spec.get("blocks") or ()
            for node in block.get("nodes") or ()
        }
        object.__setattr__(self, "nodes", nodes)


@dataclass(frozen=True, slots=True)
class UnitStep:
    """One pod: one attempt of a node, or one question about it.

    `block` and `node` say where it is written (`spec.blocks[block].nodes[node]`); `node` "" stands for the
    whole block. For "block", `target` is the block that runs. `oom_retries` is how many attempts ended for
    want of memory: each raises the memory by the policy's `oomFactor`. `lineage` tells apart tries of what is
    around the node (a loop, an item), in each of which its attempts count from 1.
    """

    path: str
    attempt: int
    block: str
    node: str
    does: Literal["task", "block", "container", "decide", "measure"]
    target: str = ""
    inputs: Mapping[str, Encoded] = field(default_factory=dict)
    over: Mapping[str, Encoded] = field(default_factory=dict)
    stage: str = ""
    value: Encoded | None = None
    oom_retries: int = 0
    lineage: str = ""


@dataclass(frozen=True, slots=True)
class MapStep:
    """One indexed Job: one wave of a map, or a chunk of it.

    `items` are the indices of the wave ("0-41,43"), `per_pod` of them to a pod, `total` all items of the map;
    `parallelism` is how many items may run at once; `chunk` counts the Jobs of a wave from 0. `max_failed` is
    how many items of this Job may fail before it stops; None lets all of them run. On Slurm one pod has all the
    items of a Job, and each task of its array `per_task` of them.
    """

    path: str
    attempt: int
    block: str
    node: str
    inputs: Mapping[str, Encoded]
    over: Mapping[str, Encoded]
    items: str
    per_pod: int
    parallelism: int | None
    total: int
    chunk: int = 0
    oom_retries: int = 0
    max_failed: int | None = None
    lineage: str = ""
    per_task: int = 1
