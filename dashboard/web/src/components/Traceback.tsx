import { useState } from "react";
import { Copy } from "./Copy";

const LIMIT = 20_000;

/** A traceback as it was written. */
export function Traceback({ text }: { text: string }) {
  const [all, setAll] = useState(false);
  if (text.trim() === "") return <p className="quiet">No traceback was recorded.</p>;
  const long = text.length > LIMIT && !all;
  return (
    <div className="traceback">
      <Copy text={text} what="the traceback" />
      <pre role="region" tabIndex={0} aria-label="Traceback">
        {long ? text.slice(-LIMIT) : text}
      </pre>
      {long ? (
        <button type="button" className="button small" onClick={() => setAll(true)}>
          Show the {text.length - LIMIT} characters before
        </button>
      ) : null}
    </div>
  );
}
