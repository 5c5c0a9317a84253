import { randomUUID } from 'node:crypto';
import { RedisStore } from '../../lib/store/redis.js';
import { slotOf } from '../../lib/store/slot.js';
import { patiently } from '../support/patiently.js';
import { startCluster, type TestCluster } from '../support/redis-server.js';
import { ask, CALLBACK, decide } from './contract/given.js';

let cluster: TestCluster;
let store: RedisStore;

beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(async () => {
  await store?.close();
  await cluster?.stop();
});

const nodeOf = (key: string): number => Math.floor((slotOf(key) * 3) / 16_384);

test('a node of a cluster that is away keeps nobody waiting whose request another one has [TOK-13]', async () => {
  const prefix = randomUUID();
  let offset = 0;
  store = new RedisStore(
    cluster.client(),
    prefix,
    () => offset,
    () => {},
  );
  await patiently(() => store.read('nothing'));
  const requests = [];
  for (let count = 0; count < 12; count += 1) {
    const request = await ask(store, { callback: CALLBACK, prompted: true });
    await decide(store, request, 'approved');
    await store.outbox.schedule(request.handle, 0);
    requests.push(request.handle);
  }
  offset = 30_000;
  // One that has neither index, and some of the requests.
  const indices = [nodeOf(`${prefix}:prompts`), nodeOf(`${prefix}:deliveries`)];
  const away = [0, 1, 2].find((node) => !indices.includes(node)) ?? 0;
  const there = requests.filter((handle) => nodeOf(`{${handle}}`) !== away);
  expect(there.length).toBeGreaterThan(0);
  expect(there.length).toBeLessThan(requests.length);
  cluster.nodes[away]?.pause();
  try {
    for (const index of [store.prompts, store.outbox]) {
      const due = await index.due(500);
      expect(due.map(({ handle }) => handle).sort()).toEqual([...there].sort());
    }
  } finally {
    cluster.nodes[away]?.resume();
  }
});
