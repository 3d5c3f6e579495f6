import type { ComponentChildren } from 'preact';
import { Icon, type IconName } from './Icon';

/** A place where something would be: why there is nothing, and what can be done. */
export function Empty({ icon, title, children }: { icon: IconName; title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <Icon name={icon} />
      <p class="title">{title}</p>
      {children !== undefined && <div>{children}</div>}
    </div>
  );
}

/** Something that the reader should know of. */
export function Notice({ tone, title, children }: { tone: 'info' | 'warn' | 'bad'; title?: string; children?: ComponentChildren }) {
  return (
    <div class={`notice ${tone}`} role="note">
      {tone !== 'info' && <Icon name="alert" />}
      <div>
        {title !== undefined && <strong>{title}</strong>}
        {children}
      </div>
    </div>
  );
}
