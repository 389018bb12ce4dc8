import { lazy, Suspense, useState } from "react";
import { Help } from "./components/Help";
import { focusSearch } from "./components/SearchField";
import { Boundary, Empty, Loading } from "./components/States";
import { TopBar } from "./components/TopBar";
import { Link } from "./components/Link";
import { useShortcuts } from "./lib/keyboard";
import { usePathname } from "./lib/location";
import { parseRoute, type Route } from "./lib/route";
import { RunsView } from "./views/runs/RunsView";

const RunView = lazy(() => import("./views/run/RunView"));
const TemplatesView = lazy(() => import("./views/templates/TemplatesView"));
const CompareView = lazy(() => import("./views/compare/CompareView"));

export function App() {
  const [help, setHelp] = useState(false);
  const pathname = usePathname();
  useShortcuts({ "/": focusSearch, "?": () => setHelp(true) });
  return (
    <>
      <a className="skip" href="#main">
        To the content
      </a>
      <TopBar help={() => setHelp(true)} />
      <main id="main" tabIndex={-1}>
        <Boundary on={pathname}>
          <Suspense fallback={<Loading what="the view" />}>
            <View route={parseRoute(pathname)} />
          </Suspense>
        </Boundary>
      </main>
      {help ? <Help close={() => setHelp(false)} /> : null}
    </>
  );
}

function View({ route }: { route: Route }) {
  switch (route.view) {
    case "runs":
      return <RunsView />;
    case "run":
      return <RunView key={route.id} id={route.id} tab={route.tab} />;
    case "compare":
      return <CompareView />;
    case "templates":
      return <TemplatesView chosen={route.template} />;
    case "unknown":
      return (
        <Empty title="No such page">
          <p>The address leads nowhere: it may be mistyped, or from another version.</p>
          <p>
            <Link className="button" href="/">
              All runs
            </Link>
          </p>
        </Empty>
      );
  }
}
