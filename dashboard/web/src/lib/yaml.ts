import type { Json } from "../api/types";

const PLAIN = /^[A-Za-z_./][\w ./@+=()-]*$/;
const WORDS = /^(true|false|null|yes|no|on|off|y|n|~)$/i;

/** JSON as YAML, in the order of its keys: how a document reads best. */
export function toYaml(value: Json): string {
  return lines(value, 0).join("\n");
}

function lines(value: Json, indent: number): string[] {
  const pad = " ".repeat(indent);
  if (Array.isArray(value)) {
    if (value.length === 0) return [`${pad}[]`];
    return value.flatMap((item) => {
      if (isEmptyOrScalar(item)) return [`${pad}- ${scalar(item)}`];
      const [first = "", ...rest] = lines(item, indent + 2);
      return [`${pad}- ${first.trimStart()}`, ...rest];
    });
  }
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value);
    if (entries.length === 0) return [`${pad}{}`];
    return entries.flatMap(([key, item]) => {
      if (typeof item === "string" && item.includes("\n") && !/^\s/.test(item)) return block(pad, key, item);
      if (isEmptyOrScalar(item)) return [`${pad}${scalar(key)}: ${scalar(item)}`];
      return [`${pad}${scalar(key)}:`, ...lines(item, indent + 2)];
    });
  }
  return [`${pad}${scalar(value)}`];
}

function block(pad: string, key: string, text: string): string[] {
  const body = text.endsWith("\n") ? text.slice(0, -1) : text;
  const mark = text.endsWith("\n") ? "|" : "|-";
  return [`${pad}${scalar(key)}: ${mark}`, ...body.split("\n").map((line) => (line === "" ? "" : `${pad}  ${line}`))];
}

function isEmptyOrScalar(value: Json): boolean {
  if (typeof value !== "object" || value === null) return true;
  return Array.isArray(value) ? value.length === 0 : Object.keys(value).length === 0;
}

function scalar(value: Json): string {
  if (typeof value === "string") {
    return PLAIN.test(value) && !WORDS.test(value) && !value.endsWith(" ") ? value : JSON.stringify(value);
  }
  return JSON.stringify(value);
}
