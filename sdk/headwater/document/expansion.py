"""Called templates become blocks of the document that calls them: what every backend runs has no templates in it."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from headwater.document.graph import blocks_called
from headwater.document.placement import upstreams
from headwater.errors import UsageError

Document = dict[str, Any]
Spec = dict[str, Any]
Lookup = Callable[[str, int | None], Document]

_BUNDLE = ("configMap", "url", "digest")
EXPOSED = "__"
"""A called template offers the outputs of all its nodes, as NODE__OUTPUT, to who asks for them."""


def entry_block(spec: Mapping[str, Any]) -> Spec:
    """The block that a spec starts with."""
    name = spec.get("entrypoint") or spec["blocks"][0]["name"]
    found: Spec = next(block for block in spec["blocks"] if block["name"] == name)
    return found


def expand(document: Document, lookup: Lookup) -> Document:
    """A Workflow document in which every called template has become blocks of its own.

    Raises:
        UsageError: a template calls itself.
    """
    spec = copy.deepcopy(document["spec"])
    if spec.get("template") is not None:
        called = spec.pop("template")
        template = lookup(called["name"], called.get("version"))["spec"]
        spec = {**copy.deepcopy(template), **spec}
        for key in ("project", "version", "description"):
            spec.pop(key, None)
    made = _Expansion(spec, lookup)
    made.run()
    return {**document, "spec": spec}


class _Expansion:
    def __init__(self, spec: Spec, lookup: Lookup) -> None:
        self.spec = spec
        self.lookup = lookup
        self.taken = {block["name"] for block in spec["blocks"]}
        self.only = spec["blocks"][0]["name"] if len(spec["blocks"]) == 1 else None

    def run(self) -> None:
        pending: list[tuple[Spec, tuple[str, ...]]] = [(block, ()) for block in self.spec["blocks"]]
        for block, above in pending:
            for node in block["nodes"]:
                for kind in (node, node.get("map") or {}):
                    call = kind.get("call")
                    if call and call.get("template"):
                        made, trail = self._include(call, above, _taken_of(block, node["name"]))
                        pending += [(each, trail) for each in made]

    def _include(
        self, call: Spec, above: tuple[str, ...], wanted: frozenset[str]
    ) -> tuple[list[Spec], tuple[str, ...]]:
        name = call["template"]
        if name in above:
            raise UsageError(
                f"template {name!r} calls itself: {' -> '.join((*above, name))}", fix="Break the circle."
            )
        template = copy.deepcopy(self.lookup(name, call.get("version"))["spec"])
        renamed = {block["name"]: self._free(f"{name}-{block['name']}") for block in template["blocks"]}
        entry = entry_block(template)
        entry["outputs"] = {**_offered(entry, template["blocks"]), **_exposed(entry, wanted)}
        for block in template["blocks"]:
            block["name"] = renamed[block["name"]]
            for node in block["nodes"]:
                _rename(node, renamed)
        _bring_defaults(template)
        self._bring_code(name, template)
        self._merge_inline(template)
        if self.only is not None:
            self.spec.setdefault("entrypoint", self.only)
        self.spec["blocks"] += template["blocks"]
        call.clear()
        call["block"] = entry["name"]
        return template["blocks"], (*above, name)

    def _bring_code(self, name: str, template: Spec) -> None:
        """The image of a template is that of its Python nodes; its bundle is the run's, which can have one only."""
        code = template.get("code") or {}
        ours = self.spec.get("code") or {}
        if code.get("image") and code["image"] != ours.get("image"):
            for node in _nodes(template):
                if "task" in (node.get("map") or node) or "task" in (node.get("condition") or {}):
                    node.setdefault("image", code["image"])
        bundle = {key: code[key] for key in _BUNDLE if code.get(key)}
        has = {key: ours[key] for key in _BUNDLE if ours.get(key)}
        if bundle and has and bundle != has:
            raise UsageError(
                f"template {name!r} brings code of its own ({_named(bundle)}), and the run has {_named(has)}",
                fix="Register it with the same code, or put its code into an image.",
            )
        if bundle:
            self.spec["code"] = {**ours, **bundle}

    def _merge_inline(self, template: Spec) -> None:
        """Objects by value keep apart what two templates call alike."""
        inline = (template.get("code") or {}).get("inline") or {}
        if inline:
            known = self.spec.setdefault("code", {}).setdefault("inline", {})
            swapped = {}
            for ref, data in inline.items():
                new = ref
                number = 2
                while new in known and known[new] != data:
                    new, number = f"{ref}-{number}", number + 1
                known[new] = data
                swapped[ref] = new
            for block in template["blocks"]:
                for node in block["nodes"]:
                    _replace_refs(node, swapped)
        if template.get("parameters"):
            self.spec["parameters"] = {**template["parameters"], **self.spec.get("parameters", {})}

    def _free(self, wanted: str) -> str:
        wanted = wanted[:60]
        name, number = wanted, 2
        while name in self.taken:
            name, number = f"{wanted[:56]}-{number}", number + 1
        self.taken.add(name)
        return name


def _taken_of(block: Spec, node: str) -> frozenset[str]:
    """The outputs of a node that its block takes anywhere: the rest would only be among the block's own outputs."""
    return frozenset(re.findall(rf'"{re.escape(node)}\.([^"]+)"', json.dumps(block)))


def _exposed(entry: Spec, wanted: frozenset[str]) -> dict[str, Spec]:
    offered = {
        f"{node['name']}{EXPOSED}{output}": {"from": f"{node['name']}.{output}"}
        for node in entry["nodes"]
        for output in node.get("outputs") or {}
    }
    return {name: source for name, source in offered.items() if name in wanted}


def _nodes(spec: Spec) -> list[Spec]:
    return [node for block in spec["blocks"] for node in block["nodes"]]


def _named(bundle: Spec) -> str:
    return str(bundle.get("configMap") or bundle.get("url") or bundle.get("digest"))


def _bring_defaults(template: Spec) -> None:
    """What a template says of all its nodes goes with them."""
    defaults = template.get("defaults") or {}
    for node in _nodes(template):
        for key, value in defaults.items():
            if key in ("labels", "annotations"):
                node[key] = {**value, **(node.get(key) or {})}
            elif key == "podTemplate" and node.get(key):
                from headwater.document.pod_merge import strategic_merge

                node[key] = strategic_merge(copy.deepcopy(value), node[key])
            else:
                node.setdefault(key, copy.deepcopy(value))


def _offered(block: Spec, blocks: list[Spec]) -> dict[str, Spec]:
    """The outputs of a block: those that it lists, or all that its end nodes are known to give.

    >>> nodes = [{"name": "a", "task": "m:a", "outputs": {"x": {}}},
    ...          {"name": "b", "task": "m:b", "inputs": {"x": {"from": "a.x"}}, "outputs": {"y": {}}}]
    >>> _offered({"name": "main", "nodes": nodes}, [])
    {'y': {'from': 'b.y'}}
    """
    if block.get("outputs"):
        return dict(block["outputs"])
    used = set[str]().union(*(upstreams(node) for node in block["nodes"]))
    found: dict[str, list[str]] = {}
    for node in block["nodes"]:
        if node["name"] not in used:
            for name in _outputs_of(node, blocks):
                found.setdefault(name, []).append(f"{node['name']}.{name}")
    return {name: {"from": refs[0] if len(refs) == 1 else refs} for name, refs in found.items()}


def _outputs_of(node: Spec, blocks: list[Spec]) -> list[str]:
    """The names of a node's outputs, as far as the document says: its own, or those of the block that it runs."""
    if node.get("outputs") or node.get("artifacts"):
        return [*(node.get("outputs") or {}), *(node.get("artifacts") or {})]
    called = [block for block in blocks if block["name"] in blocks_called(node)]
    return [name for block in called for name in _offered(block, blocks)]


def _rename(node: Spec, names: Mapping[str, str]) -> None:
    for kind in (node, node.get("map") or {}):
        for key in ("call", "loop", "iterate"):
            found = kind.get(key)
            if found and found.get("block") in names:
                found["block"] = names[found["block"]]
        if kind.get("race"):
            kind["race"]["blocks"] = [names.get(name, name) for name in kind["race"]["blocks"]]


def _replace_refs(written: Any, refs: Mapping[str, str]) -> None:
    if isinstance(written, dict):
        for key, value in written.items():
            if key == "task" and isinstance(value, str):
                written[key] = refs.get(value, value)
            else:
                _replace_refs(value, refs)
    elif isinstance(written, list):
        for value in written:
            _replace_refs(value, refs)
