import { describe, expect, it } from "vitest";
import { parseRoute, runPath } from "./route";

describe("routes", () => {
  it.each([
    ["/", { view: "runs" }],
    ["/runs/r%2F1", { view: "run", id: "r/1", tab: "graph" }],
    ["/runs/r1/errors", { view: "run", id: "r1", tab: "errors" }],
    ["/runs/%E0%A4%A", { view: "run", id: "%E0%A4%A", tab: "graph" }],
    ["/compare", { view: "compare" }],
    ["/templates", { view: "templates", template: "" }],
    ["/templates/lab/reduce", { view: "templates", template: "lab/reduce" }],
    ["/templates/lab", { view: "unknown" }],
    ["/runs", { view: "unknown" }],
    ["/runs/r1/nope", { view: "unknown" }],
    ["/else", { view: "unknown" }],
  ])("%s", (path, route) => {
    expect(parseRoute(path)).toEqual(route);
  });

  it("come back from the path they give", () => {
    expect(parseRoute(runPath("a/b?c", "logs"))).toEqual({ view: "run", id: "a/b?c", tab: "logs" });
    expect(runPath("a")).toBe("/runs/a");
  });
});
