import { amount, bytes } from '../../format';
import { Bars } from './Bars';
import { Boxes } from './Boxes';
import { Picture, useAddress } from './Picture';
import { MaskOverlay } from './MaskOverlay';
import type { Shown } from './interpret';
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
      return <Boxes boxes={shown.boxes} picture={picture} />;
    case 'mask':
      return <MaskOverlay classes={shown.classes} picture={picture} />;
    case 'vector':
      return <Vector values={shown.values} />;
    case 'picture':
      return <Picture blob={shown.blob} isAnswer />;
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
      return `${shown.boxes.length} objects: ${shown.boxes.slice(0, 20).map(box => box.label).join(', ')}`;
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
