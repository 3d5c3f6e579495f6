import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';

const tiny = 128; // pixels: such pictures are shown larger, and not smoothed

/** An address for a blob, for as long as the component is there. */
export function useAddress(blob: Blob): string {
  const [held, setHeld] = useState<{ blob: Blob; address: string } | null>(null);
  useEffect(() => {
    const address = URL.createObjectURL(blob);
    setHeld({ blob, address });
    return () => URL.revokeObjectURL(address);
  }, [blob]);
  return held?.blob === blob ? held.address : '';
}

interface Props {
  blob: Blob;
  /** Whether the model has made it; else it was sent. */
  isAnswer?: boolean;
  small?: boolean;
  /** Something over it, in the picture's own pixels. */
  overlay?: (size: { width: number; height: number }) => ComponentChildren;
}

/** A picture with what was found in it. */
export function Picture({ blob, isAnswer = false, small = false, overlay }: Props) {
  const address = useAddress(blob);
  const [size, setSize] = useState<{ width: number; height: number } | null>(null);
  const [isBroken, setBroken] = useState(false);
  useEffect(() => setBroken(false), [blob]);
  if (isBroken) return <p class="muted">The browser cannot show this picture.</p>;
  const isTiny = size !== null && Math.max(size.width, size.height) < tiny;
  return (
    <div class={`picture ${isAnswer ? '' : 'sent'} ${small ? 'small' : ''} ${isTiny ? 'tiny' : ''}`}>
      {address !== '' && (
        <img
          src={address}
          alt={isAnswer ? 'What was answered' : 'What was sent'}
          style={isTiny ? { width: `${((small ? 112 : 224) * size.width) / size.height}px` } : undefined}
          onLoad={event => setSize({ width: event.currentTarget.naturalWidth, height: event.currentTarget.naturalHeight })}
          onError={() => setBroken(true)}
        />
      )}
      {size !== null && overlay?.(size)}
    </div>
  );
}
