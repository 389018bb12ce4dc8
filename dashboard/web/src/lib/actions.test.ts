import { describe, expect, it } from "vitest";
import { sensibleActions } from "./actions";

describe("the actions that are offered", () => {
  it("are allowed and make sense", () => {
    expect(sensibleActions("Running", ["stop", "cancel", "retry"])).toEqual(["stop", "cancel"]);
    expect(sensibleActions("Failed", ["stop", "retry", "resume"])).toEqual(["resume", "retry"]);
    expect(sensibleActions("Succeeded", ["stop", "cancel", "retry", "resume", "approve"])).toEqual([]);
    expect(sensibleActions("Suspended", ["approve"])).toEqual(["approve"]);
    expect(sensibleActions("Running", [])).toEqual([]);
  });
});
