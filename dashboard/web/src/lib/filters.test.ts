import { describe, expect, it } from "vitest";
import { apiQuery, formatFilters, type Filters, isFiltered, isLabel, NO_FILTERS, parseFilters, spanSeconds, statsQuery, togglePhase, unfollowedWords } from "./filters";

const ALL: Filters = {
  phases: ["Failed", "Lost"],
  name: "digits",
  project: "p&q",
  namespace: "science",
  backend: "slurm",
  user: "ada",
  labels: ["team=a", "x=1=2"],
  since: "24h",
  text: "50% <b>",
};

describe("filters", () => {
  it("come back from their query string", () => {
    expect(parseFilters(new URLSearchParams(formatFilters(ALL).toString()))).toEqual(ALL);
    expect(parseFilters(new URLSearchParams())).toEqual(NO_FILTERS);
  });

  it("pass over what is unknown", () => {
    expect(parseFilters(new URLSearchParams("phase=Nope&phase=Failed&x=1")).phases).toEqual(["Failed"]);
  });

  it("are nothing when empty", () => {
    expect(formatFilters(NO_FILTERS).toString()).toBe("");
    expect(isFiltered(NO_FILTERS)).toBe(false);
    expect(isFiltered(ALL)).toBe(true);
  });

  it("give the API a time for a span", () => {
    expect(apiQuery(ALL, 1_000_000.5).get("since")).toBe(String(1_000_000 - 86_400));
    expect(apiQuery({ ...ALL, since: "soon" }, 1_000_000).has("since")).toBe(false);
  });

  it("lead the trend, in whole days", () => {
    const query = statsQuery({ ...ALL, since: "7d" });
    expect([query.get("days"), query.get("name"), query.getAll("label"), query.has("since")]).toEqual(["7", "digits", ALL.labels, false]);
    expect(statsQuery(ALL).get("days")).toBe("30");
    expect(statsQuery({ ...ALL, since: "900d" }).get("days")).toBe("366");
  });

  it("are named where the trend does not follow them", () => {
    expect(unfollowedWords(ALL, ["user", "label", "text"])).toEqual(["user", "labels", "search", "time"]);
    expect(unfollowedWords({ ...ALL, since: "7d" }, [])).toEqual([]);
  });

  it("know spans and labels", () => {
    expect(["90m", "24h", "7d", "2w", "", "5"].map(spanSeconds)).toEqual([5400, 86_400, 604_800, 1_209_600, null, null]);
    expect(["a=b", "a=", "a", "=b"].map(isLabel)).toEqual([true, true, false, false]);
  });

  it("toggle a phase", () => {
    expect(togglePhase(ALL, "Lost").phases).toEqual(["Failed"]);
    expect(togglePhase(ALL, "Running").phases).toEqual(["Failed", "Lost", "Running"]);
  });
});
