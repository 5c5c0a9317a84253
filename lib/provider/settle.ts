import { setImmediate as endOfTurn } from 'node:timers/promises';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { within } from '../deadline.js';
import { CibaError } from '../errors.js';
import { inBackground } from '../store/in-background.js';
import { CLAIM_LEASE } from '../store/lifecycle.js';
import type { Claim, Exchange, StepParts } from './exchange.js';
import { RETRY_AFTER_FAULT, UNAVAILABLE } from './unavailable.js';

/**
 * How long a settle may be under way to the store, in milliseconds: less than the store is waited for, so that a settle that was
 * given up, and whose tokens are destroyed, cannot take effect when a frozen store goes on and this process may be gone.
 */
const SETTLE_WITHIN = 500;

/** How long an answer waits for the tokens that will not leave to be destroyed, in milliseconds. */
const DESTROY_WITHIN = 1_000;

/**
 * Ends a redemption: the answer with the tokens leaves only after the store has accepted that this claim redeemed the
 * request. A refusal of the provider's, a client that has gone, or a store that does not answer gives the claim back, so that no
 * fault burns the person's approval. Whatever was issued and will not leave is destroyed.
 */
export function settleRedemption(
  ctx: KoaContextWithOIDC,
  exchange: Exchange,
  parts: StepParts,
): Promise<void> | undefined {
  const { claim } = exchange;
  return claim && settle(ctx, exchange, claim, parts);
}

async function settle(
  ctx: KoaContextWithOIDC,
  exchange: Exchange,
  claim: Claim,
  parts: StepParts,
): Promise<void> {
  if (ctx.status !== 200 || !ctx.writable || !claim.used) {
    await releaseRedemption(ctx, claim, parts);
    return;
  }
  const { handle, clientId, token } = claim;
  const leaseLeft = CLAIM_LEASE - (performance.now() - claim.wonAt) - SETTLE_WITHIN;
  const settled = await parts.store.settle(handle, token, leaseLeft).catch((error: unknown) => {
    if (error instanceof CibaError) return error;
    throw error;
  });
  if (settled === true) {
    // Only now: what may yet be taken back must be nobody's answer. Where it cannot be kept, the client has this one.
    if (claim.keep) await keepAnswer(claim, claim.keep, parts).catch(() => {});
    // Nobody waits for it: the client has its answer, and until it is done its polls are told to wait.
    inBackground(() => parts.store.confirm(handle));
    parts.events.emit('redemption.settled', { handle, clientId });
    tellTime(claim, parts, 'settled');
    const { decidedAt } = exchange;
    if (decidedAt !== undefined) {
      parts.events.time(() => ({
        of: 'answer',
        seconds: since(decidedAt),
        outcome: 'redeemed',
        handle,
        clientId,
      }));
    }
    // What this turn says to the store leaves at its end: a client that has its answer must not be sooner at another process.
    await endOfTurn();
    return;
  }
  parts.polls.giveBack(handle, token);
  await destroyIssued(ctx);
  ctx.status = UNAVAILABLE.status;
  ctx.body = { error: UNAVAILABLE.error, error_description: UNAVAILABLE.error_description };
  exchange.retryAfter = RETRY_AFTER_FAULT;
  const reason = settled === false ? 'too_late' : 'store_unavailable';
  parts.events.emit('redemption.lost', { handle, clientId, reason });
  tellTime(claim, parts, reason);
}

async function keepAnswer(
  { handle, token }: Claim,
  keep: NonNullable<Claim['keep']>,
  { store }: StepParts,
): Promise<void> {
  const answer = await keep();
  if (answer) await store.keepAnswer(handle, token, answer);
}

/** Gives the approval back to the next poll. A claim that cannot be given back ends with its lease. */
export async function releaseRedemption(
  ctx: KoaContextWithOIDC,
  claim: Claim,
  parts: StepParts,
): Promise<void> {
  const { handle, clientId, token } = claim;
  const { store, events } = parts;
  const error = errorOf(ctx.body);
  const giveBack = async (): Promise<void> => {
    await store.release(handle, token);
    // Of what came with a poll, and was not redeemed by, nobody has heard.
    if (claim.used) events.emit('redemption.released', { handle, clientId, error });
  };
  if (claim.used) await destroyIssued(ctx);
  await giveBack().catch(() => inBackground(giveBack));
  if (claim.used) tellTime(claim, parts, 'released');
}

function tellTime({ handle, clientId, wonAt }: Claim, { events }: StepParts, outcome: string): void {
  const failed = outcome !== 'settled';
  events.time(() => ({ of: 'redemption', seconds: since(wonAt), outcome, failed, handle, clientId }));
}

const since = (began: number): number => (performance.now() - began) / 1000;

/** The server's own adapter may hang where the store did: nobody is kept waiting for it longer than for the store. */
async function destroyIssued(ctx: KoaContextWithOIDC): Promise<void> {
  const { AccessToken, RefreshToken } = ctx.oidc.entities;
  const issued = [AccessToken, RefreshToken].filter((token) => token?.jti !== undefined);
  const destroyed = Promise.allSettled(issued.map((token) => token?.destroy()));
  await within(DESTROY_WITHIN, 'destroying tokens', destroyed).catch(() => {});
}

function errorOf(body: unknown): string | undefined {
  return (body as { error?: string } | null | undefined)?.error;
}
