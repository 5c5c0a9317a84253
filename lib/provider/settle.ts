import type { KoaContextWithOIDC } from 'oidc-provider';
import { CibaError } from '../errors.js';
import type { Exchange } from './exchange.js';
import type { StepParts } from './steps.js';
import { RETRY_AFTER_FAULT, UNAVAILABLE } from './unavailable.js';

/**
 * Ends a redemption: the answer with the tokens leaves only after the store has accepted that this claim redeemed the
 * request. A refusal of the provider's, or a client that has gone, gives the claim back, so that no fault burns the person's
 * approval. Whatever was issued and will not leave is destroyed.
 */
export async function settleRedemption(
  ctx: KoaContextWithOIDC,
  exchange: Exchange,
  { store, events }: StepParts,
): Promise<void> {
  const { claim } = exchange;
  if (!claim) return;
  const { handle, clientId, token } = claim;

  if (ctx.status !== 200 || !ctx.writable) {
    await destroyIssued(ctx);
    // A claim that cannot be given back now ends with its lease.
    await store.release(handle, token).catch(() => {});
    events.emit('redemption.released', { handle, clientId, error: errorOf(ctx.body) });
    return;
  }

  const settled = await store.settle(handle, token).catch((error: unknown) => {
    if (error instanceof CibaError) return error;
    throw error;
  });
  if (settled === true) {
    events.emit('redemption.settled', { handle, clientId });
    return;
  }
  await destroyIssued(ctx);
  ctx.status = UNAVAILABLE.status;
  ctx.body = { error: UNAVAILABLE.error, error_description: UNAVAILABLE.error_description };
  exchange.retryAfter = RETRY_AFTER_FAULT;
  const reason = settled === false ? 'lease_ended' : 'store_unavailable';
  events.emit('redemption.lost', { handle, clientId, reason });
}

async function destroyIssued(ctx: KoaContextWithOIDC): Promise<void> {
  const { AccessToken, RefreshToken } = ctx.oidc.entities;
  const issued = [AccessToken, RefreshToken].filter((token) => token?.jti !== undefined);
  await Promise.allSettled(issued.map((token) => token?.destroy()));
}

function errorOf(body: unknown): string | undefined {
  return (body as { error?: string } | null)?.error;
}
