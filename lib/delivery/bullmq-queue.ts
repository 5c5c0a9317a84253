import type { Queue, Worker } from 'bullmq';
import type { Cluster, Redis } from 'ioredis';
import { within } from '../deadline.js';
import { optionalPackage } from '../optional-package.js';
import { type RedisClient, reconnectOnError } from '../store/redis-connection.js';
import { CONCURRENCY, type DeliveryQueue, type Work } from './queue.js';

/** The name of the queue in BullMQ, for dashboards. */
const QUEUE_NAME = 'deliveries';

/** BullMQ's prefix of the queue's keys: a hash tag, so that a cluster has them in one slot. */
const queuePrefix = (prefix: string): string => `{${prefix}}`;

/**
 * BullMQ's own defaults leave the job of a process that died alone for a minute, and give a job up at its second such death: a
 * request lives five minutes. The lock is renewed while a job runs, so it need not be as long as a send. After an error of Redis
 * they wait for a quarter of a minute.
 */
const WORKER = {
  concurrency: CONCURRENCY,
  lockDuration: 6_000,
  stalledInterval: 2_000,
  maxStalledCount: 1_000_000,
  drainDelay: 5,
  runRetryDelay: 500,
} as const;

/**
 * A job that fails met a fault, and is done again. One that is done is removed: whether there is more to do is for the outbox to
 * say, and a job that lingered would keep another of its name out.
 */
const JOB = {
  attempts: 1_000_000,
  backoff: { type: 'fixed', delay: 1_000 },
  removeOnComplete: true,
  removeOnFail: true,
} as const;

/** How long adding a job may take, in milliseconds: whoever adds one goes on without it. */
const ADD_WITHIN = 2_000;

/** How long running jobs are waited for, in milliseconds: longer than the longest, and not for ever where Redis is away. */
const REST_WITHIN = 15_000;

type Bullmq = typeof import('bullmq');

/** A {@link DeliveryQueue} on BullMQ, shared by every process on the same Redis. */
export class BullmqQueue implements DeliveryQueue {
  readonly #bullmq: Bullmq;
  readonly #prefix: string;
  readonly #unavailable: (cause: unknown) => void;
  readonly #connection: RedisClient;
  readonly #queue: Queue;
  #worker: Worker | undefined;

  constructor(client: RedisClient, prefix: string, unavailable: (cause: unknown) => void) {
    this.#bullmq = loadBullmq();
    this.#prefix = queuePrefix(`${client.options.keyPrefix ?? ''}${prefix}`);
    this.#unavailable = unavailable;
    this.#connection = openConnection(client);
    this.#queue = new this.#bullmq.Queue(QUEUE_NAME, this.#place());
    this.#queue.on('error', unavailable);
  }

  /** It is in Redis, and its workers take from there what they have room for. */
  readonly free: number = Number.POSITIVE_INFINITY;

  async add(handle: string, turn: number): Promise<void> {
    // Its name and its data are all that a dashboard shows: a handle, which is no secret.
    const added = this.#queue.add('delivery', { handle, turn }, { ...JOB, jobId: `${handle}.${turn}` });
    await within(ADD_WITHIN, 'adding a job', added).catch((cause: unknown) => {
      // Whoever adds one goes on without it, and the queue itself says nothing of a command that is refused.
      this.#unavailable(cause);
      throw cause;
    });
  }

  work(work: Work): void {
    const options = { ...this.#place(), ...WORKER };
    this.#worker = new this.#bullmq.Worker(QUEUE_NAME, ({ data }) => doneBy(work, data), options);
    this.#worker.on('error', this.#unavailable);
  }

  async rest(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    if (!worker) return;
    // Where Redis is away nothing that runs can be finished.
    const finishing = worker.close(this.#connection.status !== 'ready');
    await within(REST_WITHIN, 'finishing', finishing).catch(() => worker.disconnect().catch(() => {}));
  }

  async close(): Promise<void> {
    await this.rest();
    await within(ADD_WITHIN, 'closing', this.#queue.close()).catch(() => {});
    this.#connection.disconnect();
  }

  #place(): { connection: Redis; prefix: string } {
    return { connection: this.#connection as Redis, prefix: this.#prefix };
  }
}

/**
 * A job that this version has not made, another one say, is done with at once: as a failure it would be tried for ever. Nothing is lost by
 * it, because what is due is in the outbox.
 */
async function doneBy(work: Work, data: { handle?: unknown; turn?: unknown } | null): Promise<string> {
  const { handle, turn } = data ?? {};
  return typeof handle === 'string' && Number.isSafeInteger(turn) ? work(handle, turn as number) : 'unknown';
}

/**
 * BullMQ, which only this needs.
 * @throws {CibaError} `invalid_option` where it is not installed
 */
export function loadBullmq(): Bullmq {
  return optionalPackage<Bullmq>(
    'bullmq',
    'features.ciba.deliveryModes',
    'has ping or push, which need the package bullmq where requests live in Redis: install it',
  );
}

/** BullMQ waits for its jobs on a connection, which must not give up, and names its keys itself. */
function openConnection(client: RedisClient): RedisClient {
  const patient = {
    maxRetriesPerRequest: null,
    enableOfflineQueue: true,
    commandTimeout: undefined,
    // Longer than a worker waits for a job. A host that vanished closes nothing.
    socketTimeout: 3 * WORKER.drainDelay * 1_000,
    reconnectOnError,
    keyPrefix: '',
  };
  const connection = client.isCluster
    ? (client as Cluster).duplicate([], { redisOptions: patient as never, keyPrefix: '' })
    : (client as Redis).duplicate(patient as never);
  connection.on('error', () => {});
  connection.setMaxListeners(0);
  return connection;
}
