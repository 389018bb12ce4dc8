"""Runs on real pods beside bare pods of the same images: `python benchmarks/kubernetes/real_pods.py [--rounds N]`.

Required: one task at most 1.1 times a bare pod, a fused chain of 10 Python tasks at most 1.5 times one, a fan-out of
20 no slower than 20 bare pods. Needs the project's test cluster (`make cluster`).

A bare pod is one as `kubectl run` makes it, which has the token of its service account. A kubelet waits 0.3 to 0.4 s
for the volumes of a pod, however small: a pod that has none at all is the other floor. A unit of Python tasks has two
(`/tmp`, since its root is read-only, and its code), a node that is a container has none.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import io
import os
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from headwater_operator.kube.api import Api  # noqa: E402
from headwater_operator.kube.connection import connect  # noqa: E402

from benchmarks.kubernetes.clocks import Bench  # noqa: E402  # the folder is not a package that is installed
from benchmarks.kubernetes.documents import Object  # noqa: E402
from benchmarks.kubernetes.run import NAMESPACE, Operator, spread  # noqa: E402

PLAIN = {"image": "localhost/debian:bookworm", "command": ["true"], "imagePullPolicy": "Never"}
RUNTIME = "localhost/headwater-runtime:dev"
TASKS = "def step(x: int = 0) -> {'x': int}:\n    return x + 1\n"


def bundle() -> Object:
    """A ConfigMap with the code of the chain."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("steps.py", TASKS)
    data = base64.b64encode(file.getvalue()).decode()
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "code-steps"},
        "immutable": True,
        "binaryData": {"bundle.zip": data},
    }


def chain(code: Object) -> Object:
    """Ten Python tasks in one pod."""
    digest = hashlib.sha256(base64.b64decode(code["binaryData"]["bundle.zip"])).hexdigest()
    nodes = [
        {
            "name": f"n{i}",
            "task": "steps:step",
            "outputs": {"x": {"type": "int"}},
            "inputs": {"x": {"from": f"n{i - 1}.x"} if i else {"value": 0}},
        }
        for i in range(10)
    ]
    return {
        "code": {"configMap": "code-steps", "digest": f"sha256:{digest}"},
        "blocks": [{"name": "main", "placement": "unit", "nodes": nodes}],
    }


def plain(count: int) -> Object:
    """So many containers beside each other."""
    return {
        "blocks": [{"name": "main", "nodes": [{"name": f"n{i}", "container": PLAIN} for i in range(count)]}]
    }


def workflow(name: str, spec: Object) -> Object:
    """A Workflow."""
    return {
        "apiVersion": "headwater.dev/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": name},
        "spec": spec,
    }


def bare_pod(name: str, *, volumes: bool) -> Object:
    """The floor: a pod that nobody looks after; its one volume has the token of its service account."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": volumes,
            "containers": [{"name": "main", **PLAIN}],
        },
    }


def ratios(ours: list[float], floors: list[float]) -> str:
    """How many times its floor each round took."""
    return spread([mine / floor for mine, floor in zip(ours, floors, strict=True)], "{:.2f}")


async def main(rounds: int, kubeconfig: str) -> None:
    """Measure in turns and print."""
    api = Api(connect(kubeconfig))
    bench = Bench(api, NAMESPACE)
    await bench.prepare()
    code = bundle()
    await api.create(f"/api/v1/namespaces/{NAMESPACE}/configmaps", code)
    operator = Operator.start(kubeconfig, "--image", RUNTIME, "--pull-policy", "Never")
    cases = {
        "one task": (plain(1), 1, 1.1),
        "fused chain of 10": (chain(code), 1, 1.5),
        "fan-out of 20": (plain(20), 20, 1.0),
    }
    try:
        await bench.workflows([workflow("warm-up", plain(1)), workflow("warm-up-too", chain(code))])
        print(
            "| case | seconds | bare pods | ratio | at most | no volumes | ratio |\n|---|---|---|---|---|---|---|"
        )
        for name, (spec, pods, most) in cases.items():
            slug = name.replace(" ", "-")
            ours, bare, without = [], [], []
            for number in range(rounds):
                ours.append(await bench.workflows([workflow(f"{slug}-{number}", spec)]))
                for floors, volumes in ((bare, True), (without, False)):
                    names = [f"{slug}-{number}-{volumes}-{i}".lower() for i in range(pods)]
                    floors.append(await bench.pods([bare_pod(each, volumes=volumes) for each in names]))
            seconds = [spread(each, "{:.2f}") for each in (ours, bare, without)]
            over, over_none = (ratios(ours, floors) for floors in (bare, without))
            print(
                "| " + " | ".join([name, *seconds[:2], over, str(most), seconds[2], over_none]) + " |",
                flush=True,
            )
    finally:
        operator.stop()
        await api.delete(f"/api/v1/namespaces/{NAMESPACE}")
        await api.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--kubeconfig", default=os.environ.get("KUBECONFIG") or str(ROOT / ".cluster/kubeconfig")
    )
    given = parser.parse_args()
    asyncio.run(main(given.rounds, given.kubeconfig))
