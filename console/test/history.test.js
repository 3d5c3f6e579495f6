import assert from 'node:assert/strict';
import test from 'node:test';
import { columns, remember } from '../src/api/history';

const at = second => ({ time: new Date(1e12 + second * 1000).toISOString(), requestsPerSecond: second, models: [{ name: 'm', versions: [{ version: '1.0', workers: [{ id: 'a' }] }] }] });
const after = (...seconds) => seconds.reduce((kept, second) => remember(kept, at(second)), []);
const seconds = kept => kept.map(one => one.requestsPerSecond);

test('five minutes are kept, without workers', () => {
  assert.deepEqual(seconds(after(0, 1, 200, 301)), [1, 200, 301]);
  assert.deepEqual(after(0)[0].models[0].versions[0].workers, []);
});

test('after a clock was set back, time goes on from there', () => {
  assert.deepEqual(seconds(after(10, 11, 12, 5, 6)), [5, 6]);
  const { times } = columns(after(10, 11, 12, 11.5, 12.5));
  assert.deepEqual(times, [...times].sort((a, b) => a - b));
});

test('a gap in time is a gap in the lines', () => {
  const { times, of } = columns(after(0, 1, 9));
  assert.equal(times.length, 4);
  assert.deepEqual(of(one => one.requestsPerSecond), [0, 1, null, 9]);
});
