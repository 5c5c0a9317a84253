import { createHook } from 'node:async_hooks';
import { errors } from 'oidc-provider';
import { hashUserCode, matchesUserCode } from 'oidc-provider-ciba';
import { codeClient, pollClient } from '../support/configuration.js';
import { onEveryStore } from '../support/every-store.js';
import { ask, asked, type PluginServer, type PluginServerOptions, poll } from '../support/server.js';

/** A server that hides whom it knows, and whom it has prompted. */
function hiding(more: PluginServerOptions = {}) {
  const prompts: string[] = [];
  const reached: string[] = [];
  const options: PluginServerOptions = {
    ...more,
    ciba: {
      hideUnknownUsers: true,
      channels: [{ name: 'inbox', send: async ({ accountId }) => void prompts.push(accountId) }],
      ...more.ciba,
    },
    hooks: {
      triggerAuthenticationDevice: (_ctx, { accountId }) => void reached.push(String(accountId)),
      ...more.hooks,
    },
  };
  return { options, prompts, reached };
}

const askNobody = (server: PluginServer, params = {}, sending = {}) =>
  ask(server, { login_hint: 'mallory', ...params }, sending);

onEveryStore('where unknown users are hidden', (make) => {
  it('a hint that leads to nobody is acknowledged as any other, reaches nobody, and expires [SEC-4]', async () => {
    const { options, prompts, reached } = hiding();
    const server = make(options);
    const known = await ask(server);
    const unknown = await askNobody(server);
    expect({ status: unknown.status, members: Object.keys(unknown.body).sort() }).toEqual({
      status: known.status,
      members: Object.keys(known.body).sort(),
    });
    expect(unknown.body.expires_in).toBe(known.body.expires_in);
    const id = unknown.body.auth_req_id;
    expect((await poll(server, id)).body).toEqual((await poll(server, known.body.auth_req_id)).body);
    server.advance(unknown.body.expires_in + 1);
    expect((await poll(server, id)).body.error).toBe('expired_token');
    expect([...new Set([...prompts, ...reached])]).toEqual(['alice']);
  });

  it('the operator hears of it, and of no request that somebody could decide [SEC-4]', async () => {
    const server = make(hiding().options);
    await askNobody(server);
    expect(server.events).toEqual([
      { name: 'request.refused', event: { clientId: 'till', error: 'unknown_user_id' } },
    ]);
    expect(await server.ciba.requests.list('mallory')).toEqual([]);
  });

  it('limits are met at the same place [SEC-4] [SEC-1]', async () => {
    const server = make(hiding().options);
    const statuses = async (hint: string) => {
      const answers = [];
      for (let time = 0; time < 7; time += 1) answers.push((await ask(server, { login_hint: hint })).status);
      return answers;
    };
    expect(await statuses('mallory')).toEqual(await statuses('alice'));
  });

  it('nobody has a user code [SEC-4] [UC-3]', async () => {
    const { options } = hiding({ config: { clients: [pollClient('till'), codeClient] } });
    const server = make({
      ...options,
      ciba: { ...options.ciba, verifyUserCode: (_id, code) => code === '1234' },
      hooks: { ...options.hooks, verifyUserCode: undefined },
    });
    const sending = { client: 'coder' };
    const none = await askNobody(server, {}, sending);
    const wrong = await askNobody(server, { user_code: '1234' }, sending);
    expect([none.body.error, wrong.body.error]).toEqual(['missing_user_code', 'invalid_user_code']);
    const known = await ask(server, { user_code: '4321' }, sending);
    expect(wrong.body).toEqual(known.body);
  });

  it('a code of nobody is hashed as one of a person is [SEC-4] [UC-3]', async () => {
    const { options } = hiding({ config: { clients: [codeClient] } });
    const hash = await hashUserCode('1234');
    const ciba = {
      ...options.ciba,
      verifyUserCode: (_: string, code: string) => matchesUserCode(code, hash),
    };
    const server = make({ ...options, ciba, hooks: { ...options.hooks, verifyUserCode: undefined } });
    let hashed = 0;
    const hook = createHook({
      init(_id, type) {
        if (type === 'SCRYPTREQUEST') hashed += 1;
      },
    }).enable();
    try {
      const counts = [];
      for (const hint of ['alice', 'mallory']) {
        hashed = 0;
        await ask(server, { login_hint: hint, user_code: '4321' }, { client: 'coder' });
        counts.push(hashed);
      }
      expect(counts).toEqual([1, 1]);
    } finally {
      hook.disable();
    }
  });

  it('guesses of codes are met by the same answers [SEC-4] [UC-8]', async () => {
    const { options } = hiding({ config: { clients: [codeClient] } });
    const ciba = { ...options.ciba, verifyUserCode: () => false };
    const server = make({ ...options, ciba, hooks: { ...options.hooks, verifyUserCode: undefined } });
    const guesses = async (hint: string) => {
      const errors = [];
      for (let time = 0; time < 5; time += 1) {
        const { body } = await ask(server, { login_hint: hint, user_code: '4321' }, { client: 'coder' });
        errors.push(body);
      }
      return errors;
    };
    expect(await guesses('mallory')).toEqual(await guesses('alice'));
  });

  it('the server’s own hook for codes is no oracle either [SEC-4]', async () => {
    const verifyUserCode = () => {
      throw new errors.InvalidUserCode('the code is wrong');
    };
    const server = make(hiding({ ciba: { verifyUserCode: undefined }, hooks: { verifyUserCode } }).options);
    const wrong = async (hint: string) => {
      const { status, body } = await ask(server, { login_hint: hint, user_code: '1' });
      return { status, error: body.error };
    };
    expect(await wrong('mallory')).toEqual({ status: 400, error: 'invalid_user_code' });
    expect(await wrong('alice')).toEqual(await wrong('mallory'));
  });

  it('another spelling is the same nobody [SEC-4]', async () => {
    const server = make(hiding().options);
    const statuses = [];
    for (const hint of ['Mall', 'mall', ' MALL', 'mall', 'mAll', 'mall']) {
      statuses.push((await ask(server, { login_hint: hint })).status);
    }
    expect(statuses).toEqual([200, 200, 200, 200, 200, 403]);
  });

  it('a hint may lead to an account that is gone, which is the same', async () => {
    const server = make(
      hiding({ ciba: { resolveLoginHint: (hint) => hint }, hooks: { processLoginHint: undefined } }).options,
    );
    expect((await askNobody(server)).status).toBe(200);
    const id = await asked(server);
    await server.approve(id);
    expect((await poll(server, id)).status).toBe(200);
  });

  it('is so by choice: a server says unknown_user_id by default [HINT-2]', async () => {
    expect((await askNobody(make())).body.error).toBe('unknown_user_id');
  });
});
