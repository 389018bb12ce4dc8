import { useState } from "react";
import type { Json, JsonObject } from "../api/types";
import { brief, decoded, isObject, stored } from "../lib/values";
import { Artifact } from "./Artifact";

const MANY = 100;

/** Named values in a table: each one short, or a tree that opens. */
export function Values({ values, empty }: { values: JsonObject | null; empty: string }) {
  const entries = Object.entries(values ?? {});
  if (entries.length === 0) return <p className="quiet">{empty}</p>;
  return (
    <dl className="values">
      {entries.map(([name, value]) => (
        <div key={name}>
          <dt className="mono">{name}</dt>
          <dd>
            <JsonView value={value} open />
          </dd>
        </div>
      ))}
    </dl>
  );
}

export function JsonView({ value, open = false }: { value: Json; open?: boolean }) {
  const kept = stored(value);
  if (kept) return <Artifact kept={kept} />;
  const plain = decoded(value);
  if (Array.isArray(plain)) return <Branch entries={plain.map((item, index): [string, Json] => [String(index), item])} kind="list" value={plain} open={open} />;
  if (isObject(plain)) return <Branch entries={Object.entries(plain)} kind="mapping" value={plain} open={open} />;
  return <Scalar value={plain} />;
}

function Branch({ entries, kind, value, open }: { entries: [string, Json][]; kind: "list" | "mapping"; value: Json; open: boolean }) {
  const [count, setCount] = useState(MANY);
  const small = JSON.stringify(value).length <= 80;
  if (entries.length === 0 || small) return <span className="mono">{JSON.stringify(value)}</span>;
  return (
    <details className="branch" open={open && entries.length <= 12}>
      <summary>
        <span className="quiet">
          {kind} of {entries.length}
        </span>{" "}
        <span className="mono cut">{brief(value, 60)}</span>
      </summary>
      <ul>
        {entries.slice(0, count).map(([key, item]) => (
          <li key={key}>
            <span className="quiet mono">{key}</span> <JsonView value={item} />
          </li>
        ))}
      </ul>
      {entries.length > count ? (
        <button type="button" className="button small" onClick={() => setCount(count + 10 * MANY)}>
          Show more of {entries.length - count}
        </button>
      ) : null}
    </details>
  );
}

function Scalar({ value }: { value: Json }) {
  const [all, setAll] = useState(false);
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const long = text.length > 400 && !all;
  return (
    <span className={`mono scalar ${typeof value}`}>
      {long ? text.slice(0, 400) : text}
      {long ? (
        <button type="button" className="button small" onClick={() => setAll(true)}>
          show {text.length - 400} more
        </button>
      ) : null}
    </span>
  );
}
