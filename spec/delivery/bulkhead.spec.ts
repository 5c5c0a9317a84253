import { jest } from '@jest/globals';
import { Bulkhead, type Leave } from '../../lib/delivery/bulkhead.js';

const SLOW = 'https://slow.example';
const PLACES = 8;

describe('the sends to one origin', () => {
  let bulkhead: Bulkhead;
  let time: number;

  beforeEach(() => {
    jest.useFakeTimers();
    time = 0;
    bulkhead = new Bulkhead(() => time);
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  /** Moves the clock and the timers. */
  const pass = async (ms: number): Promise<void> => {
    time += ms;
    await jest.advanceTimersByTimeAsync(ms);
  };

  const enter = async (origin = SLOW): Promise<Leave> => {
    const leave = await bulkhead.enter(origin);
    if (leave === 'stuck') throw new Error(`the sends to ${origin} hang`);
    return leave;
  };

  const fill = (): Promise<Leave[]> => Promise.all(Array.from({ length: PLACES }, () => enter()));

  /** What an entry has come to by now. */
  const watch = (entering: Promise<Leave | 'stuck'>): { result: Leave | 'stuck' | 'waits' | 'was there' } => {
    const seen: { result: Leave | 'stuck' | 'waits' | 'was there' } = { result: 'waits' };
    entering.then((result) => {
      seen.result = result;
    });
    return seen;
  };

  it('get their places at once while there are any, and leave nothing behind', async () => {
    const leaves = await fill();
    expect(bulkhead.size).toBe(1);
    for (const leave of leaves) leave();
    expect(bulkhead.size).toBe(0);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('that are too many wait, and are let in first come first served', async () => {
    const leaves = await fill();
    const [first, second] = [watch(bulkhead.enter(SLOW)), watch(bulkhead.enter(SLOW))];
    await pass(500);
    expect([first.result, second.result]).toEqual(['waits', 'waits']);
    leaves[3]?.();
    await pass(0);
    expect([first.result, second.result]).toEqual([expect.any(Function), 'waits']);
    (first.result as Leave)();
    await pass(0);
    expect(second.result).toEqual(expect.any(Function));
    (second.result as Leave)();
    for (const leave of leaves) leave();
    expect({ origins: bulkhead.size, timers: jest.getTimerCount() }).toEqual({ origins: 0, timers: 0 });
  });

  it('wait as long as others come to an end', async () => {
    const leaves = await fill();
    const patient = Array.from({ length: 3 * PLACES }, () => watch(bulkhead.enter(SLOW)));
    for (let second = 0; second < 3; second += 1) {
      await pass(900);
      for (const leave of leaves.splice(0)) leave();
      await pass(0);
      for (const { result } of patient) if (typeof result === 'function') leaves.push(result);
      for (const each of patient) if (typeof each.result === 'function') each.result = 'was there';
    }
    expect(patient.map(({ result }) => result)).toEqual(Array(3 * PLACES).fill('was there'));
  });

  it('wait for a second behind those that hang, and are not let in afterwards', async () => {
    const leaves = await fill();
    const late = watch(bulkhead.enter(SLOW));
    await pass(999);
    expect(late.result).toBe('waits');
    await pass(1);
    expect(late.result).toBe('stuck');
    for (const leave of leaves) leave();
    expect(bulkhead.size).toBe(0);
    expect(await fill()).toHaveLength(PLACES);
  });

  it('do not wait at all where the oldest under way seems to hang', async () => {
    const [oldest] = await fill();
    await pass(999);
    expect(watch(bulkhead.enter(SLOW)).result).toBe('waits');
    await pass(1);
    expect(await bulkhead.enter(SLOW)).toBe('stuck');
    oldest?.();
    // The place went to the one that waited, and the seven that are left are as old.
    expect(await bulkhead.enter(SLOW)).toBe('stuck');
  });

  it('are counted from when their own place was given', async () => {
    const leaves = await fill();
    await pass(1_001);
    for (const leave of leaves.splice(0, PLACES)) leave();
    await fill();
    const waiting = watch(bulkhead.enter(SLOW));
    await pass(1);
    expect(waiting.result).toBe('waits');
  });

  it('are no others’ business', async () => {
    await fill();
    await pass(5_000);
    expect(await bulkhead.enter(SLOW)).toBe('stuck');
    const leave = await enter('https://quick.example');
    expect(bulkhead.size).toBe(2);
    leave();
    expect(bulkhead.size).toBe(1);
  });

  it('give a place back once, however often they say so', async () => {
    const [first, ...others] = await fill();
    const [ninth, tenth] = [watch(bulkhead.enter(SLOW)), watch(bulkhead.enter(SLOW))];
    first?.();
    first?.();
    await pass(0);
    expect([ninth.result, tenth.result]).toEqual([expect.any(Function), 'waits']);
    for (const leave of others) leave();
  });
});

it('a bulkhead has the process’s clock by default', async () => {
  const leave = await new Bulkhead().enter(SLOW);
  expect(leave).toEqual(expect.any(Function));
});
