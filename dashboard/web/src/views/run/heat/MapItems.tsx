import { useItemStates } from "../../../api/queries";
import type { RunDetail } from "../../../api/types";
import { PhaseIcon } from "../../../components/Icon";
import { ErrorState, Loading } from "../../../components/States";
import { countPhases } from "../../../lib/cells";
import { formatCount } from "../../../lib/duration";
import { setQuery, useQueryString } from "../../../lib/location";
import { PHASES } from "../../../lib/phases";
import { FailedItems } from "./FailedItems";
import { HeatGrid } from "./HeatGrid";
import { ItemDetails } from "./ItemDetails";

/** A map's items: the grid, what its colours mean, the one that is chosen, and those that failed as a table. */
export function MapItems({ run, path }: { run: RunDetail; path: string }) {
  const states = useItemStates(run.run_id, path);
  const item = useQueryString().get("item") ?? "";
  if (states.isPending) return <Loading what="items" />;
  if (states.isError) return <ErrorState error={states.error} retry={() => void states.refetch()} />;
  const { total, ranges } = states.data;
  const counts = countPhases(ranges, total);
  const chosen = /^\d+$/.test(item) && Number(item) < total ? Number(item) : null;
  return (
    <section>
      <h3>{formatCount(total)} items</h3>
      <ul className="legend">
        {PHASES.filter((phase) => (counts.get(phase) ?? 0) > 0).map((phase) => (
          <li key={phase}>
            <PhaseIcon phase={phase} size={14} /> {phase} <span className="num">{formatCount(counts.get(phase) ?? 0)}</span>
          </li>
        ))}
      </ul>
      <HeatGrid total={total} ranges={ranges} chosen={chosen} choose={(index) => setQuery({ item: String(index) })} />
      {chosen !== null ? <ItemDetails run={run} path={path} index={chosen} ranges={ranges} /> : null}
      {(counts.get("Failed") ?? 0) > 0 ? <FailedItems run={run} path={path} count={counts.get("Failed") ?? 0} /> : null}
    </section>
  );
}
