import type { Cluster, Redis } from 'ioredis';
import type { RedisClient } from './redis-connection.js';

/**
 * Warns where the servers may throw keys away when their memory is full: what is not there any more is told as what never was. One that
 * does not let itself be asked is taken as it is.
 */
export function warnOfEviction(connection: RedisClient): void {
  connection.once('ready', async () => {
    const servers = connection.isCluster ? (connection as Cluster).nodes('master') : [connection as Redis];
    const policies = await Promise.all(servers.map((server) => policyOf(server).catch(() => undefined)));
    const other = policies.find((policy) => policy !== undefined && policy !== 'noeviction');
    if (other === undefined) return;
    const sentence = `Redis has maxmemory-policy ${other}: it must be noeviction, or approvals and limits may vanish`;
    process.emitWarning(sentence, 'CibaWarning');
  });
}

async function policyOf(server: Redis): Promise<string | undefined> {
  return /^maxmemory_policy:(\S+)/m.exec(await server.info('memory'))?.[1];
}
