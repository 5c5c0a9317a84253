import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { rounds as howOften } from '../support/rounds.js';
import { type Answer, rounds, ServerProcess } from './processes.js';

/** What one round of parallel redemptions came to. */
interface Round {
  readonly tokens: number;
  readonly others: readonly string[];
  readonly winnerWorks: boolean;
}

/** How many polls at once, how often. */
const RACES = [
  { parallel: 2, races: howOften(300, 10_000) },
  { parallel: 8, races: howOften(500, 2_000) },
  { parallel: 64, races: howOften(10, 200) },
];

const CONTESTS = howOften(500, 10_000);

/** What part of the rounds may come to nothing because a busy machine kept the store waiting, which is said by 503 and proves nothing. */
const INCONCLUSIVE = 0.05;

let redis: TestRedis;
const started: ServerProcess[] = [];

async function twoProcesses(mode: 'plugin' | 'plain'): Promise<[ServerProcess, ServerProcess]> {
  const pair = await Promise.all([0, 1].map(() => ServerProcess.start(mode, redis.url)));
  started.push(...pair);
  return pair as [ServerProcess, ServerProcess];
}

async function redeemInParallel(one: ServerProcess, other: ServerProcess, parallel: number): Promise<Round> {
  const authReqId = await one.ask();
  await other.approved(authReqId);
  const answers = await Promise.all(
    Array.from({ length: parallel }, (_, index) => (index % 2 ? one : other).poll(authReqId)),
  );
  const winners = answers.filter(({ status }) => status === 200);
  const works = await Promise.all(winners.map(({ body }) => other.works(body['access_token'])));
  return {
    tokens: winners.length,
    others: answers.filter(({ status }) => status !== 200).map(({ body }: Answer) => String(body['error'])),
    winnerWorks: works.length > 0 && works.every(Boolean),
  };
}

/** Whether somebody was told that the store did not answer in time: then no more than one may have tokens, and nothing else is known. */
const unknown = ({ tokens, others, winnerWorks }: Round): boolean =>
  (tokens === 0 || (tokens === 1 && winnerWorks)) && others.includes('temporarily_unavailable');

const right = ({ tokens, others, winnerWorks }: Round): boolean =>
  tokens === 1 && winnerWorks && others.every((error) => error === 'invalid_grant' || error === 'slow_down');

beforeAll(async () => {
  redis = await startRedis();
});

afterAll(async () => {
  await Promise.all(started.map((child) => child.stop()));
  await redis.stop();
});

describe('parallel redemptions of one approved request on two processes [TOK-6, TOK-7]', () => {
  test.each(RACES)(
    '$races rounds of $parallel: one token answer each, whose access token works afterwards',
    async ({ parallel, races }) => {
      const [one, other] = await twoProcesses('plugin');
      const results = await rounds(races, () => redeemInParallel(one, other, parallel));
      const conclusive = results.filter((round) => !unknown(round));
      process.stdout.write(`${conclusive.length} races of ${parallel} on two processes\n`);
      expect(conclusive.filter((round) => !right(round))).toEqual([]);
      expect(results.length - conclusive.length).toBeLessThanOrEqual(results.length * INCONCLUSIVE);
    },
    1_800_000,
  );

  test('the control, bare oidc-provider with a usual adapter, fails the same rounds', async () => {
    const [one, other] = await twoProcesses('plain');
    const results = await rounds(50, () => redeemInParallel(one, other, 8));
    expect(results.filter((round) => !right(round)).length).toBeGreaterThan(0);
    expect(results.some(({ tokens }) => tokens > 1)).toBe(true);
  }, 120_000);
});

describe('an approval against a denial on two processes [UX-4]', () => {
  interface Contest {
    readonly accepted: readonly string[];
    readonly told: readonly (string | undefined)[];
    readonly polled: string;
  }

  async function contest(approver: ServerProcess, denier: ServerProcess): Promise<Contest> {
    const authReqId = await approver.ask();
    const [allowed, denied] = await Promise.all([
      approver.decide(authReqId, 'allow'),
      denier.decide(authReqId, 'deny'),
    ]);
    // A busy machine keeps the store waiting, which is said.
    let poll = await denier.poll(authReqId);
    for (let again = 0; poll.status === 503 && again < 5; again += 1) poll = await denier.poll(authReqId);
    return {
      accepted: [allowed.status === 204 ? 'approved' : '', denied.status === 204 ? 'denied' : ''].filter(
        Boolean,
      ),
      told: [allowed, denied].filter(({ status }) => status === 409).map(({ body }) => body['outcome']),
      polled:
        poll.status === 200
          ? 'approved'
          : poll.body['error'] === 'access_denied'
            ? 'denied'
            : String(poll.status),
    };
  }

  /** Whether somebody was told that the store did not answer in time. */
  const unknownTo = ({ accepted, told }: Contest): boolean =>
    accepted.length + told.length < 2 || told.includes(undefined);

  /** One is accepted, the other is told of it, and the client hears the same. */
  const consistent = ({ accepted, told, polled }: Contest): boolean =>
    accepted.length === 1 && told.length === 1 && told[0] === accepted[0] && polled === accepted[0];

  test(`${CONTESTS} rounds: one wins, both sides and the client hear the same`, async () => {
    const [one, other] = await twoProcesses('plugin');
    const results = await rounds(CONTESTS, (index) =>
      index % 2 ? contest(one, other) : contest(other, one),
    );
    const conclusive = results.filter((result) => !unknownTo(result));
    expect(conclusive.filter((result) => !consistent(result))).toEqual([]);
    expect(results.filter(({ accepted }) => accepted.length > 1)).toEqual([]);
    expect(results.length - conclusive.length).toBeLessThanOrEqual(results.length * INCONCLUSIVE);
    process.stdout.write(`${conclusive.length} approvals against denials on two processes\n`);
    expect(new Set(conclusive.map(({ polled }) => polled))).toEqual(new Set(['approved', 'denied']));
  }, 1_800_000);

  test('the control, bare oidc-provider, tells both that they decided', async () => {
    const [one, other] = await twoProcesses('plain');
    const results = await rounds(20, () => contest(one, other));
    expect(results.some(({ accepted }) => accepted.length === 2)).toBe(true);
  }, 120_000);
});
