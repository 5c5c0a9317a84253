import { expect, test } from '@jest/globals';
import { lookup } from '../../lib/delivery/lookup.js';

const nobodyWaits = (): AbortSignal => {
  const over = new AbortController();
  setImmediate(() => over.abort());
  return over.signal;
};

test.each(['localhost', 'app.localhost'])('%s is this machine, and no name server is asked', async (name) => {
  expect(await lookup(name, new AbortController().signal)).toEqual([
    { address: '127.0.0.1', family: 4 },
    { address: '::1', family: 6 },
  ]);
});

test('a look-up that nobody waits for any more ends, and keeps no thread [PING-11]', async () => {
  const many = Array.from({ length: 50 }, (_, index) =>
    lookup(`slow-${index}.client.example`, nobodyWaits()),
  );
  const ends = await Promise.allSettled(many);
  expect(ends.map(({ status }) => status)).toEqual(Array(50).fill('rejected'));
});
