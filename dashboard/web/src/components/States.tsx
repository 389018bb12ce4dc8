import { Component, type ReactNode } from "react";
import { ApiError } from "../api/client";
import { Link } from "./Link";

export function Loading({ what }: { what: string }) {
  return (
    <div className="state" role="status">
      <span className="spinner" aria-hidden="true" />
      <p>Loading {what}…</p>
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="state">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** What went wrong and what to do, with a way to try again. */
export function ErrorState({ error, retry }: { error: unknown; retry?: () => void }) {
  const api = error instanceof ApiError ? error : null;
  return (
    <div className="state" role="alert">
      <h2>{api?.status === 404 ? "Not found" : "That did not work"}</h2>
      <p>{error instanceof Error ? error.message : String(error)}</p>
      {api?.fix ? <p className="quiet">{api.fix}</p> : null}
      <p className="row">
        {retry ? (
          <button type="button" className="button" onClick={retry}>
            Try again
          </button>
        ) : null}
        <Link className="button" href="/">
          All runs
        </Link>
      </p>
      {api && api.code !== "" ? <p className="quiet mono">{api.code}</p> : null}
    </div>
  );
}

/** Catches what a view throws, so that the rest of the page stays. */
export class Boundary extends Component<{ children: ReactNode; on: string }, { error: unknown }> {
  override state: { error: unknown } = { error: null };

  static getDerivedStateFromError(error: unknown): { error: unknown } {
    return { error };
  }

  override componentDidUpdate(before: { on: string }): void {
    if (before.on !== this.props.on && this.state.error !== null) this.setState({ error: null });
  }

  override render(): ReactNode {
    if (this.state.error === null) return this.props.children;
    return <ErrorState error={this.state.error} retry={() => this.setState({ error: null })} />;
  }
}
