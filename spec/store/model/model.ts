import type { NewRequest, Status, Verdict } from '../../../lib/store/store.js';

/** What has happened to a request. Where it stands is read from that, never written. */
export interface History {
  readonly request: NewRequest;
  readonly born: number;
  decision?: { readonly operation: string; readonly verdict: Verdict; readonly text: string };
  redeemed: boolean;
  /** Until when the redemption may be given back, as far as others know. */
  doubt: number;
  /** How the telling of its client ended, and what the request became by that. */
  told: { readonly state: 'delivered' | 'failed'; readonly became: Status | undefined } | undefined;
  claim: { readonly token: string; readonly until: number } | undefined;
  poll:
    | { readonly operation: string; readonly told: 'pending' | 'slow_down'; readonly next: number }
    | undefined;
  /** Polls that came too early. */
  early: number;
  readonly attempts: Attempt[];
  readonly tokens: string[];
}

/** A decision as it was sent, so that it can be sent again. */
export interface Attempt {
  readonly operation: string;
  readonly accountId: string | undefined;
  readonly verdict: Verdict;
  readonly decision: string;
}

/** What a store should do, said another way than the stores do it. */
export class Model {
  now = 0;
  readonly slots = new Map<number, History>();
  #names = 0;

  /** A name that nothing has had before. */
  fresh(what: string): string {
    this.#names += 1;
    return `${what}${this.#names}`;
  }

  status(history: History): Status | 'gone' {
    const { request, born, decision, redeemed, claim, told } = history;
    const age = this.now - born;
    if (age >= request.lifetime + request.retention) return 'gone';
    if (told?.became) return told.became;
    if (redeemed) return 'redeemed';
    if (claim && this.now < claim.until) return 'claimed';
    if (decision && decision.verdict !== 'approved') return decision.verdict;
    if (age >= request.lifetime) return 'expired';
    return decision ? 'approved' : 'pending';
  }

  /** What others are told of a redeemed request that may be given back. */
  inDoubt({ doubt }: History): { result: 'claimed'; wait: number } | undefined {
    return this.now < doubt ? { result: 'claimed', wait: Math.min(doubt - this.now, 1_000) } : undefined;
  }

  remaining({ request, born }: History): number {
    return Math.max(0, born + request.lifetime - this.now);
  }

  pendingOf(accountId: string): History[] {
    return [...this.slots.values()].filter(
      (history) => history.request.accountId === accountId && this.status(history) === 'pending',
    );
  }
}
