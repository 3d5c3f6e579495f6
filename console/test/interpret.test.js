import assert from 'node:assert/strict';
import test from 'node:test';
import { areShares } from '../src/pages/try/interpret';

const box = (...corners) => ({ label: 'cat', corners });

test('a box that reaches a little beyond the picture makes no pixels of shares', () => {
  assert.equal(areShares([box(0.1, 0.2, 1.004, 1.2), box(0, 0, 0.5, 0.5)], 640), true);
  assert.equal(areShares([box(0.1, 0.2, 0.9, 1)], 640), true);
});

test('corners in pixels are pixels', () => {
  assert.equal(areShares([box(10, 20, 200, 180)], 640), false);
  assert.equal(areShares([box(0, 0, 0.5, 0.5), box(0, 0, 2, 2)], 640), false);
  assert.equal(areShares([box(0, 0, 1.4, 1.4)], 2), false); // of a picture of two pixels
});
