import { describe, expect, it } from "vitest";
import { elapsed, formatAgo, formatCount, formatDuration, formatTime, isoTime, skewed } from "./duration";

describe("durations", () => {
  it.each([
    [null, "–"],
    [Number.NaN, "–"],
    [-3, "0 ms"],
    [0.34, "340 ms"],
    [0.9996, "1.0 s"],
    [8.64, "8.6 s"],
    [59.97, "1 m 00 s"],
    [125, "2 m 05 s"],
    [3599.6, "1 h 00 m"],
    [11_530, "3 h 12 m"],
    [86_400 * 4 + 7200, "4 d 02 h"],
  ])("%s seconds read %s", (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });

  it("count until now for what is not finished, and never below 0", () => {
    expect(elapsed(null, null, 5)).toBeNull();
    expect(elapsed(3, null, 5)).toBe(2);
    expect(elapsed(9, null, 5)).toBe(0);
  });

  it("see a clock that is wrong", () => {
    expect(skewed(10, 9, 20)).toBe(true);
    expect(skewed(30, null, 20)).toBe(true);
    expect(skewed(10, 11, 20)).toBe(false);
  });

  it("say how long ago", () => {
    const ages = [2, 60, 7200, 200_000, -60].map((age) => formatAgo(1_000_000 - age, 1_000_000));
    expect(ages).toEqual(["just now", "1 min ago", "2 h ago", "2 d ago", "in 1 m 00 s"]);
  });

  it("survive a time that no calendar has", () => {
    expect([isoTime(1e300), isoTime(0)]).toEqual([undefined, "1970-01-01T00:00:00.000Z"]);
    expect(formatTime(1e300)).toBe("Invalid Date");
    expect(formatAgo(1e300, 0)).toMatch(/^in /);
  });

  it("group thousands", () => {
    expect(formatCount(1_234_567)).toBe("1\u202f234\u202f567");
    expect(formatCount(999)).toBe("999");
  });
});
