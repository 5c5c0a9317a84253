import type { Redis } from 'ioredis';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { until } from '../support/until.js';
import { type Line, startLine } from './line.js';

/** A primary, and a replica that hears of it over a line of its own. */
export interface ReplicaPair {
  /** Where clients find the primary, whichever server it is. */
  readonly clients: Line;
  readonly primary: TestRedis;
  readonly replica: TestRedis;
  /** Between the two. */
  readonly link: Line;
  /** Waits until the replica has all that the primary has. */
  inStep(): Promise<void>;
  /** Kills the primary, and makes the replica take its place with what it has got; the server that died comes back as its replica. */
  failOver(): Promise<void>;
  /** Makes the replica take its place, and the primary a replica, which goes on answering whoever is connected to it. */
  handOver(): Promise<void>;
  stop(): Promise<void>;
}

/** A diskless copy would count as done only with the replica's first word, a second later. */
const AT_ONCE = ['--repl-diskless-sync', 'no'];

export async function startReplicaPair(): Promise<ReplicaPair> {
  const servers = await Promise.all([0, 1].map(() => startRedis({ args: AT_ONCE })));
  let [primary, replica] = servers as [TestRedis, TestRedis];
  const [link, clients] = await Promise.all([startLine(primary.port), startLine(primary.port)]);
  const admins = new Map<TestRedis, Redis>(servers.map((server) => [server, server.client()]));
  const admin = (server: TestRedis): Redis => admins.get(server) as Redis;
  const follow = async (): Promise<void> => {
    await admin(replica).replicaof('127.0.0.1', link.port);
    await inStep();
  };
  const offset = async (server: TestRedis, field: string): Promise<string | undefined> =>
    new RegExp(`^${field}:(\\d+)`, 'm').exec(await admin(server).info('replication'))?.[1];
  const inStep = (): Promise<void> =>
    until('the replica has everything', async () => {
      const info = await admin(replica).info('replication');
      if (!info.includes('master_link_status:up')) return false;
      return (await offset(primary, 'master_repl_offset')) === (await offset(replica, 'slave_repl_offset'));
    });
  await follow();
  return {
    clients,
    link,
    get primary() {
      return primary;
    },
    get replica() {
      return replica;
    },
    inStep,
    async failOver() {
      await primary.kill();
      await admin(replica).replicaof('NO', 'ONE');
      [primary, replica] = [replica, primary];
      clients.leadTo(primary.port);
      link.thaw();
      link.leadTo(primary.port);
      await replica.restart();
      await follow();
    },
    async handOver() {
      await admin(replica).replicaof('NO', 'ONE');
      [primary, replica] = [replica, primary];
      clients.leadNewTo(primary.port);
      link.leadTo(primary.port);
      await follow();
    },
    async stop() {
      await Promise.all([clients.close(), link.close()]);
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}
