import { ApiError, errorOf, path, send } from './client';

/** What is sent to a model. */
export interface Input {
  body: Blob;
  /** What a command line would call it; none for text that was typed. */
  fileName?: string;
  /** Empty: the server is told nothing, and looks itself. */
  contentType: string;
}

/** A measured part of the server's time. */
export interface Timing {
  stage: string;
  milliseconds: number;
}

export interface Answer {
  contentType: string;
  body: Uint8Array<ArrayBuffer>;
  /** As the browser measured it, from sending to the last byte. */
  milliseconds: number;
  timings: Timing[];
  /** How many requests were executed together, this one among them. */
  batch?: number;
  requestId: string | null;
}

/** Runs a model once. */
export async function predict(model: string, version: string, input: Input, signal: AbortSignal, onPart: (soFar: Uint8Array<ArrayBuffer>) => void): Promise<Answer> {
  const began = performance.now();
  const answer = await send('console/predictions/' + path(model, version), {
    method: 'POST',
    body: input.contentType === '' ? new Blob([input.body]) : input.body,
    headers: { 'x-serve-timings': 'true', ...(input.contentType === '' ? {} : { 'Content-Type': input.contentType }) },
    signal,
  });
  if (!answer.ok) throw errorOf(answer.status, await answer.text());
  const body = await readAll(answer, onPart);
  const { timings, batch } = parseServerTiming(answer.headers.get('Server-Timing') ?? '');
  return {
    contentType: answer.headers.get('Content-Type') ?? '',
    body,
    milliseconds: performance.now() - began,
    timings,
    batch,
    requestId: answer.headers.get('x-request-id'),
  };
}

async function readAll(answer: Response, onPart: (soFar: Uint8Array<ArrayBuffer>) => void): Promise<Uint8Array<ArrayBuffer>> {
  if (answer.body === null) return new Uint8Array();
  const reader = answer.body.getReader();
  let held = new Uint8Array(64 * 1024);
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read().catch(error => {
      throw error instanceof DOMException ? error : new ApiError(answer.status, 'Broken', 'The answer broke off: the handler failed, its worker died, or a deadline passed.');
    });
    if (done) return held.subarray(0, length);
    if (length + value.length > held.length) {
      const longer = new Uint8Array(Math.max(2 * held.length, length + value.length));
      longer.set(held.subarray(0, length));
      held = longer;
    }
    held.set(value, length);
    length += value.length;
    onPart(held.subarray(0, length));
  }
}

/** The header Server-Timing (W3C): names with a duration or a description. */
export function parseServerTiming(header: string): { timings: Timing[]; batch?: number } {
  const timings: Timing[] = [];
  let batch: number | undefined;
  for (const metric of header.split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/)) {
    const [name = '', ...parameters] = metric.split(';').map(part => part.trim());
    const value = (key: string): string | undefined =>
      parameters.find(parameter => parameter.startsWith(key + '='))?.slice(key.length + 1).replace(/^"|"$/g, '');
    const duration = Number(value('dur') ?? NaN);
    if (name === 'batch') batch = Number(value('desc') ?? NaN) || undefined;
    else if (name !== '' && Number.isFinite(duration)) timings.push({ stage: name, milliseconds: duration });
  }
  return { timings, batch };
}
