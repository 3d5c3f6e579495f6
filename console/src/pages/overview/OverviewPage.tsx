import { live } from '../../api/live';
import { duration } from '../../format';
import { Empty } from '../../parts/Notice';
import { useStore } from '../../store';
import { DeviceTable } from './DeviceTable';
import { Figures } from './Figures';
import { ModelTable } from './ModelTable';
import { ServerPlots } from './ServerPlots';

/** What the server does now, and did in the last five minutes. */
export function OverviewPage() {
  const latest = useStore(live.latest);
  const connection = useStore(live.connection);
  return (
    <>
      <div class="page-head">
        <h1>Overview</h1>
        {latest !== null && <p class="muted">up {duration(latest.uptimeSeconds)}</p>}
      </div>
      {latest === null ? (
        connection.state === 'connecting' && <Empty icon="refresh" title="Waiting for the first numbers…" />
      ) : (
        <>
          <Figures snapshot={latest} />
          <ServerPlots history={live.history} />
          <ModelTable models={latest.models} />
          <DeviceTable devices={latest.devices} />
        </>
      )}
    </>
  );
}
