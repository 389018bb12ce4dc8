import { useQuery } from "@tanstack/react-query";
import { createContext, useContext, useState } from "react";
import { api, streams } from "../api/client";
import type { Preview } from "../api/types";
import { formatBytes, type Stored } from "../lib/values";
import { Copy } from "./Copy";
import { JsonView } from "./JsonView";
import { ErrorState, Loading } from "./States";

/** The run whose values are shown below; "" where they are those of several. */
export const RunOfValues = createContext("");

/** A value that is kept in the store: its digest, and on demand what it looks like. */
export function Artifact({ kept }: { kept: Stored }) {
  const run = useContext(RunOfValues);
  const [open, setOpen] = useState(false);
  return (
    <span className="stored">
      <span className="chip">{kept.format || "stored"}</span> {kept.size === null ? null : <span className="quiet num">{formatBytes(kept.size)}</span>}{" "}
      <span className="mono cut">{kept.ref.slice(0, 19)}…</span>
      <Copy text={kept.ref} what="the digest" />
      {run === "" ? null : (
        <>
          <button type="button" className="button small" aria-expanded={open} onClick={() => setOpen(!open)}>
            {open ? "Hide" : "Preview"}
          </button>
          <a className="button small" href={streams.artifact(run, kept.ref)} download>
            Save
          </a>
          {open ? <Looks run={run} kept={kept} /> : null}
        </>
      )}
    </span>
  );
}

function Looks({ run, kept }: { run: string; kept: Stored }) {
  const found = useQuery({
    queryKey: ["run", run, "artifact", kept.ref],
    queryFn: () => api.preview(run, kept.ref, kept.format || "bytes"),
    staleTime: Infinity,
    retry: false,
  });
  if (found.isPending) return <Loading what="the artifact" />;
  if (found.isError) return <ErrorState error={found.error} />;
  const { note, kind } = found.data;
  return (
    <div className="preview">
      {note !== "" && kind !== "image" ? <p className="quiet">{note}</p> : null}
      <Content run={run} kept={kept} preview={found.data} />
    </div>
  );
}

function Content({ run, kept, preview }: { run: string; kept: Stored; preview: Preview }) {
  switch (preview.kind) {
    case "image":
      return <img src={streams.artifact(run, kept.ref)} alt={`The image ${kept.ref.slice(0, 19)}`} />;
    case "table":
      return <Table columns={preview.columns} rows={preview.rows} />;
    case "json":
      return <JsonView value={{ json: preview.value }} open />;
    case "text":
      return <pre tabIndex={0}>{preview.text}</pre>;
    case "none":
      return null;
  }
}

function Table({ columns, rows }: { columns: readonly string[]; rows: readonly (readonly string[])[] }) {
  return (
    <div className="table-scroll" tabIndex={0} role="region" aria-label="The first rows">
      <table className="plain">
        <thead>
          <tr>
            {columns.map((name, at) => (
              <th key={at} scope="col" className="mono">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, at) => (
            <tr key={at}>
              {row.map((cell, column) => (
                <td key={column} className="mono">
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
