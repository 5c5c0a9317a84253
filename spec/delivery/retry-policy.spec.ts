import type { Answer } from '../../lib/delivery/outgoing.js';
import { delayBefore, judge } from '../../lib/delivery/retry-policy.js';

const answered = (status: number, retryAfter?: number): Answer => ({ kind: 'answered', status, retryAfter });
const failed = (reason: 'timeout' | 'connection' | 'tls' | 'dns'): Answer => ({
  kind: 'failed',
  reason,
  detail: 'code',
});

const AGAIN = [408, 425, 429];

describe('an answer to a notification', () => {
  it('with any 2xx says that it arrived [PING-4] [PUSH-5]', () => {
    const statuses = Array.from({ length: 100 }, (_, at) => 200 + at);
    expect(statuses.filter((status) => judge(answered(status)) !== 'delivered')).toEqual([]);
  });

  it.each([301, 302, 303, 307, 308])('that redirects (%i) is the end [PING-5] [PUSH-5]', (status) => {
    expect(judge(answered(status))).toBe('final');
  });

  it('with a 4xx is the end, but for three that say "later" [PING-6]', () => {
    const statuses = Array.from({ length: 100 }, (_, at) => 400 + at);
    expect(statuses.filter((status) => judge(answered(status)) !== 'final')).toEqual(AGAIN);
    expect(AGAIN.map((status) => judge(answered(status)))).toEqual(['again', 'again', 'again']);
  });

  it('with any 5xx is worth another attempt [PING-7]', () => {
    const statuses = Array.from({ length: 100 }, (_, at) => 500 + at);
    expect(statuses.filter((status) => judge(answered(status)) !== 'again')).toEqual([]);
  });

  it.each([0, 100, 101, 103, 199, 300, 304, 399, 600, 999])('with status %i is the end', (status) => {
    expect(judge(answered(status))).toBe('final');
  });

  it.each(['timeout', 'connection', 'tls', 'dns'] as const)(
    'that never came (%s) is worth another attempt [PING-7]',
    (reason) => {
      expect(judge(failed(reason))).toBe('again');
    },
  );

  it('that was never asked for, because the endpoint is not allowed, is the end [SEC-9]', () => {
    expect(judge({ kind: 'refused', reason: 'must be on a public address' })).toBe('final');
  });
});

describe('the wait before the next attempt [PING-7]', () => {
  const waits = (random: number): number[] =>
    [1, 2, 3, 4, 5, 6, 7, 20, 100].map((attempt) => delayBefore(attempt, failed('timeout'), () => random));

  it.each([
    [0, [800, 1_600, 3_200, 6_400, 12_000, 24_000, 24_000, 24_000, 24_000]],
    [0.5, [1_000, 2_000, 4_000, 8_000, 15_000, 30_000, 30_000, 30_000, 30_000]],
    [1, [1_200, 2_400, 4_800, 9_600, 18_000, 36_000, 36_000, 36_000, 36_000]],
  ])('grows up to half a minute, and is moved a fifth at most (at random %d)', (random, expected) => {
    expect(waits(random)).toEqual(expected);
  });

  it('is moved at random by itself', () => {
    const given = Array.from({ length: 50 }, () => delayBefore(6, failed('timeout')));
    expect(new Set(given).size).toBeGreaterThan(1);
    expect(given.filter((ms) => ms < 24_000 || ms > 36_000)).toEqual([]);
  });

  it.each([
    [1, undefined, 1_000],
    [1, 0, 1_000],
    [1, 1, 1_100],
    [1, 2, 2_200],
    [1, 86_400, 66_000],
    [4, 3, 8_000],
    [4, 9, 9_900],
    [4, 17, 18_700],
    [9, 20, 30_000],
    [9, 45, 49_500],
    [9, 3_600, 66_000],
  ])('after attempt %i with Retry-After %p is %i ms', (attempt, retryAfter, expected) => {
    for (const status of [429, 503]) {
      expect(delayBefore(attempt, answered(status, retryAfter), () => 0.5)).toBe(expected);
    }
  });

  it('stays moved where everybody is told the same time', () => {
    expect(delayBefore(1, answered(503, 3_600), () => 0)).toBe(60_000);
    expect(delayBefore(1, answered(503, 3_600), () => 1)).toBe(72_000);
  });
});
