"""python -m tests.cluster up | down | status | images | kubectl ..."""

from __future__ import annotations

import os
import sys

from tests.cluster import build, cluster
from tests.cluster.places import KUBECONFIG
from tests.cluster.report import ClusterError

USAGE = """usage: python -m tests.cluster COMMAND

  up             make the cluster run (builds what it needs, once)
  down           end it and remove its state
  status         what runs, and how much memory it takes
  images         import the images anew whose files have changed
  restart NAME   restart one component, such as kube-apiserver
  kubectl ...    kubectl of the cluster's own version"""


def main(arguments: list[str]) -> int:
    match arguments:
        case ["up"]:
            cluster.up()
        case ["down"]:
            cluster.down()
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


try:
    sys.exit(main(sys.argv[1:]))
except ClusterError as error:
    sys.exit(f"cluster: {error}")
