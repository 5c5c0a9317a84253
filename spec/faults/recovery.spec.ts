import { startRedis, type TestRedis } from '../support/redis-server.js';
import { rounds } from '../support/rounds.js';
import { asked, type PluginServer, pluginServer, poll } from '../support/server.js';
import { until } from '../support/until.js';
import { type Line, startLine } from './line.js';

const ROUNDS = rounds(2, 20);

/** How long a recovery may take at most here; by itself it takes a few tenths of a second, and a busy machine longer. */
const WITHIN = 10_000;

let redis: TestRedis;
let line: Line;
let server: PluginServer;

beforeAll(async () => {
  redis = await startRedis({ durable: true });
  line = await startLine(redis.port);
  server = pluginServer({
    redis: redis.client({ port: line.port, lazyConnect: true }),
    ciba: { limits: false },
  });
  await until('the store answers', async () => (await server.ciba.requests.list('nobody')).length === 0);
});
afterAll(async () => {
  await line.close();
  await redis.stop();
});

/** How Redis goes away, and how it comes back. */
const OUTAGES: Readonly<Record<string, { goes(): Promise<void> | void; comes(): Promise<void> | void }>> = {
  'was killed': { goes: () => redis.kill(), comes: () => redis.restart() },
  'was frozen': { goes: () => redis.pause(), comes: () => redis.resume() },
  'was cut off': { goes: () => line.freeze(), comes: () => line.thaw() },
  'was reset': { goes: () => line.leadTo(redis.port), comes: () => {} },
};

const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

test.each(Object.entries(OUTAGES))(
  'F13 a Redis that %s: the server is there again by itself',
  async (what, { goes, comes }) => {
    const took: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const authReqId = await asked(server);
      await server.approve(authReqId);
      const [before, connections] = [timers(), line.connections];
      await goes();
      const during = await Promise.all(
        Array.from({ length: 20 }, () => poll(server, authReqId, {}, { client: 'kiosk' })),
      );
      // Another client's request: what is true of it is that it is not theirs.
      for (const { status, body } of during)
        expect(status === 503 ? 503 : body.error).toBe(status === 503 ? 503 : 'invalid_grant');
      await comes();
      const began = performance.now();
      await until('the tokens are there', async () => (await poll(server, authReqId)).status === 200, WITHIN);
      took.push(performance.now() - began);
      await until('nothing is left of it', () => timers() <= before && line.connections <= connections);
    }
    if (process.env['LONG'] === '1') {
      process.stdout.write(
        `F13 ${what}: ${took
          .map(Math.round)
          .sort((one, other) => one - other)
          .join(' ')} ms\n`,
      );
    }
  },
);

test('F13 a server that is closed leaves no connection', async () => {
  await server.close();
  await until('all are closed', () => line.connections === 0);
});
