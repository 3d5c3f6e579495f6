import { Store, useStore } from '../store';
import { Icon } from './Icon';

interface Message {
  id: number;
  text: string;
  tone: 'good' | 'bad';
}

const messages = new Store<Message[]>([]);
const shownFor = 6_000;
let last = 0;

/** Tells what has been done; gone after some seconds. */
export function announce(text: string): void {
  const id = add(text, 'good');
  setTimeout(() => dismiss(id), shownFor);
}

/** Tells what has failed; stays until it is dismissed. */
export function announceError(text: string): void {
  add(text, 'bad');
}

function add(text: string, tone: Message['tone']): number {
  const id = ++last;
  messages.value = [...messages.value.filter(one => one.text !== text).slice(-3), { id, text, tone }];
  return id;
}

function dismiss(id: number): void {
  messages.value = messages.value.filter(one => one.id !== id);
}

/** Where the messages appear, and are read out. Always in the page: a live region that comes with its text is often not read. */
export function Announcer() {
  const all = useStore(messages);
  return (
    <div class="toasts">
      <div role="status">{all.filter(one => one.tone === 'good').map(toast)}</div>
      <div role="alert">{all.filter(one => one.tone === 'bad').map(toast)}</div>
    </div>
  );
}

function toast(message: Message) {
  return (
    <div class={`toast ${message.tone}`} key={message.id}>
      <Icon name={message.tone === 'good' ? 'check' : 'alert'} />
      <span>{message.text}</span>
      <button type="button" class="quiet icon-only" aria-label="Dismiss" onClick={() => dismiss(message.id)}>
        <Icon name="close" />
      </button>
    </div>
  );
}
