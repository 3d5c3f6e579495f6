import { useEffect, useState } from 'preact/hooks';
import { live } from '../api/live';
import { askForToken } from '../api/token';
import { useStore } from '../store';
import { StatePill } from './StatePill';

/** Whether what the page shows is of now. */
export function ConnectionPill() {
  const connection = useStore(live.connection);
  const words = { connecting: 'Connecting', live: 'Live', lost: 'Disconnected', refused: 'No token' } as const;
  return <StatePill state={words[connection.state]} />;
}

/** Says that it is not, why, and when it is tried again. */
export function ConnectionBanner() {
  const connection = useStore(live.connection);
  const latest = useStore(live.latest);
  if (connection.state === 'refused') {
    return (
      <div class="banner">
        <span>The server shows this only with a management token.</span>
        <button type="button" onClick={askForToken}>
          Enter a token
        </button>
      </div>
    );
  }
  if (connection.state !== 'lost') return null;
  return (
    <div class="banner bad">
      <span>
        <strong>Disconnected.</strong> {connection.reason} {latest !== null && 'What is shown is not of now. '}
        <Countdown until={connection.retryAt} />
      </span>
      <button type="button" onClick={() => live.reconnect()}>
        Connect now
      </button>
    </div>
  );
}

// Not for screen readers: a number that changes each second would never let them finish.
function Countdown({ until }: { until: number }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, []);
  const left = Math.ceil((until - now) / 1000);
  return <span aria-hidden="true">{left > 0 ? `Next attempt in ${left} s.` : 'Connecting…'}</span>;
}
