"""The conformance cases on real pods: all are submitted at once, and each test looks at its own result."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from headwater.backends import run
from headwater.backends.kubernetes.submission import prepare
from headwater.backends.result import RunResult
from headwater.blocks.compile import Compiled
from headwater.configuration import config

from tests.cluster.fixtures import Cluster
from tests.conformance.case import Case

AT_ONCE = 12
INSIDE = "/headwater/store/scratch"
CLAIM = "headwater-store"

ONE_POD_A_NODE = frozenset(
    {
        "branches/nested_conditions", "branches/skipping_goes_on_downstream", "branches/two_live_branches_fail",
        "caching/a_map_is_cached_item_by_item", "definitions/a_chain", "failures/a_failure_stops_what_needs_it",
        "failures/a_failure_in_a_nested_workflow_names_its_path", "loops/a_loop_gives_its_last_pass",
        "loops/an_optional_input_is_none_on_the_first_pass", "loops/exit_pipeline_ends_the_run_cleanly",
        "maps/a_failed_item_leaves_its_exception", "maps/a_map_and_a_reduction", "maps/a_map_in_a_map",
        "maps/an_empty_map", "maps/an_outside_task_is_computed_once_and_broadcast",
        "maps/items_are_retried_one_by_one", "maps/raise_exceptions_fails_the_map", "maps/unequal_lengths_fail",
        "maps/unflattened", "policies/a_timeout_ends_the_task", "policies/continue_on_failure",
        "policies/retries", "values/a_closure_travels", "values/a_large_array", "values/as_an_input_of_the_run",
        "values/through_two_tasks", "workflows/a_diamond",
        "workflows/a_run_hook_may_call_super",
    }
)  # fmt: skip
"""These have a pod for each node; the others run as one unit, so that the suite takes minutes."""

_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Outcome:
    """What a case came to: a result, or what was raised."""

    result: RunResult | None
    error: BaseException | None
    scratch: Path


class Suite:
    """Runs cases in one namespace. `scratch` is the folder of this machine that pods know as `INSIDE`."""

    def __init__(self, cluster: Cluster, namespace: str, scratch: Path) -> None:
        self.options = {"kubeconfig": str(cluster.kubeconfig), "namespace": namespace}
        self.scratch = scratch

    def outcomes(self, wanted: Sequence[Case]) -> dict[str, Outcome]:
        """These cases, run side by side."""
        with ThreadPoolExecutor(AT_ONCE) as threads:
            return dict(zip((case.name for case in wanted), threads.map(self._outcome, wanted), strict=True))

    def _outcome(self, case: Case) -> Outcome:
        name = case.name.replace("/", "-").replace("_", "-")
        scratch = self.scratch / name
        scratch.mkdir(parents=True)
        scratch.chmod(0o777)
        try:
            compiled = self._compiled(case, f"{INSIDE}/{name}")
            found = run(
                compiled,
                backend="kubernetes",
                inputs=case.inputs,
                check=False,
                track=False,
                name=name[:40],
                options=self.options,
            )
        except BaseException as error:  # it is the test's to say whether that is right
            return Outcome(None, error, scratch)
        return Outcome(found, None, scratch)

    def _compiled(self, case: Case, scratch: str) -> Compiled:
        """The workflow, with the case's config in force while it is made; the runs that warm the cache are in there."""
        here = {"backend": "kubernetes", "kubernetes": self.options}
        with _one_at_a_time, config.override({**(case.config or {}), **here}):
            compiled: Compiled = case.workflow(scratch).compiled()
            if case.name not in ONE_POD_A_NODE:
                compiled = as_unit(compiled)
            prepare(compiled, case.inputs)  # what it looks up in the sources is then known to all threads
        return compiled


def as_unit(compiled: Compiled) -> Compiled:
    """The same workflow with all of it in one pod."""
    spec = compiled.spec
    entry = spec.get("entrypoint") or spec["blocks"][0]["name"]
    blocks: list[Any] = [
        {**block, "placement": "unit"} if block["name"] == entry else block for block in spec["blocks"]
    ]
    return replace(compiled, spec={**spec, "blocks": blocks})


@contextmanager
def claimed_folder(cluster: Cluster, namespace: str) -> Iterator[Path]:
    """The folder of this machine behind the namespace's store."""
    path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    cluster.api.post(
        path,
        {
            "metadata": {"name": CLAIM},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}},
        },
    )
    claim = cluster.api.wait(f"{path}/{CLAIM}", lambda each: each["status"].get("phase") == "Bound")
    volume = cluster.api.get(f"/api/v1/persistentvolumes/{claim['spec']['volumeName']}")
    folder = Path(volume["spec"]["hostPath"]["path"]) / "scratch"
    folder.mkdir()
    folder.chmod(0o777)
    yield folder


@contextmanager
def home(folder: Path) -> Iterator[None]:
    """Local state of runs that are tracked, away from the checkout."""
    before = os.environ.get("HEADWATER_HOME")
    os.environ["HEADWATER_HOME"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["HEADWATER_HOME"]
        else:
            os.environ["HEADWATER_HOME"] = before
