import { describe, expect, it } from "vitest";
import { sensibleActions } from "./actions";

const run = (phase: "Running" | "Failed" | "Succeeded" | "Suspended", backend = "default") => ({ phase, backend });

describe("the actions that are offered", () => {
  it("are allowed and make sense", () => {
    expect(sensibleActions(run("Running"), ["stop", "cancel", "retry"])).toEqual(["stop", "cancel"]);
    expect(sensibleActions(run("Failed"), ["stop", "retry", "resume"])).toEqual(["resume", "retry"]);
    expect(sensibleActions(run("Succeeded"), ["stop", "cancel", "retry", "resume", "approve"])).toEqual([]);
    expect(sensibleActions(run("Running"), [])).toEqual([]);
  });

  it("approve a node that waits, never a whole run", () => {
    const all = ["stop", "cancel", "suspend", "approve"] as const;
    expect(sensibleActions(run("Running"), all, "waiting")).toContain("approve");
    expect(sensibleActions(run("Suspended"), all)).not.toContain("approve");
  });

  it("repeat from a node once the run has ended, however it ended", () => {
    expect(sensibleActions(run("Succeeded"), ["retry", "resume"], "node")).toEqual(["retry"]);
    expect(sensibleActions(run("Running"), ["retry"], "node")).toEqual([]);
    expect(sensibleActions(run("Failed"), [], "node")).toEqual([]);
  });

  it("suspend runs of a cluster alone", () => {
    expect(sensibleActions(run("Running"), ["suspend"])).toEqual([]);
    expect(sensibleActions(run("Running", "kubernetes"), ["suspend"])).toEqual(["suspend"]);
  });
});
