import { useMemo, useState } from "react";
import { useAttempts, useItemTimes } from "../../../api/queries";
import type { RunDetail, RunNode } from "../../../api/types";
import { SearchField } from "../../../components/SearchField";
import { Empty, ErrorState, Loading } from "../../../components/States";
import { searchPaths } from "../../../lib/graph";
import { useNow } from "../../../lib/hooks";
import { useQueryString, useQueryValue } from "../../../lib/location";
import { fullWindow, timelineRows, type Window, withItems, zoom } from "../../../lib/timeline";
import { Gantt } from "./Gantt";

/** When each attempt of each node ran. */
export default function TimelineTab({ run, nodes }: { run: RunDetail; nodes: readonly RunNode[] }) {
  const attempts = useAttempts(run.run_id);
  const [text, setText] = useQueryValue("q");
  const selected = useQueryString().get("node") ?? "";
  const going = attempts.data?.items.some((attempt) => attempt.finished_at === null && attempt.started_at !== null) ?? false;
  const now = useNow(going ? 1000 : 60_000);
  const still = run.finished_at ?? now;

  const rows = useMemo(() => timelineRows(attempts.data?.items ?? [], still), [attempts.data, still]);
  const shown = useMemo(() => {
    if (text.trim() === "") return rows;
    const found = new Set(searchPaths(rows.map((row) => row.path), text));
    return rows.filter((row) => found.has(row.path));
  }, [rows, text]);
  const { maps, toggle } = useMaps(nodes);
  const opened = useMemo(() => [...maps].filter(([, isOpen]) => isOpen).map(([path]) => path), [maps]);
  const times = useItemTimes(run.run_id, opened);
  const all = useMemo(() => withItems(shown, times), [shown, times]);
  const full = useMemo(() => fullWindow(rows), [rows]);
  const [chosen, setWindow] = useState<Window | null>(null);
  const view = chosen ?? full;
  const middle = (view.from + view.to) / 2;

  if (attempts.isPending) return <Loading what="attempts" />;
  if (attempts.isError) return <ErrorState error={attempts.error} retry={() => void attempts.refetch()} />;
  if (rows.length === 0) {
    return (
      <Empty title="Nothing has started">
        <p>Attempts are drawn here as they start.</p>
      </Empty>
    );
  }
  return (
    <div className="fill">
      <div className="toolbar">
        <SearchField label="Find a node" value={text} change={setText} hint={text === "" ? undefined : String(shown.length)} />
        <button type="button" className="button" onClick={() => setWindow(zoom(view, 0.5, middle, full))}>
          Nearer
        </button>
        <button type="button" className="button" onClick={() => setWindow(zoom(view, 2, middle, full))}>
          Farther
        </button>
        <button type="button" className="button" disabled={chosen === null} onClick={() => setWindow(null)}>
          All
        </button>
        <span className="grow" />
        <span className="quiet">{shown.length} nodes; Ctrl and wheel zoom, drag moves</span>
      </div>
      {opened.length > 0 && run.backend === "kubernetes" ? <p className="note">Of a cluster's run it is known how many items had ended when it was last looked at, not when each did.</p> : null}
      <Gantt rows={all} full={full} view={view} setView={setWindow} selected={selected} origin={run.started_at ?? full.from} maps={maps} toggle={toggle} />
    </div>
  );
}

/** The maps of a run, and whether each is open: `?open=` names those that are. */
function useMaps(nodes: readonly RunNode[]): { maps: ReadonlyMap<string, boolean>; toggle: (path: string) => void } {
  const [text, setText] = useQueryValue("open");
  const maps = useMemo(() => {
    const open = new Set(text.split(","));
    return new Map(nodes.filter((node) => node.total !== null).map((node) => [node.path, open.has(node.path)]));
  }, [nodes, text]);
  const toggle = (path: string): void => {
    const open = text.split(",").filter((other) => other !== "" && other !== path);
    setText((maps.get(path) === true ? open : [...open, path]).join(","));
  };
  return { maps, toggle };
}
