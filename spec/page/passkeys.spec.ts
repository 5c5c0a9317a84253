import type { CibaOptions } from 'oidc-provider-ciba';
import request, { type Response } from 'supertest';
import { onEveryStore } from '../support/every-store.js';
import { type PluginServer, type PluginServerOptions, poll } from '../support/server.js';
import { given, linked, options, sealIn, statusOf, titleOf } from './linked.js';
import { type SoftwarePasskey, softwarePasskey } from './software-passkey.js';

/** Where a proxy shows the server to people: it takes `/auth` away. */
const ORIGIN = 'https://id.example';
const BASE = `${ORIGIN}/auth`;

const KEY = softwarePasskey('YWxpY2Uga2V5');

const withPasskeys = (
  passkeys: Partial<NonNullable<NonNullable<CibaOptions['page']>['passkeys']>> = {},
  more: PluginServerOptions = {},
): PluginServerOptions =>
  options({
    ...more,
    ciba: {
      ...more.ciba,
      page: { baseUrl: BASE, passkeys: { of: () => [KEY.stored], acr: 'urn:example:passkey', ...passkeys } },
    },
  });

/** A browser: it keeps cookies, and sends each to its path alone. */
class Visitor {
  readonly #server: PluginServer;
  readonly #cookies = new Map<string, { readonly text: string; readonly path: string }>();

  /** `who` is signed in to the server itself. */
  constructor(server: PluginServer, who = '') {
    this.#server = server;
    this.#cookies.set('who', { text: `who=${who}`, path: '/' });
  }

  get(path: string): Promise<Response> {
    return this.#sent(request(this.#server.app).get(path.replace('/auth', '')), path);
  }

  post(path: string, body: object, type: 'form' | 'json' = 'json'): Promise<Response> {
    return this.#sent(request(this.#server.app).post(path.replace('/auth', '')).type(type).send(body), path);
  }

  /** What this browser would send to a page. */
  cookiesFor(path: string): string {
    const isFor = (prefix: string): boolean => prefix === '/' || `${path}/`.startsWith(`${prefix}/`);
    const sent = [...this.#cookies.values()].filter((cookie) => isFor(cookie.path));
    return sent.map(({ text }) => text).join('; ');
  }

  async #sent(sending: request.Test, path: string): Promise<Response> {
    const answer = await sending.set('cookie', this.cookiesFor(String(path.split('?')[0])));
    for (const cookie of (answer.headers['set-cookie'] ?? []) as unknown as string[]) {
      const [, text = '', name = ''] = /^((\w+)=[^;]*)/.exec(cookie) ?? [];
      if (/Max-Age=0/.test(cookie)) this.#cookies.delete(name);
      else this.#cookies.set(name, { text, path: /Path=([^;]+)/.exec(cookie)?.[1] ?? '/' });
    }
    return answer;
  }
}

/** Signs in by a passkey, and gives what could be seen of it on the way. */
async function signIn(
  visitor: Visitor,
  link: string,
  passkey: SoftwarePasskey = KEY,
): Promise<{ status: number; answer: object; cookie: string }> {
  const { body } = await visitor.post(`${link}/passkey/options`, {});
  const answer = passkey.answer(body.challenge, ORIGIN);
  const cookie = visitor.cookiesFor(`${link}/passkey`);
  return { status: (await visitor.post(`${link}/passkey`, answer)).status, answer, cookie };
}

onEveryStore('a passkey on the decision page', (make) => {
  it.each([
    ['of one device', false, ['hwk', 'user']],
    ['that several devices have', true, ['swk', 'user']],
  ])('%s approves, and the ID Token says how it did', async (_, synced, amr) => {
    const passkey = softwarePasskey('a2V5', { synced });
    const config = { claims: { openid: ['sub', 'acr', 'amr'] } };
    const server = make(withPasskeys({ of: () => [passkey.stored] }, { config }));
    const { id, link } = await linked(server);
    const visitor = new Visitor(server);
    expect(titleOf(await visitor.get(link))).toBe('Sign in to see the request');
    expect((await signIn(visitor, link, passkey)).status).toBe(204);
    const form = sealIn(await visitor.get(link));
    expect((await visitor.post(link, { form, verdict: 'approve' }, 'form')).status).toBe(303);
    const { body } = await poll(server, id);
    const claims = JSON.parse(Buffer.from(body.id_token.split('.')[1], 'base64url').toString());
    expect(claims).toMatchObject({ sub: 'alice', acr: 'urn:example:passkey', amr });
  });

  it('its person sees what they decided; who only has the link does not', async () => {
    const server = make(withPasskeys());
    const { link } = await linked(server);
    const visitor = new Visitor(server);
    await signIn(visitor, link);
    const form = sealIn(await visitor.get(link));
    await visitor.post(link, { form, verdict: 'approve' }, 'form');
    expect(titleOf(await visitor.get(link))).toBe('Approved');
    expect(titleOf(await new Visitor(server).get(link))).toBe('Nothing to decide any more');
  });

  it('signs in once by one answer, whoever has seen it pass by', async () => {
    const server = make(withPasskeys());
    const { link } = await linked(server);
    const { answer, cookie } = await signIn(new Visitor(server), link);
    expect(cookie).toContain('ciba_challenge=');
    const again = await request(server.app)
      .post(`${link.replace('/auth', '')}/passkey`)
      .set('cookie', cookie)
      .send(answer);
    expect(again.status).toBe(403);
    expect(String(again.headers['set-cookie'])).not.toContain('ciba_decider');
  });

  it.each([
    ['another’s key', softwarePasskey('YWxpY2Uga2V5')],
    ['a key that the account does not have', softwarePasskey('b3RoZXI')],
  ])('signs nobody in by %s', async (_, passkey) => {
    const server = make(withPasskeys());
    const { link } = await linked(server);
    const visitor = new Visitor(server);
    expect((await signIn(visitor, link, passkey)).status).toBe(403);
    expect((await visitor.get(link)).status).toBe(401);
  });

  it('is signed in to one request alone', async () => {
    const server = make(withPasskeys());
    const [one, other] = [await linked(server), await linked(server)];
    const visitor = new Visitor(server);
    await signIn(visitor, one.link);
    expect(visitor.cookiesFor(one.link)).toContain('ciba_decider=');
    expect(visitor.cookiesFor(other.link)).not.toContain('ciba_decider=');
    const theirs = await request(server.app)
      .get(other.link.replace('/auth', ''))
      .set('cookie', visitor.cookiesFor(one.link));
    expect(theirs.status).toBe(401);
  });

  it('tells whoever has the link nothing of the keys, unless devices cannot find them by themselves', async () => {
    for (const [discoverable, listed] of [
      [undefined, []],
      [false, [KEY.stored.id]],
    ] as const) {
      const server = make(withPasskeys({ discoverable }));
      const { link } = await linked(server);
      const { body } = await new Visitor(server).post(`${link}/passkey/options`, {});
      expect(body.allowCredentials.map(({ id }: { id: string }) => id)).toEqual(listed);
    }
  });

  it('that is too weak does not keep its person from the server’s own login', async () => {
    const strong = 'urn:example:strong';
    const server = make(
      withPasskeys({}, { config: { acrValues: [strong] }, ciba: { requireAcr: true, interaction: given } }),
    );
    const { id, link } = await linked(server, { acr_values: strong });
    const visitor = new Visitor(server, 'alice');
    await signIn(visitor, link);
    const weak = sealIn(await visitor.get(link));
    const refused = await visitor.post(link, { form: weak, verdict: 'approve' }, 'form');
    expect({ status: refused.status, title: titleOf(refused) }).toEqual({
      status: 403,
      title: 'Nothing was decided',
    });
    expect(refused.text).toContain('href="?login"');
    const form = sealIn(await visitor.get(`${link}?login`));
    expect((await visitor.post(`${link}?login`, { form, verdict: 'approve' }, 'form')).status).toBe(303);
    expect(await statusOf(server, id)).toBe('approved');
  });

  it('that was given up for the server’s own login is not there when its person comes back from that', async () => {
    const returns: string[] = [];
    const server = make(
      withPasskeys(
        {},
        {
          ciba: {
            interaction: (_req, res, { login, returnTo }) => {
              if (login) res.redirect(`https://login.example/?return=${encodeURIComponent(returnTo)}`);
              if (login) returns.push(returnTo);
              return undefined;
            },
          },
        },
      ),
    );
    const { link } = await linked(server);
    const visitor = new Visitor(server);
    await signIn(visitor, link);
    expect((await visitor.get(`${link}?login`)).status).toBe(302);
    expect(returns).toEqual([link]);
    expect((await visitor.get(link)).status).toBe(401);
  });
});
