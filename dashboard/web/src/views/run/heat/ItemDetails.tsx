import { useQuery } from "@tanstack/react-query";
import { api } from "../../../api/client";
import { useExceptions } from "../../../api/queries";
import type { ItemRange, RunDetail } from "../../../api/types";
import { PhaseBadge } from "../../../components/Icon";
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
  const failed = phase === "Failed" || phase === "Lost";
  const exceptions = useExceptions(run.run_id, path, failed);
  const mine = exceptions.data?.items.filter((exception) => exception.index === index).at(-1);
  const error = item.data?.index === index ? item.data.error : null;
  return (
    <div className="item" aria-live="polite">
      <h4>
        <span className="mono">
          {path}[{index}]
        </span>{" "}
        <PhaseBadge phase={phase} /> {item.data && item.data.attempt > 1 ? `attempt ${item.data.attempt}` : ""}
      </h4>
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
    </div>
  );
}
