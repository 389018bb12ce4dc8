"""python -m tests.cluster up | down | status | images | kubectl ..."""

from __future__ import annotations

import os
import sys

from tests.cluster import build, cluster
from tests.cluster.choice import Kind, choose, obstacle
from tests.cluster.places import KUBECONFIG
from tests.cluster.report import ClusterError, say

USAGE = """usage: python -m tests.cluster COMMAND

  up             make the cluster run (builds what it needs, once); --if-possible: where it cannot, only say why
  down           end it and remove its state
  status         what runs, and how much memory it takes
  images         import the images anew whose files have changed
  restart NAME   restart one component, such as kube-apiserver
  kubectl ...    kubectl of the cluster's own version"""


def main(arguments: list[str]) -> int:
    match arguments:
        case ["up"] | ["up", "--if-possible"]:
            up(only_if_possible=len(arguments) == 2)
        case ["down"]:
            down()
        case ["status"]:
            return cluster.print_status()
        case ["images"]:
            cluster.import_images()
        case ["restart", name]:
            cluster.restart(name)
        case ["kubectl", *rest]:
            environment = {"KUBECONFIG": str(KUBECONFIG), **os.environ}
            os.execve(build.kube(), ["kubectl", *rest], environment)
        case _:
            print(USAGE, file=sys.stderr)
            return 2
    return 0


def up(*, only_if_possible: bool) -> None:
    kind = choose()
    if kind is Kind.GIVEN:
        say(f"using the cluster of KUBECONFIG, {os.environ['KUBECONFIG']}")
    elif kind is Kind.KIND:
        from tests.cluster import kind as on_kind

        on_kind.up()
    elif reason := obstacle():
        if not only_if_possible or os.environ.get("CI") == "true":
            raise ClusterError(reason)
        say(f"tests that need Kubernetes will be skipped: {reason}")
    else:
        cluster.up()


def down() -> None:
    if choose() is Kind.KIND:
        from tests.cluster import kind as on_kind

        on_kind.down()
    else:
        cluster.down()


try:
    sys.exit(main(sys.argv[1:]))
except ClusterError as error:
    sys.exit(f"cluster: {error}")
