import { createHash } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { scripts } from '../../lib/store/scripts.js';
import { Receiver } from '../races/delivery-processes.js';
import { RACER } from '../races/race-configuration.js';
import { TOLD } from '../races/telling-configuration.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { rounds } from '../support/rounds.js';
import { until } from '../support/until.js';
import { FaultNode, isUnknown, type Reply } from './node.js';

/**
 * Two nodes behind a balancer are replaced one after the other under load, each time by another build, whose scripts have another text.
 * There is no earlier version of the package that could be the other one: these are two builds of the same code, which share
 * requests, queue and connections, but no script.
 */

const ROLLS = rounds(2, 40);

/** How many flows are under way at a time. */
const ACTORS = 4;

let redis: TestRedis;
let receiver: Receiver;
let nodes: FaultNode[] = [];

beforeEach(async () => {
  redis = await startRedis();
  receiver = new Receiver();
});
afterEach(async () => {
  await Promise.all(nodes.map((node) => node.kill()));
  receiver.stop();
  await redis.stop();
});

/** How often a busy machine may keep the store waiting in a run. */
const BUSY = 10;

interface Load {
  flows: number;
  requests: number;
  readonly wrong: string[];
  readonly pinged: string[];
  /** How often a node said that its store was kept from answering. */
  busy: number;
  stopped: boolean;
}

/** Anybody that is in rotation; whatever does not answer as it should is what a client sees. */
async function any(load: Load, expected: string, ask: (node: FaultNode) => Promise<Reply>): Promise<Reply> {
  const node = nodes[Math.floor(Math.random() * nodes.length)] as FaultNode;
  load.requests += 1;
  const reply = await ask(node).catch(
    (error: unknown): Reply => ({ status: 0, body: { error: String(error) }, retryAfter: undefined }),
  );
  // It is said that it is not known, and a client comes again.
  if (isUnknown(reply) && load.busy < BUSY) {
    load.busy += 1;
    return any(load, expected, ask);
  }
  const told = reply.status === 200 ? '200' : String(reply.body['error']);
  if (told !== expected) load.wrong.push(`${expected} was expected, and ${reply.status} ${told} came`);
  return reply;
}

/** Whole flows, each step on any node. */
async function act(load: Load, actor: number): Promise<void> {
  const client = actor % 2 ? RACER : TOLD.ping;
  const token = client === RACER ? {} : { client_notification_token: 'token-0123456789abcdef0123' };
  for (let flow = 0; !load.stopped; flow += 1) {
    const asking = { login_hint: `person-${actor}-${flow}`, ...token };
    const asked = await any(load, '200', (node) => node.ask(asking, client));
    const id = asked.body['auth_req_id'];
    if (id === undefined) continue;
    await any(load, 'authorization_pending', (node) => node.poll(id, { client }));
    await any(load, '200', (node) => node.decide(id, 'allow'));
    const given = await any(load, '200', (node) => node.poll(id, { client }));
    if (!(await nodes[0]?.works(given.body['access_token']).catch(() => true)))
      load.wrong.push('its token does not work');
    await any(load, 'invalid_grant', (node) => node.poll(id, { client }));
    if (client !== RACER) load.pinged.push(id);
    load.flows += 1;
  }
}

test(`[F42, T26] ${ROLLS} replacements of a node by another build under load: no client sees an error, and every ping arrives once`, async () => {
  const url = await receiver.start();
  const start = (build: number): Promise<FaultNode> =>
    FaultNode.start(redis.url, { env: { RECEIVER: url, OTHER_BUILD: String(build) } });
  nodes = await Promise.all([start(0), start(0)]);
  const load: Load = { flows: 0, requests: 0, wrong: [], pinged: [], busy: 0, stopped: false };
  const acting = Promise.all(Array.from({ length: ACTORS }, (_, actor) => act(load, actor)));
  try {
    for (let roll = 0; roll < ROLLS; roll += 1) {
      const flows = load.flows;
      await until('some flows have ended on both builds', () => load.flows >= flows + 2 * ACTORS, 60_000);
      const fresh = await start(1 + Math.floor(roll / 2));
      // Out of rotation first, as a balancer is told, and then asked to end with what it is still answering.
      const [old] = nodes.splice(0, 1);
      nodes.push(fresh);
      const { code } = (await old?.terminate()) ?? {};
      if (code !== 0) load.wrong.push(`a node ended with ${code}`);
    }
  } finally {
    load.stopped = true;
    await acting;
  }
  await until('every ping has arrived', () => load.pinged.every((id) => receiver.told.has(id)), 30_000);
  const twice = load.pinged.filter((id) => receiver.told.get(id)?.length !== 1);
  process.stdout.write(
    `${ROLLS} replacements, ${load.flows} flows, ${load.requests} requests, ${load.busy} of them answered 503\n`,
  );
  expect(load.wrong).toEqual([]);
  expect(twice).toEqual([]);
  expect(load.flows).toBeGreaterThan(ROLLS * ACTORS);
  // The builds did have scripts of their own.
  expect(await differentScripts()).toBe(true);
}, 3_600_000);

/** Whether the script of a poll is there in the text of each of two builds. */
async function differentScripts(): Promise<boolean> {
  const digests = [0, 1].map((build) => {
    return createHash('sha1').update(`${scripts.poll.lua}\n-- build ${build}`).digest('hex');
  });
  return `${await redis.client().script('EXISTS', ...digests)}` === '1,1';
}
