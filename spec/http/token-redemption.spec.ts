import { jest } from '@jest/globals';
import { errors } from 'oidc-provider';
import { CibaError } from '../../lib/errors.js';
import { MemoryStore } from '../../lib/store/memory.js';
import { RedisStore } from '../../lib/store/redis.js';
import type { Store } from '../../lib/store/store.js';
import { findAccount } from '../support/configuration.js';
import { onEveryStore } from '../support/every-store.js';
import { expectErrorEnvelope } from '../support/refusal.js';
import { asked, introspect, poll } from '../support/server.js';

onEveryStore('polls of one approved request at the same time', (make) => {
  it('bring tokens to exactly one of eight [TOK-7] [POLL-9]', async () => {
    const server = make();
    const authReqId = await asked(server, { scope: 'openid offline_access' });
    await server.approve(authReqId);
    const answers = await Promise.all(Array.from({ length: 8 }, () => poll(server, authReqId)));
    const [winner, ...more] = answers.filter(({ status }) => status === 200);
    expect(more).toEqual([]);
    for (const answer of answers) {
      if (answer === winner) continue;
      expect(answer.status).toBe(400);
      expect(['invalid_grant', 'slow_down']).toContain(answer.body.error);
      expectErrorEnvelope(answer);
    }
    expect(server.heard.filter((name) => name === 'redemption.settled').length).toBe(1);
    expect((await introspect(server, winner?.body.access_token)).active).toBe(true);
    expect(server.store.count('AccessToken')).toBe(1);
    expect(server.store.count('RefreshToken')).toBe(1);
  });

  it('let one decision stand [UX-4]', async () => {
    const server = make();
    const authReqId = await asked(server);
    const results = await Promise.allSettled([
      server.approve(authReqId),
      server.deny(authReqId),
      server.approve(authReqId),
      server.deny(authReqId),
    ]);
    expect(results.filter(({ status }) => status === 'fulfilled').length).toBe(1);
    const approved = results[0]?.status === 'fulfilled' || results[2]?.status === 'fulfilled';
    expect((await poll(server, authReqId)).body.error).toBe(approved ? undefined : 'access_denied');
    // The grants of the approvals that lost are gone.
    expect(server.store.count('Grant')).toBe(approved ? 1 : 0);
  });
});

onEveryStore('a redemption that the store has kept and not said so', (make) => {
  afterEach(() => jest.restoreAllMocks());

  it.each([
    ['at once', 0],
    ['when the client comes again, where it cannot be at once', 1],
  ])(
    'is taken back %s, and nobody hears that the request is redeemed [TOK-13, TOK-14]',
    async (_when, away) => {
      const server = make();
      const authReqId = await asked(server);
      await server.approve(authReqId);
      const unanswered = new CibaError('store_unavailable', 'the store did not answer');
      for (const { prototype } of [MemoryStore, RedisStore] as { prototype: Store }[]) {
        const { settle } = prototype;
        jest.spyOn(prototype, 'settle').mockImplementationOnce(async function (this: Store, ...args) {
          await settle.apply(this, args);
          throw unanswered;
        });
        const releases = jest.spyOn(prototype, 'release');
        for (let times = 0; times < away; times += 1) releases.mockRejectedValueOnce(unanswered);
      }
      const lost = await poll(server, authReqId);
      expect(lost.status).toBe(503);
      expect(server.store.count('AccessToken')).toBe(0);
      const again = await poll(server, authReqId);
      expect(again.status).toBe(200);
      expect((await introspect(server, again.body.access_token)).active).toBe(true);
      expect((await poll(server, authReqId)).body.error).toBe('invalid_grant');
    },
  );
});

onEveryStore('a request that the server’s own code looks for while it is redeemed', (make) => {
  it.each(['findAccount', 'extraTokenClaims'] as const)('brings tokens once: in %s [TOK-6]', async (hook) => {
    const seen: string[] = [];
    let authReqId = '';
    const look = async (): Promise<void> => {
      if (authReqId === '' || seen.length > 0) return;
      const found = server.provider.BackchannelAuthenticationRequest.find(authReqId);
      seen.push(await found.then(String, ({ error }: errors.OIDCProviderError) => error));
    };
    const server = make({
      config: {
        findAccount: async (ctx, id) => {
          if (hook === 'findAccount') await look();
          return findAccount(ctx, id);
        },
        extraTokenClaims: async () => {
          if (hook === 'extraTokenClaims') await look();
          return undefined;
        },
      },
    });
    const asking = await asked(server);
    await server.approve(asking);
    authReqId = asking;
    const answers = [await poll(server, asking)];
    expect(seen).toHaveLength(1);
    for (let round = 0; round < 3; round += 1) {
      server.advance(6);
      answers.push(await poll(server, asking));
    }
    expect(answers.map(({ status }) => status)).toEqual([200, 400, 400, 400]);
    expect(answers.at(-1)?.body.error).toBe('invalid_grant');
    expect(server.store.count('AccessToken')).toBe(1);
  });
});

onEveryStore('a redemption that the provider refuses', (make) => {
  it('gives the claim back: the approval is kept, and the operator hears why', async () => {
    const server = make({
      features: {
        resourceIndicators: {
          enabled: true,
          defaultResource: async () => [],
          getResourceServerInfo: async () => {
            throw new errors.InvalidTarget('unknown resource');
          },
        },
      },
    });
    const authReqId = await asked(server);
    await server.approve(authReqId);
    const refused = await poll(server, authReqId, { resource: 'https://unknown.example' });
    expect(refused.body.error).toBe('invalid_target');
    expectErrorEnvelope(refused);
    expect(server.events.at(-1)).toEqual({
      name: 'redemption.released',
      event: { handle: server.ciba.requests.handleOf(authReqId), clientId: 'till', error: 'invalid_target' },
    });
    expect((await poll(server, authReqId)).status).toBe(200);
  });

  it('gives the claim back after a fault of the server’s own code, and destroys what it had issued', async () => {
    let broken = true;
    const server = make({
      config: {
        findAccount: async (ctx, id) => {
          const account = await findAccount(ctx, id);
          return (
            account && {
              ...account,
              claims: async (...use) => {
                if (broken) throw new Error('the directory is down');
                return account.claims(...use);
              },
            }
          );
        },
      },
    });
    const authReqId = await asked(server, { scope: 'openid offline_access' });
    await server.approve(authReqId);
    const failed = await poll(server, authReqId);
    expect({ status: failed.status, error: failed.body.error }).toEqual({
      status: 500,
      error: 'server_error',
    });
    expect(server.store.count('AccessToken')).toBe(0);
    expect(server.store.count('RefreshToken')).toBe(0);
    broken = false;
    expect((await poll(server, authReqId)).status).toBe(200);
  });
});

onEveryStore('a node that was too slow', (make) => {
  it('loses its lease, destroys what it issued and says so, and the tokens of the other node live', async () => {
    const stalls: Promise<void>[] = [];
    let arrive = (): void => {};
    const server = make({
      config: {
        findAccount: async (ctx, id) => {
          const stall = stalls.shift();
          if (stall) arrive();
          await stall;
          return findAccount(ctx, id);
        },
      },
    });
    const authReqId = await asked(server, { scope: 'openid offline_access' });
    await server.approve(authReqId);

    let wake = (): void => {};
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    stalls.push(
      new Promise((resolve) => {
        wake = resolve;
      }),
    );
    const first = poll(server, authReqId);
    await arrived;

    const overlapping = await poll(server, authReqId);
    expect(overlapping.body.error).toBe('slow_down');
    expect(Number(overlapping.headers['retry-after'])).toBeLessThanOrEqual(5);

    server.advance(6);
    const second = await poll(server, authReqId);
    expect(second.status).toBe(200);

    wake();
    const late = await first;
    expect({ status: late.status, error: late.body.error }).toEqual({
      status: 503,
      error: 'temporarily_unavailable',
    });
    expect(late.headers['retry-after']).toBe('5');
    expectErrorEnvelope(late);
    expect(server.events.at(-1)).toEqual({
      name: 'redemption.lost',
      event: {
        handle: server.ciba.requests.handleOf(authReqId),
        clientId: 'till',
        reason: 'too_late',
      },
    });
    expect(server.store.count('AccessToken')).toBe(1);
    expect(server.store.count('RefreshToken')).toBe(1);
    expect((await introspect(server, second.body.access_token)).active).toBe(true);
    expect((await introspect(server, second.body.refresh_token)).active).toBe(true);
    expect((await poll(server, authReqId)).body.error).toBe('invalid_grant');
  });
});
