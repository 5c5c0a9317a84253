import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { rounds as inParallel } from '../races/processes.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { rounds } from '../support/rounds.js';
import { FaultNode, isUnknown, type Reply } from './node.js';

/** The same yes twice at once, and a yes at the very moment in which the client comes for its tokens, on two nodes. */

const RACES = rounds(60, 5_000);

let redis: TestRedis;
let nodes: [FaultNode, FaultNode];

beforeAll(async () => {
  redis = await startRedis();
  nodes = (await Promise.all([0, 1].map(() => FaultNode.start(redis.url)))) as [FaultNode, FaultNode];
});
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.kill()));
  await redis.stop();
});

test(`[F6] ${RACES} × the same approval twice at once: one is accepted, the other is told that it stands, and there is one grant`, async () => {
  const results = await inParallel(RACES, async (index) => {
    const authReqId = await nodes[index % 2 ? 1 : 0].asked({ login_hint: `twice-${index}` });
    const replies = await Promise.all(nodes.map((node) => node.decide(authReqId, 'allow')));
    const given = await nodes[0].poll(authReqId);
    return { replies, given };
  });
  const conclusive = results.filter(({ replies, given }) => ![...replies, given].some(isUnknown));
  const wrong = conclusive.filter(({ replies, given }) => {
    const statuses = replies.map(({ status }) => status).sort();
    const told = new Set(replies.map(({ body }) => body['outcome']));
    return `${statuses}` !== '200,409' || `${[...told]}` !== 'approved' || given.status !== 200;
  });
  expect(wrong).toEqual([]);
  expect(conclusive.length).toBeGreaterThan(RACES * 0.9);
  // The grant of the one that lost is gone again.
  const grants = await redis.client().keys('oidc:Grant:*');
  if (conclusive.length === RACES) expect(grants.length).toBe(RACES);
}, 1_800_000);

test(`[F7] ${RACES} × an approval against polls: tokens are given once, and what was used up stays so`, async () => {
  const results = await inParallel(RACES, async (index) => {
    const authReqId = await nodes[0].asked({ login_hint: `against-${index}` });
    const [approved, approvedAgain, ...polls] = await Promise.all([
      nodes[0].decide(authReqId, 'allow'),
      nodes[1].decide(authReqId, 'allow'),
      ...Array.from({ length: 4 }, (_, at) => nodes[at % 2 ? 1 : 0].poll(authReqId)),
    ]);
    const late = await Promise.all(nodes.map((node) => node.poll(authReqId)));
    const after = await nodes[1].decide(authReqId, 'allow');
    const last = await nodes[0].poll(authReqId);
    return { decisions: [approved, approvedAgain, after] as Reply[], polls: [...polls, ...late, last] };
  });
  const given = ({ polls }: { polls: Reply[] }): number =>
    polls.filter(({ status }) => status === 200).length;
  expect(results.filter((result) => given(result) > 1)).toEqual([]);
  const conclusive = results.filter(({ decisions, polls }) => ![...decisions, ...polls].some(isUnknown));
  expect(conclusive.filter((result) => given(result) !== 1)).toEqual([]);
  expect(conclusive.filter(({ polls }) => polls.at(-1)?.body['error'] !== 'invalid_grant')).toEqual([]);
  expect(conclusive.length).toBeGreaterThan(RACES * 0.9);
}, 1_800_000);
