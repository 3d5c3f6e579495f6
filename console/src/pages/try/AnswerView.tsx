import { amount, bytes, percent } from '../../format';
import { Bars } from './Bars';
import { Picture, useAddress } from './Picture';
import { MaskOverlay } from './MaskOverlay';
import type { Box, Shown } from './interpret';
import { Vector } from './Vector';

/** An answer in the shape that suits it. */
export function AnswerView({ shown, picture }: { shown: Shown; picture: Blob | undefined }) {
  switch (shown.kind) {
    case 'labels':
      return (
        <>
          {picture !== undefined && <Picture blob={picture} small />}
          <Bars labels={shown.labels} />
        </>
      );
    case 'boxes':
      return (
        <>
          {picture !== undefined && <Picture blob={picture} overlay={size => <Boxes boxes={shown.boxes} {...size} />} />}
          <ul class="found">
            {shown.boxes.map((box, index) => (
              <li key={index}>
                <span class="swatch" aria-hidden="true" style={{ background: `var(--${colourOf(shown.boxes, box)})` }} />
                {box.label || 'object'} <span class="muted">{box.score === undefined ? '' : percent(box.score)}</span>
              </li>
            ))}
          </ul>
        </>
      );
    case 'mask':
      return <MaskOverlay classes={shown.classes} picture={picture} />;
    case 'vector':
      return <Vector values={shown.values} />;
    case 'picture':
      return <Picture blob={shown.blob} />;
    case 'text':
      return (
        <pre class="block" tabIndex={0} aria-label="Answer">
          {shown.text}
        </pre>
      );
    case 'bytes':
      return <Download blob={shown.blob} />;
  }
}

/** An answer in a sentence, for screen readers. */
export function summaryOf(shown: Shown): string {
  switch (shown.kind) {
    case 'labels':
      return `${shown.labels[0]!.label}, ${amount(shown.labels[0]!.score)}`;
    case 'boxes':
      return `${shown.boxes.length} objects: ${shown.boxes.map(box => box.label).join(', ')}`;
    case 'mask':
      return `a mask of ${shown.classes[0]!.length} by ${shown.classes.length}`;
    case 'vector':
      return `${shown.values.length} numbers`;
    case 'picture':
      return 'a picture';
    case 'text':
      return shown.text.slice(0, 200);
    case 'bytes':
      return bytes(shown.blob.size);
  }
}

function Boxes({ boxes, width, height }: { boxes: Box[]; width: number; height: number }) {
  const areShares = boxes.every(box => box.corners.every(corner => corner <= 1));
  const [sx, sy] = areShares ? [width, height] : [1, 1];
  const unit = Math.max(width, height) / 100;
  return (
    <svg viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
      {boxes.map((box, index) => {
        const [x1, y1, x2, y2] = box.corners;
        const colour = { color: `var(--${colourOf(boxes, box)})` };
        return (
          <g key={index} style={colour}>
            <rect class="box" x={x1 * sx} y={y1 * sy} width={Math.max(0, (x2 - x1) * sx)} height={Math.max(0, (y2 - y1) * sy)} stroke-width={unit * 0.6} />
            <text x={x1 * sx + unit * 0.8} y={y1 * sy + unit * 4} font-size={unit * 3.6} stroke-width={unit * 0.7}>
              {box.label} {box.score === undefined ? '' : percent(box.score)}
            </text>
          </g>
        );
      })}
    </svg>
  );
}

// One for each label, in the order of their first box.
function colourOf(boxes: Box[], box: Box): string {
  const labels = [...new Set(boxes.map(one => one.label))];
  return `series-${(labels.indexOf(box.label) % 9) + 1}`;
}

function Download({ blob }: { blob: Blob }) {
  const address = useAddress(blob);
  return (
    <p>
      <a href={address} download="answer.bin">
        Save the answer
      </a>{' '}
      <span class="muted">{bytes(blob.size)} that are not text</span>
    </p>
  );
}
