import { lookup as systemLookup } from 'node:dns/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Lookup, lookupOver } from '../../lib/delivery/lookup.js';
import { Outgoing } from '../../lib/delivery/outgoing.js';
import { type NameServer, startNameServer } from '../support/name-server.js';
import { startReceiver } from '../support/receiver.js';

let names: NameServer;
let lookup: Lookup;

beforeAll(async () => {
  names = await startNameServer({
    'both.example': ['192.0.2.7', '2001:db8::7'],
    'old.example': ['192.0.2.8'],
    'new.example': ['2001:db8::8'],
    'none.example': [],
    'inside.example': ['127.0.0.1'],
  });
  lookup = lookupOver([names.address]);
});
afterAll(() => names.close());

const whoWaits = (): AbortSignal => new AbortController().signal;

test.each([
  ['both.example', ['192.0.2.7', '2001:db8::7']],
  ['old.example', ['192.0.2.8']],
  ['new.example', ['2001:db8::8']],
])('%s has the addresses that its name server says', async (name, addresses) => {
  const found = await lookup(name, whoWaits());
  expect(found.map(({ address }) => address)).toEqual(addresses);
});

test('a name without an address has none', async () => {
  await expect(lookup('none.example', whoWaits())).rejects.toMatchObject({ code: 'ENODATA' });
});

test.each(['localhost', 'app.localhost'])('%s is this machine, and no name server is asked', async (name) => {
  expect(await lookup(name, whoWaits())).toEqual([
    { address: '127.0.0.1', family: 4 },
    { address: '::1', family: 6 },
  ]);
  expect(names.asked).not.toContain(name);
});

test('a message to a name that leads inside opens no connection [SEC-9]', async () => {
  const receiver = await startReceiver();
  const rules = { allowedAddresses: [], allowedPorts: 'any', allowLoopback: false, ca: undefined } as const;
  const outgoing = new Outgoing(rules, { lookup });
  const message = { bearer: 'token', body: '{}', within: 5_000 };
  const answer = await outgoing.post(`https://inside.example:${receiver.port}/`, message);
  expect(answer).toEqual({ kind: 'refused', reason: 'must be on a public address' });
  expect(receiver.connections).toBe(0);
  await receiver.close();
});

test('name servers that are silent keep no thread, and a look-up that nobody waits for ends [PING-11]', async () => {
  const over = new AbortController();
  const silent = Array.from({ length: 50 }, (_, index) => lookup(`slow-${index}.example`, over.signal));
  const ends = Promise.allSettled(silent);
  // The process's own look-ups, which share its threads, go on.
  expect((await systemLookup('localhost')).address).toMatch(/^(127\.|::1)/);
  expect((await lookup('old.example', whoWaits())).length).toBe(1);
  over.abort();
  expect((await ends).map(({ status }) => status)).toEqual(Array(50).fill('rejected'));
});
