import { useVirtualizer } from "@tanstack/react-virtual";
import { type PointerEvent, useEffect, useRef, useState } from "react";
import { formatDuration } from "../../../lib/duration";
import { useSize } from "../../../lib/hooks";
import { useShortcuts } from "../../../lib/keyboard";
import { setQuery } from "../../../lib/location";
import { pan, type Row, rowKey, ticks, type Window, zoom } from "../../../lib/timeline";
import { Label, type Over, Plot, rowHeight, Tip } from "./rows";

interface Props {
  rows: readonly Row[];
  full: Window;
  view: Window;
  setView: (view: Window) => void;
  selected: string;
  /** The second from which the axis counts. */
  origin: number;
  /** The paths of maps, and whether each is open; with a way to change it. */
  maps: ReadonlyMap<string, boolean>;
  toggle: (path: string) => void;
}

const LABELS = 240;

/** Rows of bars; only the rows on the screen are made. */
export function Gantt({ rows, full, view, setView, selected, origin, maps, toggle }: Props) {
  const [holder, { width }] = useSize<HTMLDivElement>();
  const [over, setOver] = useState<Over | null>(null);
  const plot = Math.max(100, width - LABELS - 16);
  const perSecond = plot / (view.to - view.from);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => holder.current,
    estimateSize: (index) => rowHeight(rows[index]),
    getItemKey: (index) => rowKey(rows[index] as Row),
    overscan: 10,
  });
  useEffect(() => virtual.measure(), [rows, virtual]);
  useZoom(holder, view, full, plot, setView);

  const move = (by: number): void => {
    const nodes = rows.filter((row) => row.kind === "node");
    const at = nodes.findIndex((row) => row.path === selected);
    const to = nodes[Math.min(Math.max(0, at + by), nodes.length - 1)];
    if (to === undefined) return;
    virtual.scrollToIndex(rows.indexOf(to));
    setQuery({ node: to.path, item: "" });
  };
  useShortcuts({
    j: () => move(1),
    k: () => move(-1),
    o: () => {
      if (maps.has(selected)) toggle(selected);
    },
  });

  const drag = useRef<{ x: number; view: Window } | null>(null);
  const down = (event: PointerEvent<HTMLDivElement>): void => {
    if (event.target instanceof HTMLElement && event.target.closest("button")) return;
    drag.current = { x: event.clientX, view };
  };
  const moved = (event: PointerEvent<HTMLDivElement>): void => {
    const start = drag.current;
    if (start) setView(pan(start.view, (start.x - event.clientX) / perSecond, full));
  };
  const marks = ticks(view, origin, plot / 90);
  return (
    <div className="gantt" ref={holder} role="group" tabIndex={0} aria-label="Timeline, use j and k to move, o to open a map" onPointerDown={down} onPointerMove={moved} onPointerUp={() => (drag.current = null)} onPointerLeave={() => (drag.current = null)}>
      <div className="axis">
        {marks.map((mark) => (
          <span key={mark.after} className="num quiet" style={{ left: LABELS + (mark.at - view.from) * perSecond }}>
            {mark.after === 0 ? "0" : formatDuration(mark.after)}
          </span>
        ))}
      </div>
      <div role="list" style={{ height: virtual.getTotalSize(), position: "relative" }}>
        {marks.map((mark) => (
          <span key={mark.after} className="gridline" style={{ left: LABELS + (mark.at - view.from) * perSecond }} />
        ))}
        {virtual.getVirtualItems().map((item) => {
          const row = rows[item.index];
          if (!row) return null;
          return (
            <div key={item.key} role="listitem" className={isCurrent(row, selected) ? `gantt-row gantt-${row.kind} current` : `gantt-row gantt-${row.kind}`} style={{ transform: `translateY(${item.start}px)`, height: item.size }}>
              <Label row={row} isOpen={maps.get(row.path)} toggle={toggle} />
              <div className="gantt-plot">
                <Plot row={row} scale={{ view, perSecond, plot }} origin={origin} show={setOver} />
              </div>
            </div>
          );
        })}
      </div>
      {over ? <Tip {...over} /> : null}
    </div>
  );
}

function isCurrent(row: Row, selected: string): boolean {
  return row.kind === "node" && row.path === selected;
}

/** Ctrl (or Shift) and the wheel zoom around the pointer; React's own wheel events cannot hold the page still. */
function useZoom(holder: { current: HTMLElement | null }, view: Window, full: Window, plot: number, setView: (view: Window) => void): void {
  const latest = useRef({ view, full, plot, setView });
  useEffect(() => {
    latest.current = { view, full, plot, setView };
  });
  useEffect(() => {
    const element = holder.current;
    if (!element) return;
    const wheel = (event: WheelEvent): void => {
      if (!event.ctrlKey && !event.shiftKey) return;
      event.preventDefault();
      const { view: old, full: all, plot: pixels, setView: set } = latest.current;
      const share = (event.clientX - element.getBoundingClientRect().left - LABELS) / pixels;
      const around = old.from + Math.min(1, Math.max(0, share)) * (old.to - old.from);
      set(zoom(old, Math.exp((event.deltaY || event.deltaX) * 0.002), around, all));
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, [holder]);
}
