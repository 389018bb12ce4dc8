import { useMutation, useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api } from "../../api/client";
import { useMe } from "../../api/queries";
import type { Template, TemplateInput } from "../../api/types";
import { Link } from "../../components/Link";
import { Empty, ErrorState, Loading } from "../../components/States";
import { initialText, isRequired, kindOf, readForm } from "../../lib/forms";
import { useTitle } from "../../lib/hooks";
import { runPath } from "../../lib/route";

/** The registered flows of the cluster; the chosen one, as namespace/name, with a form to run it. */
export default function TemplatesView({ chosen }: { chosen: string }) {
  useTitle("Templates");
  const found = useQuery({ queryKey: ["templates"], queryFn: api.templates });
  if (found.isPending) return <Loading what="templates" />;
  if (found.isError) return <ErrorState error={found.error} retry={() => void found.refetch()} />;
  const { items, note } = found.data;
  if (items.length === 0) {
    return (
      <Empty title="No templates">
        <p>{note || "The cluster has none that you may run."}</p>
        <p className="quiet">A template is a workflow that is registered in a cluster under a name.</p>
      </Empty>
    );
  }
  const template = items.find((each) => `${each.namespace}/${each.name}` === chosen);
  return (
    <div className="templates">
      <h1>Templates</h1>
      <div className="columns">
        <nav aria-label="Templates">
          <ul>
            {items.map((each) => (
              <li key={`${each.namespace}/${each.name}`}>
                <Link href={`/templates/${each.namespace}/${each.name}`} aria-current={each === template ? "page" : undefined}>
                  <span className="strong">{each.name}</span> <span className="quiet">{each.namespace}</span>
                </Link>
                {each.description ? <p className="quiet">{each.description.slice(0, 200)}</p> : null}
              </li>
            ))}
          </ul>
        </nav>
        {template ? <Form key={chosen} template={template} /> : <p className="quiet">{chosen === "" ? "Choose one to run it." : `There is no template ${chosen}.`}</p>}
      </div>
    </div>
  );
}

function Form({ template }: { template: Template }) {
  const me = useMe();
  const [texts, setTexts] = useState<Readonly<Record<string, string>>>({});
  const [tried, setTried] = useState(false);
  const { values, problems } = readForm(template.inputs, texts);
  const submit = useMutation({ mutationFn: () => api.submit(template, values, me.data?.csrf ?? "") });
  const send = (event: FormEvent): void => {
    event.preventDefault();
    setTried(true);
    if (Object.keys(problems).length === 0) submit.mutate();
  };
  const mayAct = (me.data?.actions ?? []).length > 0;
  return (
    <form className="card" aria-label={`Run ${template.name}`} onSubmit={send} noValidate>
      <h2>
        {template.name} {template.version === null ? null : <span className="chip">version {template.version}</span>}
      </h2>
      {template.description ? <p>{template.description}</p> : null}
      {Object.entries(template.inputs).map(([name, input]) => (
        <Field key={name} name={name} input={input} text={texts[name] ?? initialText(input)} problem={tried ? problems[name] : undefined} change={(text) => setTexts({ ...texts, [name]: text })} />
      ))}
      <div className="row">
        <button type="submit" className="button primary" disabled={!mayAct || submit.isPending}>
          Run
        </button>
        {mayAct ? null : <span className="quiet">This dashboard is for looking only.</span>}
      </div>
      {submit.isError ? (
        <p role="alert" className="bad">
          {submit.error.message}
        </p>
      ) : null}
      {submit.isSuccess ? (
        <p role="status">
          Submitted <Link href={runPath(submit.data.run_id)}>{submit.data.name}</Link>
        </p>
      ) : null}
    </form>
  );
}

interface FieldProps {
  name: string;
  input: TemplateInput;
  text: string;
  problem: string | undefined;
  change: (text: string) => void;
}

function Field({ name, input, text, problem, change }: FieldProps) {
  const kind = kindOf(input.type);
  const id = `input-${name}`;
  const shared = { id, "aria-invalid": problem !== undefined, "aria-describedby": `${id}-says`, className: "field mono" };
  return (
    <div className="form-field">
      <label htmlFor={id}>
        <span className="mono">{name}</span> <span className="quiet">{input.type ?? "any JSON"}</span>
        {isRequired(input) ? <span className="quiet"> needed</span> : null}
      </label>
      {kind === "boolean" ? (
        <select {...shared} value={text} onChange={(event) => change(event.target.value)}>
          {isRequired(input) || text === "" ? <option value="">choose</option> : null}
          <option value="true">true</option>
          <option value="false">false</option>
        </select>
      ) : kind === "json" ? (
        <textarea {...shared} rows={2} value={text} onChange={(event) => change(event.target.value)} />
      ) : (
        <input {...shared} inputMode={kind === "text" ? "text" : "decimal"} value={text} onChange={(event) => change(event.target.value)} />
      )}
      <p id={`${id}-says`} className={problem === undefined ? "quiet" : "bad"}>
        {problem ?? input.description ?? ""}
      </p>
    </div>
  );
}
