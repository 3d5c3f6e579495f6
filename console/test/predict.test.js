import assert from 'node:assert/strict';
import test from 'node:test';
import { parseServerTiming, predict } from '../src/api/predict';

const input = { body: new Blob(['x']), contentType: 'text/plain' };
const answering = body => {
  globalThis.document = { baseURI: 'http://localhost:8081/console/' };
  globalThis.fetch = async () => new Response(body, { headers: { 'Content-Type': 'text/plain', 'Server-Timing': 'queue;dur=1.5, batch;desc="3"' } });
};

test('an answer in many parts is whole, and shown as it grows', async () => {
  const parts = Array.from({ length: 300 }, (_, part) => new Uint8Array(1000).fill(part % 251));
  answering(ReadableStream.from(parts));
  const lengths = [];
  const answer = await predict('m', '1.0', input, new AbortController().signal, soFar => lengths.push(soFar.length));
  assert.deepEqual(lengths, parts.map((_, part) => 1000 * (part + 1)));
  assert.deepEqual(Buffer.from(answer.body), Buffer.concat(parts));
  assert.deepEqual([answer.timings, answer.batch], [[{ stage: 'queue', milliseconds: 1.5 }], 3]);
});

test('an answer that breaks off says so', async () => {
  answering(ReadableStream.from((function* () {
    yield new Uint8Array(10);
    throw new Error('network error');
  })()));
  await assert.rejects(predict('m', '1.0', input, new AbortController().signal, () => {}), /The answer broke off/);
});

test('commas and semicolons in a description are its own', () => {
  assert.deepEqual(parseServerTiming('a;desc="x, y";dur=2, b;dur=3, c'), { timings: [{ stage: 'a', milliseconds: 2 }, { stage: 'b', milliseconds: 3 }], batch: undefined });
});
