import { useEffect, useRef, useState } from 'preact/hooks';
import { messageOf } from '../../api/client';
import { Dialog } from '../../parts/Dialog';
import { Notice } from '../../parts/Notice';

/** Takes a photograph. The picture stays in the browser until it is sent to the model. */
export function CameraDialog({ onPicture, onClose }: { onPicture: (picture: File) => void; onClose: () => void }) {
  const video = useRef<HTMLVideoElement>(null);
  const [state, setState] = useState<'asking' | 'ready' | { failed: string }>('asking');
  useEffect(() => {
    let stream: MediaStream | undefined;
    let isClosed = false;
    const stop = (): void => stream?.getTracks().forEach(track => track.stop());
    const start = async (): Promise<void> => {
      try {
        // Browsers have it only where pages cannot be changed on their way.
        if (navigator.mediaDevices === undefined) throw new Error('A browser lends its camera only to pages that come over https or from this machine.');
        stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
        if (isClosed) return stop();
        video.current!.srcObject = stream;
        await video.current!.play();
        setState('ready');
      } catch (error) {
        if (!isClosed) setState({ failed: messageOf(error) });
      }
    };
    void start();
    return () => {
      isClosed = true;
      stop();
    };
  }, []);

  const take = (): void => {
    const seen = video.current!;
    const canvas = new OffscreenCanvas(seen.videoWidth, seen.videoHeight);
    canvas.getContext('2d')!.drawImage(seen, 0, 0);
    void canvas.convertToBlob({ type: 'image/jpeg', quality: 0.92 }).then(blob => onPicture(new File([blob], 'camera.jpg', { type: blob.type })));
  };

  return (
    <Dialog title="Camera" onClose={onClose}>
      {typeof state === 'object' ? <Notice tone="bad">{state.failed}</Notice> : <video ref={video} class="camera" muted playsInline aria-label="What the camera sees" />}
      <div class="actions">
        <button type="button" onClick={onClose}>
          Cancel
        </button>
        <button type="button" class="primary" disabled={state !== 'ready'} onClick={take}>
          Take the picture
        </button>
      </div>
    </Dialog>
  );
}
