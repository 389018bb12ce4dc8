import { useVirtualizer } from "@tanstack/react-virtual";
import { type PointerEvent, useEffect, useRef, useState } from "react";
import { PhaseIcon } from "../../../components/Icon";
import { formatDuration, formatTime } from "../../../lib/duration";
import { useSize } from "../../../lib/hooks";
import { useShortcuts } from "../../../lib/keyboard";
import { setQuery } from "../../../lib/location";
import { pan, type Row, type Span, ticks, type Window, zoom } from "../../../lib/timeline";

interface Props {
  rows: readonly Row[];
  full: Window;
  view: Window;
  setView: (view: Window) => void;
  selected: string;
  /** The second from which the axis counts. */
  origin: number;
}

const LANE = 20;
const LABELS = 240;

/** Rows of bars; only the rows on the screen are made. */
export function Gantt({ rows, full, view, setView, selected, origin }: Props) {
  const [holder, { width }] = useSize<HTMLDivElement>();
  const [over, setOver] = useState<{ span: Span; x: number; y: number } | null>(null);
  const plot = Math.max(100, width - LABELS - 16);
  const perSecond = plot / (view.to - view.from);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => holder.current,
    estimateSize: (index) => (rows[index]?.lanes.length ?? 1) * LANE + 8,
    overscan: 10,
  });
  useEffect(() => virtual.measure(), [rows, virtual]);
  useZoom(holder, view, full, plot, setView);

  const move = (by: number): void => {
    const at = rows.findIndex((row) => row.path === selected);
    const to = Math.min(Math.max(0, at + by), rows.length - 1);
    virtual.scrollToIndex(to);
    setQuery({ node: rows[to]?.path ?? "" });
  };
  useShortcuts({ j: () => move(1), k: () => move(-1) });

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
    <div className="gantt" ref={holder} role="group" tabIndex={0} aria-label="Timeline, use j and k to move" onPointerDown={down} onPointerMove={moved} onPointerUp={() => (drag.current = null)} onPointerLeave={() => (drag.current = null)}>
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
            <div key={row.path} role="listitem" className={row.path === selected ? "gantt-row current" : "gantt-row"} style={{ transform: `translateY(${item.start}px)`, height: item.size }}>
              <button type="button" className="as-link mono cut" title={row.path} onClick={() => setQuery({ node: row.path }, { replace: false })}>
                {row.path}
              </button>
              <div className="gantt-plot">
                {row.lanes.map((lane, index) =>
                  lane.map((span) => <Bar key={span.attempt} span={span} top={index * LANE + 4} view={view} perSecond={perSecond} plot={plot} show={setOver} />),
                )}
              </div>
            </div>
          );
        })}
      </div>
      {over ? <Tip {...over} /> : null}
    </div>
  );
}

interface BarProps {
  span: Span;
  top: number;
  view: Window;
  perSecond: number;
  plot: number;
  show: (over: { span: Span; x: number; y: number } | null) => void;
}

function Bar({ span, top, view, perSecond, plot, show }: BarProps) {
  const left = Math.max(-4, (span.start - view.from) * perSecond);
  const right = Math.min(plot + 4, (span.end - view.from) * perSecond);
  if (right < -2 || left > plot + 2) return null;
  const width = Math.max(3, right - left);
  const took = formatDuration(span.end - span.start);
  return (
    <button
      type="button"
      className={`bar phase-${span.phase.toLowerCase()}${span.open ? " open" : ""}`}
      style={{ left, width, top }}
      aria-label={`${span.path}, attempt ${span.attempt}: ${span.phase}, ${took}${span.message === "" ? "" : `, ${span.message.slice(0, 200)}`}`}
      onClick={() => setQuery({ node: span.path }, { replace: false })}
      onPointerEnter={(event) => show({ span, x: event.clientX, y: event.clientY })}
      onPointerLeave={() => show(null)}
      onFocus={(event) => {
        const box = event.currentTarget.getBoundingClientRect();
        show({ span, x: box.left, y: box.bottom });
      }}
      onBlur={() => show(null)}
    >
      {width > 60 ? <span className="num">{took}</span> : null}
    </button>
  );
}

function Tip({ span, x, y }: { span: Span; x: number; y: number }) {
  return (
    <div className="tip" role="tooltip" style={{ left: Math.min(x + 12, window.innerWidth - 360), top: Math.min(y + 14, window.innerHeight - 130) }}>
      <strong className="mono">{span.path}</strong>
      <span className="row">
        <PhaseIcon phase={span.phase} size={14} /> {span.phase}, attempt {span.attempt}, {formatDuration(span.end - span.start)}
      </span>
      <span className="quiet">
        {formatTime(span.start)} – {span.open ? "now" : formatTime(span.end)}
      </span>
      {span.message === "" ? null : <span className="bad">{span.message.slice(0, 300)}</span>}
    </div>
  );
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
