import { describe, expect, it } from "vitest";
import { chooseRange, forEachAtMost, MOST_CHOSEN, refreshed, toggleChosen, withAll } from "./selection";

const list = ["a", "b", "c", "d", "e"].map((run_id) => ({ run_id, phase: "Running" }));
const [a, b, c, d] = list as [Row, Row, Row, Row];
type Row = { run_id: string; phase: string };
const ids = (rows: readonly Row[]): string => rows.map((row) => row.run_id).join("");

describe("rows of a list", () => {
  it("are chosen one by one, and let go", () => {
    expect(ids(toggleChosen([a], c))).toBe("ac");
    expect(ids(toggleChosen([a, c], { ...a, phase: "Failed" }))).toBe("c");
  });

  it("are chosen from one to another, in either direction", () => {
    expect(ids(chooseRange(list, [b], "b", d))).toBe("bcd");
    expect(ids(chooseRange(list, [d], "d", b))).toBe("dbc");
    expect(ids(chooseRange(list, [], "gone", b))).toBe("b");
    expect(ids(chooseRange(list, [a], null, c))).toBe("ac");
  });

  it("are at most so many", () => {
    const many = Array.from({ length: MOST_CHOSEN + 9 }, (_, at) => ({ run_id: String(at), phase: "" }));
    expect(withAll([], many).length).toBe(MOST_CHOSEN);
    expect(toggleChosen(withAll([], many), a).length).toBe(MOST_CHOSEN);
  });

  it("are as the list has them now, or as they were", () => {
    expect(refreshed([a, { run_id: "z", phase: "Lost" }], [{ run_id: "a", phase: "Failed" }])).toEqual([
      { run_id: "a", phase: "Failed" },
      { run_id: "z", phase: "Lost" },
    ]);
  });
});

describe("something done to many", () => {
  it("is done to each, never to more than so many at once", async () => {
    let now = 0;
    let most = 0;
    const done: number[] = [];
    await forEachAtMost(3, [1, 2, 3, 4, 5, 6, 7], () => false, async (one) => {
      most = Math.max(most, ++now);
      await Promise.resolve();
      now--;
      done.push(one);
    });
    expect([done.length, most]).toEqual([7, 3]);
  });

  it("ends where it is told to", async () => {
    const done: number[] = [];
    await forEachAtMost(1, [1, 2, 3], () => done.length === 2, async (one) => {
      done.push(one);
    });
    expect(done).toEqual([1, 2]);
  });
});
