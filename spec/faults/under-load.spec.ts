import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { slotOf } from '../../lib/store/slot.js';
import { pollClient } from '../support/configuration.js';
import { startCluster, startRedis } from '../support/redis-server.js';
import { rounds } from '../support/rounds.js';
import { type PluginServer, type PluginServerOptions, pluginServer } from '../support/server.js';
import { until } from '../support/until.js';
import { type Load, underLoad } from './load.js';
import { startReplicaPair } from './replica-pair.js';

/** Why the store was not there, each time. */
const causes = (server: PluginServer): string[] =>
  server.events.flatMap(({ name, event }) =>
    name === 'store.unavailable' ? [String((event.cause as Error).message)] : [],
  );

const started: PluginServer[] = [];
function start(redis: PluginServerOptions['redis'], ciba: PluginServerOptions['ciba'] = {}): PluginServer {
  const server = pluginServer({
    redis,
    config: { clients: [pollClient('till', { ciba_default_expiry: 86_400, ciba_max_expiry: 86_400 })] },
    ciba: { limits: false, ...ciba },
  });
  started.push(server);
  return server;
}
afterEach(async () => {
  for (const server of started.splice(0)) await server.close();
});

/** Waits until so many more flows have come to their end. */
const more = async (load: Load, flows: number): Promise<void> => {
  const enough = load.ended + flows;
  await until(`${flows} more flows have ended`, () => load.ended >= enough, 60_000);
};

const say = (what: string, load: Load): void => {
  if (process.env['LONG'] === '1') process.stdout.write(`${what}: ${JSON.stringify(load)}\n`);
};

test('F20 a server that is made to forget its scripts again and again: no client notices', async () => {
  const FLUSHES = rounds(30, 600);
  const redis = await startRedis();
  const server = start(redis.client({ lazyConnect: true }));
  const admin = redis.client();
  try {
    const load = await underLoad(server, async (all) => {
      for (let flushes = 0; flushes < FLUSHES; flushes += 1) {
        await admin.script('FLUSH');
        await pause(100);
      }
      await more(all, 10);
    });
    expect(causes(server).filter((cause) => !/took longer/.test(cause))).toEqual([]);
    expect(load.ended).toBeGreaterThan(10);
    say('F20', load);
  } finally {
    await server.close();
    await redis.stop();
  }
}, 300_000);

test('F18 failovers under load, the old primary still there: no tokens twice, no false answer, and it goes on by itself', async () => {
  const FAILOVERS = rounds(3, 50);
  const pair = await startReplicaPair();
  const server = start(pair.primary.client({ port: pair.clients.port, lazyConnect: true }), {
    replicas: { acknowledge: 1, within: 200 },
  });
  try {
    const load = await underLoad(
      server,
      async (all) => {
        for (let failovers = 0; failovers < FAILOVERS; failovers += 1) {
          await more(all, 5);
          await pair.handOver();
        }
        await more(all, 10);
      },
      { mayLose: true },
    );
    // As many tokens as flows: none was redeemed twice.
    await until('what did not leave is destroyed', () => server.store.count('AccessToken') === load.ended);
    expect(causes(server).some((cause) => /READONLY|replicas have it/.test(cause))).toBe(true);
    expect(load.lost).toBeLessThan(FAILOVERS * 6);
    say('F18', load);
  } finally {
    await server.close();
    await pair.stop();
  }
}, 600_000);

test('F44 slots that move from node to node under load: every flow comes to its right end', async () => {
  const MOVES = rounds(40, 400);
  const group = await startCluster();
  const server = start(group.client());
  const nodes = group.nodes.map((node) => node.client()) as [Redis, Redis, Redis];
  const ports = group.nodes.map(({ port }) => port);
  const ids = await Promise.all(nodes.map(async (node) => String(await node.call('CLUSTER', 'MYID'))));
  try {
    const load = await underLoad(server, async (all) => {
      await more(all, 5);
      for (let moves = 0; moves < MOVES; moves += 1) {
        const from = moves % nodes.length;
        const to = (from + 1) % nodes.length;
        const [source, target] = [nodes[from], nodes[to]] as [Redis, Redis];
        // The slot of a request: the one that was made last lies wherever its name leads.
        const key = await source.randomkey();
        if (key === null) continue;
        const slot = slotOf(key);
        await target.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids[from] ?? '');
        await source.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids[to] ?? '');
        for (;;) {
          const keys = (await source.call('CLUSTER', 'GETKEYSINSLOT', slot, 10)) as string[];
          if (keys.length === 0) break;
          // One by one: meanwhile a step finds some of its keys here and some there.
          for (const one of keys) await source.call('MIGRATE', '127.0.0.1', ports[to] ?? 0, one, 0, 5_000);
        }
        for (const node of [
          target,
          source,
          ...nodes.filter((other) => other !== source && other !== target),
        ]) {
          await node.call('CLUSTER', 'SETSLOT', slot, 'NODE', ids[to] ?? '');
        }
      }
      await more(all, 10);
    });
    expect(causes(server).filter((cause) => /CROSSSLOT/.test(cause))).toEqual([]);
    await until('what did not leave is destroyed', () => server.store.count('AccessToken') === load.ended);
    say('F44', load);
  } finally {
    await server.close();
    await group.stop();
  }
}, 600_000);
