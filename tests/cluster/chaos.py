"""What a test may do to our own cluster: end components, hold them, forget history, add and remove nodes."""

from __future__ import annotations

import json
import signal
import urllib.request

from tests.cluster import cluster, fakes, machine, processes
from tests.cluster.api import Api, Json
from tests.cluster.components import API, components
from tests.cluster.places import KUBECONFIG
from tests.cluster.report import ClusterError

NODE = "node"  # the whole machine that runs pods, with everything in it


def kill(name: str) -> None:
    """End a component as a crash would. `start` or `heal` brings it back; "node" pulls the node's plug."""
    if name == NODE:
        machine.shut_down(cluster.slot())
    else:
        cluster.stop(name, signal.SIGKILL)


def stop(name: str) -> None:
    """End a component in good order."""
    cluster.stop(name)


def start(name: str) -> None:
    """Start a component that was ended, and wait until the API answers."""
    cluster.restart(name)


def restart(name: str) -> None:
    """End a component in good order and start it again; returns when the API answers."""
    cluster.restart(name)


def restart_api() -> None:
    """Restart the API server: every watch breaks, and those that ask for what is no longer cached get a 410."""
    cluster.restart(API)


def freeze(name: str) -> None:
    """Stop a component's clock: it holds its connections and answers nothing until `thaw`."""
    _send(name, signal.SIGSTOP)


def thaw(name: str) -> None:
    _send(name, signal.SIGCONT)


def heal() -> None:
    """Bring back everything that does not run; returns when the cluster is healthy."""
    cluster.mend()


def compact_etcd() -> int:
    """Make etcd forget every revision but the present one, which is returned.

    The API server remembers some history itself: a watch gets its 410 once it was restarted (`restart_api`).
    """
    revision = int(_etcd("kv/range", {"key": "Lw=="})["header"]["revision"])
    _etcd("kv/compaction", {"revision": revision, "physical": True})
    return revision


def start_fake_node(name: str) -> None:
    fakes.make_node(Api(KUBECONFIG), name)


def remove_node(name: str) -> None:
    """Remove a node's object: its pods are lost. A real node that still runs comes back by itself."""
    fakes.remove_node(Api(KUBECONFIG), name)


def _send(name: str, what: signal.Signals) -> None:
    found = processes.find(name)
    if found is None:
        raise ClusterError(f"{name} does not run; components: {', '.join(components(cluster.slot()))}")
    found.send(what)


def _etcd(call: str, body: Json) -> Json:
    url = f"http://127.0.0.1:{cluster.slot().port(1)}/v3/{call}"
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode()), timeout=60) as answer:
        found: Json = json.load(answer)
        return found
