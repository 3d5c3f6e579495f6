import type { Model } from '../../api/overview';
import { StatePill } from '../../parts/StatePill';
import { link } from '../../router';

/** Which version of which model. */
export function ModelChoice({ models, model, version }: { models: Model[]; model: string; version?: string }) {
  const versions = models.find(one => one.name === model)?.versions ?? [];
  const shown = versions.find(one => one.version === version);
  return (
    <div class="choice">
      <label>
        <span class="visually-hidden">Model</span>
        <select value={model} onChange={event => (location.hash = link.try(event.currentTarget.value))}>
          {models.every(one => one.name !== model) && <option>{model}</option>}
          {models.map(one => (
            <option key={one.name}>{one.name}</option>
          ))}
        </select>
      </label>
      <label>
        <span class="visually-hidden">Version</span>
        <select value={version} disabled={versions.length < 2} onChange={event => (location.hash = link.try(model, event.currentTarget.value))}>
          {versions.map(one => (
            <option key={one.version} value={one.version}>
              {one.version}
              {one.isDefault ? ' (default)' : ''}
            </option>
          ))}
        </select>
      </label>
      {shown !== undefined && <StatePill state={shown.state} />}
      <a href={link.model(model, version)}>Workers and numbers</a>
    </div>
  );
}
