import { percent } from '../format';

/** A ratio as a bar with its number. */
export function Meter({ value, label, tone = 'accent' }: { value: number | null | undefined; label: string; tone?: 'accent' | 'good' | 'warn' | 'bad' }) {
  if (value == null) return <span class="muted">–</span>;
  return (
    <span class="meter" role="img" aria-label={`${label}: ${percent(value)}`}>
      <span class="track">
        <span class={`fill ${tone}`} style={{ width: `${Math.min(1, Math.max(0, value)) * 100}%` }} />
      </span>
      <span class="number">{percent(value)}</span>
    </span>
  );
}
