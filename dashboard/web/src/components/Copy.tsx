import { useState } from "react";
import { Icon } from "./Icon";

/** Copies a text and says so. */
export function Copy({ text, what }: { text: string; what: string }) {
  const [said, setSaid] = useState("");
  const copy = (): void => {
    navigator.clipboard.writeText(text).then(
      () => setSaid("Copied"),
      () => setSaid("The browser did not allow it"),
    );
    window.setTimeout(() => setSaid(""), 1500);
  };
  return (
    <button type="button" className="button ghost small" onClick={copy} aria-label={`Copy ${what}`} title={`Copy ${what}`}>
      <Icon name="copy" size={14} />
      <span aria-live="polite">{said}</span>
    </button>
  );
}
