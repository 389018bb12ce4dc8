import { Dialog } from "./Dialog";

const KEYS: [string, string][] = [
  ["/", "Search in this view"],
  ["j  k", "Next and previous in a list"],
  ["Enter", "Open what is selected"],
  ["x  X", "Choose a run; all from the one chosen last"],
  ["1 … 7", "A run's tabs: graph, timeline, nodes, errors, logs, values, document"],
  ["o", "Open or close the selected map in the timeline"],
  ["n  N", "Next and previous match of a search or a filter"],
  ["t", "Light, dark, as the system"],
  ["Esc", "Close a panel, leave a field, let go of what is chosen"],
  ["?", "This help"],
];

export function Help({ close }: { close: () => void }) {
  return (
    <Dialog title="Keyboard" close={close}>
      <dl className="keys">
        {KEYS.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              {keys.split("  ").map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <form method="dialog" className="row end">
        <button type="submit" className="button">
          Close
        </button>
      </form>
    </Dialog>
  );
}
