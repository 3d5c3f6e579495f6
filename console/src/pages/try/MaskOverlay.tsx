import { useEffect, useRef, useState } from 'preact/hooks';
import { percent } from '../../format';
import { Picture } from './Picture';

/** The classes of a picture's pixels, drawn over it. Class 0 is the background, which stays clear. */
export function MaskOverlay({ classes, picture }: { classes: number[][]; picture: Blob | undefined }) {
  const [opacity, setOpacity] = useState(0.6);
  const shares = sharesOf(classes);
  return (
    <>
      {picture === undefined ? (
        <div class="picture">
          <Mask classes={classes} opacity={1} />
        </div>
      ) : (
        <Picture blob={picture} overlay={() => <Mask classes={classes} opacity={opacity} />} />
      )}
      {picture !== undefined && (
        <label class="field">
          Strength of the mask
          <input type="range" min={0} max={1} step={0.05} value={opacity} onInput={event => setOpacity(event.currentTarget.valueAsNumber)} />
        </label>
      )}
      <ul class="found">
        {shares.map(([number, share]) => (
          <li key={number}>
            <span class="swatch" aria-hidden="true" style={{ background: number === 0 ? 'transparent' : colourOf(number) }} />
            class {number} <span class="muted">{percent(share)}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

function Mask({ classes, opacity }: { classes: number[][]; opacity: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, height] = [classes[0]!.length, classes.length];
  useEffect(() => {
    const context = canvas.current!.getContext('2d')!;
    const image = context.createImageData(width, height);
    const colours = new Map<number, number[]>();
    classes.forEach((row, y) =>
      row.forEach((number, x) => {
        if (number === 0) return;
        let colour = colours.get(number);
        if (colour === undefined) colours.set(number, (colour = rgbaOf(context, colourOf(number))));
        image.data.set(colour, 4 * (y * width + x));
      }),
    );
    context.putImageData(image, 0, 0);
  }, [classes]);
  return <canvas ref={canvas} width={width} height={height} style={{ opacity }} aria-hidden="true" />;
}

function sharesOf(classes: number[][]): [number, number][] {
  const counts = new Map<number, number>();
  for (const number of classes.flat()) counts.set(number, (counts.get(number) ?? 0) + 1);
  const all = classes.length * classes[0]!.length;
  return [...counts].map(([number, count]): [number, number] => [number, count / all]).sort((a, b) => b[1] - a[1]).slice(0, 20);
}

// A canvas tells a style's colour as #rrggbb.
function rgbaOf(context: CanvasRenderingContext2D, style: string): number[] {
  context.fillStyle = style;
  return [1, 3, 5].map(at => parseInt(context.fillStyle.toString().slice(at, at + 2), 16)).concat(255);
}

// Neighbouring numbers lie far apart on the circle of hues.
function colourOf(number: number): string {
  return `hsl(${(number * 137.5) % 360} 75% 50%)`;
}
