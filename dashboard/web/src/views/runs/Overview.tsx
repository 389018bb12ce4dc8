import { lazy, Suspense } from "react";
import { useStats } from "../../api/queries";
import type { Phase } from "../../api/types";
import { PhaseIcon } from "../../components/Icon";
import { formatCount } from "../../lib/duration";
import { type Filters, isFiltered, togglePhase, unfollowedWords } from "../../lib/filters";

const TrendChart = lazy(() => import("./TrendChart"));
const SHOWN: Phase[] = ["Running", "Pending", "Suspended", "Failed", "Lost"];

/** The latest days at a glance: what is under way, what failed, and how that went, of the runs that the filters let pass. */
export function Overview({ filters, change }: { filters: Filters; change: (filters: Filters) => void }) {
  const stats = useStats(filters);
  if (!stats.data) return null;
  const { phases, days, unfollowed } = stats.data;
  return (
    <div className="overview">
      <div className="tallies">
        {SHOWN.filter((phase) => (phases[phase] ?? 0) > 0).map((phase) => (
          <button key={phase} type="button" className="tally" onClick={() => change(togglePhase(filters, phase))} title={`Show ${phase.toLowerCase()} runs`}>
            <strong className="num">{formatCount(phases[phase] ?? 0)}</strong>
            <span className="quiet">
              <PhaseIcon phase={phase} size={12} /> {phase}
            </span>
          </button>
        ))}
      </div>
      {days.length > 1 ? (
        <Suspense fallback={<div className="trend" />}>
          <TrendChart days={days} filtered={isFiltered(filters)} unfollowed={unfollowedWords(filters, unfollowed)} />
        </Suspense>
      ) : null}
    </div>
  );
}
