import { lazy, Suspense, useState } from "react";
import { useMe } from "../../api/queries";
import type { Action, Run } from "../../api/types";
import { Icon } from "../../components/Icon";
import { ACTION_WORDS, BULK, sensibleActions } from "../../lib/actions";
import { navigate } from "../../lib/location";
import { MOST_CHOSEN } from "../../lib/selection";

const BulkDialog = lazy(() => import("./BulkDialog"));

interface Props {
  chosen: readonly Run[];
  choose: (runs: readonly Run[]) => void;
}

/** What is chosen, and what to do with it: two are compared, any number told to do something. */
export function Selection({ chosen, choose }: Props) {
  const me = useMe();
  const [asked, setAsked] = useState<{ action: Action; runs: readonly Run[] } | null>(null);
  const [a, b] = chosen;
  if (a === undefined) return null;
  const fit = (action: Action): Run[] => chosen.filter((run) => sensibleActions(run, me.data?.actions ?? []).includes(action));
  return (
    <div className="selection" role="region" aria-label="Chosen runs">
      <span role="status">
        {chosen.length} chosen{chosen.length === MOST_CHOSEN ? ", the most at once" : ""}
      </span>
      {BULK.map((action) => ({ action, runs: fit(action) }))
        .filter(({ runs }) => runs.length > 0)
        .map(({ action, runs }) => (
          <button key={action} type="button" className="button" onClick={() => setAsked({ action, runs })}>
            {ACTION_WORDS[action][0]} {runs.length}
          </button>
        ))}
      <button
        type="button"
        className="button primary"
        disabled={chosen.length !== 2}
        title={chosen.length === 2 ? undefined : "Choose two runs to compare them"}
        onClick={() => navigate(`/compare?a=${encodeURIComponent(a.run_id)}&b=${encodeURIComponent(b?.run_id ?? "")}`)}
      >
        <Icon name="compare" /> Compare
      </button>
      <button type="button" className="button ghost" onClick={() => choose([])}>
        Clear
      </button>
      {asked ? (
        <Suspense fallback={null}>
          <BulkDialog
            {...asked}
            passedOver={chosen.length - asked.runs.length}
            csrf={me.data?.csrf ?? ""}
            close={(done) => {
              setAsked(null);
              if (done.size > 0) choose(chosen.filter((run) => !done.has(run.run_id)));
            }}
          />
        </Suspense>
      ) : null}
    </div>
  );
}
