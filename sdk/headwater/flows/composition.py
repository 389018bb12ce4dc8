"""Flows of flows: registered flows put together, the tasks of one feeding the parameters of another."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from headwater.blocks.compile import API_VERSION
from headwater.errors import DocumentError
from headwater.flows.errors import (
    DuplicateFlowError,
    EmptyResultError,
    FlowDefinitionError,
    ParameterNotInFlowError,
    ParentAfterChildError,
    ParentFlowNotInFlowsError,
    SelfMappingError,
    TaskNotInFlowError,
)
from headwater.flows.flow import Flow, _node_name, with_plain_names
from headwater.flows.mapping import MappedParameter
from headwater.flows.registry import register_template
from headwater.flows.templates import EXPOSED, Document

logger = logging.getLogger("headwater")
_HERE = "headwater.flows.mapping"


class FlowOfFlows(Flow):
    """Flows that feed each other. A child starts when all parents that it maps from have succeeded.

    `composing_flows` lists, parents first, mappings with `name`, `project_name` and `mapped_parameters`
    (parameter -> MappedParameter, or its fields), or `Flow` objects.

    Raises:
        FlowError: the composition cannot work; each way has an error of its own.
    """

    def __init__(
        self,
        *,
        name: str,
        composing_flows: Sequence[Any] | Mapping[str, Any],
        project_name: str | None = None,
        image: str | None = None,
        description: str = "",
    ) -> None:
        super().__init__(name=name, project_name=project_name, image=image, description=description)
        entries = (
            list(composing_flows.values()) if isinstance(composing_flows, Mapping) else list(composing_flows)
        )
        if not entries:
            raise FlowDefinitionError(
                f"flow of flows {name!r} has no composing flows", fix="List at least one."
            )
        self.composing_flows: dict[str, Flow] = {}
        self.mapped_parameters: dict[str, dict[str, MappedParameter]] = {}
        for entry in entries:
            self._add(entry)
        self._validate()

    def _add(self, entry: Any) -> None:
        if isinstance(entry, Flow):
            flow, mapped = entry, getattr(entry, "mapped", {})
        elif isinstance(entry, Mapping):
            known = ("name", "project_name", "mapped_parameters", "version", "workflow", "image")
            unknown = [key for key in entry if key not in known]
            if unknown or not entry.get("name"):
                said = f"the unknown field {unknown[0]!r}" if unknown else "no name"
                raise FlowDefinitionError(
                    f"a composing flow of {self.name!r} has {said}", fix=f"Fields: {', '.join(known)}."
                )
            flow = Flow(
                name=entry["name"],
                project_name=entry.get("project_name") or self.project_name,
                version=entry.get("version"),
                workflow=entry.get("workflow"),
                image=entry.get("image"),
            )
            mapped = entry.get("mapped_parameters") or {}
        else:
            raise FlowDefinitionError(
                f"a composing flow of {self.name!r} is a {type(entry).__name__}",
                fix="Give a mapping with name, project_name and mapped_parameters.",
            )
        if flow.name in self.composing_flows:
            raise DuplicateFlowError(flow.name)
        if flow.workflow is None:
            flow.load_flow()
        self.composing_flows[flow.name] = flow
        self.mapped_parameters[flow.name] = {
            parameter: MappedParameter.of(written, parameter) for parameter, written in mapped.items()
        }

    def _validate(self) -> None:
        order = list(self.composing_flows)
        for child, mapped in self.mapped_parameters.items():
            parameters = self.composing_flows[child].parameters
            for parameter, source in mapped.items():
                parent = source.parent_flow_name
                if parameter not in parameters:
                    raise ParameterNotInFlowError(parameter, child, parameters)
                if parent == child:
                    raise SelfMappingError(parameter, child)
                if parent not in self.composing_flows:
                    raise ParentFlowNotInFlowsError(parent, child, order)
                if order.index(parent) > order.index(child):
                    raise ParentAfterChildError(parent, child)
                tasks = self.composing_flows[parent].task_outputs()
                task = source.parent_task_name.replace("-", "_")
                if task not in tasks:
                    raise TaskNotInFlowError(source.parent_task_name, parent, tasks)
                if not tasks[task]:
                    raise EmptyResultError(
                        f"task {task!r} of flow {parent!r} returns nothing that could be mapped",
                        fix="Map from a task that returns something.",
                    )

    @classmethod
    def from_yaml(cls, source: str | Path | Mapping[str, Any]) -> FlowOfFlows:
        """From a YAML file, its text, or what it says.

        Raises:
            FlowError: it is not a flow of flows.
        """
        written = _written(source)
        known = ("name", "project_name", "image", "composing_flows", "description")
        unknown = [key for key in written if key not in known]
        if unknown:
            raise FlowDefinitionError(
                f"a flow of flows has no field {unknown[0]!r}", fix=f"Fields: {', '.join(known)}."
            )
        for key in ("name", "composing_flows"):
            if not written.get(key):
                raise FlowDefinitionError(
                    f"a flow of flows needs `{key}`", fix=f"Fields: {', '.join(known)}."
                )
        return cls(**written)

    # ------------------------------------------------------------------ the composition as a workflow

    @property
    def parameters(self) -> dict[str, dict[str, Any]]:
        """The inputs: `<flow>-<parameter>` for every parameter that is not mapped."""
        return {
            f"{name}-{parameter}": spec
            for name, flow in self.composing_flows.items()
            for parameter, spec in flow.parameters.items()
            if parameter not in self.mapped_parameters[name]
        }

    @property
    def template(self) -> Document:
        """The composition as a WorkflowTemplate that calls the templates of its flows."""
        document = self._document()
        spec = {**document["spec"], "project": self.project_name}
        if self.image is not None:
            spec["code"] = {"image": self.image}
        return {**document, "kind": "WorkflowTemplate", "metadata": {"name": self.name}, "spec": spec}

    @property
    def tasks(self) -> dict[str, list[str]]:
        """The tasks of all flows, as `flow/task`."""
        return {
            f"{name}/{task}": outputs
            for name, flow in self.composing_flows.items()
            for task, outputs in flow.tasks.items()
        }

    def _document(self) -> Document:
        nodes: list[dict[str, Any]] = []
        inputs = self.parameters
        outputs: dict[str, Any] = {}
        for name, flow in self.composing_flows.items():
            own = _node_name(name)
            given: dict[str, Any] = {}
            for parameter in flow.parameters:
                source = self.mapped_parameters[name].get(parameter)
                if source is None:
                    given[parameter] = {"from": f"inputs.{name}-{parameter}"}
                else:
                    given[parameter] = self._mapped(nodes, own, parameter, source)
            call: dict[str, Any] = {"template": name}
            if flow.version:
                call["version"] = flow.version
            nodes.append({"name": own, "call": call, "inputs": given})
            for offered in flow.task_outputs().values():
                for carried in offered.values():
                    outputs[f"{own}{EXPOSED}{carried}"] = {"from": f"{own}.{carried}"}
        block: dict[str, Any] = {"name": "main"}
        if inputs:
            block["inputs"] = inputs
        if outputs:
            block["outputs"] = outputs
        block["nodes"] = nodes
        return {
            "apiVersion": API_VERSION,
            "kind": "Workflow",
            "metadata": {"name": _node_name(self.name)},
            "spec": {"entrypoint": "main", "blocks": [block]},
        }

    def _mapped(
        self, nodes: list[dict[str, Any]], own: str, parameter: str, source: MappedParameter
    ) -> dict[str, Any]:
        """The source of a mapped parameter; nodes that look into the result come before the child."""
        parent = self.composing_flows[source.parent_flow_name]
        outputs = parent.task_outputs()[source.parent_task_name.replace("-", "_")]
        caller = _node_name(source.parent_flow_name)
        place = f"{own}-{parameter.replace('_', '-')}"[:56]
        if len(outputs) == 1:
            (carried,) = outputs.values()
            found = {"from": f"{caller}.{carried}"}
        else:
            several = {output: {"from": f"{caller}.{carried}"} for output, carried in outputs.items()}
            nodes.append(
                {
                    "name": f"{place}-all",
                    "task": f"{_HERE}:Bundle",
                    "inputs": several,
                    "outputs": {"value": {}},
                }
            )
            found = {"from": f"{place}-all.value"}
        if source.map_type == "raw":
            return found
        helper: dict[str, Any] = {"name": f"{place}-{source.map_type}"}
        if source.map_type == "file":
            helper.update(task=f"{_HERE}:CheckFile", inputs={"record": found})
        else:
            index = {"value": source.attribute_index}
            helper.update(task=f"{_HERE}:LoadDbResult", inputs={"record": found, "attribute_index": index})
        helper["outputs"] = {"value": {}}
        nodes.append(helper)
        return {"from": f"{helper['name']}.value"}

    def task_outputs(self) -> dict[str, dict[str, str]]:
        """Task name -> output name -> the run's output that carries it; by `flow/task` and by unique names."""
        found: dict[str, dict[str, str]] = {}
        for name, flow in self.composing_flows.items():
            own = _node_name(name)
            for task, outputs in flow.task_outputs().items():
                found[f"{name}/{task}"] = {
                    output: f"{own}{EXPOSED}{carried}" for output, carried in outputs.items()
                }
        return with_plain_names(found)

    def _lookup(self, name: str, version: int | None) -> Document:
        flow = self.composing_flows.get(name)
        return flow.template if flow is not None else super()._lookup(name, version)

    # ------------------------------------------------------------------ composing and registering

    def compose(
        self, image_name: str | None = None, image_tag: str = "latest", local: bool = False
    ) -> Document:
        """The composition as a Workflow document.

        With `image_name` an image for a cluster is built as well, from `image` and the code in this folder;
        without a Docker engine its Dockerfile is written and a warning says where. `local` builds none.
        """
        if image_name is not None and not local:
            from headwater.flows.images import build_image

            build_image(self.image, image_name, image_tag)
            self.image = f"{image_name}:{image_tag}"
        return self._document()

    def compose_and_register(
        self, image_name: str | None = None, image_tag: str = "latest", local: bool = False
    ) -> str:
        """Compose, register what was composed, and return its id. Flows not yet registered are, too."""
        for flow in self.composing_flows.values():
            if flow.workflow is not None:
                flow.register()
        self.compose(image_name, image_tag, local)
        return self.register()

    def register(self) -> str:
        """Keep the composition as a template of its project; its id."""
        return self._take(register_template(self.project_name, self.name, self.template))


def _written(source: Any) -> dict[str, Any]:
    if isinstance(source, Mapping):
        return dict(source)
    from headwater.document.yaml_text import parse

    text = str(source)
    if isinstance(source, Path) or "\n" not in text:
        try:
            text = Path(source).read_text(encoding="utf-8")
        except OSError as error:
            raise FlowDefinitionError(
                f"{str(source)!r} cannot be read: {error.strerror}", fix="Check the path."
            ) from error
    parsed = parse(text)
    if parsed.issues:
        _, said, fix, line = parsed.issues[0]
        raise DocumentError(f"line {line}: {said}", fix=fix)
    if not isinstance(parsed.data, dict):
        raise FlowDefinitionError("a flow of flows is a mapping", fix="Write name: and composing_flows:.")
    return parsed.data
