import fc from 'fast-check';
import { DOUBT, POLL_LEEWAY, SLOW_DOWN_STEP } from '../../../lib/store/lifecycle.js';
import type { NewRequest, Store, Verdict } from '../../../lib/store/store.js';
import type { MovingClock } from '../../support/clock.js';
import type { History, Model } from './model.js';

/** What the steps are taken on. Names are made unlike those of other runs by `mark`. */
export interface Real {
  readonly nodes: readonly Store[];
  readonly clock: MovingClock;
  readonly mark: string;
  /** How much real time may pass in a run, in milliseconds. */
  readonly drift: number;
}

/** What to do and what must come of it. */
interface Taken {
  readonly act: (store: Store, real: Real) => Promise<unknown>;
  readonly expected: unknown;
}

/** Says what must happen, and lets it happen in the model; nothing where the step cannot be taken now. */
export type Step = (model: Model) => Taken | undefined;

/** The times of a run. */
export interface Times {
  readonly moves: readonly number[];
  readonly lifetimes: readonly number[];
  readonly retention: number;
  readonly interval: number;
  readonly lease: number;
  /** How much of its lease a settle may insist on. */
  readonly leaseLeft: readonly number[];
}

const slot = fc.nat({ max: 2 });
const client = fc.constantFrom('till', 'till', 'till', 'phone');
const account = fc.constantFrom('alice', 'alice', 'bob');
const verdict = fc.constantFrom<Verdict>('approved', 'approved', 'approved', 'denied', 'cancelled');
const again = fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.nat(3) });
const node = fc.nat(1);

/** Any run of steps, of which some are taken at once. */
export function runs(
  times: Times,
  maxCommands: number,
): fc.Arbitrary<Iterable<fc.AsyncCommand<Model, Real>>> {
  const asking = fc
    .record({
      slot,
      client,
      account,
      lifetime: fc.constantFrom(...times.lifetimes),
      limit: fc.constantFrom(1, 2, undefined),
      callback: fc.constantFrom(undefined, 'callback'),
    })
    .map((choice) => named('ask', choice, ask(times, choice)));
  const polling = fc
    .record({ slot, client, again: fc.boolean(), claims: fc.boolean(), claimAgain: again })
    .map((choice) => named('poll', choice, poll(times, choice)));
  const deciding = fc
    .record({ slot, verdict, stranger: fc.constantFrom(false, false, false, true), again })
    .map((choice) => named(choice.verdict, choice, decide(choice)));
  const claiming = fc
    .record({ slot, client, again })
    .map((choice) => named('claim', choice, claim(times, choice)));
  const settling = fc
    .record({ slot, token: fc.nat(3), leaseLeft: fc.constantFrom(...times.leaseLeft) })
    .map((choice) => named('settle', choice, settle(choice)));
  const releasing = fc
    .record({ slot, token: fc.nat(3) })
    .map((choice) => named('release', choice, release(choice)));
  const confirming = slot.map((at) => named('confirm', at, confirm(at)));
  const telling = fc
    .record({ slot, state: fc.constantFrom('delivered', 'failed'), push: fc.boolean() })
    .map((choice) => named('tell', choice, tell(choice)));
  const reading = slot.map((at) => named('read', at, read(at)));
  const listing = account.map((accountId) => named('list', accountId, list(accountId)));
  const removing = slot.map((at) => named('remove', at, remove(at)));
  const moving = fc.constantFrom(...times.moves).map((ms) => named('wait', ms, wait(ms)));

  /** Steps of one script each: sent together they are executed in the order in which they were sent. */
  const atOnce = fc
    .array(fc.oneof(polling, deciding, claiming, settling, confirming, releasing, telling), {
      minLength: 2,
      maxLength: 4,
    })
    .map((steps) => new TakenAtOnce(steps));
  const single = [
    asking,
    polling,
    deciding,
    claiming,
    settling,
    confirming,
    releasing,
    telling,
    reading,
    listing,
    removing,
    moving,
  ];
  const weights = [4, 5, 3, 4, 3, 1, 2, 2, 2, 1, 1, 5];
  const one = fc
    .tuple(fc.oneof(...single.map((arbitrary, index) => ({ weight: weights[index] ?? 1, arbitrary }))), node)
    .map(([step, on]) => new TakenAtOnce([step], on));
  return fc.commands([one, one, one, one, atOnce], { maxCommands, size: 'max' });
}

interface NamedStep {
  readonly text: string;
  readonly step: Step;
}

function named(name: string, choice: unknown, step: Step): NamedStep {
  return { text: `${name} ${JSON.stringify(choice)}`, step };
}

/** One step, or several that are under way at the same time. */
class TakenAtOnce implements fc.AsyncCommand<Model, Real> {
  readonly #steps: readonly NamedStep[];
  readonly #node: number;

  constructor(steps: readonly NamedStep[], on = 0) {
    this.#steps = steps;
    this.#node = on;
  }

  check(): boolean {
    return true;
  }

  async run(model: Model, real: Real): Promise<void> {
    const store = real.nodes[this.#node % real.nodes.length] as Store;
    const taken = this.#steps.map(({ step }) => step(model)).filter((one) => one !== undefined);
    const answers = await Promise.all(taken.map(({ act }) => act(store, real)));
    for (const [index, { expected }] of taken.entries()) {
      expect(withoutDrift(answers[index], expected, real.drift)).toEqual(expected);
    }
  }

  toString(): string {
    return this.#steps.map(({ text }) => text).join(' & ');
  }
}

/** Takes a duration for the expected one where real time explains the difference. */
function withoutDrift(actual: unknown, expected: unknown, drift: number): unknown {
  if (Array.isArray(actual) && Array.isArray(expected)) {
    return actual.map((each, index) => withoutDrift(each, expected[index], drift));
  }
  if (!isRecord(actual) || !isRecord(expected)) return actual;
  const settled = { ...actual };
  for (const key of ['wait', 'remaining']) {
    const [is, should] = [actual[key], expected[key]];
    if (typeof is !== 'number' || typeof should !== 'number') continue;
    if (is <= should && is >= should - drift) settled[key] = should;
  }
  return settled;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** A step on a request that may or may not have been stored. */
function onSlot(at: number, step: (history: History, model: Model) => Taken | undefined): Step {
  return (model) => {
    const history = model.slots.get(at);
    return history && step(history, model);
  };
}

const marked = (request: NewRequest, mark: string): NewRequest => ({
  ...request,
  handle: `${request.handle}-${mark}`,
  accountId: `${request.accountId}-${mark}`,
});

function ask(
  times: Times,
  choice: {
    slot: number;
    client: string;
    account: string;
    lifetime: number;
    limit: number | undefined;
    callback: string | undefined;
  },
): Step {
  return (model) => {
    const stored = model.slots.get(choice.slot);
    // A handle is random: nobody asks with one again that has been forgotten.
    if (stored && model.status(stored) === 'gone') return undefined;
    const request = stored?.request ?? {
      handle: model.fresh('handle'),
      clientId: choice.client,
      accountId: choice.account,
      lifetime: choice.lifetime,
      retention: times.retention,
      interval: times.interval,
      payload: model.fresh('payload'),
      limits: { account: choice.limit, cooldown: 0 },
      callback: choice.callback,
    };
    const full =
      !stored && model.pendingOf(choice.account).length >= (choice.limit ?? Number.POSITIVE_INFINITY);
    if (!stored && !full) {
      model.slots.set(choice.slot, {
        request,
        born: model.now,
        redeemed: false,
        doubt: 0,
        told: undefined,
        claim: undefined,
        poll: undefined,
        early: 0,
        attempts: [],
        tokens: ['stranger'],
      });
    }
    return {
      act: (store, { mark }) => store.create(marked(request, mark)),
      expected: full ? 'account' : 'created',
    };
  };
}

function poll(
  times: Times,
  choice: { slot: number; client: string; again: boolean; claims: boolean; claimAgain: number | undefined },
): Step {
  return onSlot(choice.slot, (history, model) => {
    const { request } = history;
    const operation = (choice.again && history.poll?.operation) || model.fresh('poll');
    const claim = choice.claims
      ? { token: tokenFor(history, model, choice.claimAgain), lease: times.lease }
      : undefined;
    return {
      act: (store, { mark }) =>
        store
          .poll({ handle: `${request.handle}-${mark}`, clientId: choice.client, operation, claim })
          .then((told) => withoutMark(told, mark)),
      expected: answerToPoll(history, model, choice.client, operation, claim),
    };
  });
}

/** A token names one claim: it is used again for a repeat of it only, while it holds. */
function tokenFor(history: History, model: Model, again: number | undefined): string {
  const { tokens } = history;
  const repeats = again !== undefined && model.status(history) === 'claimed';
  const token = (repeats && tokens[again]) || model.fresh('token');
  if (!tokens.includes(token)) tokens.push(token);
  return token;
}

function answerToPoll(
  history: History,
  model: Model,
  clientId: string,
  operation: string,
  claims: { token: string; lease: number } | undefined,
): object {
  const { request, decision, claim } = history;
  const status = model.status(history);
  if (status === 'gone') return { result: 'gone' };
  if (clientId !== request.clientId) return { result: 'foreign' };
  const repeats = status === 'claimed' && claims?.token === claim?.token;
  if (status === 'claimed' && !repeats) return { result: 'claimed', wait: (claim?.until ?? 0) - model.now };
  if (status === 'denied') return { result: 'denied', decision: decision?.text };
  if (status === 'approved' || repeats) {
    const { accountId, payload } = request;
    const claimed = claims !== undefined && (repeats || request.callback === undefined);
    if (claims && claimed && !repeats)
      history.claim = { token: claims.token, until: model.now + claims.lease };
    return {
      result: 'approved',
      accountId,
      payload,
      decision: decision?.text,
      remaining: model.remaining(history),
      claimed,
    };
  }
  if (status === 'redeemed') return model.inDoubt(history) ?? { result: status };
  if (status !== 'pending') return { result: status };
  const due = history.poll === undefined || model.now >= history.poll.next;
  if (due || history.poll?.operation !== operation) {
    const early = history.poll !== undefined && model.now < history.poll.next - POLL_LEEWAY;
    if (early) history.early += 1;
    const next = model.now + request.interval + history.early * SLOW_DOWN_STEP;
    history.poll = { operation, told: early ? 'slow_down' : 'pending', next };
  }
  return {
    result: history.poll.told,
    wait: Math.max(0, history.poll.next - model.now),
    remaining: model.remaining(history),
  };
}

function decide(choice: {
  slot: number;
  verdict: Verdict;
  stranger: boolean;
  again: number | undefined;
}): Step {
  return onSlot(choice.slot, (history, model) => {
    const { request, attempts } = history;
    const owner = choice.verdict === 'cancelled' ? undefined : request.accountId;
    const repeated = choice.again === undefined ? undefined : attempts[choice.again];
    const attempt = repeated ?? {
      operation: model.fresh('decision'),
      accountId: choice.stranger ? 'mallory' : owner,
      verdict: choice.verdict,
      decision: model.fresh('text'),
    };
    if (!repeated) attempts.push(attempt);
    const { operation, verdict, decision, accountId } = attempt;
    const status = model.status(history);
    const answer = (): object => {
      if (status === 'gone') return { result: 'gone' };
      if (accountId === 'mallory') return { result: 'forbidden' };
      if (history.decision?.operation !== operation) {
        if (status !== 'pending') return { result: 'conflict', status };
        history.decision = { operation, verdict, text: decision };
      }
      return { result: 'decided' };
    };
    return {
      expected: answer(),
      act: (store, { mark }) =>
        store.decide({
          handle: `${request.handle}-${mark}`,
          owner: { clientId: request.clientId, accountId: `${request.accountId}-${mark}` },
          accountId: accountId && `${accountId}-${mark}`,
          verdict,
          decision,
          operation,
        }),
    };
  });
}

function claim(times: Times, choice: { slot: number; client: string; again: number | undefined }): Step {
  return onSlot(choice.slot, (history, model) => {
    const { request } = history;
    const token = tokenFor(history, model, choice.again);
    const status = model.status(history);
    const answer = (): object => {
      if (status === 'gone') return { result: 'gone' };
      if (choice.client !== request.clientId) return { result: 'foreign' };
      if (status === 'approved') {
        history.claim = { token, until: model.now + times.lease };
        return { result: 'won' };
      }
      if (status === 'redeemed') return model.inDoubt(history) ?? { result: status };
      if (status !== 'claimed') return { result: status };
      return history.claim?.token === token
        ? { result: 'won' }
        : { result: 'claimed', wait: (history.claim?.until ?? 0) - model.now };
    };
    return {
      expected: answer(),
      act: (store, { mark }) =>
        store.claim({
          handle: `${request.handle}-${mark}`,
          clientId: choice.client,
          token,
          lease: times.lease,
        }),
    };
  });
}

function settle(choice: { slot: number; token: number; leaseLeft: number }): Step {
  return onSlot(choice.slot, (history, model) => {
    const token = tokenAt(history, choice.token);
    const holds = history.claim?.token === token;
    const left = (history.claim?.until ?? 0) - model.now;
    if (model.status(history) === 'claimed' && holds && left >= choice.leaseLeft) history.redeemed = true;
    const expected = model.status(history) === 'redeemed' && holds;
    if (expected) history.doubt = model.now + DOUBT;
    return {
      expected,
      act: (store, { mark }) => store.settle(`${history.request.handle}-${mark}`, token, choice.leaseLeft),
    };
  });
}

function confirm(at: number): Step {
  return onSlot(at, (history) => {
    history.doubt = 0;
    return {
      expected: undefined,
      act: (store, { mark }) => store.confirm(`${history.request.handle}-${mark}`),
    };
  });
}

function release(choice: { slot: number; token: number }): Step {
  return onSlot(choice.slot, (history, model) => {
    const token = tokenAt(history, choice.token);
    if (['claimed', 'redeemed'].includes(model.status(history)) && history.claim?.token === token) {
      history.claim = undefined;
      history.redeemed = false;
      history.doubt = 0;
    }
    return {
      expected: undefined,
      act: (store, { mark }) => store.release(`${history.request.handle}-${mark}`, token),
    };
  });
}

/** Ends the telling of the client, where it is told: an approval that nobody has claimed is used up by a push. */
function tell(choice: { slot: number; state: 'delivered' | 'failed'; push: boolean }): Step {
  return onSlot(choice.slot, (history, model) => {
    const { request, decision, claim } = history;
    const { state, push } = choice;
    const becomes = state === 'delivered' ? 'delivered' : 'undeliverable';
    const isThere = request.callback !== undefined && model.status(history) !== 'gone';
    if (isThere && !history.told) {
      const unclaimed = decision?.verdict === 'approved' && !claim;
      history.told = { state, became: push && unclaimed ? becomes : undefined };
    }
    const ending = { state, becomes: push ? becomes : undefined, sent: true, note: '' } as const;
    return {
      expected: isThere ? history.told?.state : undefined,
      act: ({ outbox }, { mark }) => outbox.end(`${request.handle}-${mark}`, ending),
    };
  });
}

/** One of the latest tokens of a request, the latest one most of all. */
function tokenAt({ tokens }: History, back: number): string {
  return tokens[Math.max(0, tokens.length - 1 - Math.max(0, back - 1))] as string;
}

function read(at: number): Step {
  return onSlot(at, (history, model) => ({
    expected: model.status(history) === 'gone' ? undefined : stored(history, model),
    act: async (store, { mark }) => withoutMark(await store.read(`${history.request.handle}-${mark}`), mark),
  }));
}

function list(accountId: string): Step {
  return (model) => ({
    expected: model
      .pendingOf(accountId)
      .map((history) => stored(history, model))
      .sort(byName),
    act: async (store, { mark }) => {
      const listed = await store.list(`${accountId}-${mark}`);
      const ends = listed.map(({ expiresAt }) => expiresAt);
      expect(ends).toEqual([...ends].sort());
      return listed.map((request) => withoutMark(request, mark)).sort(byName);
    },
  });
}

function remove(at: number): Step {
  return onSlot(at, (history, model) => {
    model.slots.delete(at);
    return {
      expected: undefined,
      act: (store, { mark }) => store.remove(`${history.request.handle}-${mark}`),
    };
  });
}

function wait(ms: number): Step {
  return (model) => {
    model.now += ms;
    return { expected: undefined, act: async (_, { clock }) => clock.advance(ms) };
  };
}

function stored(history: History, model: Model): Record<string, unknown> {
  const { handle, clientId, accountId, payload } = history.request;
  return {
    handle,
    clientId,
    accountId,
    payload,
    status: model.status(history),
    decision: history.decision?.text,
    remaining: model.remaining(history),
    told: history.request.callback !== undefined,
    prompted: false,
  };
}

function withoutMark(told: object | undefined, mark: string): Record<string, unknown> | undefined {
  if (!told) return undefined;
  const { expiresAt: _, ...rest } = told as Record<string, unknown>;
  for (const key of ['handle', 'accountId']) {
    if (typeof rest[key] === 'string') rest[key] = rest[key].replace(`-${mark}`, '');
  }
  return rest;
}

function byName(
  one: Record<string, unknown> | undefined,
  other: Record<string, unknown> | undefined,
): number {
  return String(one?.['handle']).localeCompare(String(other?.['handle']));
}
