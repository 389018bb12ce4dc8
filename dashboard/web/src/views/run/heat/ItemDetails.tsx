import { useQuery } from "@tanstack/react-query";
import { api } from "../../../api/client";
import { useExceptions } from "../../../api/queries";
import type { ItemRange, RunDetail } from "../../../api/types";
import { PhaseBadge } from "../../../components/Icon";
import { Values } from "../../../components/JsonView";
import { Link } from "../../../components/Link";
import { Traceback } from "../../../components/Traceback";
import { phaseOf } from "../../../lib/cells";
import { runPath } from "../../../lib/route";

/** One item of a map: its phase, attempt, error, and how to open it in the debugger. */
export function ItemDetails({ run, path, index, ranges }: { run: RunDetail; path: string; index: number; ranges: readonly ItemRange[] }) {
  const phase = phaseOf(ranges, index);
  const item = useQuery({
    queryKey: ["run", run.run_id, "item", path, index, phase],
    queryFn: async () => (await api.items(run.run_id, path, undefined, index, 1)).items[0] ?? null,
  });
  const values = useQuery({
    queryKey: ["run", run.run_id, "item-values", path, index, phase],
    queryFn: () => api.itemValues(run.run_id, path, index),
  });
  const failed = phase === "Failed" || phase === "Lost";
  const exceptions = useExceptions(run.run_id, path, index, failed);
  const mine = exceptions.data?.items.at(-1);
  const error = item.data?.index === index ? item.data.error : null;
  return (
    <section className="item" aria-live="polite" aria-label={`Item ${index}`}>
      <h4>
        <span className="mono">
          {path}[{index}]
        </span>{" "}
        <PhaseBadge phase={phase} /> {item.data && item.data.attempt > 1 ? `attempt ${item.data.attempt}` : ""}
      </h4>
      {values.data && Object.keys(values.data.inputs).length > 0 ? (
        <>
          <h5>Inputs</h5>
          <Values values={values.data.inputs} empty="" />
        </>
      ) : null}
      {phase === "Succeeded" && values.data && Object.keys(values.data.outputs).length > 0 ? (
        <>
          <h5>Outputs</h5>
          <Values values={values.data.outputs} empty="" />
        </>
      ) : null}
      {mine || error ? (
        <p className="banner">
          <strong>{(mine ?? error)?.type}</strong> {(mine ?? error)?.message.slice(0, 4000)}
        </p>
      ) : null}
      {mine ? <Traceback text={mine.traceback} /> : null}
      <p>
        <Link href={`${runPath(run.run_id, "logs")}?node=${encodeURIComponent(`${path}[${index}]`)}`}>Log of the item</Link>
      </p>
      {failed ? (
        <p className="quiet">
          Open it in the debugger, with its exact inputs: <code>{`flowctl replay ${run.run_id} '${path}[${index}]' --pdb`}</code>
        </p>
      ) : null}
    </section>
  );
}
