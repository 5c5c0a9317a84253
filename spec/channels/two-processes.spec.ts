import type { Channel, Prompt } from 'oidc-provider-ciba';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { asked, type PluginServer, pluginServer } from '../support/server.js';
import { until } from '../support/until.js';

let redis: TestRedis;
const open: PluginServer[] = [];

beforeAll(async () => {
  redis = await startRedis();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});
afterAll(() => redis.stop());

test('what one process was still sending when another one ended the chain is taken away', async () => {
  const dismissed: string[] = [];
  let sending = false;
  let letGo: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const channel = (name: string, send: (prompt: Prompt) => Promise<void>): Channel => ({
    name,
    send,
    dismiss: async () => void dismissed.push(name),
  });
  const channels = [
    channel('app', async () => {}),
    channel('slow', async () => {
      sending = true;
      await held;
    }),
  ];
  const begin = (prefix?: string): PluginServer => {
    const server = pluginServer({
      redis: redis.client(),
      ciba: { channels, delivery: { worker: false }, ...(prefix !== undefined && { prefix }) },
    });
    open.push(server);
    return server;
  };
  const one = begin();
  const other = begin(one.prefix);

  const worker = one.ciba.worker(one.provider);
  const authReqId = await asked(one);
  await until('the app was told', () => one.heard.includes('prompt.sent'));
  one.advance(20);
  other.advance(20);
  await until('the slow one is under way', () => sending);
  // It finishes what it does, and leaves the rest to the other one.
  const closing = worker.close();
  other.ciba.worker(other.provider);
  await one.deny(authReqId);
  await until('the other one has ended the chain', () => dismissed.includes('app'));
  letGo();
  await closing;
  expect(dismissed.sort()).toEqual(['app', 'slow']);
});
