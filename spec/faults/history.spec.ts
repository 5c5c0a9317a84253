import { afterEach, describe, expect, test } from '@jest/globals';
import { DOUBT } from '../../lib/store/lifecycle.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { rounds } from '../support/rounds.js';
import { until } from '../support/until.js';
import { burnt, check, type Operation } from './history.js';
import { FAULTS, Nemesis } from './nemesis.js';
import { FaultNode } from './node.js';
import { type Field, randomFrom, Workload } from './workload.js';

/** How long the history is, in seconds. */
const SECONDS = Number(process.env['HISTORY_SECONDS'] ?? rounds(12, 1_800));

const SEED = Number(process.env['HISTORY_SEED'] ?? Math.floor(Math.random() * 2 ** 32));

/** How many do something at a time. */
const ACTORS = 6;

let redis: TestRedis;
let field: Field;

async function startField(mode: 'plugin' | 'plain', durable: boolean): Promise<void> {
  redis = await startRedis({ durable });
  const nodes = await Promise.all([0, 1].map(() => FaultNode.start(redis.url, { mode })));
  field = { nodes, offset: 0, still: Promise.resolve() };
}

afterEach(async () => {
  await Promise.all((field?.nodes ?? []).map((node) => node?.kill()));
  await redis?.stop();
});

/** How often each was told. */
function counted(history: readonly Operation[]): string {
  const counts = new Map<string, number>();
  for (const { kind, told, refused } of history) {
    const name = `${kind} ${refused ? 'refused as ' : ''}${told}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts].map(([name, count]) => `  ${count} × ${name}`).join('\n');
}

test(
  `[F2, F10, F13, F15, F20, F24] a history of ${SECONDS} s on two nodes under a nemesis: every answer can be true`,
  async () => {
    await startField('plugin', true);
    const random = randomFrom(SEED);
    const workload = new Workload(field, random);
    const nemesis = new Nemesis(field, { redis, workload, random });
    const running = workload.run(ACTORS);
    await nemesis.run(Date.now() + SECONDS * 1_000);
    workload.stop();
    await running;
    await workload.settle(DOUBT + 20_000 + SECONDS * 100);

    const { history, accessTokens } = workload;
    const faults = FAULTS.map((fault) => `${fault} ${nemesis.done[fault]} ×`).join(', ');
    process.stdout.write(`seed ${SEED}, ${history.length} operations; ${faults}\n${counted(history)}\n`);
    const violations = check(history, nemesis.deaths);
    for (const id of [...new Set(violations.map((each) => each.id))].slice(0, 3)) {
      const told = history.filter((each) => each.id === id);
      process.stdout.write(`${told.map((each) => JSON.stringify(each)).join('\n')}\n`);
    }
    expect({ seed: SEED, violations }).toEqual({ seed: SEED, violations: [] });

    // What was approved and asked for has been given, but for an answer that was lost on its way.
    const approved = new Set(history.filter(({ told }) => told === 'approved').map(({ id }) => id));
    const ends = history.filter(
      ({ kind, told }) => kind === 'poll' && /^(tokens|expired|invalid_grant)$/.test(told),
    );
    const ended = new Set(ends.map(({ id }) => id));
    expect([...approved].filter((id) => !ended.has(id))).toEqual([]);

    // What a node burnt that was killed is not promised, and seldom.
    const lost = burnt(history, nemesis.deaths);
    process.stdout.write(`burnt: ${lost.length} of ${approved.size} approvals\n`);
    expect(lost.length).toBeLessThanOrEqual(Math.max(1, approved.size / 1_000));

    // And it works: nobody's answer was taken back.
    const works: unknown[] = [];
    for (let at = 0; at < accessTokens.length; at += 50) {
      const some = accessTokens.slice(at, at + 50);
      works.push(...(await Promise.all(some.map((token) => field.nodes[(at / 50) % 2]?.works(token)))));
    }
    expect(works.filter((each) => !each)).toEqual([]);
    expect(accessTokens.length).toBeGreaterThan(0);
    for (const node of field.nodes) expect(node?.unhandled).toEqual([]);

    // No key that would stay for ever.
    const client = redis.client();
    const keys = await client.keys('ciba:*');
    const lives = await Promise.all(keys.map((key) => client.pttl(key)));
    expect(keys.filter((_key, at) => lives[at] === -1)).toEqual([]);
    for (const fault of FAULTS) expect(nemesis.done[fault]).toBeGreaterThan(0);
  },
  (SECONDS * 2 + 120) * 1_000,
);

test('the control, bare oidc-provider, without any fault: the checker finds that its answers cannot be true', async () => {
  await startField('plain', false);
  const workload = new Workload(field, randomFrom(SEED));
  const running = workload.run(ACTORS);
  const found = new Set<string>();
  try {
    await until(
      'tokens were given twice, and both decisions accepted',
      async () => {
        await new Promise((resolve) => setTimeout(resolve, 300));
        // The latest only: to judge all of a history that grows would leave no time for it to grow.
        for (const { invariant } of check(workload.history.slice(-1_500))) found.add(invariant);
        return found.has('I1') && found.has('I4');
      },
      200_000,
    );
  } finally {
    workload.stop();
    await running;
    process.stdout.write(`${counted(workload.history)}\n`);
  }
}, 300_000);

describe('the checker', () => {
  let at = 0;
  const op = (kind: Operation['kind'], told: Operation['told'], more: Partial<Operation> = {}): Operation => {
    at += 10;
    return {
      id: 'one',
      kind,
      told,
      began: at,
      ended: at + 5,
      earliest: at,
      latest: at + 5,
      node: 0,
      ...more,
    };
  };
  const start = (): Operation => {
    at = 0;
    return op('start', 'started', { lifetime: 1_000 });
  };
  const late = { earliest: 2_000, latest: 2_005 };
  const forgotten = { earliest: 601_005, latest: 601_020 };
  const refused = { refused: true };
  const inDoubtNoMore = { earliest: 61_000, latest: 61_005 };
  const killed = { node: 0, at: 40 };

  test.each<[string, () => Operation[]]>([
    [
      'asked, approved, given once',
      () => [start(), op('poll', 'pending'), op('approve', 'approved'), op('poll', 'tokens')],
    ],
    [
      'an approval of which no answer came may have been one',
      () => [start(), op('approve', 'lost'), op('poll', 'tokens')],
    ],
    [
      'it may have been none as well',
      () => [start(), op('approve', 'lost'), op('poll', 'pending'), op('deny', 'denied')],
    ],
    [
      'tokens whose answer was lost are gone',
      () => [start(), op('approve', 'approved'), op('poll', 'lost'), op('poll', 'invalid_grant')],
    ],
    [
      'what a node was about to give back that was killed is used up, a minute later',
      () => [
        start(),
        op('approve', 'approved'),
        op('poll', 'unavailable'),
        op('poll', 'slow_down'),
        op('poll', 'invalid_grant', inDoubtNoMore),
      ],
    ],
    [
      'one that comes too late is told what stands',
      () => [start(), op('deny', 'denied'), op('approve', 'denied', refused), op('poll', 'access_denied')],
    ],
    ['the end comes when it is time', () => [start(), op('poll', 'expired', late)]],
    [
      'what was kept for as long as it is kept is forgotten',
      () => [
        start(),
        op('deny', 'denied'),
        op('poll', 'access_denied'),
        op('poll', 'invalid_grant', forgotten),
      ],
    ],
  ])('has nothing against: %s', (_what, history) => {
    expect(check(history(), [killed])).toEqual([]);
  });

  test.each<[string, string, () => Operation[]]>([
    [
      'I1',
      'two are given tokens',
      () => [start(), op('approve', 'approved'), op('poll', 'tokens'), op('poll', 'tokens')],
    ],
    ['I3', 'tokens that nobody approved', () => [start(), op('poll', 'tokens')]],
    ['I3', 'tokens before the approval', () => [start(), op('poll', 'tokens'), op('approve', 'approved')]],
    ['I3', 'a denial that nobody made', () => [start(), op('poll', 'access_denied')]],
    ['I4', 'approved and denied', () => [start(), op('approve', 'approved'), op('deny', 'denied')]],
    ['I4', 'approved twice', () => [start(), op('approve', 'approved'), op('approve', 'approved')]],
    [
      'I4',
      'somebody is told another outcome',
      () => [start(), op('approve', 'approved'), op('deny', 'denied', refused)],
    ],
    ['I5', 'pending after the approval', () => [start(), op('approve', 'approved'), op('poll', 'pending')]],
    ['I5', 'pending after the denial', () => [start(), op('deny', 'denied'), op('poll', 'pending')]],
    ['I6', 'expired before it is time', () => [start(), op('poll', 'expired')]],
    ['I6', 'pending after its time', () => [start(), op('poll', 'pending', late)]],
    ['I6', 'approved after its time', () => [start(), op('approve', 'approved', late)]],
    [
      'I7',
      'expired, and pending again',
      () => [start(), op('poll', 'expired', late), op('poll', 'pending', late)],
    ],
    [
      'I7',
      'denied, and forgotten',
      () => [start(), op('deny', 'denied'), op('poll', 'access_denied'), op('poll', 'invalid_grant')],
    ],
    [
      'I7',
      'denied, and forgotten a moment too early',
      () => [
        start(),
        op('deny', 'denied'),
        op('poll', 'access_denied'),
        op('poll', 'invalid_grant', { earliest: 600_900, latest: 600_999 }),
      ],
    ],
    [
      'I13',
      'used up by a node that was not killed',
      () => [
        start(),
        op('approve', 'approved'),
        op('poll', 'unavailable', { node: 1 }),
        op('poll', 'invalid_grant', inDoubtNoMore),
      ],
    ],
    [
      'I13',
      'used up by a node that was killed, and told so too early',
      () => [start(), op('approve', 'approved'), op('poll', 'unavailable'), op('poll', 'invalid_grant')],
    ],
    [
      'I13',
      'used up, and by nobody',
      () => [start(), op('approve', 'approved'), op('poll', 'invalid_grant')],
    ],
    ['I13', 'a server error', () => [start(), op('poll', 'wrong', { detail: '500' })]],
  ])('finds a breach of %s: %s', (invariant, _what, history) => {
    expect(check(history(), [killed]).map((violation) => violation.invariant)).toContain(invariant);
  });

  test('counts the approvals that a killed node has burnt', () => {
    const one = [start(), op('approve', 'approved'), op('poll', 'unavailable')];
    const used = [...one, op('poll', 'invalid_grant', inDoubtNoMore)];
    expect(burnt(used, [killed])).toEqual(['one']);
    expect(burnt(used, [])).toEqual([]);
    expect(burnt([...used, { ...op('poll', 'tokens'), began: 36 }], [killed])).toEqual([]);
    expect(burnt(one, [killed])).toEqual([]);
  });
});
