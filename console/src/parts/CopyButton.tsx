import { announce, announceError } from './Announcer';
import { Icon } from './Icon';

export function CopyButton({ text }: { text: string }) {
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      announce('Copied.');
    } catch {
      announceError('The browser does not let this page copy; mark the text instead.');
    }
  };
  return (
    <button type="button" class="small" onClick={() => void copy()}>
      <Icon name="copy" />
      Copy
    </button>
  );
}
