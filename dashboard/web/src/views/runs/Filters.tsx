import { type FormEvent, useState } from "react";
import { useNames } from "../../api/queries";
import type { Names } from "../../api/types";
import { PhaseIcon } from "../../components/Icon";
import { SearchField } from "../../components/SearchField";
import { type Filters as Values, isFiltered, isLabel, NO_FILTERS, togglePhase } from "../../lib/filters";
import { RUN_PHASES } from "../../lib/phases";

interface Props {
  filters: Values;
  change: (filters: Values) => void;
}

const SPANS: [string, string][] = [
  ["", "any time"],
  ["1h", "last hour"],
  ["24h", "last day"],
  ["7d", "last week"],
  ["30d", "last 30 days"],
];

type Word = "name" | "project" | "namespace" | "backend" | "user";
const WORDS: [Word, keyof Names, string][] = [
  ["name", "names", "Workflow"],
  ["project", "projects", "Project"],
  ["namespace", "namespaces", "Namespace"],
  ["backend", "backends", "Backend"],
  ["user", "users", "User"],
];

export function Filters({ filters, change }: Props) {
  const names = useNames();
  return (
    <div className="filters" role="search" aria-label="Filter runs">
      <SearchField label="Search runs" value={filters.text} change={(text) => change({ ...filters, text })} />
      <div className="phases" role="group" aria-label="Phases">
        {RUN_PHASES.map((phase) => (
          <button
            key={phase}
            type="button"
            className={`toggle phase-${phase.toLowerCase()}`}
            aria-pressed={filters.phases.includes(phase)}
            onClick={() => change(togglePhase(filters, phase))}
          >
            <PhaseIcon phase={phase} size={14} />
            {phase}
          </button>
        ))}
      </div>
      {WORDS.map(([word, list, label]) => (
        <Choice
          key={word}
          label={label}
          value={filters[word]}
          options={(names.data?.[list] ?? []).map((option) => [option, option])}
          change={(value) => change({ ...filters, [word]: value })}
        />
      ))}
      <Choice label="Started" value={filters.since} options={SPANS.slice(1)} change={(since) => change({ ...filters, since })} />
      <Labels filters={filters} change={change} />
      {isFiltered(filters) ? (
        <button type="button" className="button ghost" onClick={() => change(NO_FILTERS)}>
          Clear
        </button>
      ) : null}
    </div>
  );
}

interface ChoiceProps {
  label: string;
  value: string;
  options: [string, string][];
  change: (value: string) => void;
}

/** One of the known words; a word from a link is kept though it is not known. Nothing where there is no choice. */
function Choice({ label, value, options, change }: ChoiceProps) {
  const all: [string, string][] = value === "" || options.some(([option]) => option === value) ? options : [[value, value], ...options];
  if (all.length === 0 || (all.length === 1 && value === "" && label !== "Workflow")) return null;
  return (
    <label className={value === "" ? "choice" : "choice chosen"}>
      <span className="sr">{label}</span>
      <select value={value} onChange={(event) => change(event.target.value)}>
        <option value="">{label}</option>
        {all.map(([option, text]) => (
          <option key={option} value={option}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

function Labels({ filters, change }: Props) {
  const [text, setText] = useState("");
  const [wrong, setWrong] = useState(false);
  const add = (event: FormEvent): void => {
    event.preventDefault();
    const label = text.trim();
    setWrong(!isLabel(label));
    if (!isLabel(label)) return;
    setText("");
    if (!filters.labels.includes(label)) change({ ...filters, labels: [...filters.labels, label] });
  };
  return (
    <form className="labels" onSubmit={add}>
      {filters.labels.map((label) => (
        <button
          key={label}
          type="button"
          className="chip removable"
          aria-label={`Remove label ${label}`}
          onClick={() => change({ ...filters, labels: filters.labels.filter((other) => other !== label) })}
        >
          {label} ×
        </button>
      ))}
      <input
        className="field"
        aria-label="Label, as key=value"
        aria-invalid={wrong}
        placeholder="label=value"
        value={text}
        size={12}
        title={wrong ? "A label is written key=value" : undefined}
        onChange={(event) => {
          setText(event.target.value);
          setWrong(false);
        }}
      />
      {wrong ? <span className="warn">write key=value</span> : null}
    </form>
  );
}
