import type { StoredDelivery } from '../store/outbox.js';

/**
 * What a turn finds:
 *
 * - `over` nobody is to be told any more
 * - `given up` it was, and what that leaves to do may not be done
 * - `superseded` another turn is the present one
 * - `too late` the request has ended
 * - `undecided` the decision is not there, though it may come
 * - `due` the client is to be told
 */
export type Stage = 'over' | 'superseded' | 'undecided' | 'given up' | 'too late' | 'due';

/** Where a turn stands: the first line that fits. */
export function stageOf(due: StoredDelivery | undefined, turn: number, notifyExpiry: boolean): Stage {
  if (!due || due.state === 'delivered') return 'over';
  if (due.state === 'failed') return 'given up';
  if (due.turn !== turn) return 'superseded';
  const { status, decision, remaining } = due.request;
  if (decision !== undefined && remaining === 0) return 'too late';
  if (due.callback === undefined) return 'over';
  if (status === 'pending') return 'undecided';
  if (decision === undefined) return notifyExpiry ? 'due' : 'over';
  return 'due';
}
