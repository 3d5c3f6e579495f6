import { useStore } from '../store';
import { nextTheme, theme } from '../theme';
import { Icon } from './Icon';

const icons = { system: 'system', light: 'sun', dark: 'moon' } as const;
const names = { system: 'as the system', light: 'light', dark: 'dark' } as const;

export function ThemeButton() {
  const chosen = useStore(theme);
  return (
    <button type="button" class="quiet icon-only" title={`Colours: ${names[chosen]}`} aria-label={`Colours: ${names[chosen]}. Change`} onClick={nextTheme}>
      <Icon name={icons[chosen]} />
    </button>
  );
}
