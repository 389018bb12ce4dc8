"""A namespace of a real cluster with an operator that mirrors its runs to PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from headwater.records import upgrade

from tests.cluster.fixtures import Cluster, _held, new_namespace
from tests.cluster.workflows import GROUP, Run, spec_of, submit
from tests.operator.mirror.servers import Server
from tests.operator.process import running_operator

SAYS = """
nodes:
- name: say
  container: !sh echo '<b>hello</b>' && echo '{"said":"hello"}' > $HEADWATER_RESULT
  outputs: {said: {type: str}}
"""
GOES_ON = """
nodes:
- name: first
  container: !sh echo begun; while [ ! -e /tmp/over ]; do sleep 0.1; done
"""
WAITS = """
nodes:
- name: gate
  suspend: {approval: {message: go on}}
- name: after
  dependsOn: [gate]
  container: !sh echo after
"""


TOO_LARGE = """
nodes:
- name: fit
  container: !sh true
  resources: {requests: {cpu: 640}}
"""
GREETS = """
inputs:
  who: {type: str, default: nobody, description: Whom to greet}
  times: {type: int}
nodes:
- name: greet
  container: !sh for i in $(seq $INPUT_TIMES); do echo "hello $INPUT_WHO"; done
  inputs: {who: {from: inputs.who}, times: {from: inputs.times}}
"""


@dataclass
class Place:
    """A namespace with an operator that mirrors to a database."""

    cluster: Cluster
    namespace: str
    database: str
    number: Iterator[int] = field(default_factory=lambda: iter(range(1000)))

    def create_template(self, name: str, text: str, **spec: object) -> None:
        """Register a workflow under a name."""
        template = {
            "apiVersion": "headwater.dev/v1alpha1", "kind": "WorkflowTemplate", "metadata": {"name": name},
            "spec": {**spec_of(text), **spec},
        }  # fmt: skip
        self.cluster.api.post(f"{GROUP}/namespaces/{self.namespace}/workflowtemplates", template)

    def run(self, text: str) -> Run:
        return submit(self.cluster, self.namespace, f"shown-{next(self.number)}", spec_of(text))


@pytest.fixture(scope="module")
def place(cluster: Cluster, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    log = tmp_path_factory.mktemp("dashboard") / "operator.log"
    with _held(exclusive=False), server.database() as name, new_namespace(cluster) as namespace:
        upgrade(server.url(name))
        with running_operator(cluster, namespace, log, "--database-url", server.url(name)):
            yield Place(cluster, namespace, server.url(name))
