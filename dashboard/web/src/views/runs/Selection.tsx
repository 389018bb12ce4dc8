import { Icon } from "../../components/Icon";
import { navigate } from "../../lib/location";

/** What is chosen to compare, and what to do with it. */
export function Selection({ chosen, clear }: { chosen: readonly string[]; clear: () => void }) {
  const [a, b] = chosen;
  if (a === undefined) return null;
  return (
    <div className="selection" role="status">
      <span>
        {chosen.length} of 2 chosen <span className="quiet mono">{chosen.join("  ")}</span>
      </span>
      <button
        type="button"
        className="button primary"
        disabled={b === undefined}
        onClick={() => navigate(`/compare?a=${encodeURIComponent(a)}&b=${encodeURIComponent(b ?? "")}`)}
      >
        <Icon name="compare" /> Compare
      </button>
      <button type="button" className="button ghost" onClick={clear}>
        Clear
      </button>
    </div>
  );
}
