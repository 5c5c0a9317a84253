import { type StoredDelivery, TAKEN_FOR } from '../../../lib/store/outbox.js';
import type { Verdict } from '../../../lib/store/store.js';

/** Something that happened to the telling of a client. */
export type Event =
  | {
      readonly what: 'postponed';
      readonly turn: number;
      readonly dueAt: number;
      readonly sent: boolean;
      readonly note: string;
    }
  | { readonly what: 'delivered' | 'failed'; readonly sent: boolean; readonly note: string }
  | { readonly what: 'reopened'; readonly at: number };

/** What has happened to a request whose client may have to be told. */
export interface Told {
  readonly handle: string;
  readonly born: number;
  readonly lifetime: number;
  readonly retention: number;
  readonly callback: string | undefined;
  readonly tellExpiry: boolean;
  verdict: Verdict | undefined;
  redeemed: boolean;
  became: 'delivered' | 'undeliverable' | undefined;
  forgotten: boolean;
  removed: boolean;
  body: string | undefined;
  readonly events: Event[];
}

/** What an outbox should do, said another way than the outboxes do it: everything is read from what happened. */
export class TellingModel {
  now = 0;
  readonly slots = new Map<number, Told>();
  readonly waiting = new Map<string, number>();
  readonly failed = new Map<string, number>();
  #names = 0;

  fresh(what: string): string {
    this.#names += 1;
    return `${what}${this.#names}`;
  }

  /** Whether there is anybody to tell, or was. */
  isThere(told: Told): boolean {
    const gone = told.removed || this.now >= told.born + told.lifetime + told.retention;
    return !gone && told.callback !== undefined;
  }

  status({ became, redeemed, verdict, born, lifetime }: Told): string {
    if (became) return became;
    if (redeemed) return 'redeemed';
    if (verdict === 'denied' || verdict === 'cancelled') return verdict;
    if (this.now >= born + lifetime) return 'expired';
    return verdict ?? 'pending';
  }

  /** As `find` should tell it, but for the request and for `dueAt`, which counts from the end of the request's life. */
  delivery(told: Told): Partial<StoredDelivery> {
    const { events, callback, body, forgotten } = told;
    const last = events.at(-1);
    const dueAt = this.dueAt(told);
    return {
      state: last?.what === 'delivered' || last?.what === 'failed' ? last.what : 'waiting',
      attempts: events.filter((event) => 'sent' in event && event.sent).length,
      turn: this.turn(told),
      dueAt: dueAt === undefined ? 0 : dueAt - told.born - told.lifetime,
      note: events.flatMap((event) => ('note' in event ? [event.note] : [])).at(-1),
      callback: forgotten ? undefined : callback,
      body: forgotten ? undefined : body,
    };
  }

  dueAt({ events }: Told): number | undefined {
    const last = events.at(-1);
    if (last?.what === 'postponed') return last.dueAt;
    return last?.what === 'reopened' ? last.at : undefined;
  }

  turn({ events }: Told): number {
    return 1 + events.filter(({ what }) => what === 'postponed' || what === 'reopened').length;
  }

  postponed({ events }: Told): (Event & { what: 'postponed' }) | undefined {
    return events.findLast((event) => event.what === 'postponed');
  }

  told(handle: string): Told | undefined {
    return [...this.slots.values()].find((each) => each.handle === handle);
  }

  /** What `due` may take, the longest due in front. */
  dueNow(): [string, number][] {
    return [...this.waiting].filter(([, at]) => at <= this.now).sort(([, one], [, other]) => one - other);
  }

  take(handle: string): void {
    this.waiting.set(handle, this.now + TAKEN_FOR);
  }

  stillFailed(): string[] {
    return [...this.failed].flatMap(([handle, until]) => (until > this.now ? [handle] : []));
  }
}
