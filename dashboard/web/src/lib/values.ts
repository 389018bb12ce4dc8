import type { Json, JsonObject } from "../api/types";

/** A value that is kept in the store: only its digest and format are recorded. */
export interface Stored {
  ref: string;
  format: string;
  size: number | null;
}

/** The value as its author wrote it: records hold `{"json": value}` for what is kept beside them. */
export function decoded(value: Json): Json {
  if (isObject(value)) {
    const keys = Object.keys(value);
    if (keys.length === 1 && "json" in value) return value["json"] ?? null;
  }
  return value;
}

/** Where a value is kept, or null for one that is recorded itself. */
export function stored(value: Json): Stored | null {
  if (!isObject(value) || typeof value["ref"] !== "string") return null;
  const format = value["format"];
  const size = value["size"];
  return { ref: value["ref"], format: typeof format === "string" ? format : "", size: typeof size === "number" ? size : null };
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value in at most `limit` characters of one line. */
export function brief(value: Json, limit = 120): string {
  const kept = stored(value);
  const text = kept ? `${kept.format || "stored"} ${kept.ref}` : JSON.stringify(decoded(value));
  return text.length <= limit ? text : `${text.slice(0, limit - 1)}…`;
}

/** Bytes as people say them: `1.5 MB`. */
export function formatBytes(size: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const step = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, size)) / 3)));
  const value = size / 1000 ** step;
  return `${step === 0 ? value : value.toPrecision(3)} ${units[step]}`;
}
