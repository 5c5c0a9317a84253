import type { CibaOptions } from '../../lib/options.js';
import { CLAIM_LEASE } from '../../lib/store/lifecycle.js';
import { rounds } from '../support/rounds.js';
import { asked, introspect, type PluginServer, pluginServer, poll } from '../support/server.js';
import { until } from '../support/until.js';
import { type ReplicaPair, startReplicaPair } from './replica-pair.js';

const ROUNDS = rounds(8, 200);

let pair: ReplicaPair;
let server: PluginServer;
let atRedemption: () => void;

beforeAll(async () => {
  pair = await startReplicaPair();
});
afterEach(() => server.close());
afterAll(() => pair.stop());

function startServer(replicas: CibaOptions['replicas']): void {
  atRedemption = () => {};
  server = pluginServer({
    redis: pair.primary.client({ port: pair.clients.port, lazyConnect: true }),
    ciba: { replicas, limits: false },
    config: {
      findAccount: async (_ctx, accountId, token) => {
        if (token?.kind === 'BackchannelAuthenticationRequest') atRedemption();
        return { accountId, claims: async () => ({ sub: accountId }) };
      },
    },
  });
}

/** How a poll ended that had to end: as soon as the store answers, and any claim that nobody ended has lapsed. */
async function pollToTheEnd(authReqId: string): Promise<Awaited<ReturnType<typeof poll>>> {
  let answer = await poll(server, authReqId);
  await until('the poll is answered', async () => {
    if (answer.status !== 503 && answer.body.error !== 'slow_down') return true;
    if (answer.body.error === 'slow_down') server.advance(CLAIM_LEASE / 1000);
    answer = await poll(server, authReqId);
    return false;
  });
  return answer;
}

/** One redemption that the replica does not hear of, wholly or from its claim on, and the same request's polls at the new primary. */
async function redeemAcross(round: number): Promise<{ first: number; tokens: string[] }> {
  const authReqId = await asked(server);
  await server.approve(authReqId);
  await pair.inStep();
  if (round % 2 === 0) pair.link.freeze();
  else atRedemption = () => pair.link.freeze();
  const first = await poll(server, authReqId);
  atRedemption = () => {};
  await pair.failOver();
  const answers = [first, await pollToTheEnd(authReqId), await pollToTheEnd(authReqId)];
  expect(answers[2]?.body.error).toBe('invalid_grant');
  return {
    first: first.status,
    tokens: answers.filter(({ status }) => status === 200).map(({ body }) => String(body.access_token)),
  };
}

test(`F17 ${ROUNDS} redemptions of which the replica that takes over has not heard: tokens once, where replicas are waited for`, async () => {
  startServer({ acknowledge: 1 });
  for (let round = 0; round < ROUNDS; round += 1) {
    const { first, tokens } = await redeemAcross(round);
    expect({ round, first, tokens: tokens.length }).toEqual({ round, first: 503, tokens: 1 });
    expect((await introspect(server, String(tokens[0]))).active).toBe(true);
  }
  // What was issued and did not leave is gone.
  expect(server.store.count('AccessToken')).toBe(ROUNDS);
}, 600_000);

test('F17 control: where none is waited for, the same redemptions give tokens twice', async () => {
  startServer(undefined);
  const CONTROL = Math.min(ROUNDS, 20);
  let twice = 0;
  for (let round = 0; round < CONTROL; round += 1) {
    if ((await redeemAcross(round)).tokens.length === 2) twice += 1;
  }
  expect(twice).toBe(CONTROL);
}, 120_000);
