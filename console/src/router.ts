import { Store } from './store';

/** A place in the console, as the address behind # says it. */
export type Route =
  | { page: 'overview' }
  | { page: 'model'; model: string; version?: string }
  | { page: 'register' }
  | { page: 'try'; model?: string; version?: string }
  | { page: 'unknown' };

export const link = {
  overview: '#/',
  register: '#/register',
  try: (model?: string, version?: string) => '#/try' + segments(model, version),
  model: (model: string, version?: string) => '#/models' + segments(model, version),
};

export const route = new Store<Route>(parse(location.hash));

addEventListener('hashchange', () => {
  route.value = parse(location.hash);
});

/** Goes there without a new entry in the browser's history. */
export function replace(hash: string): void {
  history.replaceState(null, '', hash);
  route.value = parse(hash);
}

function segments(...names: (string | undefined)[]): string {
  return names.filter(name => name !== undefined).map(name => '/' + encodeURIComponent(name)).join('');
}

function parse(hash: string): Route {
  const [first, model, version, ...rest] = hash.replace(/^#?\/?/, '').split('/').filter(Boolean).map(decode);
  if (rest.length > 0) return { page: 'unknown' };
  switch (first) {
    case undefined:
      return { page: 'overview' };
    case 'models':
      return model === undefined ? { page: 'overview' } : { page: 'model', model, version };
    case 'register':
      return { page: 'register' };
    case 'try':
      return { page: 'try', model, version };
    default:
      return { page: 'unknown' };
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
