import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Receiver } from '../races/delivery-processes.js';
import { TOLD } from '../races/telling-configuration.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { rounds } from '../support/rounds.js';
import { until } from '../support/until.js';
import { FaultNode, patiently, type Reply } from './node.js';

/**
 * A node is asked to end (SIGTERM) in the midst of everything: polls that are held and polls that are not, redemptions, decisions and
 * deliveries. What is under way is answered, what was promised is kept, and the process is gone in time.
 */

const ROUNDS = rounds(2, 60);

/** How long after the work has begun the signal comes at most, in milliseconds. */
const SPREAD = 150;

/** When an orchestrator would kill it, in milliseconds. */
const GRACE = 10_000;

const [HELD, REDEEMED, TOLD_EACH] = [6, 12, 6];

let redis: TestRedis;
let receiver: Receiver;
let survivor: FaultNode;
let env: Record<string, string>;

beforeAll(async () => {
  redis = await startRedis();
  receiver = new Receiver();
  env = { RECEIVER: await receiver.start() };
  survivor = await FaultNode.start(redis.url, { env });
});
afterAll(async () => {
  await survivor.kill();
  receiver.stop();
  await redis.stop();
});

/** What came of a request that was under way: a reply, or none. */
type Came = Reply | 'lost';
const came = (reply: Promise<Reply>): Promise<Came> => reply.catch(() => 'lost' as const);

async function many<T>(count: number, one: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => one(index)));
}

/** What is wrong with a round, in words. */
async function stopInTheMidst(round: number): Promise<{ wrong: string[]; lost: number; took: number }> {
  const wrong: string[] = [];
  const victim = await FaultNode.start(redis.url, { env });
  const token = (index: number): string => `token-${round}-${index}-0123456789abcdef`;
  const askTold = (mode: 'ping' | 'push') => (index: number) =>
    survivor.asked({ client_notification_token: token(index), requested_expiry: '300' }, TOLD[mode]);
  const [held, approved, pinged, pushed] = await Promise.all([
    many(HELD, () => survivor.asked()),
    many(REDEEMED, () => survivor.asked()),
    many(TOLD_EACH, askTold('ping')),
    many(TOLD_EACH, askTold('push')),
  ]);
  for (const id of approved) await patiently(() => survivor.decide(id, 'allow'));

  const holding = held.map((id) => came(victim.poll(id, { wait: 25 })));
  const told = [...pinged, ...pushed];
  const deciding = told.map((id) => came(victim.decide(id, 'allow')));
  const redeeming = approved.map((id) => came(victim.poll(id)));
  // Not before it has begun to answer: what it has not even accepted is cut off, which the balancer in front of it sees to.
  await Promise.race([...deciding, ...redeeming]);
  await new Promise((resolve) => setTimeout(resolve, Math.random() * SPREAD));
  const ending = await victim.terminate();
  const [polls, decisions, redemptions] = await Promise.all([
    Promise.all(holding),
    Promise.all(deciding),
    Promise.all(redeeming),
  ]);

  if (ending.code !== 0 || ending.took > GRACE) wrong.push(`it ended ${JSON.stringify(ending)}`);
  const all = [...polls, ...decisions, ...redemptions];
  for (const reply of all) {
    if (reply !== 'lost' && reply.status >= 500 && reply.status !== 503) wrong.push(`told ${reply.status}`);
  }
  polls.forEach((reply) => {
    const error = reply === 'lost' ? 'lost' : reply.body['error'];
    if (!/^(authorization_pending|temporarily_unavailable|lost)$/.test(String(error))) {
      wrong.push(`a held poll was told ${error}`);
    }
  });
  // Each approval has been given, or is still there to be given: never neither, never both.
  for (const [at, id] of approved.entries()) {
    const reply = redemptions[at] as Came;
    const given = reply !== 'lost' && reply.status === 200;
    const again = await patiently(() => survivor.poll(id));
    if (given && again.body['error'] !== 'invalid_grant') wrong.push('tokens were given twice');
    if (!given && again.status !== 200) {
      wrong.push(
        `its redemption was ${reply === 'lost' ? reply : reply.status}, and then ${again.body['error']}`,
      );
    }
    if (given && !(await survivor.works(reply.body['access_token']))) wrong.push('its tokens do not work');
  }
  // So has each decision been taken, or it can be made again.
  for (const [at, id] of told.entries()) {
    const reply = decisions[at] as Came;
    if (reply !== 'lost' && reply.status === 200) continue;
    const again = await patiently(() => survivor.decide(id, 'allow'));
    const stands = again.status === 409 && again.body['outcome'] === 'approved';
    if (again.status !== 200 && !stands) wrong.push(`a decision came to ${JSON.stringify(again.body)}`);
  }
  await until('every client was told', () => told.every((id) => receiver.told.has(id)), 30_000).catch(
    () => {},
  );
  await until('it is written down', async () => {
    const states = await Promise.all(told.map((id) => survivor.state(id)));
    return states.every(({ delivery }) => delivery === 'delivered');
  }).catch(() => {});
  for (const id of told) {
    const count = receiver.told.get(id)?.length ?? 0;
    if (count !== 1) wrong.push(`a client was told ${count} times`);
  }
  if (victim.unhandled.length > 0) wrong.push(`nobody caught ${victim.unhandled.join(', ')}`);
  return { wrong, lost: all.filter((reply) => reply === 'lost').length, took: ending.took };
}

test(`[F43] ${ROUNDS} × SIGTERM in the midst of polls, redemptions, decisions and deliveries: all answers are true, nothing is lost or told twice`, async () => {
  const results = [];
  for (let round = 0; round < ROUNDS; round += 1) results.push(await stopInTheMidst(round));
  const longest = Math.max(...results.map(({ took }) => took));
  const lost = results.reduce((sum, each) => sum + each.lost, 0);
  process.stdout.write(
    `${ROUNDS} stops: the longest took ${Math.round(longest)} ms, ${lost} requests were cut off\n`,
  );
  expect(results.flatMap(({ wrong }) => wrong)).toEqual([]);
}, 3_600_000);

test('[F43] the control: killed instead, the same work is not answered', async () => {
  const victim = await FaultNode.start(redis.url, { env });
  const ids = await many(4, () => survivor.asked());
  const polls = ids.map((id) => came(victim.poll(id, { wait: 25 })));
  await until('the polls are held', async () =>
    (await Promise.all(ids.map((id) => survivor.poll(id)))).every(Boolean),
  );
  await victim.kill();
  expect(await Promise.all(polls)).toEqual(ids.map(() => 'lost'));
});
