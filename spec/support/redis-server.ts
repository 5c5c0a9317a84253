import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import { findRedisServer } from '../../tools/programs.mjs';
import { closedPort } from './closed-port.js';
import { until } from './until.js';

/** What ioredis takes, with the replies as ioredis gives them by default. */
export type ClientOptions = RedisOptions & { replyMapping?: 'legacy' };
export type ClusterClientOptions = Omit<ClusterOptions, 'redisOptions'> & { redisOptions?: ClientOptions };

/** A Redis server of its own, on this machine, empty and without persistence. It ends with the process that started it. */
export interface TestRedis {
  readonly port: number;
  readonly url: string;
  /** Of the server that runs now. */
  readonly pid: number;
  /** A client with ioredis' defaults, closed by `stop`. */
  client(options?: ClientOptions): Redis;
  /** Freezes the server: it accepts connections and answers nothing. */
  pause(): void;
  resume(): void;
  /** Kills the server without a word to anybody. */
  kill(): Promise<void>;
  /** Starts the server again on the same port, after `kill`: empty, or where it is `durable`, with what it had. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Three servers that share the slots of a cluster. */
export interface TestCluster {
  readonly nodes: readonly TestRedis[];
  /** A client of the whole cluster, closed by `stop`. */
  client(options?: ClusterClientOptions): Cluster;
  stop(): Promise<void>;
}

/** How a server is started; one that is `durable` writes every command to its append-only file before it answers. */
export interface RedisServerOptions {
  readonly args?: readonly string[];
  readonly durable?: boolean;
}

export async function startRedis({
  args: given = [],
  durable = false,
}: RedisServerOptions = {}): Promise<TestRedis> {
  const lasting = durable ? await mkdtemp(join(tmpdir(), 'ciba-redis-')) : undefined;
  const args = lasting
    ? [...given, '--dir', lasting, '--appendonly', 'yes', '--appendfsync', 'always']
    : given;
  const { port, server: first } = await launchSomewhere(args);
  let server = first;
  const clients: Redis[] = [];
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      return server.pid;
    },
    client(options = {}) {
      const client = new Redis({ host: '127.0.0.1', port, ...options });
      client.on('error', () => {});
      clients.push(client);
      return client;
    },
    pause() {
      process.kill(server.pid, 'SIGSTOP');
    },
    resume() {
      process.kill(server.pid, 'SIGCONT');
    },
    kill() {
      return server.end();
    },
    async restart() {
      server = await launch(port, args);
    },
    async stop() {
      for (const client of clients) client.disconnect();
      await server.end();
      if (lasting) await rm(lasting, { recursive: true });
    },
  };
}

const SLOTS = 16_384;

/** A cluster of one server, which runs no script over several slots: to be reached as if it were no cluster. */
export async function startApart(options: RedisServerOptions = {}): Promise<TestRedis> {
  const server = await startRedis({
    ...options,
    args: ['--cluster-enabled', 'yes', ...(options.args ?? [])],
  });
  const client = server.client();
  await client.call('CLUSTER', 'ADDSLOTSRANGE', 0, SLOTS - 1);
  await until('it has all slots', async () =>
    String(await client.call('CLUSTER', 'INFO')).includes('state:ok'),
  );
  client.disconnect();
  return server;
}

export async function startCluster({ args = [] }: { args?: readonly string[] } = {}): Promise<TestCluster> {
  const clusterArgs = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '5000', ...args];
  const nodes = await Promise.all([0, 1, 2].map(() => startRedis({ args: clusterArgs })));
  const members = nodes.map((node) => node.client());
  await Promise.all(
    members.map(async (member, index) => {
      const first = Math.floor((index * SLOTS) / nodes.length);
      const end = Math.floor(((index + 1) * SLOTS) / nodes.length);
      const slots = Array.from({ length: end - first }, (_, slot) => first + slot);
      await member.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
      await member.call('CLUSTER', 'ADDSLOTS', ...slots);
    }),
  );
  // A node that was met by another one takes no epoch anymore.
  await Promise.all(
    members.map((member) => member.call('CLUSTER', 'MEET', '127.0.0.1', nodes[0]?.port ?? 0)),
  );
  await until('the cluster is whole', async () => {
    const infos = await Promise.all(members.map((member) => member.call('CLUSTER', 'INFO')));
    return infos.every((info) =>
      /cluster_state:ok.*cluster_slots_ok:16384.*cluster_known_nodes:3/s.test(String(info)),
    );
  });
  const clients: Cluster[] = [];
  return {
    nodes,
    client(options = {}) {
      const client = new Cluster(
        nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
        options,
      );
      client.on('error', () => {});
      clients.push(client);
      return client;
    },
    async stop() {
      for (const client of clients) client.disconnect();
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
}

/**
 * The shell between this process and the server waits for the end of its standard input, which comes when this process ends,
 * however it ends. It has not waited for the server before, so the server's process id cannot be another's by then.
 */
const GUARD = `
  folder=$1; shift
  "$@" & server=$!
  echo "pid $server"
  cat > /dev/null
  kill -KILL $server
  wait $server 2> /dev/null
  rm -rf "$folder"
`;

interface Server {
  readonly pid: number;
  end(): Promise<void>;
}

/** On a free port; another one where somebody was faster to take it. */
async function launchSomewhere(args: readonly string[]): Promise<{ port: number; server: Server }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    try {
      return { port, server: await launch(port, args) };
    } catch (error) {
      if (attempt === 3) throw error;
    }
  }
}

async function launch(port: number, args: readonly string[]): Promise<Server> {
  const program = findRedisServer();
  if (program === undefined) throw new Error('no redis-server here: run node tools/prepare-tests.mjs');
  const folder = await mkdtemp(join(tmpdir(), 'ciba-redis-'));
  const place = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder];
  const volatile = ['--save', '', '--appendonly', 'no'];
  const guard = spawn('sh', ['-c', GUARD, 'sh', folder, program, ...place, ...volatile, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(guard, 'exit');
  let output = '';
  guard.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const end = async (): Promise<void> => {
    guard.stdin.end();
    await ended;
  };
  const probe = new Redis({ host: '127.0.0.1', port, retryStrategy: () => 20, maxRetriesPerRequest: null });
  probe.on('error', () => {});
  try {
    let pid = Number.NaN;
    await until('redis-server answers', async () => {
      pid = Number(/^pid (\d+)$/m.exec(output)?.[1]);
      if (output.includes('Failed listening')) return true;
      return output.includes('Ready to accept connections') && (await probe.ping()) === 'PONG';
    });
    if (output.includes('Failed listening')) throw new Error('the port was taken');
    return { pid, end };
  } catch (cause) {
    await end();
    throw new Error(`redis-server did not start:\n${output}`, { cause });
  } finally {
    probe.disconnect();
  }
}

/** A free port whose cluster bus, 10,000 above, is a port as well. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = await closedPort();
    if (port < 55_000) return port;
  }
}
