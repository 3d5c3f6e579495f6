import { useEffect, useRef } from 'preact/hooks';
import { live } from './api/live';
import { Announcer } from './parts/Announcer';
import { ConnectionBanner, ConnectionPill } from './parts/ConnectionState';
import { LogOutButton } from './parts/LogOutButton';
import { Empty } from './parts/Notice';
import { StatePill } from './parts/StatePill';
import { ThemeButton } from './parts/ThemeButton';
import { TokenDialog } from './parts/TokenDialog';
import { ModelPage } from './pages/model/ModelPage';
import { OverviewPage } from './pages/overview/OverviewPage';
import { RegisterPage } from './pages/register/RegisterPage';
import { TryPage } from './pages/try/TryPage';
import { link, route, type Route } from './router';
import { useStore } from './store';

/** Header, navigation, and the page that the address names. */
export function App() {
  const current = useStore(route);
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  const title = titleOf(current);
  useEffect(() => {
    document.title = `${title} · Serve`;
  }, [title]);

  // Another version or model on the same page was chosen in it: the focus stays where that was done.
  useEffect(() => {
    if (!first.current) {
      scrollTo(0, 0);
      main.current?.focus({ preventScroll: true });
    }
    first.current = false;
  }, [current.page]);
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={event => {
          event.preventDefault(); // what follows # is the page's address
          main.current?.focus();
        }}
      >
        Skip to content
      </a>
      <Header current={current} />
      <div role="status" class="banners">
        <ConnectionBanner />
      </div>
      <main id="main" ref={main} tabIndex={-1}>
        <Page current={current} />
      </main>
      <Footer />
      <Announcer />
      <TokenDialog />
    </>
  );
}

function Header({ current }: { current: Route }) {
  const latest = useStore(live.latest);
  const at = (page: Route['page']) => (current.page === page ? 'page' : undefined);
  return (
    <header class="top">
      <a class="brand" href={link.overview}>
        <img src="icon.svg" alt="" width="24" height="24" />
        Serve
      </a>
      <nav aria-label="Main">
        <a href={link.overview} aria-current={at('overview')}>
          Overview
        </a>
        <a href={link.try()} aria-current={at('try')}>
          Try it
        </a>
        <a href={link.register} aria-current={at('register')}>
          Register
        </a>
      </nav>
      <div class="status">
        {latest !== null && <StatePill state={latest.health} />}
        <ConnectionPill />
        <ThemeButton />
        <LogOutButton />
      </div>
    </header>
  );
}

function Page({ current }: { current: Route }) {
  switch (current.page) {
    case 'overview':
      return <OverviewPage />;
    case 'model':
      return <ModelPage key={current.model} model={current.model} version={current.version} />;
    case 'register':
      return <RegisterPage />;
    case 'try':
      return <TryPage model={current.model} version={current.version} />;
    case 'unknown':
      return (
        <Empty icon="alert" title="There is no such page.">
          <a href={link.overview}>Go to the overview</a>
        </Empty>
      );
  }
}

function Footer() {
  const latest = useStore(live.latest);
  return (
    <footer>
      {latest !== null && <span>Serve {latest.version}</span>}
      <a href="licenses.txt">Licenses</a>
    </footer>
  );
}

function titleOf(current: Route): string {
  switch (current.page) {
    case 'overview':
      return 'Overview';
    case 'model':
      return current.model;
    case 'register':
      return 'Register';
    case 'try':
      return current.model === undefined ? 'Try it' : `Try ${current.model}`;
    case 'unknown':
      return 'Not found';
  }
}
