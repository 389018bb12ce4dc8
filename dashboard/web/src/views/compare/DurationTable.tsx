import { useState } from "react";
import type { DurationPair } from "../../lib/diff";
import { formatDuration } from "../../lib/duration";

const FEW = 50;

/** How long each node took in both runs, the greatest difference first. */
export function DurationTable({ pairs }: { pairs: readonly DurationPair[] }) {
  const [count, setCount] = useState(FEW);
  const most = Math.max(0.001, ...pairs.slice(0, count).flatMap((pair) => [pair.a ?? 0, pair.b ?? 0]));
  return (
    <section>
      <h2>Durations</h2>
      <table className="plain diff">
        <thead>
          <tr>
            <th scope="col">Node</th>
            <th scope="col">A</th>
            <th scope="col">B</th>
            <th scope="col">Difference</th>
          </tr>
        </thead>
        <tbody>
          {pairs.slice(0, count).map((pair) => (
            <tr key={pair.path}>
              <th scope="row" className="mono">
                {pair.path}
              </th>
              <Bar seconds={pair.a} most={most} />
              <Bar seconds={pair.b} most={most} />
              <td className="num">{difference(pair.delta)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {pairs.length > count ? (
        <button type="button" className="button small" onClick={() => setCount(count + 10 * FEW)}>
          Show more of {pairs.length - count}
        </button>
      ) : null}
    </section>
  );
}

function difference(delta: number | null): string {
  if (delta === null) return "only in one";
  if (Math.abs(delta) < 0.0005) return "same";
  return `${delta < 0 ? "−" : "+"}${formatDuration(Math.abs(delta))}`;
}

function Bar({ seconds, most }: { seconds: number | null; most: number }) {
  return (
    <td>
      <span className="duration-bar" style={{ width: `${Math.max(0, ((seconds ?? 0) / most) * 60)}%` }} aria-hidden="true" />
      <span className="num">{formatDuration(seconds)}</span>
    </td>
  );
}
