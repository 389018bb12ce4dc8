import { describe, expect, it } from "vitest";
import type { TemplateInput } from "../api/types";
import { initialText, kindOf, readField, readForm } from "./forms";

const input = (values: Partial<TemplateInput>): TemplateInput => ({ type: null, default: null, required: null, description: null, ...values });

describe("the field of an input", () => {
  it("is of the kind of its type", () => {
    expect(["int", "float", "bool", "str", "list[int]", null].map(kindOf)).toEqual(["integer", "number", "boolean", "text", "json", "json"]);
  });

  it("begins with the default", () => {
    expect(initialText(input({ type: "str", default: "a b" }))).toBe("a b");
    expect(initialText(input({ type: "int", default: 5 }))).toBe("5");
    expect(initialText(input({ default: [1, "x"] }))).toBe('[1,"x"]');
    expect(initialText(input({}))).toBe("");
  });

  it("says what is wrong with what was typed", () => {
    expect(readField(input({ type: "int" }), "1.5")).toEqual({ problem: "not a whole number" });
    expect(readField(input({ type: "int" }), "many")).toEqual({ problem: "not a number" });
    expect(readField(input({ type: "float" }), "1.5")).toEqual({ value: 1.5 });
    expect(readField(input({ type: "bool" }), "1")).toEqual({ problem: "true or false" });
    expect(readField(input({ type: "str" }), "<b>")).toEqual({ value: "<b>" });
    expect(readField(input({}), "abc").problem).toContain("quotes");
    expect(readField(input({ type: "int" }), "")).toEqual({ problem: "needed" });
    expect(readField(input({ type: "int", default: 3 }), " ")).toEqual({});
  });
});

describe("a form", () => {
  it("sends what differs from the defaults, and names what is wrong", () => {
    const inputs = { n: input({ type: "int" }), rate: input({ type: "float", default: 0.5 }), name: input({ type: "str", default: "a" }) };
    expect(readForm(inputs, { n: "3" })).toEqual({ values: { n: 3 }, problems: {} });
    expect(readForm(inputs, { n: "x", rate: "1" })).toEqual({ values: { rate: 1 }, problems: { n: "not a number" } });
  });
});
