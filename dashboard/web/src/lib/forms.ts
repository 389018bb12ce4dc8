/** The fields of a form that a template's inputs make, and the values that are typed into them. */

import type { Json, JsonObject, TemplateInput } from "../api/types";

export type Kind = "number" | "integer" | "boolean" | "text" | "json";

/** How an input is asked for, by its Python type. */
export function kindOf(type: string | null): Kind {
  switch (type) {
    case "int":
      return "integer";
    case "float":
      return "number";
    case "bool":
      return "boolean";
    case "str":
      return "text";
    default:
      return "json";
  }
}

export function isRequired(input: TemplateInput): boolean {
  return input.required ?? input.default === null;
}

/** What stands in the field at first. */
export function initialText(input: TemplateInput): string {
  if (input.default === null) return "";
  return kindOf(input.type) === "text" && typeof input.default === "string" ? input.default : JSON.stringify(input.default);
}

/** What was typed as a value, or what is wrong with it; an empty field that is not required is left out. */
export function readField(input: TemplateInput, text: string): { value?: Json; problem?: string } {
  const kind = kindOf(input.type);
  if (text.trim() === "" && kind !== "text") return isRequired(input) ? { problem: "needed" } : {};
  if (kind === "text") return text === "" && isRequired(input) ? { problem: "needed" } : { value: text };
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    return { problem: kind === "json" ? 'not JSON: text is written in quotes, as "abc"' : "not a number" };
  }
  if (kind === "json") return { value };
  if (kind === "boolean") return typeof value === "boolean" ? { value } : { problem: "true or false" };
  if (typeof value !== "number") return { problem: "not a number" };
  return kind === "integer" && !Number.isInteger(value) ? { problem: "not a whole number" } : { value };
}

/** All fields read: the values to send, and the problems by name. What is as by default is not sent. */
export function readForm(inputs: Record<string, TemplateInput>, texts: Readonly<Record<string, string>>): { values: JsonObject; problems: Record<string, string> } {
  const values: JsonObject = {};
  const problems: Record<string, string> = {};
  for (const [name, input] of Object.entries(inputs)) {
    const text = texts[name] ?? initialText(input);
    if (text === initialText(input) && !isRequired(input)) continue;
    const { value, problem } = readField(input, text);
    if (problem !== undefined) problems[name] = problem;
    else if (value !== undefined) values[name] = value;
  }
  return { values, problems };
}
