import { inspect } from 'node:util';
import { jest } from '@jest/globals';
import { CibaError } from 'oidc-provider-ciba';
import { openAnswer, sealAnswer } from '../../lib/request/sealed-answer.js';
import { MemoryStore } from '../../lib/store/memory.js';
import { RedisStore } from '../../lib/store/redis.js';
import type { Store } from '../../lib/store/store.js';
import { pollClient } from '../support/configuration.js';
import { type DpopKey, makeDpopKey } from '../support/dpop.js';
import { onEveryStore } from '../support/every-store.js';
import { asked, introspect, type PluginServer, type PluginServerOptions, poll } from '../support/server.js';

const GRACE = 20;
const options = (more: PluginServerOptions = {}): PluginServerOptions => ({
  ...more,
  config: { clients: [pollClient('till'), pollClient('kiosk')], ...more.config },
  ciba: { replayGrace: GRACE, ...more.ciba },
});

/** Asks, is approved, and redeems. */
async function redeemed(server: PluginServer) {
  const id = await asked(server, { scope: 'openid offline_access' });
  await server.approve(id);
  const { status, body } = await poll(server, id);
  expect(status).toBe(200);
  return { id, body };
}

onEveryStore('a client whose connection broke', (make, redis) => {
  afterEach(() => jest.restoreAllMocks());

  it('gets the very same answer again while the grace lasts, never cached, and an event tells', async () => {
    const server = make(options());
    const { id, body } = await redeemed(server);
    const again = await poll(server, id);
    expect({ status: again.status, body: again.body }).toEqual({ status: 200, body });
    expect(again.headers['cache-control']).toContain('no-store');
    expect(server.heard).toContain('redemption.repeated');
    expect(server.heard.filter((name) => name === 'redemption.settled')).toHaveLength(1);
    server.advance(GRACE + 1);
    expect((await poll(server, id)).body.error).toBe('invalid_grant');
    expect((await introspect(server, body.access_token)).active).toBe(true);
  });

  it('gets it as often as it asks, also many times at once, and one set of tokens exists', async () => {
    const server = make(options());
    const id = await asked(server);
    await server.approve(id);
    const answers = await Promise.all(Array.from({ length: 8 }, () => poll(server, id)));
    const tokens = answers.filter(({ status }) => status === 200).map(({ body }) => body.access_token);
    expect(new Set(tokens).size).toBe(1);
    expect(server.store.count('AccessToken')).toBe(1);
  });

  it('and nobody else: another client hears invalid_grant, and nothing is revoked', async () => {
    const server = make(options());
    const { id, body } = await redeemed(server);
    const foreign = await poll(server, id, {}, { client: 'kiosk' });
    expect({ status: foreign.status, error: foreign.body.error }).toEqual({
      status: 400,
      error: 'invalid_grant',
    });
    const wrong = await poll(server, id, {}, { headers: { authorization: 'Basic dGlsbDp3cm9uZw==' } });
    expect(wrong.status).toBe(401);
    expect((await introspect(server, body.access_token)).active).toBe(true);
  });

  it('comes with the key that it had: another one gets nothing, and revokes nothing', async () => {
    const server = make(options({ features: { dPoP: { enabled: true } } }));
    const [mine, other] = [await makeDpopKey(), await makeDpopKey()];
    const id = await asked(server);
    await server.approve(id);
    const send = async (key?: DpopKey) =>
      poll(server, id, {}, { headers: { host: 'op.example', ...(await key?.atToken()) } });
    const first = await send(mine);
    expect({ status: first.status, type: first.body.token_type }).toEqual({ status: 200, type: 'DPoP' });
    expect((await send(other)).body.error).toBe('invalid_grant');
    expect((await send()).body.error).toBe('invalid_grant');
    expect((await send(mine)).body).toEqual(first.body);
  });

  it('gets nothing that may yet be taken back: where the settle’s answer is lost, the approval comes again and one set is issued', async () => {
    const server = make(options());
    const id = await asked(server);
    await server.approve(id);
    const { prototype } = redis() ? RedisStore : MemoryStore;
    const { settle } = prototype;
    jest.spyOn(prototype as Store, 'settle').mockImplementationOnce(async function (this: Store, ...args) {
      await settle.apply(this as never, args);
      throw new CibaError('store_unavailable', 'the answer is lost');
    });
    const releases = jest.spyOn(prototype as Store, 'release');
    releases.mockRejectedValue(new CibaError('store_unavailable', 'nothing can be taken back'));
    expect((await poll(server, id)).status).toBe(503);
    expect((await poll(server, id)).status).toBe(503);
    if (redis()) {
      const elsewhere = make(options({ ciba: { prefix: server.prefix } }));
      expect((await poll(elsewhere, id)).body.error).toBe('slow_down');
    }
    releases.mockRestore();
    server.advance(6);
    const last = await poll(server, id);
    expect(last.status).toBe(200);
    expect((await introspect(server, last.body.access_token)).active).toBe(true);
    expect(server.store.count('AccessToken')).toBe(1);
  });

  it('hears invalid_grant by default, and its tokens live [TOK-6]', async () => {
    const server = make(options({ ciba: { replayGrace: 0 } }));
    const { id, body } = await redeemed(server);
    expect((await poll(server, id)).body.error).toBe('invalid_grant');
    expect((await introspect(server, body.access_token)).active).toBe(true);
  });
});

onEveryStore('what is kept for it', (make, redis) => {
  it('cannot be read by whoever reads the store [SEC-11]', async () => {
    const server = make(options());
    const { id, body } = await redeemed(server);
    const client = redis()?.client();
    const found: unknown[] = [server.ciba];
    for (const key of (await client?.keys('*')) ?? []) {
      if ((await client?.type(key)) === 'hash') found.push(key, await client?.hgetall(key));
    }
    const text = inspect(found, {
      depth: null,
      showHidden: true,
      maxStringLength: null,
      maxArrayLength: null,
    });
    if (client) expect(text).toContain(':answer');
    for (const secret of [id, body.access_token, body.refresh_token, body.id_token])
      expect(text).not.toContain(secret);
  });
});

describe('an answer that is sealed', () => {
  it('is opened by its own id alone, and only as it was sealed', () => {
    const sealed = sealAnswer('mine', 'answer');
    expect(openAnswer('mine', sealed)).toBe('answer');
    expect(openAnswer('other', sealed)).toBeUndefined();
    expect(openAnswer('mine', `${sealed.slice(0, -2)}AA`)).toBeUndefined();
    expect(openAnswer('mine', '')).toBeUndefined();
    expect(sealAnswer('mine', 'answer')).not.toBe(sealed);
  });
});
