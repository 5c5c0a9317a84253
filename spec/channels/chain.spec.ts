import {
  beginSteps,
  conclude as concludeSteps,
  dueLegs,
  endChain,
  isUnreachable,
  newChain,
  nextAt,
  type Progress,
  type Tried,
} from '../../lib/channels/chain.js';
import type { ChannelFailure } from '../../lib/channels/channel.js';

const START = 1_000_000;
const PENDING = true;
const OVER = false;

const names = (progress: Progress, now: number, pending = PENDING): string[] =>
  dueLegs(progress, now, pending).map(({ channel }) => channel);
const states = (progress: Progress): Record<string, string> =>
  Object.fromEntries(progress.legs.map(({ channel, state }) => [channel, state]));
type Result = Omit<Tried, 'step'>;
const took = (channel: string): Result => ({ channel });
const failed = (channel: string, failure: ChannelFailure = 'unavailable'): Result => ({ channel, failure });

/** What channels have come to that stand in the chain once. */
const conclude = (progress: Progress, results: readonly Result[], now: number): Progress => {
  const stepOf = ({ channel }: Result): number =>
    progress.legs.find((leg) => leg.channel === channel)?.step ?? -1;
  return concludeSteps(
    progress,
    results.map((result) => ({ ...result, step: stepOf(result) })),
    now,
  );
};

describe('a chain', () => {
  const plain = newChain([{ channel: 'web-push' }, { channel: 'email', wait: 60 }, { channel: 'sms' }]);

  it('begins with its first step alone', () => {
    expect(names(beginSteps(plain, START), START)).toEqual(['web-push']);
  });

  it('begins the next step 20 seconds after one that reached its person, and not before', () => {
    const sent = conclude(beginSteps(plain, START), [took('web-push')], START);
    expect(nextAt(sent, START, PENDING)).toBe(START + 20_000);
    expect(names(beginSteps(sent, START + 19_999), START + 19_999)).toEqual([]);
    expect(names(beginSteps(sent, START + 20_000), START + 20_000)).toEqual(['email']);
  });

  it('waits as long as the step says', () => {
    let progress = conclude(beginSteps(plain, START), [took('web-push')], START);
    const second = START + 20_000;
    progress = conclude(beginSteps(progress, second), [took('email')], second);
    expect(nextAt(progress, second, PENDING)).toBe(second + 60_000);
    expect(names(beginSteps(progress, second + 60_000), second + 60_000)).toEqual(['sms']);
  });

  it.each<ChannelFailure>(['unavailable', 'gone', 'refused', 'no_address'])(
    'begins the next step at once after one that failed: %s',
    (failure) => {
      const progress = conclude(beginSteps(plain, START), [failed('web-push', failure)], START);
      expect(nextAt(progress, START, PENDING)).toBe(START);
      expect(names(beginSteps(progress, START), START)).toEqual(['email']);
    },
  );

  it('goes through all of them at once where each fails, and is then unreachable only when none is tried again', () => {
    let progress = beginSteps(plain, START);
    for (const channel of ['web-push', 'email', 'sms']) {
      progress = beginSteps(conclude(progress, [failed(channel, 'refused')], START), START);
    }
    expect(states(progress)).toEqual({ 'web-push': 'failed', email: 'failed', sms: 'failed' });
    expect({ unreachable: isUnreachable(progress), next: nextAt(progress, START, PENDING) }).toEqual({
      unreachable: true,
      next: undefined,
    });
  });

  it('tries a channel that does not answer five times, further and further apart, beside the steps after it', () => {
    let progress = beginSteps(newChain([{ channel: 'email' }, { channel: 'sms', wait: 3600 }]), START);
    let now = START;
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      expect(names(progress, now)).toContain('email');
      progress = beginSteps(
        conclude(progress, attempt === 2 ? [failed('email'), took('sms')] : [failed('email')], now),
        now,
      );
      const { dueAt } = progress.legs[0] as Progress['legs'][number];
      waits.push(dueAt - now);
      now = Math.max(now, dueAt);
    }
    expect(states(progress)).toEqual({ email: 'failed', sms: 'sent' });
    expect(isUnreachable(progress)).toBe(false);
    // One, two, four and eight seconds, a fifth to either side; after the last there is none.
    for (const [index, wait] of [1_000, 2_000, 4_000, 8_000].entries()) {
      expect(waits[index]).toBeGreaterThanOrEqual(wait * 0.8);
      expect(waits[index]).toBeLessThanOrEqual(wait * 1.2);
    }
    expect(waits[4]).toBe(0);
  });

  it('tries several channels of a step at once, and goes on when all of them have failed', () => {
    let progress = beginSteps(newChain([{ channel: ['web-push', 'app'] }, { channel: 'sms' }]), START);
    expect(names(progress, START)).toEqual(['web-push', 'app']);
    progress = beginSteps(conclude(progress, [failed('web-push', 'gone'), took('app')], START), START);
    expect(names(progress, START)).toEqual([]);
    progress = beginSteps(newChain([{ channel: ['web-push', 'app'] }, { channel: 'sms' }]), START);
    progress = conclude(progress, [failed('web-push', 'gone'), failed('app', 'refused')], START);
    expect(names(beginSteps(progress, START), START)).toEqual(['sms']);
  });

  it('begins several steps at once that wait for nothing', () => {
    const progress = beginSteps(
      newChain([{ channel: 'a', wait: 0 }, { channel: 'b', wait: 0 }, { channel: 'c' }]),
      START,
    );
    expect(names(progress, START)).toEqual(['a', 'b', 'c']);
  });

  it('of nobody has nothing to do', () => {
    const progress = beginSteps(newChain([]), START);
    expect({ due: names(progress, START), next: nextAt(progress, START, PENDING) }).toEqual({
      due: [],
      next: undefined,
    });
  });
});

describe('a channel that stands in a chain twice', () => {
  it('is tried in both steps, each by itself', () => {
    const steps = [{ channel: 'app' }, { channel: 'email' }, { channel: 'app' }];
    let progress = beginSteps(newChain(steps), START);
    progress = concludeSteps(progress, [{ channel: 'app', step: 0 }], START);
    progress = concludeSteps(
      beginSteps(progress, START + 20_000),
      [{ channel: 'email', step: 1 }],
      START + 20_000,
    );
    expect(progress.legs.map(({ state }) => state)).toEqual(['sent', 'sent', 'waiting']);
    progress = beginSteps(progress, START + 40_000);
    expect(dueLegs(progress, START + 40_000, PENDING)).toMatchObject([{ channel: 'app', step: 2 }]);
    progress = concludeSteps(progress, [{ channel: 'app', step: 2, failure: 'unavailable' }], START + 40_000);
    expect(progress.legs.map(({ state }) => state)).toEqual(['sent', 'sent', 'trying']);
  });
});

describe('a chain whose request has ended', () => {
  const sentOnly = conclude(
    beginSteps(newChain([{ channel: 'app' }, { channel: 'email' }]), START),
    [took('app')],
    START,
  );

  it('takes away what was sent, at once, and begins no further step', () => {
    const ended = endChain(sentOnly, START + 30_000);
    expect(names(ended, START + 30_000, OVER)).toEqual(['app']);
    const after = conclude(ended, [took('app')], START + 30_000);
    expect(states(after)).toEqual({ app: 'dismissed', email: 'waiting' });
    expect(nextAt(after, START + 30_000, OVER)).toBeUndefined();
  });

  it('tries to take away as often as to send, and leaves it then', () => {
    let [progress, now] = [sentOnly, START];
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      progress = endChain(progress, now);
      expect(names(progress, now, OVER)).toEqual(['app']);
      progress = conclude(progress, [failed('app')], now);
      now = Math.max(now, progress.legs[0]?.dueAt ?? 0);
    }
    expect(states(progress)).toMatchObject({ app: 'left' });
    expect(nextAt(progress, now, OVER)).toBeUndefined();
  });

  it('does not try again at once what could not be taken away', () => {
    const progress = conclude(endChain(sentOnly, START), [failed('app')], START);
    expect(names(endChain(progress, START), START, OVER)).toEqual([]);
  });

  it('leaves what has no way to be taken away, at once', () => {
    const progress = endChain(
      conclude(beginSteps(newChain([{ channel: 'email' }]), START), [took('email')], START),
      START,
    );
    const after = concludeSteps(progress, [{ channel: 'email', step: 0, stays: true }], START);
    expect(states(after)).toEqual({ email: 'left' });
    expect(nextAt(after, START, OVER)).toBeUndefined();
  });

  it('has nothing to take away where nothing was sent', () => {
    const progress = beginSteps(newChain([{ channel: 'app' }]), START);
    expect(nextAt(endChain(progress, START), START, OVER)).toBeUndefined();
  });
});
