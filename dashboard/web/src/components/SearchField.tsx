import { useEffect, useState } from "react";
import { useRested } from "../lib/hooks";
import { Icon } from "./Icon";

interface Props {
  label: string;
  value: string;
  change: (value: string) => void;
  /** Milliseconds of rest before a change is told. */
  rest?: number;
  hint?: string;
  onEnter?: (backwards: boolean) => void;
}

/** The field that `/` focuses. */
export function SearchField({ label, value, change, rest = 200, hint, onEnter }: Props) {
  const [text, setText] = useState(value);
  const rested = useRested(text, rest);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (rested !== value && rested === text) change(rested);
    // Only what has come to rest is told.
  }, [rested]);
  return (
    <label className="search">
      <Icon name="search" />
      <input
        type="search"
        data-search
        aria-label={label}
        placeholder={label}
        value={text}
        spellCheck={false}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") {
            event.preventDefault();
            if (text !== value) change(text);
            onEnter?.(event.shiftKey);
          }
        }}
      />
      {hint ? <span className="search-hint num">{hint}</span> : <kbd aria-hidden="true">/</kbd>}
    </label>
  );
}

export function focusSearch(event: KeyboardEvent): void {
  const field = document.querySelector<HTMLInputElement>("[data-search]");
  if (!field) return;
  event.preventDefault();
  field.focus();
  field.select();
}
