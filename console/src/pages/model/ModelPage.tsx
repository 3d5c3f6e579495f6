import { live } from '../../api/live';
import { findVersion, type Version } from '../../api/overview';
import { clock } from '../../format';
import { Empty, Notice } from '../../parts/Notice';
import { StatePill } from '../../parts/StatePill';
import { link } from '../../router';
import { useStore } from '../../store';
import { AboutVersion } from './AboutVersion';
import { BatchSizes } from './BatchSizes';
import { VersionActions } from './VersionActions';
import { VersionFigures } from './VersionFigures';
import { VersionPlots } from './VersionPlots';
import { Workers } from './Workers';

/** One version of a model: the one that the address names, or the default. */
export function ModelPage({ model, version }: { model: string; version?: string }) {
  const latest = useStore(live.latest);
  if (latest === null) return <h1>{model}</h1>;
  const versions = latest.models.find(one => one.name === model)?.versions ?? [];
  const shown = findVersion(latest, model, version);
  if (shown === undefined) {
    return (
      <>
        <h1>{model}</h1>
        <Empty icon="box" title={versions.length === 0 ? 'No model of this name is registered.' : `It has no version ${version}.`}>
          {versions.length === 0 ? <a href={link.overview}>Go to the overview</a> : <a href={link.model(model)}>Go to its default version</a>}
        </Empty>
      </>
    );
  }
  return (
    <>
      <div class="page-head">
        <h1>{model}</h1>
        <Versions model={model} versions={versions} shown={shown.version} />
        <StatePill state={shown.state} />
        <VersionActions key={`actions ${shown.version}`} model={model} version={shown} />
      </div>
      <Trouble version={shown} />
      <VersionFigures version={shown} />
      <VersionPlots key={shown.version} model={model} version={shown.version} />
      <Workers key={`workers ${shown.version}`} model={model} version={shown} now={latest.time} />
      <div class="columns">
        <BatchSizes model={model} version={shown} />
        <AboutVersion model={model} version={shown.version} />
      </div>
    </>
  );
}

function Versions({ model, versions, shown }: { model: string; versions: Version[]; shown: string }) {
  return (
    <nav class="segments" aria-label="Versions">
      {versions.map(one => (
        <a key={one.version} href={link.model(model, one.version)} aria-current={one.version === shown ? 'page' : undefined}>
          {one.version}
          {one.isDefault && <span class="muted">default</span>}
        </a>
      ))}
    </nav>
  );
}

// What an operator has to know first.
function Trouble({ version }: { version: Version }) {
  const { reason, lastError } = version;
  const isUp = version.state === 'Ready' || version.state === 'Idle';
  return (
    <>
      {reason !== undefined && <Notice tone={version.state === 'Failed' ? 'bad' : 'warn'} title={`${version.state}:`}>{reason}</Notice>}
      {lastError !== undefined && lastError.message !== reason && (
        <Notice tone={isUp ? 'info' : 'warn'} title={`Last error, ${clock(lastError.time)}:`}>
          {lastError.message}
        </Notice>
      )}
    </>
  );
}
