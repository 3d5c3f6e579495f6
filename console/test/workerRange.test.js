import assert from 'node:assert/strict';
import test from 'node:test';
import { scale } from '../src/api/management';
import { canScale, rangeOf, withChosen } from '../src/pages/model/workerRange';

const version = (minWorkers, maxWorkers, running, autoscales) => ({ minWorkers, maxWorkers, autoscales, workers: Array.from({ length: running }, (_, id) => ({ id: `${id}`, state: 'Ready' })) });

test('the server is told both ends, or it would take the least for the most', async () => {
  globalThis.document = { baseURI: 'http://localhost:8081/console/' };
  let asked;
  globalThis.fetch = async (url, init) => {
    asked = `${init.method} ${url}`;
    return Response.json({ status: 'done' });
  };
  await scale('m', '1.0', { least: 2, most: 4 });
  assert.equal(asked, 'PUT http://localhost:8081/models/m/1.0?min_worker=2&max_worker=4&synchronous=true');
});

test('what autoscaling has done is nothing to scale, and its upper end stays', () => {
  const scaled = version(1, 4, 3, true);
  assert.deepEqual(rangeOf(scaled), { least: 1, most: 4 });
  assert.equal(canScale(scaled, withChosen(scaled, {})), false);
  assert.deepEqual(withChosen(scaled, { least: 2 }), { least: 2, most: 4 });
  assert.deepEqual(withChosen(scaled, { least: 5 }), { least: 5, most: 5 });
  assert.equal(canScale(scaled, withChosen(scaled, { least: 2 })), true);
  assert.equal(canScale(scaled, withChosen(scaled, { most: 2 })), true);
  assert.equal(canScale(scaled, withChosen(scaled, { least: 3, most: 2 })), false);
});

test('without autoscaling there is one number: that of the workers', () => {
  const fixed = version(1, 4, 3, false);
  assert.deepEqual(rangeOf(fixed), { least: 3, most: 3 });
  assert.equal(canScale(fixed, withChosen(fixed, {})), false);
  assert.deepEqual(withChosen(fixed, { least: 1 }), { least: 1, most: 1 });
  assert.equal(canScale(fixed, withChosen(fixed, { least: 1 })), true);
});

test('workers that are missing, or too many, can be asked for again', () => {
  for (const autoscales of [false, true]) {
    assert.equal(canScale(version(2, 2, 2, autoscales), { least: 2, most: 2 }), false);
    assert.equal(canScale(version(2, 2, 1, autoscales), { least: 2, most: 2 }), true);
    assert.equal(canScale(version(2, 2, 3, autoscales), { least: 2, most: 2 }), true);
  }
  assert.deepEqual(rangeOf({ autoscales: false, workers: [] }), { least: 0, most: 0 });
});
