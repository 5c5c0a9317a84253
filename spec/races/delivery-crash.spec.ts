import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { rounds } from '../support/rounds.js';
import { until } from '../support/until.js';
import { DeliveryProcess, ProcessPool, Receiver, type Told } from './delivery-processes.js';
import type { ToldMode } from './telling-configuration.js';

/** What is awaited from a decision to the end of its delivery. The first spec holds this list to what really happens. */
const STEPS: Readonly<Record<ToldMode, readonly string[]>> = {
  ping: [
    'save Grant',
    'schedule',
    'conclude',
    'addStandardJob',
    'delivery',
    'send',
    'told',
    'forget',
    'leave the index',
    'moveToFinished',
  ],
  push: [
    'save Grant',
    'schedule',
    'conclude',
    'addStandardJob',
    'delivery',
    'save AccessToken',
    'save RefreshToken',
    'keep',
    'send',
    'told',
    'forget',
    'leave the index',
    'moveToFinished',
  ],
};

/** Where a process is killed: before and after each step, when the approval has returned, and when the message has arrived. */
const points = (mode: ToldMode): string[] => [
  ...STEPS[mode].flatMap((step) => [`> ${step}`, `< ${step}`]),
  'decided',
  'received',
];
const KILLS = (['ping', 'push'] as const).flatMap((mode) => points(mode).map((at) => ({ mode, at })));

/** Every point once. */
const ROUNDS = rounds(KILLS.length, 200);

/** Some of the points, all over the list. */
const RESTARTS = rounds(9, 200);

/** So that few rounds are not all of one mode; prime to the number of points, so that many rounds leave none out. */
const STRIDE = 5;

/** A BullMQ job whose process died is taken again after its lock, and a request after `TAKEN_FOR`. */
const RECOVERY = 60_000;

interface Round {
  readonly mode: ToldMode;
  readonly at: string;
  readonly token: string;
  readonly authReqId: string;
}

let receiver: Receiver;
let receiverUrl: string;
let redis: TestRedis;

beforeAll(async () => {
  receiver = new Receiver();
  receiverUrl = await receiver.start();
});
beforeEach(() => {
  receiver.told.clear();
  receiver.arrived = () => true;
});
afterEach(() => redis.stop());
afterAll(() => receiver.stop());

const start = (): Promise<DeliveryProcess> => DeliveryProcess.start(redis.url, receiverUrl);
const newToken = (): string => randomBytes(16).toString('hex');

/** One process works, decides a request of its own and is killed at a point of it; what it left is for those that follow. */
async function killed(child: DeliveryProcess, mode: ToldMode, at: string): Promise<Round> {
  await child.work();
  const token = newToken();
  const authReqId = await child.ask(mode, token);
  receiver.arrived = (id) => {
    if (at !== 'received' || id !== authReqId) return true;
    child.kill();
    return false;
  };
  await child.decide(authReqId, 'allow', at === 'received' ? undefined : at).catch(() => {});
  expect(await child.dead()).toBe('SIGKILL');
  return { mode, at, token, authReqId };
}

/** What is wrong with a round, in words; nothing where all is well. */
async function wrongWith(round: Round, last: DeliveryProcess): Promise<string[]> {
  const { mode, token, authReqId } = round;
  const told: Told[] = receiver.told.get(authReqId) ?? [];
  const { status, delivery } = await last.state(authReqId);
  const undecided = status === 'pending';
  const wrong = [
    undecided && told.length > 0 && 'told of what was not decided',
    !undecided && told.length === 0 && 'lost',
    !undecided && delivery !== 'delivered' && `its delivery is ${delivery}`,
    new Set(told.map(({ body }) => body)).size > 1 && 'told different things',
    told.some((each) => each.bearer !== token || each.mode !== mode) && 'told with the wrong token or mode',
  ].filter((sentence) => sentence !== false);
  const { access_token: access } = JSON.parse(told[0]?.body ?? '{}') as { access_token?: string };
  if (told.length > 0 && mode === 'push' && !(access && (await last.works(access)))) {
    wrong.push('told tokens that do not work');
  }
  return wrong.map((sentence) => `${mode} killed at ${round.at}: ${sentence}`);
}

async function crashRounds(rounds: number, afterEachKill: () => Promise<void>): Promise<void> {
  const pool = new ProcessPool(start, 2);
  const done: Round[] = [];
  for (let index = 0; index < rounds; index += 1) {
    const { mode, at } = KILLS[(index * STRIDE) % KILLS.length] as (typeof KILLS)[number];
    done.push(await killed(await pool.next(), mode, at));
    await afterEachKill();
  }
  receiver.arrived = () => true;
  const last = await pool.next();
  await last.work();
  const settled = async (): Promise<boolean> => {
    for (const { authReqId } of done) {
      const { status, delivery } = await last.state(authReqId);
      if (status !== 'pending' && delivery !== 'delivered') return false;
    }
    return true;
  };
  await until('everything due is delivered', settled, RECOVERY).catch(() => {});
  const wrong = (await Promise.all(done.map((round) => wrongWith(round, last)))).flat();
  const messages = done.map(({ authReqId }) => receiver.told.get(authReqId)?.length ?? 0);
  const told = messages.filter((count) => count > 0).length;
  const duplicates = messages.reduce((sum, count) => sum + Math.max(0, count - 1), 0);
  process.stdout.write(`${rounds} kills: ${told} told, ${duplicates} told twice, ${wrong.length} wrong\n`);
  await last.kill();
  await pool.stop();
  expect(wrong).toEqual([]);
  // A message is sent again only where its process was killed between sending it and writing down that it arrived.
  expect(duplicates).toBeLessThanOrEqual(rounds);
  expect(told).toBeGreaterThan(rounds / 2);
}

test.each(['ping', 'push'] as const)('the points of a %s are what really happens', async (mode) => {
  redis = await startRedis();
  const child = await start();
  await child.work();
  await child.decide(await child.ask(mode, newToken()), 'allow');
  await until('its job is finished', () => child.points.includes('< moveToFinished'));
  expect(new Set([...child.points, 'received'])).toEqual(new Set(points(mode)));
  await child.kill();
});

test(`${ROUNDS} processes killed between a decision and the end of its delivery: nothing lost, nothing told two ways [PING-7, PING-9, PUSH-7, PERR-6]`, async () => {
  redis = await startRedis();
  await crashRounds(ROUNDS, async () => {});
}, 900_000);

test(`${RESTARTS} times, and Redis killed and started again from its append-only file each time [PING-7, PUSH-7]`, async () => {
  redis = await startRedis({ durable: true });
  await crashRounds(RESTARTS, async () => {
    await redis.kill();
    await redis.restart();
  });
}, 900_000);

test('the control, bare oidc-provider: killed between the decision and the ping, nobody is ever told', async () => {
  redis = await startRedis();
  const plain = (): Promise<DeliveryProcess> => DeliveryProcess.start(redis.url, receiverUrl, 'plain');
  const [victim, survivor] = await Promise.all([plain(), plain()]);
  const spared = await survivor.ask('ping', newToken());
  await survivor.decide(spared, 'allow');
  expect(receiver.told.get(spared)).toHaveLength(1);

  const authReqId = await victim.ask('ping', newToken());
  await victim.decide(authReqId, 'allow', '< save BackchannelAuthenticationRequest').catch(() => {});
  expect(await victim.dead()).toBe('SIGKILL');
  const next = await plain();
  // It was decided, and a client that waits for its ping does not hear of it.
  expect((await next.poll(authReqId)).access_token).toBeDefined();
  expect(receiver.told.get(authReqId)).toBeUndefined();
  await Promise.all([survivor.kill(), next.kill()]);
});
