/** Numbers as people read them. Null and undefined, which mean "not known", are a dash. */
type Maybe = number | null | undefined;

const dash = '–';
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const one = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const two = new Intl.NumberFormat('en', { maximumFractionDigits: 2 });

export function count(value: Maybe): string {
  return value == null ? dash : whole.format(value);
}

/** Three significant digits or so. */
export function amount(value: Maybe): string {
  if (value == null) return dash;
  return (Math.abs(value) >= 100 ? whole : Math.abs(value) >= 10 ? one : two).format(value);
}

export function milliseconds(value: Maybe): string {
  if (value == null) return dash;
  return value >= 10_000 ? `${amount(value / 1000)} s` : `${amount(value)} ms`;
}

/** A ratio, 1 being 100 %. */
export function percent(value: Maybe): string {
  return value == null ? dash : `${whole.format(value * 100)} %`;
}

export function bytes(value: Maybe): string {
  if (value == null) return dash;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? whole.format(value) : amount(value)} ${units[unit]}`;
}

export function duration(seconds: Maybe): string {
  if (seconds == null || !Number.isFinite(seconds)) return dash;
  const total = Math.max(0, Math.floor(seconds));
  if (total < 60) return `${total} s`;
  if (total < 3600) return `${Math.floor(total / 60)} min ${total % 60} s`;
  if (total < 86_400) return `${Math.floor(total / 3600)} h ${Math.floor((total % 3600) / 60)} min`;
  return `${Math.floor(total / 86_400)} d ${Math.floor((total % 86_400) / 3600)} h`;
}

/** The time of the day, in the reader's zone. */
export function clock(time: string | number | Date | null | undefined): string {
  return time == null ? dash : new Date(time).toLocaleTimeString('en', { hour12: false });
}

export function plural(n: number, singular: string, many = singular + 's'): string {
  return `${count(n)} ${n === 1 ? singular : many}`;
}
