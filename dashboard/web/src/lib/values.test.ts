import { describe, expect, it } from "vitest";
import { groupPhase } from "./phases";
import { brief, decoded, stored, formatBytes } from "./values";
import { toYaml } from "./yaml";

describe("values", () => {
  it("are decoded", () => {
    expect(decoded({ json: [1] })).toEqual([1]);
    expect(decoded({ json: 1, other: 2 })).toEqual({ json: 1, other: 2 });
  });

  it("say where they are kept", () => {
    expect(stored({ ref: "sha256:1", format: "npy" })).toEqual({ ref: "sha256:1", format: "npy", size: null });
    expect(stored({ json: 1 })).toBeNull();
    expect(brief({ ref: "sha256:1", format: "npy" })).toBe("npy sha256:1");
  });

  it("fit on a line", () => {
    expect(brief("x".repeat(500), 10)).toBe('"xxxxxxxx…');
  });
});

describe("YAML", () => {
  it("reads as it is written", () => {
    const text = toYaml({ name: "a b", on: true, list: [1, { x: "true", y: [] }], script: "line: 1\nline 2\n", empty: {}, odd: "- <b>: #" });
    expect(text).toBe(
      ['name: a b', '"on": true', "list:", "  - 1", '  - x: "true"', '    "y": []', "script: |", "  line: 1", "  line 2", "empty: {}", 'odd: "- <b>: #"'].join("\n"),
    );
  });
});

describe("a group's phase", () => {
  it("shows what needs a look", () => {
    expect(groupPhase(["Succeeded", "Failed", "Running"])).toBe("Failed");
    expect(groupPhase(["Succeeded", "Pending"])).toBe("Running");
    expect(groupPhase(["Succeeded", "Cached", "Skipped"])).toBe("Succeeded");
    expect(groupPhase(["Cached"])).toBe("Cached");
    expect(groupPhase([])).toBe("Pending");
  });
});

describe("bytes", () => {
  it("are said in units that people use", () => {
    expect([0, 999, 1500, 2_345_678, 7e15].map(formatBytes)).toEqual(["0 B", "999 B", "1.50 KB", "2.35 MB", "7.00e+3 TB"]);
  });
});
