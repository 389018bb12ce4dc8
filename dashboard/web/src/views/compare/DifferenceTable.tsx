import { useState } from "react";
import type { Change, Difference } from "../../lib/diff";
import { brief } from "../../lib/values";

const WORDS: Record<Change, string> = { same: "same", changed: "changed", "only-a": "only in A", "only-b": "only in B" };

/** Values of two runs; what is the same is folded away. */
export function DifferenceTable({ title, rows, none }: { title: string; rows: readonly Difference[]; none: string }) {
  const [all, setAll] = useState(false);
  const same = rows.filter((row) => row.change === "same").length;
  const shown = all ? rows : rows.filter((row) => row.change !== "same");
  return (
    <section>
      <h2>{title}</h2>
      {rows.length === 0 ? <p className="quiet">{none}</p> : shown.length === 0 ? <p>All the same.</p> : null}
      {shown.length > 0 ? (
        <table className="plain diff">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">A</th>
              <th scope="col">B</th>
              <th scope="col">Change</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((row) => (
              <tr key={row.key} className={row.change}>
                <th scope="row" className="mono">
                  {row.key}
                </th>
                <td className="mono">{row.a === undefined ? "–" : brief(row.a, 200)}</td>
                <td className="mono">{row.b === undefined ? "–" : brief(row.b, 200)}</td>
                <td>{WORDS[row.change]}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : null}
      {same > 0 ? (
        <button type="button" className="button small" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? "Hide" : "Show"} {same} that are the same
        </button>
      ) : null}
    </section>
  );
}
