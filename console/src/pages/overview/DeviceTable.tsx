import type { Device } from '../../api/overview';
import { amount, bytes } from '../../format';
import { Meter } from '../../parts/Meter';
import { Table, type Column } from '../../parts/Table';

const all: Column<Device>[] = [
  {
    title: 'Device',
    cell: device => (
      <>
        {device.device} {device.name !== undefined && device.name !== device.device && <span class="muted">{device.name}</span>}
      </>
    ),
  },
  { title: 'Use', cell: device => <Meter value={device.utilizationRatio} label="Use" /> },
  {
    title: 'Memory',
    cell: device => (
      <Meter value={device.memoryUsedBytes !== undefined && device.memoryTotalBytes ? device.memoryUsedBytes / device.memoryTotalBytes : undefined} label="Memory used" />
    ),
  },
  { title: 'Used of', numeric: true, cell: device => `${bytes(device.memoryUsedBytes)} of ${bytes(device.memoryTotalBytes)}` },
  { title: 'Power', numeric: true, cell: device => (device.powerWatts === undefined ? '–' : `${amount(device.powerWatts)} W`) },
];

export function DeviceTable({ devices }: { devices: Device[] }) {
  if (devices.length === 0) return null;
  const columns = all.filter(column => column.title !== 'Power' || devices.some(device => device.powerWatts !== undefined));
  return (
    <section class="card" aria-labelledby="devices">
      <div class="card-head">
        <h2 id="devices">Devices</h2>
      </div>
      <Table label="Devices" columns={columns} rows={devices} keyOf={device => device.device} />
    </section>
  );
}
