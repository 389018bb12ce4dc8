import { describe, expect, it } from "vitest";
import { ancestors, baseName, depth, parentPath } from "./paths";

describe("paths", () => {
  it.each([
    ["a", null],
    ["a/b", "a"],
    ["train[2]/fit", "train[2]"],
    ["train[2]", "train"],
    ["b/train[4]", "b/train"],
    ["a[1][2]", "a[1]"],
    ["[3]", null],
    ["/a", null],
  ])("the parent of %s is %s", (path, parent) => {
    expect(parentPath(path)).toBe(parent);
  });

  it("lists what contains a path, the nearest first", () => {
    expect(ancestors("b/train[4]/fit")).toEqual(["b/train[4]", "b/train", "b"]);
    expect(depth("b/train[4]/fit")).toBe(3);
  });

  it("names a path within its parent", () => {
    expect(["a", "a/b", "m[2]", "m[2]/fit"].map(baseName)).toEqual(["a", "b", "[2]", "fit"]);
  });
});
