import assert from 'node:assert/strict';
import test, { beforeEach, mock } from 'node:test';

// A page before its modules are loaded: what they use of a browser.
const listeners = {};
const listen = (name, listener) => (listeners[name] = listener);
globalThis.document = { baseURI: 'http://localhost:8081/console/', hidden: false, addEventListener: listen };
globalThis.addEventListener = listen;
mock.timers.enable({ apis: ['setTimeout'] });
const { live } = await import('../src/api/live');
const { goWithoutToken, token, useToken } = await import('../src/api/token');

const requests = [];
let answer;
globalThis.fetch = async (url, { headers, signal }) => {
  requests.push({ url: `${url}`, token: headers.Authorization, signal });
  return answer(signal);
};

const streaming = signal => {
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('data: {"time":"2026-01-01T00:00:00Z","models":[]}\n\n'));
      signal.addEventListener('abort', () => controller.error(signal.reason));
    },
  });
  return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } });
};
const unreachable = () => Promise.reject(new TypeError('network error'));
const refusing = () => new Response('{}', { status: 401 });

const becomes = async (what, holds) => {
  for (let turn = 0; turn < 1000 && !holds(); turn++) await new Promise(resolve => setImmediate(resolve));
  assert.ok(holds(), what);
};
const isLive = () => live.connection.value.state === 'live' && live.latest.value !== null;

answer = streaming;
live.start();
beforeEach(async () => {
  answer = streaming;
  document.hidden = false;
  useToken('first');
  await becomes('live', isLive);
  requests.length = 0;
});

test('who logs out leaves nothing on the page, also of a server that cannot be reached', async () => {
  answer = unreachable;
  goWithoutToken();
  assert.equal(live.latest.value, null);
  assert.deepEqual(live.history, []);
  await becomes('lost', () => live.connection.value.state === 'lost');
  assert.equal(live.latest.value, null);
});

test('the same token again is tried again: the server may take it by now', async () => {
  answer = refusing;
  live.reconnect();
  await becomes('refused', () => live.connection.value.state === 'refused');
  answer = streaming;
  useToken('first');
  await becomes('live', isLive);
  assert.deepEqual(requests.map(request => request.token), ['Bearer first', 'Bearer first']);
  assert.equal(token.value, 'first');
});

test('a tab that is not seen gives its connection back, and takes one when it is seen', async () => {
  live.reconnect();
  await becomes('live', () => requests.length === 1 && isLive());
  document.hidden = true;
  listeners.visibilitychange();
  assert.equal(requests[0].signal.aborted, true);
  listeners.online();
  mock.timers.tick(60_000);
  assert.equal(requests.length, 1);
  assert.notEqual(live.latest.value, null);

  document.hidden = false;
  listeners.visibilitychange();
  await becomes('live again', () => requests.length === 2 && isLive());
});
