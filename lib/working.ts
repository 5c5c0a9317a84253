import type Provider from 'oidc-provider';
import { Prompter } from './channels/prompter.js';
import { Bulkhead } from './delivery/bulkhead.js';
import { BullmqQueue, loadBullmq } from './delivery/bullmq-queue.js';
import { Deliverer } from './delivery/deliverer.js';
import { MemoryQueue } from './delivery/memory-queue.js';
import { Outgoing } from './delivery/outgoing.js';
import type { DeliveryQueue } from './delivery/queue.js';
import { DueWorker } from './delivery/worker.js';
import type { Emitter } from './emitter.js';
import { invalidOption } from './errors.js';
import type { Configured } from './provider/configure.js';
import { pushTokens } from './provider/push-tokens.js';
import { recipientsOf } from './provider/recipients.js';
import type { Links } from './request/links.js';
import type { Settings } from './settings/settings.js';
import type { Store } from './store/store.js';

/** What is done beside the HTTP requests. */
export interface Working {
  readonly queue: DeliveryQueue;
  readonly worker: DueWorker;
  /** Whether this process does it. */
  here(): boolean;
  close(): Promise<void>;
}

/** The parts that the rooms are made with. */
export interface Parts {
  readonly store: Store;
  readonly events: Emitter;
  readonly settings: Settings;
}

const isTold = (modes: ReadonlySet<string>): boolean => modes.has('ping') || modes.has('push');

export function checkDelivery(modes: ReadonlySet<string>, { redis, delivery, channels }: Settings): void {
  if (!isTold(modes) && channels.length === 0) return;
  if (redis) {
    if (isTold(modes)) loadBullmq();
  } else if (!delivery.worker) {
    throw invalidOption('delivery.worker', 'must be true where requests live in memory');
  }
}

/** Reaching people, where there are channels. */
export function promptingOf(
  { store, events, settings }: Parts,
  links: Links | undefined,
): Working | undefined {
  const { channels, chain } = settings;
  if (channels.length === 0) return undefined;
  // In process on Redis, too: what is due is taken from the index by one process, and a job that is lost is found there again.
  const queue = new MemoryQueue();
  const linkTo = (handle: string): string | undefined => links?.to(handle);
  const prompter = new Prompter({ prompts: store.prompts, queue, channels, chain, linkTo, events });
  const worker = new DueWorker(store.prompts, queue, (handle, turn) => prompter.work(handle, turn));
  // One that cannot be closed must not keep the rest open.
  return working(queue, worker, () => Promise.allSettled(channels.map(async (channel) => channel.close?.())));
}

/** Telling ping and push clients, where either mode is on. */
export function deliveryOf(provider: Provider, configured: Configured, parts: Parts): Working | undefined {
  if (!isTold(configured.modes)) return undefined;
  const { store, events, settings } = parts;
  const unavailable = (cause: unknown): void => events.emit('store.unavailable', { cause });
  const queue = settings.redis
    ? new BullmqQueue(settings.redis, settings.prefix, unavailable)
    : new MemoryQueue();
  const outgoing = new Outgoing(settings.delivery);
  const deliverer = new Deliverer({
    outbox: store.outbox,
    outgoing,
    bulkhead: new Bulkhead(),
    recipients: recipientsOf(provider, pushTokens(provider, configured.issuing)),
    events,
    settings: settings.delivery,
    retention: settings.retention * 1000,
  });
  const worker = new DueWorker(store.outbox, queue, (handle, turn) => deliverer.deliver(handle, turn));
  return working(queue, worker, () => outgoing.close());
}

/** The worker ends before what it works with. */
function working(queue: DeliveryQueue, worker: DueWorker, end: () => unknown): Working {
  return {
    queue,
    worker,
    here: () => worker.working,
    async close() {
      await worker.close();
      await queue.close();
      await end();
    },
  };
}
