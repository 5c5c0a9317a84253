import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { errors } from 'oidc-provider';
import type { CibaOptions } from 'oidc-provider-ciba';
import { hashUserCode, matchesUserCode } from 'oidc-provider-ciba';
import request from 'supertest';
import { pollClient } from '../support/configuration.js';
import { onEveryStore } from '../support/every-store.js';
import type { TestRedis } from '../support/redis-server.js';
import { startRedis } from '../support/redis-server.js';
import { expectRefused } from '../support/refusal.js';
import { ask, asked, type Params, type PluginServer, pluginServer, poll } from '../support/server.js';
import { until } from '../support/until.js';

const RIGHT = '1234';
const wrong = { error: 'invalid_user_code' };
const limited = { status: 403, error: 'access_denied' };
const MINUTES = 60;

/** Clients that ask with a code: as many as a spec needs. */
const config = {
  clients: [
    pollClient('till'),
    ...['coder', 'second', 'third'].map((id) => pollClient(id, { backchannel_user_code_parameter: true })),
  ],
};

const askWith = (server: PluginServer, userCode?: string, client = 'coder', params: Params = {}) =>
  ask(server, { user_code: userCode, ...params }, { client });

/** Sends so many wrong codes. */
async function guess(server: PluginServer, times: number, client = 'coder', params: Params = {}) {
  for (let time = 0; time < times; time++) {
    await expectRefused(server, () => askWith(server, `no ${time}`, client, params), wrong);
  }
}

onEveryStore('a user code', (make) => {
  it('does not matter for a client that is not registered for it, right or wrong [UC-1]', async () => {
    const asked: string[] = [];
    const server = make({ config, ciba: { verifyUserCode: (_id, code) => asked.push(code) < 0 } });
    for (const code of [undefined, RIGHT, 'wrong']) {
      expect((await askWith(server, code, 'till')).status).toBe(200);
    }
    expect(asked).toEqual([]);
  });

  it('that is missing can be added [UC-2] [ERR-8]', async () => {
    const server = make({ config });
    await expectRefused(server, () => askWith(server), { error: 'missing_user_code' });
    expect((await askWith(server, RIGHT)).status).toBe(200);
  });

  it('that is wrong is told, and can be corrected [UC-3] [ERR-9]', async () => {
    const server = make({ config });
    await expectRefused(server, () => askWith(server, '4321'), wrong);
    expect((await askWith(server, RIGHT)).status).toBe(200);
  });

  it('is looked at before anybody is reached [UC-4] [SEC-1]', async () => {
    const order: string[] = [];
    const server = make({
      config,
      ciba: { verifyUserCode: (_id, code) => order.push(`verify ${code}`) > 0 && code === RIGHT },
      hooks: { triggerAuthenticationDevice: () => void order.push('device') },
    });
    await askWith(server);
    await askWith(server, '4321');
    expect(server.heard).not.toContain('request.accepted');
    await askWith(server, RIGHT);
    expect(order).toEqual(['verify 4321', 'verify 1234', 'device']);
  });

  it('may be given up for single accounts by the server’s own hook [UC-7]', async () => {
    const hooks = {
      verifyUserCode: async (_ctx: unknown, account: { accountId: string }, code?: string) => {
        if (account.accountId === 'alice' && code !== RIGHT) throw new errors.InvalidUserCode('wrong code');
      },
    };
    const server = make({
      config: { clients: [pollClient('till')] },
      hooks,
      ciba: { verifyUserCode: undefined },
    });
    expect((await askWith(server, undefined, 'till', { login_hint: 'bob' })).status).toBe(200);
    await expectRefused(server, () => askWith(server, undefined, 'till'), wrong);
    expect((await askWith(server, RIGHT, 'till')).status).toBe(200);
  });

  it('is not asked for of a client that the server trusts to know its users [UC-7]', async () => {
    const server = make({ config });
    expect((await askWith(server, undefined, 'till')).status).toBe(200);
  });
});

onEveryStore('user codes that a server keeps as hashes', (make) => {
  /** What the server has of its users, each thing in a field of its own. */
  const users = () => new Map([['alice', { password: 'hunter22', userCodeHash: '' }]]);
  const setCode = async (accounts: ReturnType<typeof users>, code: string): Promise<void> => {
    const alice = accounts.get('alice');
    if (!alice) return;
    alice.userCodeHash = await hashUserCode(code, { isPassword: (typed) => typed === alice.password });
  };
  const serve = (accounts: ReturnType<typeof users>) =>
    make({
      config,
      ciba: {
        verifyUserCode: (accountId, code) => matchesUserCode(code, accounts.get(accountId)?.userCodeHash),
      },
    });

  it('are a secret of their own: the password neither is one nor becomes one [UC-5]', async () => {
    const accounts = users();
    await setCode(accounts, '2468');
    const server = serve(accounts);
    await expectRefused(server, () => askWith(server, 'hunter22'), wrong);
    expect((await askWith(server, '2468')).status).toBe(200);
    const before = accounts.get('alice')?.userCodeHash;
    await expect(setCode(accounts, 'hunter22')).rejects.toMatchObject({ code: 'unfit_user_code' });
    expect(accounts.get('alice')?.userCodeHash).toBe(before);
    expect(before).not.toContain('2468');
  });

  it('can be changed: the old one is wrong at once, the new one right [UC-6]', async () => {
    const accounts = users();
    await setCode(accounts, '2468');
    const server = serve(accounts);
    expect((await askWith(server, '2468')).status).toBe(200);
    await setCode(accounts, '1357');
    await expectRefused(server, () => askWith(server, '2468'), wrong);
    expect((await askWith(server, '1357')).status).toBe(200);
  });

  it('are wrong for a user who has none [UC-3]', async () => {
    const server = serve(users());
    await expectRefused(server, () => askWith(server, '2468'), wrong);
  });
});

onEveryStore('guessing user codes', (make) => {
  const counting = (): { ciba: CibaOptions; seen: string[] } => {
    const seen: string[] = [];
    return { seen, ciba: { verifyUserCode: (_id, code) => seen.push(code) > 0 && code === RIGHT } };
  };

  it('ends for a client after three wrong ones, also with the right one, which is not looked at [UC-8]', async () => {
    const { ciba, seen } = counting();
    const server = make({ config, ciba });
    await guess(server, 3);
    await expectRefused(server, () => askWith(server, 'no 4'), limited);
    await expectRefused(server, () => askWith(server, RIGHT), limited);
    expect(seen).toEqual(['no 0', 'no 1', 'no 2']);
    expect(server.events.filter(({ name }) => name === 'request.limited')).toEqual(
      Array(2).fill({
        name: 'request.limited',
        event: { clientId: 'coder', accountId: 'alice', limit: 'user_code' },
      }),
    );
  });

  it('holds up neither other clients, nor other people, nor what needs no code [UC-8]', async () => {
    const server = make({ config });
    await guess(server, 3);
    expect((await askWith(server, RIGHT, 'second')).status).toBe(200);
    expect((await askWith(server, undefined, 'till')).status).toBe(200);
    expect((await askWith(server, RIGHT, 'coder', { login_hint: 'bob' })).status).toBe(200);
  });

  it('ends for everybody after six wrong ones for one person [UC-8]', async () => {
    const server = make({ config });
    await guess(server, 3, 'coder');
    await guess(server, 3, 'second');
    await expectRefused(server, () => askWith(server, RIGHT, 'third'), limited);
    expect((await askWith(server, RIGHT, 'third', { login_hint: 'bob' })).status).toBe(200);
    expect((await askWith(server, undefined, 'till')).status).toBe(200);
  });

  it('is told as every limit of a person is [UC-8] [SEC-1]', async () => {
    const server = make({ config, ciba: { limits: { pendingPerAccountAndClient: 1 } } });
    await guess(server, 3);
    const guessed = await askWith(server, RIGHT);
    await asked(server);
    const tooMany = await ask(server);
    expect({ status: guessed.status, body: guessed.body }).toEqual({
      status: tooMany.status,
      body: tooMany.body,
    });
    expect(guessed.headers['retry-after']).toBe(undefined);
  });

  it('counts each wrong one for fifteen minutes [UC-8]', async () => {
    const server = make({ config });
    await guess(server, 1);
    server.advance(10 * MINUTES);
    await guess(server, 2);
    server.advance(4 * MINUTES);
    await expectRefused(server, () => askWith(server, RIGHT), limited);
    server.advance(MINUTES + 1);
    // The first has gone, the two others have not.
    await guess(server, 1);
    await expectRefused(server, () => askWith(server, RIGHT), limited);
    server.advance(15 * MINUTES);
    expect((await askWith(server, RIGHT)).status).toBe(200);
  });

  it('is not what somebody does who knows the code [UC-8]', async () => {
    const server = make({ config, ciba: { limits: false } });
    for (let time = 0; time < 10; time++) expect((await askWith(server, RIGHT)).status).toBe(200);
    await guess(server, 2);
    for (let time = 0; time < 3; time++) expect((await askWith(server, RIGHT)).status).toBe(200);
  });

  it('is not what somebody does who sends none [UC-2] [UC-8]', async () => {
    const server = make({ config });
    for (let time = 0; time < 5; time++) {
      await expectRefused(server, () => askWith(server), { error: 'missing_user_code' });
    }
    expect((await askWith(server, RIGHT)).status).toBe(200);
  });

  it('brings no more looks at once than one by one [UC-8]', async () => {
    const { ciba, seen } = counting();
    const server = make({ config, ciba });
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => askWith(server, `no ${index}`)),
    );
    expect(seen.length).toBe(3);
    expect(answers.map(({ status }) => status).sort()).toEqual([
      ...Array(3).fill(400),
      ...Array(17).fill(403),
    ]);
  });

  it('is not counted where the server’s own code fails [UC-8]', async () => {
    let broken = true;
    const server = make({
      config,
      ciba: {
        verifyUserCode: (_id, code) => {
          if (broken) throw new Error('the directory is away');
          return code === RIGHT;
        },
      },
    });
    for (let time = 0; time < 8; time++) {
      const failed = { status: 500, error: 'server_error' };
      await expectRefused(server, () => askWith(server, RIGHT), failed);
    }
    broken = false;
    expect((await askWith(server, RIGHT)).status).toBe(200);
  });

  it('never comes to more than three looks at wrong codes of one client, also where the server’s own code fails in between [UC-8]', async () => {
    let broken = false;
    const seen: string[] = [];
    const server = make({
      config,
      ciba: {
        verifyUserCode: (_id, code) => {
          if (broken) throw new Error('the directory is away');
          return seen.push(code) < 0;
        },
      },
    });
    for (let time = 0; time < 12; time++) {
      broken = time % 2 === 1;
      await askWith(server, `no ${time}`);
    }
    expect(seen.length).toBe(3);
    broken = false;
    await expectRefused(server, () => askWith(server, 'one more'), limited);
  });

  it('is counted for a token’s holder, too, before the token is used up', async () => {
    const server = make({ config, hooks: { processLoginHintToken: async () => 'alice' } });
    const params = { login_hint: undefined, login_hint_token: 'opaque' };
    await guess(server, 3, 'coder', params);
    await expectRefused(server, () => askWith(server, RIGHT, 'coder', params), limited);
  });
});

describe('while Redis is away', () => {
  it('no code is looked at, the answer is 503, and nothing is counted [UC-8] [HTTP-12]', async () => {
    const redis = await startRedis();
    const seen: string[] = [];
    const server = pluginServer({
      redis: redis.client(),
      config,
      ciba: { verifyUserCode: (_id, code) => seen.push(code) > 0 && code === RIGHT },
    });
    await askWith(server, RIGHT);
    redis.pause();
    const away = await askWith(server, RIGHT);
    redis.resume();
    expect({ status: away.status, error: away.body.error }).toEqual({
      status: 503,
      error: 'temporarily_unavailable',
    });
    expect(seen).toEqual([RIGHT]);
    await server.close();
    await redis.stop();
  });
});

onEveryStore('a user code is a secret [UC-9]', (make, redis) => {
  it('that is in no key, event, view, prompt, model or answer', async () => {
    const code = `code-${randomUUID()}`;
    const prompts: unknown[] = [];
    const server = make({
      config,
      ciba: {
        verifyUserCode: (_id, given) => given === code,
        authenticateDecision: () => ({ accountId: 'alice' }),
        channels: [{ name: 'inbox', send: async (prompt) => void prompts.push(prompt) }],
      },
      hooks: { triggerAuthenticationDevice: (_ctx, { params }) => void prompts.push(params?.['scope']) },
    });
    const typo = `${code}-typo`;
    const answers = [await askWith(server, typo), await askWith(server)];
    const acknowledged = await askWith(server, code);
    const id = acknowledged.body.auth_req_id;
    const handle = server.ciba.requests.handleOf(id);
    answers.push(
      acknowledged,
      await poll(server, id, {}, { client: 'coder' }),
      await request(server.app).get('/ciba/requests'),
      await request(server.app).get(`/ciba/requests/${handle}`),
    );
    await until('both have told', () => prompts.length > 1);
    const pending = await everything(redis());
    await server.approve(id);
    server.advance(6);
    answers.push(await poll(server, id, {}, { client: 'coder' }));
    expect(answers.at(-1)?.status).toBe(200);
    const found = inspect(
      [
        pending,
        await everything(redis()),
        prompts,
        server.events,
        await server.ciba.requests.get(handle),
        await server.ciba.prompts.get(handle),
        await server.provider.BackchannelAuthenticationRequest.find(id, { ignoreExpiration: true }),
        server.store,
        answers.map(({ text, headers }) => [text, headers]),
      ],
      { depth: null, showHidden: true, maxStringLength: null, maxArrayLength: null },
    );
    expect(found).toContain(handle);
    expect(found).not.toContain(code);
  });
});

/** Every key of a Redis server with its value, whatever its type. */
async function everything(redis: TestRedis | undefined): Promise<unknown[]> {
  if (!redis) return [];
  const client = redis.client();
  const found = await Promise.all(
    (await client.keys('*')).map(async (key) => {
      switch (await client.type(key)) {
        case 'hash':
          return [key, await client.hgetall(key)];
        case 'zset':
          return [key, await client.zrange(key, '0', '-1')];
        case 'set':
          return [key, await client.smembers(key)];
        case 'list':
          return [key, await client.lrange(key, 0, -1)];
        case 'stream':
          return [key, await client.xrange(key, '-', '+')];
        default:
          return [key, await client.get(key)];
      }
    }),
  );
  expect(found.length).toBeGreaterThan(0);
  return found;
}
