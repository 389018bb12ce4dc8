import { Icon, PhaseIcon } from "../../../components/Icon";
import { formatCount, formatDuration, formatTime } from "../../../lib/duration";
import { setQuery } from "../../../lib/location";
import { densityBars, type DensityRow, type ItemRow, type Row, type Span, type Window } from "../../../lib/timeline";

const LANE = 20;
const DENSITY = 48;

/** What is on the screen, and how many pixels it takes. */
export interface Scale {
  view: Window;
  perSecond: number;
  plot: number;
}

/** The bar that the pointer is over. */
export interface Over {
  span: Span;
  x: number;
  y: number;
}

export function rowHeight(row: Row | undefined): number {
  if (row?.kind === "density") return DENSITY;
  return (row?.kind === "node" ? row.lanes.length : 1) * LANE + 8;
}

/** What a row is about, with what opens it where it is a map: `isOpen` is undefined for what is none. */
export function Label({ row, isOpen, toggle }: { row: Row; isOpen: boolean | undefined; toggle: (path: string) => void }) {
  if (row.kind === "density") {
    return (
      <span className="gantt-label quiet">
        when {formatCount(row.times.total)} items ended; below, the last {row.times.last.length}
      </span>
    );
  }
  const item = row.kind === "item" ? String(row.item.index) : "";
  const text = row.kind === "item" ? `${row.path}[${row.item.index}]` : row.path;
  return (
    <span className="gantt-label">
      {row.kind === "node" && isOpen !== undefined ? (
        <button type="button" className="button ghost small" aria-expanded={isOpen} aria-label={`Items of ${row.path}`} title="When its items ended (o)" onClick={() => toggle(row.path)}>
          <Icon name={isOpen ? "minus" : "plus"} size={14} />
        </button>
      ) : null}
      <button type="button" className="as-link mono cut" title={text} onClick={() => setQuery({ node: row.path, item }, { replace: false })}>
        {text}
      </button>
    </span>
  );
}

/** A row's bars. */
export function Plot({ row, scale, origin, show }: { row: Row; scale: Scale; origin: number; show: (over: Over | null) => void }) {
  if (row.kind === "density") return <Density row={row} scale={scale} />;
  if (row.kind === "item") return <Mark row={row} scale={scale} origin={origin} />;
  return row.lanes.map((lane, index) => lane.map((span) => <Bar key={span.attempt} span={span} top={index * LANE + 4} scale={scale} show={show} />));
}

/** How many items ended when: those that did not succeed on top. */
function Density({ row, scale: { view, perSecond } }: { row: DensityRow; scale: Scale }) {
  const { bins } = row.times;
  const sum = (key: "succeeded" | "failed"): number => bins.reduce((total, bin) => total + bin[key], 0);
  const height = DENSITY - 8;
  return (
    <div role="img" className="density" aria-label={`Ends of items of ${row.path}: ${sum("succeeded")} succeeded, ${sum("failed")} did not`}>
      {densityBars(bins).map((bar) => {
        const left = (bar.start - view.from) * perSecond;
        const width = Math.max(2, (bar.stop - bar.start) * perSecond - 1);
        return (
          <span key={bar.start}>
            <span className="density-good" style={{ left, width, height: bar.succeeded * height }} />
            <span className="density-bad" style={{ left, width, height: bar.failed * height, bottom: Math.min(bar.succeeded, 1 - bar.failed) * height }} />
          </span>
        );
      })}
    </div>
  );
}

/** The end of one item. */
function Mark({ row: { path, item, at }, scale: { view, perSecond, plot }, origin }: { row: ItemRow; scale: Scale; origin: number }) {
  const left = (at - view.from) * perSecond;
  if (left < -8 || left > plot + 8) return null;
  const after = formatDuration(at - origin);
  const error = item.error ? `${item.error.type}: ${item.error.message.slice(0, 200)}` : "";
  return (
    <>
      <button
        type="button"
        className={`bar end phase-${item.phase.toLowerCase()}`}
        style={{ left: Math.min(left, plot) - 5, top: 6 }}
        aria-label={`${path}[${item.index}]: ${item.phase}, ended after ${after}${error === "" ? "" : `, ${error}`}`}
        title={error}
        onClick={() => setQuery({ node: path, item: String(item.index) }, { replace: false })}
      />
      <span className="end-text num quiet" style={left > plot / 2 ? { right: plot - left + 12 } : { left: left + 12 }}>
        {item.phase}, after {after}
      </span>
    </>
  );
}

interface BarProps {
  span: Span;
  top: number;
  scale: Scale;
  show: (over: Over | null) => void;
}

function Bar({ span, top, scale: { view, perSecond, plot }, show }: BarProps) {
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
      onClick={() => setQuery({ node: span.path, item: "" }, { replace: false })}
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

/** What a bar says, beside the pointer. */
export function Tip({ span, x, y }: Over) {
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
