import { path } from '../../api/client';
import type { Input } from '../../api/predict';

/** The same request from a program, to the listener that is for inference. */
export interface Command {
  address: string;
  input: Input;
  /** What was typed. */
  text?: string;
  needsToken: boolean;
}

/** Where inference listens, as seen from where the page is. */
export function inferenceAddress(told: string | undefined, model: string, version: string): string {
  const here = new URL(document.baseURI);
  const listener = new URL(told ?? `${here.protocol}//${here.hostname}:8080`);
  if (['0.0.0.0', '[::]'].includes(listener.hostname)) listener.hostname = here.hostname;
  return new URL('predictions/' + path(model, version), listener).href;
}

export function curl({ address, input, text, needsToken }: Command): string {
  const parts = ['curl'];
  // curl has meanings of its own for brackets and braces in a file's name, and for an @ at the beginning of data that are not raw.
  if (input.fileName !== undefined) parts.push(...(/[[\]{}]/.test(input.fileName) ? ['-g'] : []), `-T ${quote(input.fileName)}`);
  if (isTold(input)) parts.push(`-H ${quote(`Content-Type: ${input.contentType}`)}`);
  if (input.fileName === undefined) parts.push(`--data-raw ${quote(text ?? '')}`);
  if (needsToken) parts.push('-H "Authorization: Bearer $SERVE_TOKEN"');
  parts.push(quote(address));
  return parts.join(' ');
}

export function python({ address, input, text, needsToken }: Command): string {
  const headers: string[] = [];
  if (isTold(input)) headers.push(`"Content-Type": ${literal(input.contentType)}`);
  if (needsToken) headers.push('"Authorization": "Bearer " + os.environ["SERVE_TOKEN"]');
  const given = headers.length === 0 ? '' : `, headers={${headers.join(', ')}}`;
  const imports = needsToken ? 'import os\n\nimport requests\n\n' : 'import requests\n\n';
  const call = (data: string): string => `answer = requests.post(${literal(address)}, data=${data}${given})`;
  const body = input.fileName === undefined ? call(`${literal(text ?? '')}.encode()`) : `with open(${literal(input.fileName)}, "rb") as file:\n    ${call('file')}`;
  return `${imports}${body}\nanswer.raise_for_status()\nprint(answer.text)`;
}

// Whether the server has to be told what it is; a picture shows it by its first bytes.
function isTold({ contentType }: Input): boolean {
  return contentType !== '' && !contentType.startsWith('image/');
}

// A word for a POSIX shell.
function quote(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

// What JSON escapes, Python escapes alike.
function literal(text: string): string {
  return JSON.stringify(text);
}
