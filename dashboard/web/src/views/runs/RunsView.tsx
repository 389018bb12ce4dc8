import { useCallback, useMemo, useRef, useState } from "react";
import { useLiveRuns, useRuns } from "../../api/queries";
import type { Run } from "../../api/types";
import { LiveMark } from "../../components/LiveMark";
import { Empty, ErrorState, Loading } from "../../components/States";
import { type Filters as FilterValues, formatFilters, isFiltered, parseFilters } from "../../lib/filters";
import { useTitle } from "../../lib/hooks";
import { isTyping, useShortcuts } from "../../lib/keyboard";
import { navigate, useQueryString } from "../../lib/location";
import { chooseRange, refreshed, toggleChosen, withAll } from "../../lib/selection";
import { Filters } from "./Filters";
import { Overview } from "./Overview";
import { RunTable } from "./RunTable";
import { Selection } from "./Selection";

/** All runs, the latest first. The filters are the query string. */
export function RunsView() {
  useTitle("Runs");
  const query = useQueryString();
  const filters = useMemo(() => parseFilters(query), [query]);
  const runs = useRuns(filters);
  const live = useLiveRuns(filters);
  const [chosen, setChosen] = useState<readonly Run[]>([]);
  const anchor = useRef<string | null>(null);

  const change = useCallback((next: FilterValues) => {
    const text = formatFilters(next).toString();
    navigate(text === "" ? "/" : `/?${text}`, { replace: true });
  }, []);
  const items = useMemo(() => runs.data?.pages.flatMap((page) => page.items) ?? [], [runs.data]);
  const latest = useRef(items);
  latest.current = items;
  const choose = useCallback((run: Run, range: boolean) => {
    const from = anchor.current;
    anchor.current = run.run_id;
    setChosen((old) => (range ? chooseRange(latest.current, old, from, run) : toggleChosen(old, run)));
  }, []);
  useShortcuts({
    Escape: (event) => {
      if (!isTyping(event.target) && !document.querySelector("dialog[open]")) setChosen([]);
    },
  });
  const filtered = isFiltered(filters);
  return (
    <div className="runs">
      <div className="runs-head">
        <h1>Runs</h1>
        <LiveMark live={live} />
        <span className="grow" />
        <Overview filters={filters} change={change} />
      </div>
      <Filters filters={filters} change={change} />
      {runs.isPending ? (
        <Loading what="runs" />
      ) : runs.isError && items.length === 0 ? (
        <ErrorState error={runs.error} retry={() => void runs.refetch()} />
      ) : items.length === 0 ? (
        <NoRuns filtered={filtered} clear={() => navigate("/")} />
      ) : (
        <RunTable
          runs={items}
          hasMore={runs.hasNextPage}
          loadingMore={runs.isFetchingNextPage}
          loadMore={() => void runs.fetchNextPage()}
          chosen={chosen}
          choose={choose}
          chooseAll={(all) => setChosen(all ? withAll([], items) : [])}
          stale={runs.isPlaceholderData}
        />
      )}
      <Selection chosen={refreshed(chosen, items)} choose={setChosen} />
    </div>
  );
}

function NoRuns({ filtered, clear }: { filtered: boolean; clear: () => void }) {
  if (filtered) {
    return (
      <Empty title="No run matches">
        <p>Take a filter away to see more.</p>
        <p>
          <button type="button" className="button" onClick={clear}>
            Clear the filters
          </button>
        </p>
      </Empty>
    );
  }
  return (
    <Empty title="No runs yet">
      <p>Run something, and it is here at once:</p>
      <pre className="command">flowctl run pipeline.py</pre>
      <p className="quiet">The page shows the runs in the database that `flowctl ui` was started with.</p>
    </Empty>
  );
}
