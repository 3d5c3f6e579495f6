import assert from 'node:assert/strict';
import test from 'node:test';
import { curl, python } from '../src/pages/try/commandText';

const address = 'http://127.0.0.1:8080/predictions/m/1.0';
const typed = text => ({ address, text, needsToken: false, input: { body: new Blob([text]), contentType: 'text/plain; charset=utf-8' } });
const file = (fileName, needsToken = false) => ({ address, needsToken, input: { body: new Blob([]), fileName, contentType: '' } });

test('text is sent as it was typed, whatever curl or a shell take it for', () => {
  assert.equal(curl(typed('@etc')), `curl -H 'Content-Type: text/plain; charset=utf-8' --data-raw @etc ${address}`);
  assert.match(curl(typed(`it's $HOME`)), / --data-raw 'it'\\''s \$HOME' /);
  assert.match(curl(typed('')), / --data-raw '' /);
});

test('a file is the one that it is called', () => {
  assert.equal(curl(file('a b.png')), `curl -T 'a b.png' ${address}`);
  assert.equal(curl(file('photo[1].png')), `curl -g -T 'photo[1].png' ${address}`);
  assert.equal(curl(file('{a,b}.png')), `curl -g -T '{a,b}.png' ${address}`);
});

test('what a file is goes with it, as the page has sent it; a picture shows it itself', () => {
  const of = (fileName, contentType) => ({ address, needsToken: false, input: { body: new Blob([]), fileName, contentType } });
  assert.equal(curl(of('a.json', 'application/json')), `curl -T a.json -H 'Content-Type: application/json' ${address}`);
  assert.match(python(of('a.txt', 'text/plain')), /data=file, headers=\{"Content-Type": "text\/plain"\}\)/);
  assert.equal(curl(of('a.png', 'image/png')), `curl -T a.png ${address}`);
});

test('a token is named, never shown', () => {
  assert.match(curl(file('a.png', true)), /"Authorization: Bearer \$SERVE_TOKEN"/);
  assert.match(python(file('a.png', true)), /os\.environ\["SERVE_TOKEN"\]/);
});

test('Python has the text in quotes of its own', () => {
  assert.match(python(typed('a "b"\nc')), /data="a \\"b\\"\\nc"\.encode\(\)/);
});
