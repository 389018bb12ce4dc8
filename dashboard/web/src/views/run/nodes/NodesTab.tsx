import { createSortedRowModel, type ColumnDef, rowSortingFeature, sortFn_alphanumeric, sortFn_basic, tableFeatures, useTable } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef } from "react";
import type { RunNode } from "../../../api/types";
import { PhaseBadge } from "../../../components/Icon";
import { Progress } from "../../../components/Progress";
import { SearchField } from "../../../components/SearchField";
import { elapsed, formatDuration, formatTime } from "../../../lib/duration";
import { searchPaths } from "../../../lib/graph";
import { useNow } from "../../../lib/hooks";
import { useShortcuts } from "../../../lib/keyboard";
import { setQuery, useQueryString, useQueryValue } from "../../../lib/location";

const features = tableFeatures({
  rowSortingFeature,
  sortedRowModel: createSortedRowModel(),
  sortFns: { alphanumeric: sortFn_alphanumeric, basic: sortFn_basic },
});

const columns: ColumnDef<typeof features, RunNode>[] = [
  { id: "path", header: "Node", accessorFn: (node) => node.path, sortFn: "alphanumeric" },
  { id: "phase", header: "Phase", accessorFn: (node) => node.phase, sortFn: "alphanumeric" },
  { id: "kind", header: "Kind", accessorFn: (node) => node.kind, sortFn: "alphanumeric" },
  { id: "attempt", header: "Attempt", accessorFn: (node) => node.attempt, sortFn: "basic" },
  { id: "items", header: "Items", accessorFn: (node) => node.total ?? -1, sortFn: "basic" },
  { id: "started", header: "Started", accessorFn: (node) => node.started_at ?? Infinity, sortFn: "basic" },
  { id: "took", header: "Took", accessorFn: (node) => elapsed(node.started_at, node.finished_at, Date.now() / 1000) ?? -1, sortFn: "basic" },
  { id: "why", header: "Why", accessorFn: (node) => why(node), sortFn: "alphanumeric" },
];

/** All nodes as a table that sorts and searches; a row opens the panel. */
export default function NodesTab({ nodes }: { nodes: RunNode[] }) {
  const [text, setText] = useQueryValue("q");
  const selected = useQueryString().get("node") ?? "";
  const scroller = useRef<HTMLDivElement>(null);
  const now = useNow();
  const shown = useMemo(() => {
    if (text.trim() === "") return nodes;
    const found = new Set(searchPaths(nodes.map((node) => node.path), text));
    return nodes.filter((node) => found.has(node.path));
  }, [nodes, text]);
  const table = useTable({ features, columns, data: shown, getRowId: (node) => node.path });
  const rows = table.getRowModel().rows;
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => 36, overscan: 15 });

  const move = (by: number): void => {
    const at = rows.findIndex((row) => row.id === selected);
    const to = Math.min(Math.max(0, at + by), rows.length - 1);
    const next = rows[to];
    if (!next) return;
    virtual.scrollToIndex(to);
    setQuery({ node: next.id, item: "" });
  };
  useShortcuts({ j: () => move(1), k: () => move(-1) });

  return (
    <div className="fill">
      <div className="toolbar">
        <SearchField label="Find a node" value={text} change={setText} hint={text === "" ? undefined : String(rows.length)} />
        <span className="grow" />
        <span className="quiet">
          {rows.length} of {nodes.length} nodes
        </span>
      </div>
      <div className="table" role="table" aria-label="Nodes" aria-rowcount={rows.length + 1}>
        <div role="rowgroup">
          <div className="table-head node-grid" role="row">
            {table.getHeaderGroups()[0]?.headers.map((header) => {
              const sorted = header.column.getIsSorted();
              return (
                <span role="columnheader" key={header.id} aria-sort={sorted === "asc" ? "ascending" : sorted === "desc" ? "descending" : "none"}>
                  <button type="button" className="sorter" onClick={header.column.getToggleSortingHandler()}>
                    {String(header.column.columnDef.header)} {sorted === "asc" ? "↑" : sorted === "desc" ? "↓" : ""}
                  </button>
                </span>
              );
            })}
          </div>
        </div>
        <div className="table-body" role="rowgroup" ref={scroller} tabIndex={0} aria-label="Nodes, use j and k to move">
          <div role="presentation" style={{ height: virtual.getTotalSize(), position: "relative" }}>
            {virtual.getVirtualItems().map((item) => {
              const row = rows[item.index];
              return row ? <NodeRow key={row.id} node={row.original} now={now} top={item.start} index={item.index} current={row.id === selected} /> : null;
            })}
          </div>
        </div>
      </div>
    </div>
  );
}

function NodeRow({ node, now, top, index, current }: { node: RunNode; now: number; top: number; index: number; current: boolean }) {
  const done = (node.succeeded ?? 0) + (node.failed ?? 0) + (node.cached ?? 0);
  return (
    <div role="row" aria-rowindex={index + 2} aria-current={current ? "true" : undefined} className={`table-row node-grid${current ? " current" : ""}`} style={{ transform: `translateY(${top}px)`, height: 36 }}>
      <span role="cell">
        <button type="button" className="as-link mono cut" onClick={() => setQuery({ node: node.path, item: "" }, { replace: false })}>
          {node.path}
        </button>
      </span>
      <span role="cell">
        <PhaseBadge phase={node.phase} />
      </span>
      <span role="cell" className="quiet">
        {node.kind}
      </span>
      <span role="cell" className="num">
        {node.attempt}
      </span>
      <span role="cell">{node.total !== null ? <Progress done={done} total={node.total} failed={node.failed ?? 0} phase={node.phase} /> : null}</span>
      <span role="cell" className="quiet num cut" title={formatTime(node.started_at)}>
        {node.started_at === null ? "–" : new Date(node.started_at * 1000).toLocaleTimeString(undefined, { hour12: false })}
      </span>
      <span role="cell" className="num">
        {formatDuration(elapsed(node.started_at, node.finished_at, now))}
      </span>
      <span role="cell" className={node.error ? "bad cut" : "cut"}>
        {why(node)}
      </span>
    </div>
  );
}

function why(node: RunNode): string {
  return (node.error ? `${node.error.type}: ${node.error.message}` : node.message).slice(0, 300);
}
