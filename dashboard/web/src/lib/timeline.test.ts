import { describe, expect, it } from "vitest";
import { anAttempt } from "./testing";
import { densityBars, fullWindow, packLanes, pan, rowKey, ticks, timelineRows, withItems, zoom } from "./timeline";

describe("the timeline", () => {
  it("has no ticks, and an end, for times that no clock has", () => {
    expect(ticks({ from: 1e300, to: 1e300 }, 10, 8)).toEqual([]);
  });

  it("has a row for each node by its first start", () => {
    const rows = timelineRows([anAttempt("b", 5, 6), anAttempt("a", 1, 2), anAttempt("a", 3, null, 2), anAttempt("c", null, null)], 9);
    expect(rows.map((row) => row.path)).toEqual(["a", "b"]);
    expect(rows[0]?.lanes).toHaveLength(1);
    expect(rows[0]?.lanes[0]?.map((span) => [span.start, span.end, span.open])).toEqual([
      [1, 2, false],
      [3, 9, true],
    ]);
  });

  it("never draws an attempt that ends before it starts", () => {
    expect(timelineRows([anAttempt("a", 5, 3)], 9)[0]?.lanes[0]?.[0]?.end).toBe(5);
  });

  it("packs what overlaps into lanes", () => {
    const spans = timelineRows([anAttempt("a", 0, 4), anAttempt("a", 2, 6, 2), anAttempt("a", 4, 5, 3)], 9).flatMap((row) => row.lanes.flat());
    expect(packLanes(spans).map((lane) => lane.map((span) => span.attempt))).toEqual([[1, 3], [2]]);
  });

  it("shows the items of maps that are open below them", () => {
    const rows = timelineRows([anAttempt("a", 0, 4), anAttempt("m", 1, 6)], 9);
    const item = (index: number, finished_at: number | null) => ({ index, phase: "Failed" as const, attempt: 1, finished_at, error: null });
    const shown = withItems(rows, new Map([["m", { total: 9, bins: [], last: [item(7, 5), item(2, null)] }]]));
    expect(shown.map(rowKey)).toEqual(["a", "m", "m density", "m[7] item"]);
    expect(withItems(rows, new Map())).toEqual(rows);
  });

  it("shows the few among the many in a histogram", () => {
    const bin = (start: number, succeeded: number, failed: number) => ({ start, stop: start + 1, succeeded, failed });
    expect(densityBars([bin(0, 1000, 0), bin(1, 0, 0), bin(2, 500, 1)])).toEqual([
      { start: 0, stop: 1, succeeded: 1, failed: 0 },
      { start: 2, stop: 3, succeeded: 0.5, failed: 0.06 },
    ]);
  });

  it("zooms around a point within what there is", () => {
    const full = { from: 0, to: 100 };
    expect(zoom(full, 0.5, 25, full)).toEqual({ from: 12.5, to: 62.5 });
    expect(zoom({ from: 10, to: 20 }, 100, 15, full)).toEqual(full);
    expect(pan({ from: 10, to: 20 }, 500, full)).toEqual({ from: 90, to: 100 });
  });

  it("shows all of it at first", () => {
    expect(fullWindow([])).toEqual({ from: 0, to: 1 });
    const { from, to } = fullWindow(timelineRows([anAttempt("a", 10, 20)], 0));
    expect(from).toBeLessThan(10);
    expect(to).toBeGreaterThan(20);
  });

  it("ticks at round times after the start", () => {
    expect(ticks({ from: 100, to: 110 }, 100, 5).map((tick) => tick.after)).toEqual([0, 2, 4, 6, 8, 10]);
    expect(ticks({ from: 0, to: 7200 }, 0, 6).map((tick) => tick.after)).toEqual([0, 1800, 3600, 5400, 7200]);
    expect(ticks({ from: 0, to: 10_000_000 }, 0, 5).length).toBeLessThan(8);
  });
});
