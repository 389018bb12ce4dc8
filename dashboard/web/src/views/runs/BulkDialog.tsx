import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { api } from "../../api/client";
import type { Action, Run } from "../../api/types";
import { Dialog } from "../../components/Dialog";
import { PhaseBadge } from "../../components/Icon";
import { ACTION_WORDS } from "../../lib/actions";
import { forEachAtMost } from "../../lib/selection";

const AT_ONCE = 4;

/** What has come of one run. */
interface Outcome {
  done: boolean;
  message: string;
}

interface Props {
  action: Action;
  runs: readonly Run[];
  /** How many were chosen that this makes no sense for. */
  passedOver: number;
  csrf: string;
  /** Told which runs have done as they were told. */
  close: (done: ReadonlySet<string>) => void;
}

/** Asks once, tells each run, and says of each what has come of it. To close it stops what has not been told yet. */
export default function BulkDialog({ action, runs, passedOver, csrf, close }: Props) {
  const client = useQueryClient();
  const [outcomes, setOutcomes] = useState<ReadonlyMap<string, Outcome>>(new Map());
  const [state, setState] = useState<"asking" | "going" | "over">("asking");
  const closed = useRef(false);
  useEffect(() => {
    closed.current = false;
    return () => {
      closed.current = true;
    };
  }, []);

  const go = async (): Promise<void> => {
    setState("going");
    await forEachAtMost(AT_ONCE, runs, () => closed.current, async (run) => {
      const outcome = await tell(run, action, csrf);
      setOutcomes((old) => new Map(old).set(run.run_id, outcome));
    });
    setState("over");
    void client.invalidateQueries({ queryKey: ["runs"] });
  };
  const [word, meaning] = ACTION_WORDS[action];
  const done = new Set([...outcomes].filter(([, outcome]) => outcome.done).map(([id]) => id));
  const refused = outcomes.size - done.size;
  const count = `${runs.length} ${runs.length === 1 ? "run" : "runs"}`;
  return (
    <Dialog title={state === "asking" ? `${word} ${count}?` : `${word} ${count}`} close={() => close(done)}>
      <p>{meaning}</p>
      {passedOver > 0 ? <p className="quiet">Of those chosen, {passedOver} {passedOver === 1 ? "is" : "are"} in no state for this and left alone.</p> : null}
      <ul className="bulk" tabIndex={0} aria-label="Runs">
        {runs.map((run) => (
          <li key={run.run_id}>
            <span className="row">
              <PhaseBadge phase={run.phase} /> <strong className="cut">{run.name || run.run_id}</strong> <span className="quiet mono cut">{run.run_id}</span>
            </span>
            <Result outcome={outcomes.get(run.run_id)} going={state !== "asking"} />
          </li>
        ))}
      </ul>
      <p role="status">{state === "asking" ? "" : `${done.size} of ${runs.length} told${refused > 0 ? `, ${refused} refused` : ""}`}</p>
      <div className="row end">
        <button type="button" className="button" onClick={() => close(done)}>
          {state === "asking" ? "Not now" : state === "going" ? "Stop here" : "Close"}
        </button>
        {state === "asking" ? (
          <button type="button" className="button primary" onClick={() => void go()}>
            {word} {count}
          </button>
        ) : null}
      </div>
    </Dialog>
  );
}

function Result({ outcome, going }: { outcome: Outcome | undefined; going: boolean }) {
  if (outcome === undefined) return going ? <span className="quiet">waits</span> : null;
  return <span className={outcome.done ? "quiet" : "bad"}>{outcome.message}</span>;
}

async function tell(run: Run, action: Action, csrf: string): Promise<Outcome> {
  try {
    return { done: true, message: (await api.act(run.run_id, action, null, csrf)).message };
  } catch (error) {
    return { done: false, message: error instanceof Error ? error.message : String(error) };
  }
}
