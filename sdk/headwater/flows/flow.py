"""A flow: a workflow of a project, registered as a versioned template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headwater.blocks.compile import API_VERSION
from headwater.blocks.workflow import Workflow
from headwater.flows.errors import EmptyResultError, FlowDefinitionError, FlowFailedError
from headwater.flows.registry import Registered, find_template, register_template
from headwater.flows.templates import EXPOSED, Document, entry_block, expand, tasks_of, template_document

if TYPE_CHECKING:
    from headwater.backends import RunResult


class Flow:
    """A workflow with a name, in a project.

    `workflow` is a Headwater workflow (an instance, or a decorated one); without it the flow is the registered
    one of that name, which is looked up when it is needed.
    """

    def __init__(
        self,
        *,
        name: str,
        project_name: str | None = None,
        workflow: Workflow | type[Workflow] | None = None,
        version: int | None = None,
        image: str | None = None,
        description: str = "",
    ) -> None:
        if not name:
            raise FlowDefinitionError(
                "a flow needs a name", fix="Flow(name=..., project_name=..., workflow=...)"
            )
        self.name = name
        self.project_name = project_name or "default"
        self.image = image
        self.description = description
        self.version = version
        self.flow_id: str | None = None
        self._template: Document | None = None
        self.workflow = workflow() if isinstance(workflow, type) else workflow

    # ------------------------------------------------------------------ what it is

    @property
    def template(self) -> Document:
        """The WorkflowTemplate document: of the workflow as it is now, or of the registered flow."""
        if self.workflow is not None:
            made = template_document(self.workflow.compiled(), self.project_name, self.name, self.description)
            if self.image is not None:
                made["spec"]["code"] = {**made["spec"].get("code", {}), "image": self.image}
            return made
        if self._template is None:
            self.load_flow()
        assert self._template is not None
        return self._template

    @property
    def parameters(self) -> dict[str, dict[str, Any]]:
        """The inputs by name: type, default, whether one has to be given."""
        return dict(entry_block(self.template["spec"]).get("inputs") or {})

    @property
    def tasks(self) -> dict[str, list[str]]:
        """The tasks by name, with the names of their outputs."""
        return {_python_name(name): outputs for name, outputs in tasks_of(self.template).items()}

    @property
    def task_slugs(self) -> dict[str, str]:
        """The tasks by name, with the paths of their nodes."""
        return {_python_name(name): name for name in tasks_of(self.template)}

    # ------------------------------------------------------------------ registering

    def register(self) -> str:
        """Keep the flow in the run database and return its id; a new version when it has changed.

        Raises:
            FlowError: there is no workflow to register.
        """
        if self.workflow is None and self._template is None:
            raise FlowDefinitionError(
                f"flow {self.name!r} has no workflow to register", fix="Flow(..., workflow=my_workflow)"
            )
        return self._take(register_template(self.project_name, self.name, self.template))

    def load_flow(self) -> Flow:
        """Take the registered template.

        Raises:
            FlowError: it is not registered.
        """
        self._take(find_template(self.project_name, self.name, self.version))
        return self

    def _take(self, found: Registered) -> str:
        self._template = found.document
        self.version = found.version
        self.flow_id = found.flow_id
        return found.flow_id

    # ------------------------------------------------------------------ running

    def run(self, parameters: Mapping[str, Any] | None = None, **options: Any) -> RunResult:
        """Run the flow; `options` are those of a workflow's `run`: `backend`, `track`, `workers`.

        Raises:
            FlowFailedError: a task failed; the message names it.
        """
        from headwater.backends import compiled_document, run

        document = expand(self._document(), self._lookup)
        result = run(
            compiled_document(document), inputs=parameters or {}, check=False, name=self.name, **options
        )
        if result.phase != "Succeeded":
            cause = result.error.exception if result.error is not None else None
            said = str(result.error) if result.error is not None else f"the run ended {result.phase}"
            failed = FlowFailedError(f"flow {self.name!r} failed: {said}", result=result)
            raise failed from (cause if isinstance(cause, BaseException) else None)
        return result

    def run_and_return(
        self, parameters: Mapping[str, Any] | None = None, task_name: str | None = None, **options: Any
    ) -> Any:
        """Run the flow; the results of all tasks by name, or the one that is named.

        Raises:
            EmptyResultError: the named task returned nothing.
            FlowError: there is no such task.
        """
        known = self.task_outputs()
        if task_name is not None and task_name not in known:
            raise FlowDefinitionError(
                f"flow {self.name!r} has no task {task_name!r}", fix=f"Its tasks: {', '.join(known)}."
            )
        result = self.run(parameters, **options)
        found = {name: _result_of(outputs, result.outputs) for name, outputs in known.items()}
        if task_name is None:
            return {name: value for name, (has, value) in found.items() if has or value is None}
        has, value = found[task_name]
        if not has:
            raise EmptyResultError(
                f"task {task_name!r} of flow {self.name!r} has no result",
                fix="It returned nothing, or was skipped.",
            )
        return value

    def task_outputs(self) -> dict[str, dict[str, str]]:
        """Task name -> output name -> the run's output that carries it."""
        composed = {
            name: name.split(EXPOSED)
            for name in entry_block(self.template["spec"]).get("outputs") or {}
            if name.count(EXPOSED) >= 2
        }
        if not composed:
            return {
                _python_name(node): {output: f"{node}{EXPOSED}{output}" for output in outputs}
                for node, outputs in tasks_of(self.template).items()
            }
        found: dict[str, dict[str, str]] = {}
        for carried, (*flows, node, output) in composed.items():
            found.setdefault("/".join([*flows, _python_name(node)]), {})[output] = carried
        return with_plain_names(found)

    def _document(self) -> Document:
        """A workflow that calls the flow's template and offers the outputs of all its tasks."""
        template = self.template
        inputs = entry_block(template["spec"]).get("inputs") or {}
        # A name that is unique stands twice there: by itself, and after its flow's.
        outputs = dict.fromkeys(name for found in self.task_outputs().values() for name in found.values())
        node = {
            "name": _node_name(self.name),
            "call": {"template": self.name, **({"version": self.version} if self.version else {})},
            "inputs": {name: {"from": f"inputs.{name}"} for name in inputs},
        }
        block: dict[str, Any] = {"name": "main", "inputs": inputs}
        if outputs:
            block["outputs"] = {name: {"from": f"{node['name']}.{name}"} for name in outputs}
        block["nodes"] = [node]
        return {
            "apiVersion": API_VERSION,
            "kind": "Workflow",
            "metadata": {"name": _node_name(self.name)},
            "spec": {"entrypoint": "main", "blocks": [block]},
        }

    def _lookup(self, name: str, version: int | None) -> Document:
        if name == self.name:
            return self.template
        return find_template(self.project_name, name, version).document

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.project_name}/{self.name}>"


def _python_name(node: str) -> str:
    return node.replace("-", "_")


def _node_name(name: str) -> str:
    cleaned = "".join(each if each.isalnum() or each in "-_" else "-" for each in name).strip("-_")
    return cleaned[:63] or "flow"


def with_plain_names(found: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """The tasks of several flows by `flow/task`, and by their own names where those are unique."""
    plain: dict[str, list[str]] = {}
    for full in found:
        plain.setdefault(full.rpartition("/")[2], []).append(full)
    return found | {task: found[full[0]] for task, full in plain.items() if len(full) == 1}


def _result_of(names: Mapping[str, str], outputs: Mapping[str, Any]) -> tuple[bool, Any]:
    """Whether a task has a result, and what it is: its one output, or all of them by name."""
    found = {output: outputs[carried] for output, carried in names.items() if carried in outputs}
    if not names:
        return False, None
    if len(names) == 1:
        (value,) = found.values() if found else (None,)
        return value is not None, value
    return bool(found), found or None


def load_flow(name: str, project_name: str | None = None, version: int | None = None) -> Flow:
    """A registered flow; the newest version unless one is given.

    Raises:
        FlowError: it is not registered.
    """
    return Flow(name=name, project_name=project_name, version=version).load_flow()
