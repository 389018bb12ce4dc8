import { type KeyboardEvent, type PointerEvent, useEffect, useRef, useState } from "react";
import type { ItemRange } from "../../../api/types";
import { fitGrid, type Grid, itemAt, phaseOf, rangeBars } from "../../../lib/cells";
import { resolveColor, useDark, useSize } from "../../../lib/hooks";
import { PHASES, phaseColor } from "../../../lib/phases";

interface Props {
  total: number;
  ranges: readonly ItemRange[];
  chosen: number | null;
  choose: (index: number) => void;
}

const HEIGHT = 320;
const SCROLLBAR = 16;

/** Every item as a cell of its phase's colour; the arrow keys move, the table below says the same in words. */
export function HeatGrid({ total, ranges, chosen, choose }: Props) {
  const [holder, { width }] = useSize<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [over, setOver] = useState<number | null>(null);
  const dark = useDark();
  const grid = fitGrid(total, width - SCROLLBAR, HEIGHT);

  useEffect(() => {
    if (canvas.current) draw(canvas.current, grid, ranges, total, chosen);
  }, [grid.columns, grid.size, grid.rows, ranges, total, chosen, dark]);

  const at = (event: PointerEvent<HTMLCanvasElement>): number | null => {
    const box = event.currentTarget.getBoundingClientRect();
    return itemAt(event.clientX - box.left, event.clientY - box.top, grid, total);
  };
  const moved = (event: KeyboardEvent): void => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -grid.columns, ArrowDown: grid.columns }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    choose(Math.min(Math.max(0, chosen === null ? 0 : chosen + step), total - 1));
  };
  const said = over ?? chosen;
  return (
    <div ref={holder}>
      <div className="heat">
        <canvas
          ref={canvas}
          tabIndex={0}
          role="application"
          aria-roledescription="grid of items"
          aria-label={`${total} items. Arrow keys choose one.${chosen === null ? "" : ` Item ${chosen}, ${phaseOf(ranges, chosen)}.`}`}
          onPointerMove={(event) => setOver(at(event))}
          onPointerLeave={() => setOver(null)}
          onPointerDown={(event) => {
            const index = at(event);
            if (index !== null) choose(index);
          }}
          onKeyDown={moved}
        />
      </div>
      <p className="heat-said quiet num">{said === null ? "Click a cell, or move with the arrow keys" : `item ${said}: ${phaseOf(ranges, said)}`}</p>
    </div>
  );
}

function draw(canvas: HTMLCanvasElement, grid: Grid, ranges: readonly ItemRange[], total: number, chosen: number | null): void {
  const scale = window.devicePixelRatio || 1;
  const { columns, rows, size } = grid;
  canvas.width = Math.max(1, columns * size * scale);
  canvas.height = Math.max(1, rows * size * scale);
  canvas.style.width = `${columns * size}px`;
  canvas.style.height = `${rows * size}px`;
  const context = canvas.getContext("2d");
  if (!context) return;
  context.scale(scale, scale);
  // What succeeded is muted, so that a single cell that failed is seen among 100 000.
  const colors = new Map(PHASES.map((phase) => [phase, resolveColor(phase === "Succeeded" ? "--chart-good" : phaseColor(phase))]));
  const gap = size >= 5 ? 1 : 0;
  const all: ItemRange[] = [{ start: 0, stop: total, phase: "Pending" }, ...ranges];
  for (const bar of rangeBars(all, columns)) {
    context.fillStyle = colors.get(bar.phase) ?? "gray";
    if (gap === 0) context.fillRect(bar.column * size, bar.row * size, bar.length * size, size);
    else for (let at = 0; at < bar.length; at++) context.fillRect((bar.column + at) * size, bar.row * size, size - gap, size - gap);
  }
  if (chosen === null || columns === 0) return;
  context.strokeStyle = resolveColor("--text");
  context.lineWidth = 2;
  context.strokeRect((chosen % columns) * size, Math.floor(chosen / columns) * size, size - gap, size - gap);
}
