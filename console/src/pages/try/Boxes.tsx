import { percent } from '../../format';
import { areShares, type Box } from './interpret';
import { Picture } from './Picture';

const most = 200;

/** What was found in a picture, and where. */
export function Boxes({ boxes, picture }: { boxes: Box[]; picture: Blob | undefined }) {
  const shown = boxes.slice(0, most);
  const colours = coloursOf(shown);
  return (
    <>
      {picture !== undefined && <Picture blob={picture} overlay={size => <Overlay boxes={shown} colours={colours} {...size} />} />}
      <ul class="found">
        {shown.map((box, index) => (
          <li key={index}>
            <span class="swatch" aria-hidden="true" style={{ background: `var(--${colours.get(box.label)})` }} />
            {box.label || 'object'} <span class="muted">{box.score === undefined ? '' : percent(box.score)}</span>
          </li>
        ))}
      </ul>
      {boxes.length > most && <p class="muted">and {boxes.length - most} more</p>}
    </>
  );
}

function Overlay({ boxes, colours, width, height }: { boxes: Box[]; colours: Map<string, string>; width: number; height: number }) {
  const [sx, sy] = areShares(boxes, Math.max(width, height)) ? [width, height] : [1, 1];
  const unit = Math.max(width, height) / 100;
  return (
    <svg viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
      {boxes.map((box, index) => {
        const [x1, y1, x2, y2] = box.corners;
        return (
          <g key={index} style={{ color: `var(--${colours.get(box.label)})` }}>
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
function coloursOf(boxes: Box[]): Map<string, string> {
  return new Map([...new Set(boxes.map(box => box.label))].map((label, index) => [label, `series-${(index % 9) + 1}`]));
}
