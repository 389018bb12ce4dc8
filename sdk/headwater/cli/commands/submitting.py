"""submit and watch: put a run into a cluster, and stay with it until it ends."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import typer

from headwater.backends.kubernetes.api import Cluster, Json
from headwater.backends.kubernetes.control import approve
from headwater.backends.kubernetes.following import Changes, outline, states_of
from headwater.backends.kubernetes.interrupts import FollowingInterrupted, Signals
from headwater.backends.kubernetes.manifest import WORKFLOW_LABEL, manifest, run_name
from headwater.backends.kubernetes.results import result_of
from headwater.backends.kubernetes.submission import (
    OVERWRITE_CACHE,
    Submission,
    prepare,
    prepare_spec,
    submit,
)
from headwater.backends.kubernetes.unseen import Unseen
from headwater.backends.observers import Observers
from headwater.backends.result import RunResult
from headwater.backends.session import refuse_wrong_inputs
from headwater.cli.commands.running import (
    exit_code_of_run,
    one_object,
    print_object,
    result_object,
    set_up,
    view_of,
)
from headwater.cli.globals import GLOBALS
from headwater.cli.printing import program
from headwater.cli.runs import Place, cluster_at, remote
from headwater.cli.targets import DOCUMENTS, find_target, inputs_from, inputs_of
from headwater.records import RunInfo


def submit_target(
    target: str,
    params: Sequence[str],
    *,
    place: Place,
    name: str | None,
    image: str | None,
    store: str | None,
    follow: str,
    output: str,
) -> None:
    """Submit a target; `follow` is "watch", "wait" or "". Ends the command with the run's exit code if followed."""
    with one_object(output != "text") as out:
        set_up()
        submission = submission_of(target, params, image=image, store=store)
        if GLOBALS.overwrite_cache:
            annotations = {**submission.annotations, OVERWRITE_CACHE: "true"}
            submission = replace(submission, annotations=annotations)
        if GLOBALS.dry_run:
            body = manifest(
                name or run_name(submission.workflow),
                dict(submission.spec),
                workflow=submission.workflow,
                image=submission.image,
                annotations=submission.annotations,
            )
            _print_document(body, output, out)
            return
        cluster = cluster_at(place)
        created = submit(cluster, submission, name)
        if follow:
            said = sys.stdout if output == "text" else sys.stderr
            print(f"submitted {created['metadata']['name']}", file=said, flush=True)
            _Following(cluster, created, quiet=follow == "wait", output=output, out=out).run()
        elif output == "text":
            _say_submitted(created)
        else:
            _print_created(created, output, out)


def _say_submitted(created: Json) -> None:
    name, place = created["metadata"]["name"], GLOBALS.place
    print(f"submitted {name} in namespace {created['metadata']['namespace']}")
    print(f"  follow it:    {program()} watch {name}{place}")
    print(f"  look further: {program()} get {name}{place}")
    print(f"                {program()} logs -f {name}{place}")


def _print_created(created: Json, output: str, out: IO[str]) -> None:
    if output == "yaml":
        _print_document(created, output, out)
    else:
        metadata = created["metadata"]
        print_object({"run": metadata["name"], "namespace": metadata["namespace"], "phase": "Pending"}, out)


def _print_document(document: Mapping[str, Any], output: str, out: IO[str]) -> None:
    from headwater.document import dump_yaml

    if output == "json":
        print_object(document, out)
    else:
        out.write(dump_yaml(dict(document)))


# ---------------------------------------------------------------------- from a target to what is submitted


def submission_of(target: str, params: Sequence[str], *, image: str | None, store: str | None) -> Submission:
    """What a target comes to: Python code is compiled, a document goes as it is, a registered flow is opened."""
    path = Path(target)
    if path.suffix in DOCUMENTS:
        return _of_document(path, params, image=image, store=store)
    if _is_flow(target):
        return _of_flow(target, params, image=image, store=store)
    found = find_target(target)
    inputs = inputs_from(params, found.compiled)
    _refuse_missing(found.compiled.spec, inputs)
    return prepare(found.compiled, inputs, image=image, store=store)


def _of_document(path: Path, params: Sequence[str], *, image: str | None, store: str | None) -> Submission:
    from headwater.document import load

    document = load(path)
    spec = document["spec"]
    metadata = document.get("metadata") or {}
    workflow = metadata.get("name") or str(metadata.get("generateName") or path.stem).rstrip("-")
    blocks = {block["name"]: block for block in spec.get("blocks") or ()}
    if not blocks:
        # The template is in the cluster: what it takes is known there.
        inputs = inputs_of(params, {param.partition("=")[0]: {} for param in params})
    else:
        entry = blocks[spec.get("entrypoint") or next(iter(blocks))]
        inputs = inputs_of(params, entry.get("inputs") or {})
        _refuse_missing(spec, inputs)
        if _has_own_code(spec):
            spec = find_target(str(path)).compiled.spec
    kept = dict(metadata.get("annotations") or {})
    return prepare_spec(workflow, dict(spec), inputs, image=image, store=store, annotations=kept)


def _has_own_code(spec: Mapping[str, Any]) -> bool:
    """Whether the modules that a document names are on this machine, and not in its image."""
    from headwater.backends.kubernetes.bundle import modules_of
    from headwater.cli.targets import make_importable

    make_importable(Path.cwd())
    code = spec.get("code") or {}
    return not code.keys() & {"image", "configMap", "url"} and bool(modules_of(spec))


def _is_flow(target: str) -> bool:
    place, _, _ = target.partition(":")
    if ":" in target or place.endswith(".py") or Path(target).exists():
        return False
    from headwater.flows.registry import list_templates

    return any(each.name == target for each in list_templates())


def _of_flow(name: str, params: Sequence[str], *, image: str | None, store: str | None) -> Submission:
    from headwater.backends import compiled_document
    from headwater.flows.registry import find_anywhere
    from headwater.flows.templates import entry_block, expand

    template = find_anywhere(name)
    inputs = inputs_of(params, entry_block(template["spec"]).get("inputs") or {})
    kept = {
        key: part
        for key, part in template["spec"].items()
        if key not in ("project", "version", "description")
    }
    document = expand({"apiVersion": template["apiVersion"], "kind": "Workflow", "metadata": {"name": name},
                       "spec": kept}, find_anywhere)  # fmt: skip
    _refuse_missing(document["spec"], inputs)
    compiled = compiled_document(document)
    return prepare(compiled, inputs, image=image, store=store)


def _refuse_missing(spec: Mapping[str, Any], inputs: Mapping[str, object]) -> None:
    from headwater.cli.targets import calls_templates
    from headwater.document.graph import to_graph

    if not calls_templates({"spec": spec}):
        refuse_wrong_inputs(to_graph(spec), {**(spec.get("arguments") or {}), **inputs})


# ---------------------------------------------------------------------- following


def watch_run(run: str, *, place: Place, output: str) -> None:
    """Follow a run; ends the command with its exit code."""
    with one_object(output != "text") as out:
        set_up()
        found = remote(run, place)
        _Following(found.cluster, found.workflow(), quiet=False, output=output, out=out).run()


@dataclass
class _Following:
    """Stays with a run of a cluster; Ctrl-C and SIGTERM only end the following."""

    cluster: Cluster
    workflow: Json
    quiet: bool
    output: str
    out: IO[str]

    @property
    def name(self) -> str:
        return str(self.workflow["metadata"]["name"])

    def run(self) -> None:
        views: list[Any] = [] if self.quiet else [view_of(self.output != "text")]
        for view in views:
            view.send = lambda run, node, granted: approve(self.cluster, run, node, granted=granted)
        observers = Observers(views)
        title = (self.workflow["metadata"].get("labels") or {}).get(WORKFLOW_LABEL) or self.name
        changes = Changes(self.name, observers)
        result: RunResult | None = None
        with Signals() as signals:  # from before the first line is shown: whoever reads it may send one
            observers.begin(RunInfo(self.name, title, "kubernetes"), outline(self.workflow), None)
            try:
                signals.arm()
                with Unseen(self.cluster, self._tell(observers)) as unseen:
                    for workflow in states_of(self.cluster, self.name):
                        self.workflow = workflow
                        unseen.see(workflow)
                        changes.see(workflow)
                        signals.check()
                result = result_of(self.workflow, self.cluster)
            except FollowingInterrupted:
                self._detach(128 + (signals.signum or signal.SIGINT))
            finally:
                signals.disarm()
                observers.finish(result)  # type: ignore[arg-type]  # views do not look at it
        assert result is not None
        self._print(result)
        raise typer.Exit(exit_code_of_run(result))

    def _tell(self, observers: Observers) -> Callable[[str], None]:
        return observers.note if observers.present else lambda text: print(text, file=sys.stderr, flush=True)

    def _detach(self, code: int) -> None:
        place = GLOBALS.place
        print(f"\n{self.name} goes on in the cluster", file=sys.stderr)
        print(f"  follow it again: {program()} watch {self.name}{place}", file=sys.stderr)
        print(f"  end it:          {program()} cancel {self.name}{place}", file=sys.stderr)
        raise typer.Exit(code)

    def _print(self, result: RunResult) -> None:
        if self.output == "text":
            from headwater.cli.views.summary import summary

            print(summary(result, in_cluster=True))
        elif self.output == "json":
            print_object(result_object(result), self.out)
        else:
            _print_document(result_object(result), "yaml", self.out)
