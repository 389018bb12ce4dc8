import type { Phase } from "../api/types";
import { formatCount } from "../lib/duration";

/** How far something is, as bar and words. Nothing where that is not known. */
export function Progress({ done, total, failed = 0, phase }: { done: number | null; total: number | null; failed?: number; phase: Phase }) {
  if (done === null || total === null || total <= 0) return null;
  const share = Math.min(1, done / total);
  const bad = Math.min(1, failed / total);
  return (
    <span className="progress" title={`${formatCount(done)} of ${formatCount(total)}${failed > 0 ? `, ${formatCount(failed)} failed` : ""}`}>
      <span
        className={`progress-bar phase-${phase.toLowerCase()}`}
        role="progressbar"
        aria-label="progress"
        aria-valuenow={done}
        aria-valuemin={0}
        aria-valuemax={total}
      >
        <span className="progress-fill" style={{ width: `${share * 100}%` }} />
        {bad > 0 ? <span className="progress-bad" style={{ width: `${Math.max(2, bad * 100)}%` }} /> : null}
      </span>
      <span className="num quiet">
        {formatCount(done)}/{formatCount(total)}
      </span>
    </span>
  );
}
