// What operators look at: deliveries and prompts.
import {
  type ChannelView,
  type Ciba,
  createCiba,
  type Deliveries,
  type DeliveryState,
  type DeliveryView,
  type Health,
  type ListedDeliveries,
  type Prompts,
  type PromptView,
  type StoreHealth,
  type WorkHealth,
} from 'oidc-provider-ciba';
import type { Equal, Expect } from './equal.js';

const ciba: Ciba = createCiba();
const deliveries: Deliveries = ciba.deliveries;
const prompts: Prompts = ciba.prompts;

const listed: Required<ListedDeliveries> = { state: 'waiting', limit: 10 };
const waiting: DeliveryView[] = await deliveries.list(listed);
export const all: Promise<DeliveryView[]> = deliveries.list();
const one: DeliveryView | undefined = await deliveries.get('handle');
export const due: Date | undefined = one?.nextAttemptAt ?? waiting[0]?.nextAttemptAt;
export const retried: Promise<void> = deliveries.retry('handle');

const chain: PromptView | undefined = await prompts.get('handle');
const channels: readonly ChannelView[] = chain?.channels ?? [];
export const lines: string[] = channels.map(
  ({ channel, step, state, attempts, last }) =>
    `${channel} ${step.toFixed()} ${state} ${attempts.toFixed()} ${last ?? '-'}`,
);

export type Checks = [
  Expect<Equal<DeliveryState, 'waiting' | 'delivered' | 'failed'>>,
  Expect<Equal<DeliveryView['state'], DeliveryState>>,
  Expect<Equal<DeliveryView['mode'], 'ping' | 'push'>>,
  Expect<Equal<ChannelView['state'], 'waiting' | 'trying' | 'sent' | 'failed' | 'dismissed' | 'left'>>,
  // No secret is among it.
  Expect<Equal<Extract<keyof DeliveryView, 'token' | 'body' | 'authReqId'>, never>>,
];

// @ts-expect-error what was delivered is not listed
deliveries.list({ state: 'delivered' });
// @ts-expect-error a delivery is named by its request's handle
deliveries.get();
// @ts-expect-error a view is read, not written
if (one) one.state = 'failed';
// @ts-expect-error one person's prompts are found by the request
prompts.list('alice');

/** What a readiness probe is made of. */
export async function probe(): Promise<readonly [boolean, StoreHealth['state'], WorkHealth | undefined]> {
  const { ready, store, deliveries }: Health = await ciba.health();
  return [ready, store.state, deliveries];
}
