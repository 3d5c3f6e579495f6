import { Store } from './store';

/** What the reader has chosen; "system" follows the operating system. */
export type Theme = 'system' | 'light' | 'dark';

const key = 'serve-console-theme';
const themes: Theme[] = ['system', 'light', 'dark'];

export const theme = new Store<Theme>(read());

/** Counts how often colours have changed, for what has to be drawn again: plots. */
export const colours = new Store(0);

export function nextTheme(): void {
  theme.value = themes[(themes.indexOf(theme.value) + 1) % themes.length]!;
  try {
    localStorage.setItem(key, theme.value);
  } catch {
    // Storage is switched off: the choice holds until the page is left.
  }
  applyTheme();
}

export function applyTheme(): void {
  if (theme.value === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
  colours.value++;
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => colours.value++);

function read(): Theme {
  try {
    return themes.find(theme => theme === localStorage.getItem(key)) ?? 'system';
  } catch {
    return 'system';
  }
}
