import { type FormEvent, useMemo } from "react";
import { useNodes, useRun } from "../../api/queries";
import type { RunDetail } from "../../api/types";
import { PhaseBadge } from "../../components/Icon";
import { Link } from "../../components/Link";
import { Empty, ErrorState, Loading } from "../../components/States";
import { Ago, Took } from "../../components/Time";
import { diffDurations, diffValues } from "../../lib/diff";
import { useNow, useTitle } from "../../lib/hooks";
import { setQuery, useQueryString } from "../../lib/location";
import { runPath } from "../../lib/route";
import { DifferenceTable } from "./DifferenceTable";
import { DurationTable } from "./DurationTable";

/** Two runs side by side: what went in, which code ran, how long each node took. */
export default function CompareView() {
  const query = useQueryString();
  const a = query.get("a") ?? "";
  const b = query.get("b") ?? "";
  useTitle("Compare");
  return (
    <div className="compare scroll">
      <h1>Compare two runs</h1>
      <Choice key={`${a} ${b}`} a={a} b={b} />
      {a === "" || b === "" ? (
        <Empty title="Choose two runs">
          <p>Write their ids above, or tick two in the list of runs.</p>
        </Empty>
      ) : (
        <Sides a={a} b={b} />
      )}
    </div>
  );
}

function Choice({ a, b }: { a: string; b: string }) {
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setQuery({ a: String(form.get("a") ?? "").trim(), b: String(form.get("b") ?? "").trim() }, { replace: false });
  };
  return (
    <form className="row" onSubmit={submit}>
      <input className="field mono" name="a" defaultValue={a} aria-label="First run" placeholder="run A" data-search />
      <input className="field mono" name="b" defaultValue={b} aria-label="Second run" placeholder="run B" />
      <button type="submit" className="button">
        Compare
      </button>
      <button type="button" className="button ghost" onClick={() => setQuery({ a: b, b: a })}>
        Swap
      </button>
    </form>
  );
}

function Sides({ a, b }: { a: string; b: string }) {
  const left = useRun(a);
  const right = useRun(b);
  const leftNodes = useNodes(a);
  const rightNodes = useNodes(b);
  const failed = [left, right, leftNodes, rightNodes].find((query) => query.isError);
  if (failed) return <ErrorState error={failed.error} retry={() => void failed.refetch()} />;
  if (!left.data || !right.data || !leftNodes.data || !rightNodes.data) return <Loading what="both runs" />;
  return <Differences a={left.data} b={right.data} nodes={[leftNodes.data.nodes, rightNodes.data.nodes]} />;
}

type Nodes = Parameters<typeof diffDurations>[0];

function Differences({ a, b, nodes }: { a: RunDetail; b: RunDetail; nodes: [Nodes, Nodes] }) {
  const now = useNow(5000);
  const [one, two] = nodes;
  const inputs = useMemo(() => diffValues(a.inputs, b.inputs), [a, b]);
  const code = useMemo(() => diffValues(a.code, b.code), [a, b]);
  const outputs = useMemo(() => diffValues(a.outputs, b.outputs), [a, b]);
  const durations = useMemo(() => diffDurations(one, two, now), [one, two, now]);
  return (
    <>
      <div className="sides">
        <Side run={a} letter="A" now={now} />
        <Side run={b} letter="B" now={now} />
      </div>
      <DifferenceTable title="Parameters" rows={inputs} none="Neither run has inputs." />
      <DifferenceTable title="Code" rows={code} none="No digests were recorded." />
      <DifferenceTable title="Outputs" rows={outputs} none="Neither run has outputs." />
      <DurationTable pairs={durations} />
    </>
  );
}

function Side({ run, letter, now }: { run: RunDetail; letter: string; now: number }) {
  return (
    <article className="side">
      <div className="row">
        <span className="letter">{letter}</span>
        <Link className="strong cut" href={runPath(run.run_id)}>
          {run.name}
        </Link>
        <PhaseBadge phase={run.phase} />
      </div>
      <p className="mono quiet">{run.run_id}</p>
      <p>
        <Took started={run.started_at} finished={run.finished_at} now={now} />, started <Ago at={run.started_at} now={now} />, {run.backend}
      </p>
      {run.error ? <p className="bad">{`${run.error.type}: ${run.error.message.slice(0, 200)}`}</p> : null}
    </article>
  );
}
