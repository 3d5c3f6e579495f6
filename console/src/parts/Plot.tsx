import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useStore } from '../store';
import { colours } from '../theme';

export interface Series {
  label: string;
  values: (number | null)[];
  /** The name of a colour in the style sheet, without its dashes. */
  colour: string;
}

interface Props {
  title: string;
  /** Seconds since 1970, ascending. */
  times: number[];
  series: Series[];
  format: (value: number | null | undefined) => string;
  /** Each series on top of those before it. */
  stacked?: boolean;
  /** The least that the axis reaches up to. */
  atLeast?: number;
  empty?: string;
  /** Takes the room of two. */
  wide?: boolean;
}

const height = 132;
const [shortest, longest] = [60, 300]; // seconds; a page that was just opened has little to show

/** Lines over the last five minutes, with the numbers of the last moment, or of the one under the pointer. */
export function Plot({ title, times, series, format, stacked = false, atLeast = 0, empty, wide = false }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [at, setAt] = useState<number | null>(null);
  const colour = useStore(colours);
  const shape = series.map(one => one.label + one.colour).join();
  const drawn = stacked ? stack(series) : series;
  const data: uPlot.AlignedData = [times, ...drawn.map(one => one.values)];

  useLayoutEffect(() => {
    const made = new uPlot(options(place.current!, drawn, format, stacked, atLeast, setAt), data, place.current!);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: place.current!.clientWidth, height }));
    observer.observe(place.current!);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape, colour, stacked]);

  useEffect(() => plot.current?.setData(data));

  const shown = at !== null && at < times.length ? at : times.length - 1;
  const hasData = series.some(one => one.values.some(value => value !== null));
  return (
    <figure class={wide ? 'plot wide' : 'plot'}>
      <figcaption>
        <h3>{title}</h3>
        <ul class="legend">
          {series.map(one => (
            <li key={one.label}>
              <span class="swatch" aria-hidden="true" style={{ background: `var(--${one.colour})` }} />
              {one.label} <b>{format(one.values[shown])}</b>
            </li>
          ))}
        </ul>
      </figcaption>
      <div class="canvas" ref={place} aria-hidden="true" />
      {!hasData && <p class="nothing">{empty ?? 'Nothing to show yet.'}</p>}
    </figure>
  );
}

function options(place: HTMLElement, series: Series[], format: Props['format'], stacked: boolean, atLeast: number, setAt: (index: number | null) => void): uPlot.Options {
  const named = (name: string): string => resolve(place, name);
  const axis = { stroke: named('muted'), font: '11px system-ui, sans-serif', ticks: { show: false }, grid: { stroke: named('grid'), width: 1 } };
  return {
    width: Math.max(1, place.clientWidth),
    height,
    padding: [8, 4, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: !stacked, size: 6 } },
    hooks: { setCursor: [self => setAt(self.cursor.idx ?? null)] },
    scales: {
      x: { time: true, range: (_, min, max) => [max - Math.min(longest, Math.max(shortest, max - min)), max] },
      y: { range: (_, __, max) => [0, max == null ? Math.max(atLeast, 1) : Math.max(atLeast, max * 1.1, 1e-3)] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 22, space: 80, values: (_, ticks) => ticks.map(tick => timeOf(tick, ticks)), incrs: [15, 30, 60, 120] },
      { ...axis, size: 54, space: 32, values: (_, ticks) => ticks.map(tick => format(tick)) },
    ],
    series: [
      {},
      ...series.map(
        (one): uPlot.Series => ({
          label: one.label,
          stroke: named(one.colour),
          width: stacked ? 1 : 1.75,
          fill: stacked ? named(one.colour) : undefined,
          points: { show: false },
        }),
      ),
    ],
  };
}

// With seconds where they differ.
function timeOf(tick: number, ticks: number[]): string {
  const seconds = ticks.some(one => one % 60 !== 0) ? ({ second: '2-digit' } as const) : {};
  return new Date(tick * 1000).toLocaleTimeString('en', { hour12: false, hour: '2-digit', minute: '2-digit', ...seconds });
}

// What a colour of the style sheet is in the scheme of now: a canvas knows no variables.
function resolve(place: HTMLElement, name: string): string {
  place.style.color = `var(--${name})`;
  return getComputedStyle(place).color;
}

// The highest is drawn first, and those below it over it.
function stack(series: Series[]): Series[] {
  const sums: number[] = [];
  const tops = series.map(one => ({
    ...one,
    values: one.values.map((value, index) => {
      if (value === null) return null;
      return (sums[index] = (sums[index] ?? 0) + value);
    }),
  }));
  return tops.reverse();
}
