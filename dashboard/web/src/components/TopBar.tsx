import { useState } from "react";
import { useMe } from "../api/queries";
import { applyTheme, storedTheme, type Theme } from "../lib/hooks";
import { useShortcuts } from "../lib/keyboard";
import { Icon, type IconName } from "./Icon";
import { Link } from "./Link";

const NEXT: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };
const ICONS: Record<Theme, IconName> = { system: "screen", light: "sun", dark: "moon" };
const WORDS: Record<Theme, string> = { system: "as the system", light: "light", dark: "dark" };

export function TopBar({ help }: { help: () => void }) {
  const me = useMe();
  const [theme, setTheme] = useState<Theme>(storedTheme);
  const toggle = (): void => {
    applyTheme(NEXT[theme]);
    setTheme(NEXT[theme]);
  };
  useShortcuts({ t: toggle });
  return (
    <header className="topbar">
      <Link href="/" className="brand">
        <svg width="20" height="20" viewBox="0 0 32 32" aria-hidden="true">
          <path d="M3 11c4.3-5 8.6-5 13 0s8.6 5 13 0M3 21c4.3-5 8.6-5 13 0s8.6 5 13 0" />
        </svg>
        Headwater
      </Link>
      <nav aria-label="Main">
        <Link href="/">Runs</Link>
        <Link href="/compare">Compare</Link>
        <Link href="/templates">Templates</Link>
      </nav>
      <span className="grow" />
      {me.data?.user ? <span className="quiet">{me.data.user}</span> : null}
      <button type="button" className="button ghost" onClick={toggle} aria-label={`Colours: ${WORDS[theme]}`} title={`Colours: ${WORDS[theme]} (t)`}>
        <Icon name={ICONS[theme]} />
      </button>
      <button type="button" className="button ghost" onClick={help} aria-label="Keyboard help" title="Keyboard (?)">
        <Icon name="question" />
      </button>
    </header>
  );
}
