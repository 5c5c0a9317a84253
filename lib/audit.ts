import type { AuditEntry, CibaEventName, CibaEvents } from './events.js';

type Says = Pick<AuditEntry, 'by' | 'outcome'> & { readonly reason?: string | undefined };

/** What each event is in an audit log. Those that are not here change nothing of a request. */
const ENTRIES: { readonly [Name in CibaEventName]?: (event: CibaEvents[Name]) => Says } = {
  'request.accepted': () => ({ by: 'client', outcome: 'pending' }),
  'request.refused': ({ error }) => ({ by: 'client', outcome: 'refused', reason: error }),
  'request.limited': ({ limit }) => ({ by: 'client', outcome: 'refused', reason: limit }),
  'request.approved': () => ({ by: 'person', outcome: 'approved' }),
  'request.denied': ({ error, wrongNumber }) => ({
    by: 'person',
    outcome: 'denied',
    reason: wrongNumber ? 'wrong_number' : error,
  }),
  'request.reported': () => ({ by: 'person', outcome: 'blocked' }),
  'request.cancelled': ({ by }) => ({ by, outcome: 'cancelled' }),
  'client.unblocked': () => ({ by: 'server', outcome: 'unblocked' }),
  'decision.refused': ({ reason }) => ({ by: undefined, outcome: 'refused', reason }),
  'poll.expired': () => ({ by: undefined, outcome: 'expired' }),
  'redemption.claimed': () => ({ by: 'client', outcome: 'claimed' }),
  'redemption.settled': () => ({ by: 'client', outcome: 'redeemed' }),
  'redemption.repeated': () => ({ by: 'client', outcome: 'redeemed', reason: 'repeated' }),
  'redemption.released': ({ error }) => ({ by: 'server', outcome: 'approved', reason: error }),
  'redemption.lost': ({ reason }) => ({ by: 'server', outcome: 'approved', reason }),
  'delivery.delivered': ({ mode }) => ({ by: 'server', outcome: mode === 'push' ? 'delivered' : 'told' }),
  // Who is not pinged may come for the tokens.
  'delivery.failed': ({ mode, reason }) => ({
    by: 'server',
    outcome: mode === 'push' ? 'undeliverable' : 'not_told',
    reason,
  }),
  'delivery.retried': () => ({ by: 'server', outcome: 'waiting' }),
};

/** An event as an audit log has it. */
export function auditEntryOf<Name extends CibaEventName>(
  name: Name,
  event: CibaEvents[Name],
): AuditEntry | undefined {
  const says = ENTRIES[name]?.(event);
  if (!says) return undefined;
  const { handle, clientId, accountId } = event as Partial<AuditEntry>;
  const { by, outcome, reason } = says;
  return { at: new Date(), action: name, by, outcome, handle, clientId, accountId, reason };
}
