import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";
import type { Run } from "../../api/types";
import { useNow } from "../../lib/hooks";
import { useShortcuts } from "../../lib/keyboard";
import { navigate } from "../../lib/location";
import { runPath } from "../../lib/route";
import { MOST_CHOSEN } from "../../lib/selection";
import { RunRow } from "./RunRow";

interface Props {
  runs: readonly Run[];
  hasMore: boolean;
  loadingMore: boolean;
  loadMore: () => void;
  chosen: readonly Run[];
  /** Chooses one run, or lets it go; with `range` all from the one chosen last. */
  choose: (run: Run, range: boolean) => void;
  chooseAll: (all: boolean) => void;
  stale: boolean;
}

const ROW = 52;
const COLUMNS = ["", "Phase", "Run", "Progress", "Duration", "Started", "Where", "What happened"];

/** The runs that are on the screen, and more as one scrolls. */
export function RunTable({ runs, hasMore, loadingMore, loadMore, chosen, choose, chooseAll, stale }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const [current, setCurrent] = useState(-1);
  const now = useNow();
  const rows = useVirtualizer({ count: runs.length, getScrollElement: () => scroller.current, estimateSize: () => ROW, overscan: 12 });
  const shown = rows.getVirtualItems();
  const last = shown.at(-1)?.index ?? 0;

  useEffect(() => {
    if (hasMore && !loadingMore && last >= runs.length - 15) loadMore();
  }, [hasMore, loadingMore, last, runs.length, loadMore]);

  const go = (to: number): void => {
    const index = Math.min(Math.max(0, to), runs.length - 1);
    setCurrent(index);
    rows.scrollToIndex(index);
  };
  const chooseCurrent = (range: boolean): void => {
    const run = runs[current];
    if (run) choose(run, range);
  };
  const chosenIds = useMemo(() => new Set(chosen.map((run) => run.run_id)), [chosen]);
  useShortcuts({
    j: () => go(current + 1),
    k: () => go(current - 1),
    x: () => chooseCurrent(false),
    X: () => chooseCurrent(true),
    Enter: (event) => {
      const run = runs[current];
      if (run && !(event.target instanceof HTMLButtonElement || event.target instanceof HTMLAnchorElement)) navigate(runPath(run.run_id));
    },
  });

  return (
    <div className={stale ? "table run-table stale" : "table run-table"} role="table" aria-label="Runs" aria-rowcount={hasMore ? -1 : runs.length + 1} aria-busy={stale}>
      <div role="rowgroup">
        <div className="table-head run-grid" role="row" aria-rowindex={1}>
          {COLUMNS.map((column, index) => (
            <span role="columnheader" key={column}>
              {index === 0 ? <ChooseAll runs={runs} chosen={chosenIds} chooseAll={chooseAll} /> : column}
            </span>
          ))}
        </div>
      </div>
      <div className="table-body" role="rowgroup" ref={scroller} tabIndex={0} aria-label="Runs, use j and k to move">
        <div role="presentation" style={{ height: rows.getTotalSize(), position: "relative" }}>
          {shown.map((row) => {
            const run = runs[row.index];
            if (!run) return null;
            return (
              <RunRow
                key={run.run_id}
                run={run}
                now={now}
                index={row.index}
                top={row.start}
                current={row.index === current}
                chosen={chosenIds.has(run.run_id)}
                choose={choose}
              />
            );
          })}
        </div>
        {loadingMore ? (
          <p className="more quiet" role="status">
            Loading more…
          </p>
        ) : null}
      </div>
    </div>
  );
}

/** Chooses all runs that have been loaded, or none. */
function ChooseAll({ runs, chosen, chooseAll }: { runs: readonly Run[]; chosen: ReadonlySet<string>; chooseAll: (all: boolean) => void }) {
  const box = useRef<HTMLInputElement>(null);
  const many = runs.filter((run) => chosen.has(run.run_id)).length;
  const all = many > 0 && many === Math.min(runs.length, MOST_CHOSEN);
  useEffect(() => {
    if (box.current) box.current.indeterminate = many > 0 && !all;
  }, [many, all]);
  return <input ref={box} type="checkbox" checked={all} onChange={() => chooseAll(!all)} aria-label={`Choose the ${Math.min(runs.length, MOST_CHOSEN)} runs that are loaded`} />;
}
