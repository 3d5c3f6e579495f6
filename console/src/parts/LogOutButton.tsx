import { goWithoutToken, token } from '../api/token';
import { useStore } from '../store';
import { Icon } from './Icon';

/** Forgets the token, and with it all that the server has shown. Nothing where none was given. */
export function LogOutButton() {
  if (useStore(token) === null) return null;
  return (
    <button type="button" class="quiet icon-only" title="Log out" aria-label="Log out" onClick={goWithoutToken}>
      <Icon name="leave" />
    </button>
  );
}
