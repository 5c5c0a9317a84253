import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { CLAIM_LEASE, DOUBT } from '../../lib/store/lifecycle.js';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { rounds } from '../support/rounds.js';
import { ServerProcess } from './processes.js';

/** A process is killed at each step of a redemption, and another goes on. */
let redis: TestRedis;
let survivor: ServerProcess;
let victim: ServerProcess;

const ROUNDS = rounds(3, 20);

async function startVictim(): Promise<void> {
  victim = await ServerProcess.start('plugin', redis.url);
}

/** Asks, approves, and polls the process that will die in the middle of it. */
async function killWhileRedeeming(point: string): Promise<string> {
  const authReqId = await survivor.ask();
  await survivor.decide(authReqId, 'allow');
  await victim.crashAt(point);
  await expect(victim.poll(authReqId)).rejects.toThrow();
  expect(await victim.dead()).toBe('SIGKILL');
  return authReqId;
}

beforeAll(async () => {
  redis = await startRedis();
  survivor = await ServerProcess.start('plugin', redis.url);
});

beforeEach(startVictim);

afterEach(async () => {
  await survivor.moveClock(0);
  await victim.stop();
});

afterAll(async () => {
  await survivor.stop();
  await redis.stop();
});

describe.each(['claimed', 'AccessToken saved', 'RefreshToken saved', 'issued'])(
  'a process killed when it has %s',
  (point) => {
    test(`${ROUNDS} rounds: the approval survives, and the next polls get tokens once [TOK-6, TOK-14]`, async () => {
      for (let round = 0; round < ROUNDS; round += 1) {
        if (round > 0) await startVictim();
        await survivor.moveClock(0);
        const authReqId = await killWhileRedeeming(point);

        const during = await survivor.poll(authReqId);
        expect(during).toMatchObject({ status: 400, body: { error: 'slow_down' } });

        await survivor.moveClock(CLAIM_LEASE);
        const answers = await Promise.all(Array.from({ length: 4 }, () => survivor.poll(authReqId)));
        const winners = answers.filter(({ status }) => status === 200);
        expect(winners).toHaveLength(1);
        expect(await survivor.works(winners[0]?.body['access_token'])).toBe(true);
        expect(await survivor.poll(authReqId)).toMatchObject({ body: { error: 'invalid_grant' } });
      }
    }, 120_000);
  },
);

test('a process killed after the redemption was settled: it stays redeemed, and nobody gets a second answer [TOK-6]', async () => {
  const authReqId = await killWhileRedeeming('settled');
  await survivor.moveClock(CLAIM_LEASE);
  // It may yet be given back, as far as anybody knows.
  expect(await survivor.poll(authReqId)).toMatchObject({ status: 400, body: { error: 'slow_down' } });
  await survivor.moveClock(DOUBT);
  expect(await survivor.poll(authReqId)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
});

test('the control, bare oidc-provider: the same kill burns the approval', async () => {
  const [plainSurvivor, plainVictim] = await Promise.all([
    ServerProcess.start('plain', redis.url),
    ServerProcess.start('plain', redis.url),
  ]);
  try {
    const authReqId = await plainSurvivor.ask();
    await plainSurvivor.decide(authReqId, 'allow');
    await plainVictim.crashAt('claimed');
    await expect(plainVictim.poll(authReqId)).rejects.toThrow();
    expect(await plainVictim.dead()).toBe('SIGKILL');
    expect(await plainSurvivor.poll(authReqId)).toMatchObject({
      status: 400,
      body: { error: 'invalid_grant' },
    });
  } finally {
    await Promise.all([plainSurvivor.stop(), plainVictim.stop()]);
  }
});
