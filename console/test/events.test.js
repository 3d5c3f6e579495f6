import assert from 'node:assert/strict';
import test from 'node:test';
import { events } from '../src/api/events';

async function read(...chunks) {
  const all = [];
  for await (const data of events(ReadableStream.from(chunks.map(text => new TextEncoder().encode(text))))) all.push(data);
  return all;
}

test('events may be cut anywhere, and end by any of three line ends', async () => {
  assert.deepEqual(await read('data: a\n\ndata: b\r\n\r\ndata: c\r\r'), ['a', 'b']); // the last \r may be half of an end
  assert.deepEqual(await read('da', 'ta: a', '\r', '\n\r', '\ndata:b\n', '\n'), ['a', 'b']);
  assert.deepEqual(await read('data: a\ndata: b\n\n'), ['a\nb']);
});

test('comments, other fields and what is not ended are no events', async () => {
  assert.deepEqual(await read(': hello\n\nid: 3\nevent: x\n\ndata: half'), []);
});

test('a letter of several bytes may be cut', async () => {
  const bytes = new TextEncoder().encode('data: ü\n\n');
  const all = [];
  for await (const data of events(ReadableStream.from([bytes.slice(0, 7), bytes.slice(7)]))) all.push(data);
  assert.deepEqual(all, ['ü']);
});
