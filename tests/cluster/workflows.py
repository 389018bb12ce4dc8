"""Workflows on real pods. A test is marked with the one it looks at; all are submitted at once, for pods take seconds.

@workflow('''
nodes:
- name: say
  container: !sh echo '{"said":"hello"}' > $HEADWATER_RESULT
  outputs: {said: {type: str}}
''')
def test_a_container_gives_its_outputs(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"said": "hello"}
"""

from __future__ import annotations

import base64
import json
import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml
from headwater.backends.kubernetes.bundle import Bundle, pack

from tests.cluster.api import Api, Json
from tests.cluster.fixtures import SMALL_IMAGE, Cluster, _held, new_namespace
from tests.operator.process import running_operator

CODE = [Path(__file__).parent / name for name in ("tasks.py", "parameterized.py")]
PATIENCE = 300.0
"""Seconds for anything that must happen: all workflows of a session share two cores."""

ON_PODS = [pytest.mark.xdist_group("workflows"), pytest.mark.timeout(900)]
"""Marks of modules whose tests share the Workflows of a session."""

ENDED = ("Succeeded", "Failed", "Cancelled")
GROUP = "/apis/headwater.dev/v1alpha1"


def workflow(text: str, **metadata: Any) -> pytest.MarkDecorator:
    """The Workflow that a test looks at: a spec in YAML, or only `nodes` (and whatever goes beside) of one block.

    `!sh PROGRAM` and `!py PROGRAM` stand for a container of the small image that runs a program.
    """
    return pytest.mark.workflow(text, metadata)


def spec_of(text: str) -> Json:
    """The spec in a text."""
    found: Json = yaml.load(text, _Loader)
    if "nodes" in found:
        inside = ("inputs", "outputs", "placement", "nodes")
        main = {"name": "main", **{key: found.pop(key) for key in inside if key in found}}
        found["blocks"] = [main, *found.get("blocks", ())]
    if len(found.get("blocks") or ()) > 1:
        found.setdefault("entrypoint", "main")
    return found


class _Loader(yaml.SafeLoader):
    pass


def _program(*interpreter: str) -> Callable[[yaml.SafeLoader, Any], Json]:
    def container(loader: yaml.SafeLoader, node: Any) -> Json:
        return {"image": SMALL_IMAGE, "command": [*interpreter, loader.construct_scalar(node)]}

    return container


_Loader.add_constructor("!sh", _program("sh", "-c"))
_Loader.add_constructor("!py", _program("python3", "-c"))


class Run:
    """One Workflow, as a test looks at it."""

    def __init__(self, cluster: Cluster, namespace: str, name: str) -> None:
        self.cluster = cluster
        self.api: Api = cluster.api
        self.namespace = namespace
        self.name = name
        self.path = f"{GROUP}/namespaces/{namespace}/workflows/{name}"

    # ------------------------------------------------------------ what became of it

    def until(self, done: Callable[[Json], object], seconds: float = PATIENCE) -> Json:
        """Wait until something is true of its status."""
        found = self.api.wait(self.path, lambda workflow: done(workflow.get("status") or {}), seconds)
        status: Json = found["status"]
        return status

    def until_node(self, path: str, done: Callable[[Json], object] | str) -> Json:
        """Wait until something is true of a node; a text is a phase."""
        is_so = (lambda node: node.get("phase") == done) if isinstance(done, str) else done

        def holds(status: Json) -> object:
            return is_so((status.get("nodes") or {}).get(path, {}))

        node: Json = self.until(holds)["nodes"][path]
        return node

    def ended(self, phase: str) -> Run:
        """Wait for its end, which is in this phase."""
        status = self.until(lambda status: status.get("phase") in ENDED)
        told = {key: value for key, value in status.items() if key not in ("engine", "conditions")}
        assert status["phase"] == phase, json.dumps(told, indent=1)
        return self

    @property
    def status(self) -> Json:
        found: Json = self.api.get(self.path).get("status") or {}
        return found

    @property
    def spec(self) -> Json:
        found: Json = self.api.get(self.path)["spec"]
        return found

    @property
    def outputs(self) -> Json:
        found: Json = self.status["outputs"]
        return found

    @property
    def nodes(self) -> dict[str, Json]:
        found: dict[str, Json] = self.status["nodes"]
        return found

    @property
    def phases(self) -> dict[str, str]:
        """The phase of each node."""
        return {path: node["phase"] for path, node in self.nodes.items()}

    # ------------------------------------------------------------ what it made

    def pods(self, path: str | None = None) -> list[Json]:
        """Its pods, or those of one node, in the order of their creation."""
        found = self._list("pods", labelSelector=f"headwater.dev/run={self.name}")
        mine = [
            pod
            for pod in found
            if path is None or pod["metadata"]["annotations"]["headwater.dev/path"] == path
        ]
        return sorted(
            mine,
            key=lambda pod: (pod["metadata"]["creationTimestamp"], _attempt(pod), pod["metadata"]["name"]),
        )

    def until_pod(self, path: str, done: Callable[[Json], object]) -> Json:
        """Wait until something is true of a pod of a node."""
        until_true(lambda: any(done(pod) for pod in self.pods(path)), f"no pod of {path} was as wanted")
        return next(pod for pod in self.pods(path) if done(pod))

    def until_pods(self, phase: str) -> list[Json]:
        """Wait until it has pods and all are in a phase."""

        def are_so() -> bool:
            found = self.pods()
            return bool(found) and all(pod["status"]["phase"] == phase for pod in found)

        until_true(are_so, f"the pods of {self.name} are not {phase}")
        return self.pods()

    def until_no_pod_runs(self, seconds: float = PATIENCE) -> None:
        """Wait until all of its pods have ended, or are gone."""
        until_true(
            lambda: all(pod["status"]["phase"] in ("Succeeded", "Failed") for pod in self.pods()),
            f"pods of {self.name} go on",
            seconds,
        )

    def events(self, reason: str = "") -> list[Json]:
        """What Kubernetes' events tell of it."""
        found = self._list("events", fieldSelector=f"involvedObject.name={self.name}")
        return [event for event in found if not reason or event["reason"] == reason]

    def until_events(self, reason: str) -> None:
        """Wait until there is one for this reason."""
        until_true(lambda: self.events(reason), f"no event {reason} of {self.name}")

    def log(self, path: str, pod: str = "") -> str:
        """What a pod of a node, the last one, has printed."""
        return self.cluster.logs(self.namespace, pod or self.pods(path)[-1]["metadata"]["name"])

    def until_log(self, path: str, words: str, pod: str = "") -> None:
        """Wait until a pod of a node has printed this."""
        until_true(lambda: words in self.log(path, pod), f"{path} of {self.name} does not print {words!r}")

    def _list(self, kind: str, **query: str) -> list[Json]:
        found: list[Json] = self.api.get(f"/api/v1/namespaces/{self.namespace}/{kind}", **query)["items"]
        return found

    # ------------------------------------------------------------ what people do to it

    def change(self, **spec: Any) -> None:
        """Change fields of its spec."""
        self.api.patch(self.path, {"spec": spec})

    def answer(self, path: str, *, by: str, granted: bool = True) -> None:
        """Approve, or refuse, a node."""
        written = json.dumps({path: {"by": by, "granted": granted, "at": 0.0}})
        self.api.patch(self.path, {"metadata": {"annotations": {"headwater.dev/approvals": written}}})

    def another(self, *, annotations: Mapping[str, str] | None = None, **changes: Any) -> Run:
        """Submit the same Workflow once more, with these changes of its spec."""
        spec = {**self.spec, **changes}
        name = f"{self.name[:30]}-again-{uuid.uuid4().hex[:8]}"
        metadata = {"annotations": dict(annotations or {})}
        return submit(self.cluster, self.namespace, name, spec, metadata)


def until_true(holds: Callable[[], object], otherwise: str, seconds: float = PATIENCE) -> None:
    """Wait until something holds that no watch tells of."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(0.3)


def most_at_once(pods: Iterable[Json]) -> int:
    """How many of these pods, all of which have ended, ran at the same time."""
    ended = [pod["status"]["containerStatuses"][0]["state"]["terminated"] for pod in pods]
    steps = [(each["startedAt"], 1) for each in ended] + [(each["finishedAt"], -1) for each in ended]
    running = most = 0
    for _, step in sorted(steps):  # at the same second, ends come first
        running += step
        most = max(most, running)
    return most


def _attempt(pod: Json) -> int:
    return int(pod["metadata"]["annotations"].get("headwater.dev/attempt", 0))


def submit(
    cluster: Cluster, namespace: str, name: str, spec: Json, metadata: Mapping[str, Any] | None = None
) -> Run:
    """Create a Workflow."""
    run = Run(cluster, namespace, name)
    document = {
        "apiVersion": "headwater.dev/v1alpha1", "kind": "Workflow",
        "metadata": {**(metadata or {}), "name": name}, "spec": spec,
    }  # fmt: skip
    cluster.api.post(run.path.rpartition("/")[0], document)
    return run


def create_bundle(cluster: Cluster, namespace: str, bundle: Bundle) -> None:
    """Create the ConfigMap from which pods take this code; `with_code` names it in a spec."""
    zipped = base64.b64encode(bundle.data).decode()
    cluster.api.post(
        f"/api/v1/namespaces/{namespace}/configmaps",
        {"metadata": {"name": bundle.config_map}, "binaryData": {"bundle.zip": zipped}},
    )


class Workflows:
    """The Workflows of a session's tests, in one namespace with one operator."""

    def __init__(self, cluster: Cluster, folder: Path, items: Iterable[pytest.Item]) -> None:
        marks = {item.nodeid: mark for item in items if (mark := item.get_closest_marker("workflow"))}
        self.cluster = cluster
        with ExitStack() as stack:
            stack.enter_context(_held(exclusive=False))
            self.namespace = stack.enter_context(new_namespace(cluster))
            self.bundle = pack({path.name: path.read_bytes() for path in CODE})
            self._create_what_pods_read()
            self.log = folder / "operator.log"
            stack.enter_context(running_operator(cluster, self.namespace, self.log))
            self.runs = {
                nodeid: self._submit(number, nodeid, *mark.args)
                for number, (nodeid, mark) in enumerate(marks.items())
            }
            self._stack = stack.pop_all()

    def _create_what_pods_read(self) -> None:
        core = f"/api/v1/namespaces/{self.namespace}"
        create_bundle(self.cluster, self.namespace, self.bundle)
        self.cluster.api.post(
            f"{core}/configmaps", {"metadata": {"name": "settings"}, "data": {"COLOUR": "blue"}}
        )
        self.cluster.api.post(
            f"{core}/secrets", {"metadata": {"name": "password"}, "stringData": {"PASSWORD": "xyzzy"}}
        )
        self.cluster.api.post(f"{core}/serviceaccounts", {"metadata": {"name": "reader"}})
        # It limits what nothing else asks for, so that the other pods do not notice.
        quota = {"hard": {"requests.example.com/gpu": "1"}}
        self.cluster.api.post(f"{core}/resourcequotas", {"metadata": {"name": "gpus"}, "spec": quota})
        for name, spec in TEMPLATES.items():
            template = {
                "apiVersion": "headwater.dev/v1alpha1", "kind": "WorkflowTemplate",
                "metadata": {"name": name}, "spec": {**spec_of(spec), "version": 3},
            }  # fmt: skip
            self.cluster.api.post(f"{GROUP}/namespaces/{self.namespace}/workflowtemplates", template)

    def _submit(self, number: int, nodeid: str, text: str, metadata: Mapping[str, Any]) -> Run:
        words = nodeid.rpartition("::test_")[2].partition("@")[0].lower()
        name = re.sub(r"[^a-z0-9]+", "-", words)[:40].strip("-")
        spec = with_code(spec_of(text), self.bundle)
        return submit(self.cluster, self.namespace, f"{name}-{number}", spec, metadata)

    def close(self) -> None:
        """End the operator and delete the namespace."""
        self._stack.close()


def with_code(spec: Json, bundle: Bundle) -> Json:
    """A spec whose tasks are those of the bundle; one that takes a template has the template's."""
    if "blocks" not in spec or "code" in spec:
        return spec
    return {**spec, "code": {"configMap": bundle.config_map, "digest": bundle.digest}}


TEMPLATES: dict[str, str] = {
    "greeting": """
    inputs: {who: {type: str, default: nobody}}
    nodes:
    - name: greet
      container: !sh printf '{"words":"hello %s"}' "$INPUT_WHO" > $HEADWATER_RESULT
      inputs: {who: {from: inputs.who}}
      outputs: {words: {type: str}}
    """,
}
"""WorkflowTemplates of the namespace, by name."""


OPEN = pytest.StashKey[Workflows]()
"""What the session has submitted for its tests; `conftest` closes it after the last of them."""


@pytest.fixture
def workflows(
    cluster: Cluster, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Workflows:
    """All Workflows of this session's tests, submitted."""
    stash = request.session.stash
    if OPEN not in stash:
        stash[OPEN] = Workflows(cluster, tmp_path_factory.mktemp("workflows"), request.session.items)
    return stash[OPEN]


@pytest.fixture
def run(workflows: Workflows, request: pytest.FixtureRequest) -> Run:
    """The Workflow that the test is marked with."""
    return workflows.runs[request.node.nodeid]
