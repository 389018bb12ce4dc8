import { memo } from "react";
import type { Run } from "../../api/types";
import { PhaseBadge } from "../../components/Icon";
import { Link } from "../../components/Link";
import { Progress } from "../../components/Progress";
import { Ago, Took } from "../../components/Time";
import { ended } from "../../lib/phases";
import { runPath } from "../../lib/route";

interface Props {
  run: Run;
  now: number;
  index: number;
  top: number;
  current: boolean;
  chosen: boolean;
  choose: (run: Run, range: boolean) => void;
}

export const RunRow = memo(
  function RunRow({ run, now, index, top, current, chosen, choose }: Props) {
    return (
      <div
        role="row"
        aria-rowindex={index + 2}
        aria-current={current ? "true" : undefined}
        className={`table-row run-grid${current ? " current" : ""}${chosen ? " chosen" : ""}`}
        style={{ transform: `translateY(${top}px)` }}
      >
        <span role="cell">
          <input
            type="checkbox"
            checked={chosen}
            onMouseDown={(event) => {
              // Else the browser selects the text between the two.
              if (event.shiftKey) event.preventDefault();
            }}
            onChange={(event) => choose(run, event.nativeEvent instanceof MouseEvent && event.nativeEvent.shiftKey)}
            aria-label={`Choose ${run.run_id}`}
          />
        </span>
        <span role="cell">
          <PhaseBadge phase={run.phase} />
        </span>
        <span role="cell" className="two-lines">
          <Link href={runPath(run.run_id)} className="strong cut">
            {run.name || run.run_id}
          </Link>
          <span className="quiet mono cut">{run.run_id}</span>
        </span>
        <span role="cell">
          <Progress done={run.progress_done} total={run.progress_total} failed={run.failed_items} phase={run.phase} />
        </span>
        <span role="cell">
          <Took started={run.started_at} finished={run.finished_at} now={now} />
        </span>
        <span role="cell">
          <Ago at={run.started_at} now={now} />
        </span>
        <span role="cell" className="two-lines">
          <span className="cut">{[run.backend, run.namespace].filter(Boolean).join(" · ")}</span>
          <span className="quiet cut">{[run.user, run.project ?? ""].filter(Boolean).join(" · ")}</span>
        </span>
        <span role="cell" className="two-lines">
          <Reason run={run} />
        </span>
      </div>
    );
  },
  (before, after) =>
    before.run === after.run &&
    before.index === after.index &&
    before.top === after.top &&
    before.current === after.current &&
    before.chosen === after.chosen &&
    before.choose === after.choose &&
    // The times of what has ended change slowly.
    (ended(after.run.phase) ? Math.floor(before.now / 30) === Math.floor(after.now / 30) : before.now === after.now),
);

function Reason({ run }: { run: Run }) {
  if (run.error) {
    return (
      <>
        <span className="bad cut">
          {run.error.node ? `${run.error.node}: ` : ""}
          {run.error.type}
        </span>
        <span className="quiet cut" title={run.error.message.slice(0, 2000)}>
          {run.error.message.slice(0, 300)}
        </span>
      </>
    );
  }
  return (
    <>
      <span className="cut" title={run.message.slice(0, 2000)}>
        {run.message.slice(0, 300)}
      </span>
      {run.failed_items > 0 ? <span className="bad">{run.failed_items} failed items</span> : null}
    </>
  );
}
