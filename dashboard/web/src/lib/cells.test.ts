import { describe, expect, it } from "vitest";
import type { ItemRange } from "../api/types";
import { countPhases, fitGrid, itemAt, phaseOf, rangeBars } from "./cells";

const RANGES: ItemRange[] = [
  { start: 0, stop: 7, phase: "Succeeded" },
  { start: 7, stop: 8, phase: "Failed" },
  { start: 10, stop: 12, phase: "Running" },
];

describe("the heat grid", () => {
  it("takes the largest cells that fit", () => {
    expect(fitGrid(100, 180, 180)).toEqual({ columns: 10, rows: 10, size: 18 });
    expect(fitGrid(4, 300, 100)).toEqual({ columns: 4, rows: 1, size: 18 });
  });

  it("keeps 100 000 cells large enough to hit", () => {
    const grid = fitGrid(100_000, 900, 400);
    expect(grid.size).toBe(3);
    expect(grid.columns * grid.rows).toBeGreaterThanOrEqual(100_000);
  });

  it("is empty for nothing", () => {
    expect(fitGrid(0, 900, 400).rows).toBe(0);
    expect(rangeBars(RANGES, 0)).toEqual([]);
  });

  it("breaks ranges at the end of a row", () => {
    expect(rangeBars(RANGES, 5)).toEqual([
      { row: 0, column: 0, length: 5, phase: "Succeeded" },
      { row: 1, column: 0, length: 2, phase: "Succeeded" },
      { row: 1, column: 2, length: 1, phase: "Failed" },
      { row: 2, column: 0, length: 2, phase: "Running" },
    ]);
  });

  it("finds the item at a point", () => {
    const grid = { columns: 5, rows: 3, size: 10 };
    expect(itemAt(25, 12, grid, 12)).toBe(7);
    expect(itemAt(55, 12, grid, 12)).toBeNull();
    expect(itemAt(45, 25, grid, 12)).toBeNull();
    expect(itemAt(-1, 0, grid, 12)).toBeNull();
  });

  it("knows the phase of each item; what is not said is pending", () => {
    expect([0, 6, 7, 8, 11, 12].map((index) => phaseOf(RANGES, index))).toEqual([
      "Succeeded",
      "Succeeded",
      "Failed",
      "Pending",
      "Running",
      "Pending",
    ]);
    expect(Object.fromEntries(countPhases(RANGES, 12))).toEqual({ Succeeded: 7, Failed: 1, Running: 2, Pending: 2 });
  });
});
