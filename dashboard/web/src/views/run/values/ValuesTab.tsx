import type { RunDetail } from "../../../api/types";
import { Values } from "../../../components/JsonView";
import { ended } from "../../../lib/phases";

/** What went into the run, what came out, and the digests of its code. */
export default function ValuesTab({ run }: { run: RunDetail }) {
  const code = Object.entries(run.code);
  return (
    <div className="scroll sheets">
      <section>
        <h2>Inputs</h2>
        <Values values={run.inputs} empty="The run has no inputs." />
      </section>
      <section>
        <h2>Outputs</h2>
        <Values values={run.outputs} empty={ended(run.phase) ? "The run has no outputs." : "The run has not ended."} />
      </section>
      <section>
        <h2>Code</h2>
        {code.length === 0 ? <p className="quiet">No digests were recorded.</p> : <Values values={run.code} empty="" />}
      </section>
    </div>
  );
}
