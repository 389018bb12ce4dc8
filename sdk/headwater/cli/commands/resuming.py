"""resume, retry, replay: what goes on from an earlier run, here or in a cluster."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer

from headwater.backends import compiled_document
from headwater.backends.replay import Replay, find_replay
from headwater.backends.resume import ResumePlan, plan_resume
from headwater.backends.session import code_digests
from headwater.blocks.compile import Compiled
from headwater.cli.commands.running import carry_out, one_object, print_object, set_up
from headwater.cli.globals import GLOBALS
from headwater.cli.printing import as_json, print_json, program, short, table
from headwater.cli.runs import Place, Remote, locate
from headwater.cli.targets import find_target
from headwater.configuration import database_url
from headwater.errors import RecordsError, UsageError
from headwater.records import queries
from headwater.records.model import Run
from headwater.runtime.code import Code
from headwater.runtime.failures import failure_of


def resume_runs(
    runs: Sequence[str],
    from_: str | None,
    *,
    place: Place,
    with_code: bool,
    workers: int | None,
    json: bool,
) -> None:
    """Go on with runs: a suspended one of a cluster is let go on, of an ended one a new run is made."""
    _go_on(runs, from_, place=place, with_code=with_code, workers=workers, json=json, unsuspend=from_ is None)


def retry_runs(
    runs: Sequence[str], from_: str | None, *, place: Place, workers: int | None, json: bool
) -> None:
    """Make new runs that adopt what had succeeded in earlier ones."""
    _go_on(runs, from_, place=place, with_code=False, workers=workers, json=json, unsuspend=False)


def _go_on(
    runs: Sequence[str],
    from_: str | None,
    *,
    place: Place,
    with_code: bool,
    workers: int | None,
    json: bool,
    unsuspend: bool,
) -> None:
    set_up()
    found = [locate(run, place) for run in runs]
    local = [run for run in found if isinstance(run, Run)]
    if local and len(found) > 1:
        raise UsageError(
            "runs of this machine are resumed one by one", fix=f"flowctl resume {local[0].run_id}"
        )
    if local:
        resume_run(local[0], from_, with_code=with_code, workers=workers, json=json)
    told = [go_on_in_cluster(run, from_, unsuspend=unsuspend) for run in found if isinstance(run, Remote)]
    for each in told:
        if not json:
            print(f"{each['run']}: {each['said']}")
    if json:
        print_json(told[0] if len(told) == 1 else told)


def go_on_in_cluster(run: Remote, from_: str | None, *, unsuspend: bool) -> dict[str, Any]:
    """Let a suspended run go on, or make a new one that goes on from an ended one."""
    from headwater.backends.kubernetes.control import change, retry
    from headwater.backends.kubernetes.outcome import has_ended

    if unsuspend and not has_ended(run.workflow()):
        change(run.cluster, run.name, "resume")
        return {"run": run.name, "action": "resume", "said": "goes on"}
    created = retry(run.cluster, run.name, from_)["metadata"]["name"]
    said = f"goes on from {run.name}; follow it: {program()} watch {created}{GLOBALS.place}"
    return {"run": created, "action": "retry", "resumes": run.name, "said": said}


def resume_run(earlier: Run, from_: str | None, *, with_code: bool, workers: int | None, json: bool) -> None:
    """Go on with an earlier run of this machine; says first what runs again."""
    with one_object(json) as out:
        compiled = compiled_of(earlier)
        plan = resume_plan(compiled, earlier, from_, with_code=with_code)
        stream = sys.stderr if json else sys.stdout
        rows = [(row.path, row.action, row.why) for row in plan.rows]
        print(f"going on with {earlier.run_id} ({earlier.name}, {earlier.phase})", file=stream)
        print(table(rows, ("node", "", "why")), file=stream, flush=True)
        if GLOBALS.dry_run:
            return
        carry_out(
            compiled,
            out,
            json=json,
            workers=workers,
            default_backend=earlier.backend,
            inputs=plan.inputs,
            name=earlier.name,
            target=earlier.target or None,
            known=plan.known,
            known_items=plan.known_items,
            recompute=from_ is not None,
            resumed_from=earlier.run_id,
        )


def resume_plan(compiled: Compiled, earlier: Run, from_: str | None, *, with_code: bool) -> ResumePlan:
    """What of an earlier run is kept.

    Raises:
        UsageError: it still runs, or has nothing left to do.
    """
    if not earlier.ended:
        raise UsageError(
            f"run {earlier.run_id} is still {earlier.phase.lower()}",
            fix=f"Wait for it, or end it: flowctl cancel {earlier.run_id}.",
        )
    changed: dict[str, str] = {}
    if with_code:
        code = Code(compiled.objects, {})
        digests = code_digests(code)
        changed = {
            ref: f"the code of {ref.rpartition(':')[2]} changed"
            for ref, digest in digests.items()
            if earlier.code.get(ref) != digest
        }
    if earlier.phase == "Succeeded" and from_ is None and not changed:
        raise UsageError(
            f"run {earlier.run_id} succeeded: there is nothing to resume",
            fix="Run a node of it again with --from NODE.",
        )
    return plan_resume(compiled, earlier, from_=from_, changed=changed)


def replay_task(run_id: str, node: str, *, pdb: bool, json: bool) -> None:
    """Call one task of an earlier run again."""
    with one_object(json) as out:
        set_up()
        earlier = queries.get_run(database_url(), run_id)
        found = find_replay(compiled_of(earlier), earlier, node)
        inputs = ", with" if found.inputs else ", which takes nothing"
        print(f"{found.path} of {earlier.run_id}{inputs}", file=sys.stderr)
        for name, value in found.inputs.items():
            print(f"  {name} = {short(value, 100)}", file=sys.stderr)
        outputs = _called(found, pdb)
        if json:
            print_object({"run": earlier.run_id, "node": found.path, "outputs": as_json(outputs)}, out)
        elif isinstance(outputs, Mapping):
            for name, value in outputs.items():
                print(f"{name}: {short(value, 200)}")
        else:
            print(short(outputs, 200))


def _called(replay: Replay, pdb: bool) -> object:
    """What the task returns; what it raises is shown, or handed to the debugger, and ends the command."""
    import pdb as debugger

    try:
        return debugger.runcall(replay) if pdb else replay()
    except Exception as error:
        print(failure_of(error, replay.path).traceback, end="", file=sys.stderr)
        if pdb:
            debugger.post_mortem(error.__traceback__)
        raise typer.Exit(1) from None


def compiled_of(earlier: Run) -> Compiled:
    """The workflow of an earlier run, from its source where that can be found, else as it was recorded."""
    if earlier.target:
        try:
            return find_target(earlier.target).compiled
        except UsageError as error:
            print(f"the source is used as it was recorded: {error}", file=sys.stderr)
    document = queries.document(database_url(), earlier)
    if not document or not document.get("spec"):
        raise RecordsError(
            f"the document of run {earlier.run_id} was not kept",
            fix="Run it from a file or module to resume it.",
        )
    return compiled_document(document)
