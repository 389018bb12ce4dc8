"""Runs on real pods beside bare pods of the same images: `python benchmarks/kubernetes/real_pods.py [--rounds N]`.

Required: one task at most 1.1 times a bare pod, a fused chain of 10 Python tasks at most 1.5 times one, a fan-out of
20 no slower than 20 bare pods. Needs the project's test cluster (`make cluster`).
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


def bare_pod(name: str) -> Object:
    """The floor: a pod that nobody looks after."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "containers": [{"name": "main", **PLAIN}],
        },
    }


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
        print("| case | seconds | bare pods | ratio | at most |\n|---|---|---|---|---|")
        for name, (spec, pods, most) in cases.items():
            ours, floors = [], []
            for number in range(rounds):
                slug = name.replace(" ", "-")
                ours.append(await bench.workflows([workflow(f"{slug}-{number}", spec)]))
                floors.append(await bench.pods([bare_pod(f"{slug}-{number}-{i}") for i in range(pods)]))
            ratios = [mine / floor for mine, floor in zip(ours, floors, strict=True)]
            cells = [
                name,
                spread(ours, "{:.2f}"),
                spread(floors, "{:.2f}"),
                spread(ratios, "{:.2f}"),
                str(most),
            ]
            print("| " + " | ".join(cells) + " |", flush=True)
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
