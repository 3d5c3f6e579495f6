/** A number that one looks for first; an element of a list of them. */
export function Figure({ name, value, unit, tone }: { name: string; value: string; unit: string; tone?: 'bad' | 'warn' }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class={tone}>{value}</dd>
      <dd class="unit">{unit}</dd>
    </div>
  );
}
