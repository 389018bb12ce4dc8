import { describe, expect, it } from "vitest";
import { appendText, cleanLine, cutLine, findLines, lineLevel, markText, NO_LINES, placeOf, searchHint, shownLines } from "./logs";

describe("a search over a whole log", () => {
  it("knows where a line is among those that were read", () => {
    expect([placeOf(7, 5, 10), placeOf(4, 5, 10), placeOf(15, 5, 10), placeOf(7, null, 10)]).toEqual([2, null, null, null]);
  });

  it("says how it goes", () => {
    expect([searchHint(0, 0, "going"), searchHint(0, 0, "complete"), searchHint(1, 31, "complete")]).toEqual(["searching…", "none", "2 of 31"]);
    expect([searchHint(0, 3, "going"), searchHint(0, 10_000, "full")]).toEqual(["1 of 3…", "1 of 10000+"]);
  });
});

describe("log lines", () => {
  it("join over chunks", () => {
    const log = ["one\ntw", "o\nthr", "ee"].reduce(appendText, NO_LINES);
    expect(log.lines).toEqual(["one", "two"]);
    expect(shownLines(log)).toEqual(["one", "two", "three"]);
  });

  it("keep empty lines", () => {
    expect(shownLines(appendText(NO_LINES, "a\n\nb\n"))).toEqual(["a", "", "b"]);
  });

  it("read as a terminal leaves them", () => {
    expect(cleanLine("10 %\r50 %\r100 %")).toBe("100 %");
    expect(cleanLine("windows\r")).toBe("windows");
    expect(cleanLine("\u001b[1;31mred\u001b[0m \u001b]8;;http://x\u0007link")).toBe("red link");
  });

  it("are cut when very long", () => {
    const { text, more } = cutLine("x".repeat(10_000_000), 2000);
    expect(text).toHaveLength(2000);
    expect(more).toBe(9_998_000);
  });

  it("are found and marked whatever their case", () => {
    expect(findLines(["Error one", "fine", "an ERROR"], "error")).toEqual([0, 2]);
    expect(findLines(["a"], "")).toEqual([]);
    expect(markText("an Error", "error")).toEqual([
      { text: "an ", match: false },
      { text: "Error", match: true },
    ]);
    expect(markText("<b>", "")).toEqual([{ text: "<b>", match: false }]);
  });

  it("say how bad they are", () => {
    expect(["ValueError: no", "12:00 WARNING x", "fine", "2026 ERROR y"].map(lineLevel)).toEqual(["error", "warning", "", "error"]);
  });
});
