import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../../api/client";
import { useMe } from "../../api/queries";
import type { Action, RunDetail } from "../../api/types";
import { Dialog } from "../../components/Dialog";
import { ACTION_WORDS, sensibleActions, type Subject } from "../../lib/actions";

const FROM_HERE: [string, string] = ["Retry from here", "A new run repeats this node and all that comes after it; what came before is kept."];

interface Props {
  run: RunDetail;
  node?: string | null;
  subject?: Subject;
}

/** What one may do to a run, or to a `node` of it, each after a question. */
export function Actions({ run, node = null, subject = "run" }: Props) {
  const me = useMe();
  const client = useQueryClient();
  const [asked, setAsked] = useState<Action | null>(null);
  const act = useMutation({
    mutationFn: (action: Action) => api.act(run.run_id, action, node, me.data?.csrf ?? ""),
    onSuccess: () => {
      setAsked(null);
      void client.invalidateQueries({ queryKey: ["run", run.run_id] });
    },
  });
  const actions = sensibleActions(run, me.data?.actions ?? [], subject);
  const words = (action: Action): [string, string] => (subject === "node" ? FROM_HERE : ACTION_WORDS[action]);
  if (actions.length === 0) return null;
  return (
    <span className="row actions">
      {act.isSuccess ? <span role="status">{act.data.message}</span> : null}
      {actions.map((action) => (
        <button
          key={action}
          type="button"
          className={action === "approve" ? "button primary" : "button"}
          onClick={() => {
            act.reset();
            setAsked(action);
          }}
        >
          {words(action)[0]}
        </button>
      ))}
      {asked ? (
        <Dialog title={subject === "node" ? `Retry from ${node}?` : `${ACTION_WORDS[asked][0]} ${node ?? run.name}?`} close={() => setAsked(null)}>
          <p>{words(asked)[1]}</p>
          <p className="quiet mono">{run.run_id}</p>
          {act.isError ? (
            <p role="alert" className="bad">
              {act.error.message}
            </p>
          ) : null}
          <div className="row end">
            <button type="button" className="button" onClick={() => setAsked(null)}>
              Not now
            </button>
            <button type="button" className="button primary" disabled={act.isPending} onClick={() => act.mutate(asked)}>
              {words(asked)[0]}
            </button>
          </div>
        </Dialog>
      ) : null}
    </span>
  );
}
