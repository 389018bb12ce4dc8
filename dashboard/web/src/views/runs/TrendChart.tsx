import { useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { DayStats } from "../../api/types";
import { formatDuration } from "../../lib/duration";
import { resolveColor, useDark } from "../../lib/hooks";

const SIZE = { width: 340, height: 56 };

interface Props {
  days: DayStats[];
  filtered: boolean;
  /** What of the filters the numbers know nothing of. */
  unfollowed: readonly string[];
}

/** Runs by day as stacked bars, the median duration as a line above them. */
export default function TrendChart({ days, filtered, unfollowed }: Props) {
  const holder = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState<number | null>(null);
  const dark = useDark();

  useEffect(() => {
    if (!holder.current) return;
    const plot = new uPlot(options(setAt), stacked(days), holder.current);
    return () => plot.destroy();
  }, [days, dark]);

  const day = at === null ? undefined : days[at];
  return (
    <figure className="trend">
      <div ref={holder} role="img" aria-label={`Runs by day: ${describe(days)}`} />
      <figcaption className="quiet">
        {day ? (
          <>
            {day.day}: {day.succeeded} succeeded, {day.failed} failed, {day.other} other, median {formatDuration(day.p50)}
          </>
        ) : (
          <>
            {filtered ? "Filtered runs" : "Runs"} by day and median duration, {days.length} days
          </>
        )}
        {unfollowed.length > 0 ? <strong className="warn trend-note">The chart does not follow: {unfollowed.join(", ")}</strong> : null}
      </figcaption>
    </figure>
  );
}

function stacked(days: DayStats[]): uPlot.AlignedData {
  return [
    days.map((_, index) => index),
    days.map((day) => day.failed + day.succeeded + day.other),
    days.map((day) => day.failed + day.succeeded),
    days.map((day) => day.failed),
    days.map((day) => day.p50),
  ];
}

function options(hover: (index: number | null) => void): uPlot.Options {
  const bars = uPlot.paths.bars?.({ size: [0.7, 14] });
  const bar = (variable: string): uPlot.Series => ({ paths: bars, fill: resolveColor(variable), width: 0, points: { show: false } });
  return {
    ...SIZE,
    padding: [4, 0, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    axes: [{ show: false }, { show: false }],
    scales: { x: { time: false, range: (_plot, least, most) => [least - 0.6, most + 0.6] }, y: { range: (_plot, _least, most) => [0, Math.max(1, most)] }, s: { range: (_plot, _least, most) => [0, Math.max(0.001, most)] } },
    series: [
      {},
      bar("--phase-cancelled"),
      bar("--chart-good"),
      bar("--phase-failed"),
      { scale: "s", stroke: resolveColor("--text"), width: 1.5, spanGaps: true, points: { show: false } },
    ],
    hooks: { setCursor: [(plot) => hover(plot.cursor.idx ?? null)] },
  };
}

function describe(days: DayStats[]): string {
  const sum = (key: "succeeded" | "failed" | "other"): number => days.reduce((total, day) => total + day[key], 0);
  return `${sum("succeeded")} succeeded, ${sum("failed")} failed, ${sum("other")} other in ${days.length} days`;
}
