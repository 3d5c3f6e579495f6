import { amount, percent } from '../../format';

const most = 10;

/** Labels with their scores, the best first. */
export function Bars({ labels }: { labels: { label: string; score: number }[] }) {
  const areShares = labels.every(one => one.score >= 0 && one.score <= 1);
  const longest = areShares ? 1 : labels.reduce((most, one) => Math.max(most, Math.abs(one.score)), Number.MIN_VALUE);
  return (
    <>
      <ul class="bars labels" aria-label="Labels">
        {labels.slice(0, most).map((one, index) => (
          <li key={one.label}>
            <span>{index === 0 ? <strong>{one.label}</strong> : one.label}</span>
            <span class="bar">
              <span class="fill" style={{ width: `${(Math.max(0, one.score) / longest) * 100}%` }} />
            </span>
            <span class="number">{areShares ? (one.score < 0.1 ? `${amount(one.score * 100)} %` : percent(one.score)) : amount(one.score)}</span>
          </li>
        ))}
      </ul>
      {labels.length > most && <p class="muted">and {labels.length - most} more</p>}
    </>
  );
}
