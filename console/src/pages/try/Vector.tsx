import { amount, count } from '../../format';

const most = 512;
const height = 64;

/** An embedding: its length, its norm, and its numbers as a row of bars. */
export function Vector({ values }: { values: number[] }) {
  const norm = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  const shown = values.slice(0, most);
  const peak = Math.max(...shown.map(Math.abs), Number.MIN_VALUE);
  return (
    <>
      <dl class="facts">
        <div>
          <dt>Numbers</dt>
          <dd>{count(values.length)}</dd>
        </div>
        <div>
          <dt>Norm</dt>
          <dd>{amount(norm)}</dd>
        </div>
        <div>
          <dt>Largest</dt>
          <dd>{amount(peak)}</dd>
        </div>
      </dl>
      <svg class="vector" viewBox={`0 0 ${shown.length} ${height}`} preserveAspectRatio="none" role="img" aria-label={`The first ${shown.length} of ${values.length} numbers`}>
        {shown.map((value, index) => {
          const size = (Math.abs(value) / peak) * (height / 2);
          return <rect key={index} x={index} y={value >= 0 ? height / 2 - size : height / 2} width={0.9} height={size} />;
        })}
      </svg>
      <pre class="block" tabIndex={0} aria-label="Numbers">
        [{values.slice(0, 64).join(', ')}
        {values.length > 64 ? `, … ${values.length - 64} more` : ''}]
      </pre>
    </>
  );
}
