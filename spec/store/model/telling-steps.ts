import fc from 'fast-check';
import type { Outbox } from '../../../lib/store/outbox.js';
import type { Store, Verdict } from '../../../lib/store/store.js';
import type { MovingClock } from '../../support/clock.js';
import type { TellingModel, Told } from './telling.js';

/** A node of the group that tells. */
export interface TellingNode {
  readonly store: Store;
  readonly outbox: Outbox;
}

/** What the steps are taken on. */
export interface RealTelling {
  readonly nodes: readonly TellingNode[];
  readonly clock: MovingClock;
  /** How much real time may pass in a run, in milliseconds. */
  readonly drift: number;
}

/** The times of a run. */
export interface TellingTimes {
  readonly moves: readonly number[];
  readonly delays: readonly number[];
  readonly lifetimes: readonly number[];
  readonly retention: number;
}

/** Does something, says what it must come to, and lets it happen in the model. */
type Step = (model: TellingModel, node: TellingNode, real: RealTelling) => Promise<void>;

const slot = fc.nat({ max: 1 });

/** Any run of steps on two requests, each step on any of the nodes. */
export function tellings(
  times: TellingTimes,
  maxCommands: number,
): fc.Arbitrary<Iterable<fc.AsyncCommand<TellingModel, RealTelling>>> {
  const delay = fc.constantFrom(...times.delays);
  const sent = fc.boolean();
  const all: [number, fc.Arbitrary<NamedStep>][] = [];
  const add = <T>(weight: number, name: string, choice: fc.Arbitrary<T>, step: (choice: T) => Step): void => {
    all.push([
      weight,
      choice.map((chosen) => ({ text: `${name} ${JSON.stringify(chosen)}`, step: step(chosen) })),
    ]);
  };
  const callback = fc.constantFrom(true, true, true, true, false);
  const lifetime = fc.constantFrom(...times.lifetimes);
  const { retention } = times;
  add(3, 'ask', fc.record({ slot, callback, lifetime, tellExpiry: fc.boolean() }), (choice) =>
    ask({ ...choice, retention }),
  );
  const verdict = fc.constantFrom<Verdict>('approved', 'approved', 'approved', 'denied', 'cancelled');
  add(3, 'decide', fc.record({ slot, verdict }), decide);
  add(1, 'redeem', slot, redeem);
  add(3, 'schedule', fc.record({ slot, delay }), schedule);
  add(4, 'due', fc.nat({ max: 3 }), due);
  add(
    4,
    'postpone',
    fc.record({ slot, delay, sent, ahead: fc.constantFrom(0, 0, 0, 0, -1, -1, -2, 1) }),
    postpone,
  );
  const state = fc.constantFrom('delivered', 'failed');
  add(3, 'end', fc.record({ slot, sent, state, push: fc.boolean() }), end);
  add(5, 'keepBody', fc.record({ slot, body: fc.constantFrom('a', 'a', 'a', 'b') }), keepBody);
  const failedFor = fc.option(delay, { nil: undefined });
  add(2, 'leave', fc.record({ slot, secrets: fc.constantFrom(true, false, false), failedFor }), leave);
  add(3, 'reopen', slot, reopen);
  add(4, 'find', slot, find);
  add(2, 'list', fc.constant('all'), () => list);
  add(1, 'remove', slot, remove);
  add(5, 'wait', fc.constantFrom(...times.moves), wait);
  const one = fc
    .tuple(fc.oneof(...all.map(([weight, arbitrary]) => ({ weight, arbitrary }))), fc.nat(1))
    .map(([named, on]) => new Taken(named, on));
  return fc.commands([one], { maxCommands, size: 'max' });
}

interface NamedStep {
  readonly text: string;
  readonly step: Step;
}

class Taken implements fc.AsyncCommand<TellingModel, RealTelling> {
  readonly #named: NamedStep;
  readonly #on: number;

  constructor(named: NamedStep, on: number) {
    this.#named = named;
    this.#on = on;
  }

  check(): boolean {
    return true;
  }

  run(model: TellingModel, real: RealTelling): Promise<void> {
    return this.#named.step(model, real.nodes[this.#on % real.nodes.length] as TellingNode, real);
  }

  toString(): string {
    return this.#named.text;
  }
}

/** A step on a request that was stored, whether or not it is still there. */
const on =
  (at: number, step: (told: Told, ...rest: Parameters<Step>) => Promise<void>): Step =>
  async (model, node, real) => {
    const told = model.slots.get(at);
    if (told) await step(told, model, node, real);
  };

function ask(choice: {
  slot: number;
  callback: boolean;
  tellExpiry: boolean;
  lifetime: number;
  retention: number;
}): Step {
  return async (model, { store }) => {
    const stored = model.slots.get(choice.slot);
    const over = stored && (stored.removed || model.now >= stored.born + stored.lifetime + stored.retention);
    const asked = stored && !over;
    const handle = asked ? stored.handle : model.fresh('handle');
    const { lifetime, retention } = asked ? stored : choice;
    const callback = choice.callback ? model.fresh('callback') : undefined;
    const rest = {
      clientId: 'till',
      accountId: 'alice',
      interval: 5_000,
      payload: '',
      limits: { cooldown: 0 },
    };
    // A repeat has the same of everything; that another callback changes nothing is the contract's to say.
    const tells = asked ? stored.callback : callback;
    const tellExpiry = asked ? stored.tellExpiry : choice.tellExpiry;
    const told = await store.create({ ...rest, handle, lifetime, retention, callback: tells, tellExpiry });
    expect(told).toBe('created');
    if (asked) {
      // One too many is harmless: a repeat may note again what has been left, and moves nothing.
      const { waiting } = await bothLists(model, store.outbox);
      if (waiting.includes(handle) && !model.waiting.has(handle))
        model.waiting.set(handle, model.now + lifetime);
      return;
    }
    if (callback && tellExpiry) model.waiting.set(handle, model.now + lifetime);
    model.slots.set(choice.slot, {
      handle,
      born: model.now,
      lifetime,
      retention,
      callback,
      tellExpiry,
      verdict: undefined,
      redeemed: false,
      became: undefined,
      forgotten: false,
      removed: false,
      body: undefined,
      events: [],
    });
  };
}

function decide({ slot, verdict }: { slot: number; verdict: Verdict }): Step {
  return on(slot, async (told, model, { store }) => {
    const attempt = {
      handle: told.handle,
      owner: { clientId: 'till', accountId: 'alice' },
      accountId: undefined,
      decision: '{}',
      operation: model.fresh('o'),
    };
    const { result } = await store.decide({ ...attempt, verdict });
    const may = !told.removed && model.status(told) === 'pending';
    expect(result === 'decided').toBe(may);
    if (may) told.verdict = verdict;
  });
}

function redeem(at: number): Step {
  return on(at, async (told, model, { store }) => {
    const { handle } = told;
    const token = model.fresh('token');
    const won = await store.claim({ handle, clientId: 'till', token, lease: 60_000 });
    const may = !told.removed && model.status(told) === 'approved';
    expect(won.result === 'won').toBe(may);
    if (!may) return;
    expect(await store.settle(handle, token)).toBe(true);
    told.redeemed = true;
  });
}

function schedule({ slot, delay }: { slot: number; delay: number }): Step {
  return on(slot, async ({ handle }, model, { outbox }) => {
    await outbox.schedule(handle, delay);
    model.waiting.set(handle, model.now + delay);
  });
}

function due(limit: number): Step {
  return async (model, { outbox }) => {
    const could = model.dueNow();
    const taken = await outbox.due(limit);
    const handles = taken.map(({ handle }) => handle);
    expect(new Set(handles).size).toBe(Math.min(limit, could.length));
    // What is due since the same moment may come in any order.
    const since = (handle: string): number => new Map(could).get(handle) ?? Number.NaN;
    expect(handles.map(since)).toEqual(could.slice(0, limit).map(([, at]) => at));
    for (const { handle, turn } of taken) {
      const told = model.told(handle);
      if (told && model.isThere(told)) expect(turn).toBe(model.turn(told));
      model.take(handle);
    }
  };
}

function postpone(choice: { slot: number; delay: number; sent: boolean; ahead: number }): Step {
  return on(choice.slot, async (told, model, { outbox }) => {
    const { delay, sent } = choice;
    const turn = model.turn(told) + choice.ahead;
    const note = model.fresh('note');
    const postponed = await outbox.postpone(told.handle, { turn, delay, sent, note });
    const open = model.isThere(told) && model.delivery(told).state === 'waiting';
    const last = model.postponed(told);
    const again = open && last?.turn === turn;
    const first = open && choice.ahead === 0;
    expect(postponed).toBe(again || first);
    if (first) {
      told.events.push({ what: 'postponed', turn, dueAt: model.now + delay, sent, note });
      model.waiting.set(told.handle, model.now + delay);
    } else if (again) {
      model.waiting.set(told.handle, Math.max(model.now, model.dueAt(told) ?? 0));
    }
  });
}

function end(choice: { slot: number; state: string; sent: boolean; push: boolean }): Step {
  return on(choice.slot, async (told, model, { outbox }) => {
    const { sent, push } = choice;
    const state = choice.state as 'delivered' | 'failed';
    const success = state === 'delivered';
    const becomes = push ? (success ? 'delivered' : 'undeliverable') : undefined;
    const note = model.fresh('note');
    const stands = await outbox.end(told.handle, { state, becomes, sent, note });
    if (!model.isThere(told)) {
      expect(stands).toBeUndefined();
      return;
    }
    if (model.delivery(told).state === 'waiting') {
      told.events.push({ what: state, sent, note });
      if (becomes && told.verdict === 'approved' && !told.redeemed) told.became = becomes;
    }
    expect(stands).toBe(model.delivery(told).state);
  });
}

function keepBody({ slot, body }: { slot: number; body: string }): Step {
  return on(slot, async (told, model, { outbox }) => {
    const kept = await outbox.keepBody(told.handle, body);
    const { state, callback } = model.delivery(told);
    if (model.isThere(told) && state === 'waiting' && callback !== undefined) told.body ??= body;
    const mine = state === 'delivered' && told.body === body;
    const open = state === 'waiting' && callback !== undefined;
    expect(kept).toBe(model.isThere(told) && (mine || open) ? told.body : undefined);
  });
}

function leave(choice: { slot: number; secrets: boolean; failedFor: number | undefined }): Step {
  return on(choice.slot, async (told, model, { outbox }) => {
    const { secrets, failedFor } = choice;
    await outbox.leave(told.handle, { secrets, ...(failedFor !== undefined && { failedFor }) });
    if (secrets) told.forgotten = true;
    if (failedFor !== undefined) model.failed.set(told.handle, model.now + failedFor);
    model.waiting.delete(told.handle);
  });
}

function reopen(at: number): Step {
  return on(at, async (told, model, { outbox }) => {
    const turn = await outbox.reopen(told.handle);
    const { state, callback } = model.delivery(told);
    const alive = model.isThere(told) && model.now < told.born + told.lifetime;
    const may =
      alive &&
      callback !== undefined &&
      state !== 'delivered' &&
      !['pending', 'undeliverable'].includes(model.status(told));
    if (may && state === 'failed') told.events.push({ what: 'reopened', at: model.now });
    if (may) model.failed.delete(told.handle);
    expect(turn).toBe(may ? model.turn(told) : undefined);
  });
}

function find(at: number): Step {
  return on(at, async (told, model, { outbox }, { drift }) => {
    const found = await outbox.find(told.handle);
    if (!found || !model.isThere(told)) {
      expect(found).toBeUndefined();
      expect(model.isThere(told)).toBe(false);
      return;
    }
    const { request, ...delivery } = found;
    expect(request).toMatchObject({ handle: told.handle, status: model.status(told), told: true });
    const expected = model.delivery(told);
    const dueAt = delivery.dueAt && delivery.dueAt - request.expiresAt;
    const near = Math.abs(dueAt - (expected.dueAt ?? 0)) <= drift;
    expect({ ...delivery, dueAt: near ? expected.dueAt : dueAt }).toEqual(expected);
  });
}

async function bothLists(model: TellingModel, outbox: Outbox) {
  const { waiting, failed } = await outbox.list();
  expect([...failed].sort()).toEqual(model.stillFailed().sort());
  return { waiting };
}

const list: Step = async (model, { outbox }) => {
  const { waiting } = await bothLists(model, outbox);
  expect([...waiting].sort()).toEqual([...model.waiting.keys()].sort());
  const times = waiting.map((handle) => model.waiting.get(handle) ?? 0);
  expect(times).toEqual(times.toSorted((one, other) => one - other));
};

function remove(at: number): Step {
  return on(at, async (told, _, { store }) => {
    await store.remove(told.handle);
    told.removed = true;
  });
}

function wait(ms: number): Step {
  return async (model, _, { clock }) => {
    model.now += ms;
    clock.advance(ms);
  };
}
