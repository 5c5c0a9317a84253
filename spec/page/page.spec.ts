import { randomBytes } from 'node:crypto';
import { jest } from '@jest/globals';
import type { ErrorRequestHandler } from 'express';
import request from 'supertest';
import { onEveryStore } from '../support/every-store.js';
import { ask, asked, type PluginServer, poll } from '../support/server.js';
import { given, leadsTo, linked, linkOf, open, options, sealIn, send, statusOf, titleOf } from './linked.js';

onEveryStore('the decision page', (make) => {
  it('[UX-2] [FAPI-19] shows its person who asks, for what, the binding message and the time left', async () => {
    const server = make(options());
    const { link } = await linked(server, { binding_message: 'Pay 12.50 EUR', scope: 'openid profile' });
    const page = await open(server, link, 'alice');
    expect(page.status).toBe(200);
    for (const part of [
      'The till',
      'Pay 12.50 EUR',
      'See your name',
      'Know that it is you',
      'left to decide, until',
    ]) {
      expect(page.text).toContain(part);
    }
  });

  it('[UX-1] [UX-7] approves by the form, as strongly as the person signed in', async () => {
    const server = make(options());
    const { id, link } = await linked(server);
    const form = sealIn(await open(server, link, 'alice'));
    const answer = await send(server, link, { form, verdict: 'approve' });
    expect({ status: answer.status, to: leadsTo(link, answer) }).toEqual({ status: 303, to: link });
    expect(titleOf(await open(server, link, 'alice'))).toBe('Approved');
    const { body } = await poll(server, id);
    expect(JSON.parse(Buffer.from(body.id_token.split('.')[1], 'base64url').toString())).toMatchObject({
      sub: 'alice',
    });
    expect(server.events.find(({ name }) => name === 'request.approved')?.event).toMatchObject({
      acr: 'urn:example:strong',
    });
  });

  it('[UX-6] denies by the form', async () => {
    const server = make(options());
    const { id, link } = await linked(server);
    const form = sealIn(await open(server, link, 'alice'));
    expect((await send(server, link, { form, verdict: 'deny' })).status).toBe(303);
    expect(titleOf(await open(server, link, 'alice'))).toBe('Denied');
    expect((await poll(server, id)).body.error).toBe('access_denied');
  });

  it('reports by the form, which blocks the client', async () => {
    const server = make(options());
    const { id, link } = await linked(server);
    const form = sealIn(await open(server, link, 'alice'));
    const answer = await send(server, link, { form, verdict: 'report' });
    expect(answer.text.replaceAll(/<[^>]+>/g, '')).toContain('The till cannot ask you again');
    expect(await statusOf(server, id)).toBe('denied');
    expect(server.heard).toContain('request.reported');
  });

  it('[HINT-13] changes nothing by being opened, any number of times, by anyone', async () => {
    const server = make(options());
    const { id, link } = await linked(server);
    const agents = [
      'Slackbot-LinkExpanding 1.0',
      'WhatsApp/2.23',
      'Mozilla/5.0 (Microsoft Outlook SafeLinks)',
      'curl/8',
    ];
    for (let time = 0; time < 12; time += 1) {
      for (const who of ['', 'alice', 'bob']) {
        const agent = String(agents[time % agents.length]);
        await open(server, link, who).set('user-agent', agent);
        await request(server.app).head(link).set('cookie', `who=${who}`).set('user-agent', agent);
        await request(server.app).get(`${link}?verdict=approve&form=x`).set('cookie', `who=${who}`);
      }
    }
    expect(await statusOf(server, id)).toBe('pending');
    expect(server.heard.filter((name) => /approved|denied|reported|cancelled|refused/.test(name))).toEqual(
      [],
    );
  });

  it('[UX-3] shows and lets decide nothing in somebody else’s session', async () => {
    const server = make(options());
    const { id, link } = await linked(server, { binding_message: 'Pay 12.50 EUR' });
    const form = sealIn(await open(server, link, 'alice'));
    const page = await open(server, link, 'bob');
    expect({ status: page.status, title: titleOf(page) }).toEqual({
      status: 403,
      title: 'This is for somebody else',
    });
    expect(page.text).not.toMatch(/till|12\.50|alice/i);
    for (const verdict of ['approve', 'deny', 'report']) {
      expect((await send(server, link, { form, verdict }, 'bob')).status).toBe(403);
    }
    expect(await statusOf(server, id)).toBe('pending');
    expect(server.heard).not.toContain('request.reported');
  });

  it('shows nothing of the request to somebody who is not signed in', async () => {
    const server = make(options());
    const { id, link } = await linked(server, { binding_message: 'Pay 12.50 EUR' });
    const form = sealIn(await open(server, link, 'alice'));
    const page = await open(server, link);
    expect({ status: page.status, title: titleOf(page) }).toEqual({
      status: 401,
      title: 'Sign in to see the request',
    });
    expect(page.text).not.toMatch(/till|12\.50|alice/i);
    expect((await send(server, link, { form, verdict: 'approve' }, '')).status).toBe(401);
    expect(await statusOf(server, id)).toBe('pending');
  });

  it.each<[string, Record<string, string>, Record<string, string>]>([
    ['without a seal', { verdict: 'approve' }, {}],
    ['with a seal of nobody’s', { form: randomBytes(16).toString('base64url'), verdict: 'approve' }, {}],
    ['without a verdict', { form: 'theirs' }, {}],
    ['with another verdict', { form: 'theirs', verdict: 'cancel' }, {}],
    ['sent by another site', { form: 'theirs', verdict: 'approve' }, { 'sec-fetch-site': 'cross-site' }],
  ])('decides nothing by a form %s', async (_, form, headers) => {
    const server = make(options());
    const { id, link } = await linked(server);
    const theirs = sealIn(await open(server, link, 'alice'));
    const filled = { ...form, ...(form['form'] === 'theirs' && { form: theirs }) };
    const answer = await send(server, link, filled).set(headers);
    expect({ status: answer.status, title: titleOf(answer) }).toEqual({
      status: 403,
      title: 'Nothing was decided',
    });
    expect(await statusOf(server, id)).toBe('pending');
  });

  it('decides nothing by the form of another request', async () => {
    const server = make(options());
    const [one, other] = [await linked(server), await linked(server)];
    const form = sealIn(await open(server, one.link, 'alice'));
    expect((await send(server, other.link, { form, verdict: 'approve' })).status).toBe(403);
    expect(await statusOf(server, other.id)).toBe('pending');
  });

  it('says of a link that is badly encoded that it leads nowhere, and nothing of what was sent', async () => {
    const server = make(options());
    for (const method of ['get', 'post'] as const) {
      const answer = await request(server.app)[method]('/ciba/decide/%ffelsewhere');
      expect(answer.status).toBe(404);
      expect(answer.text).not.toMatch(/elsewhere|\bat .+:\d+/);
    }
  });

  it.each([
    ['JSON', 'application/json', '{"verdict":"approve"}'],
    [
      'a form that is too large',
      'application/x-www-form-urlencoded',
      `verdict=approve&x=${'x'.repeat(20_000)}`,
    ],
    ['plain text', 'text/plain', 'verdict=approve'],
  ])('decides nothing by %s', async (_, type, body) => {
    const server = make(options());
    const { id, link } = await linked(server);
    const answer = await request(server.app)
      .post(link)
      .set('cookie', 'who=alice')
      .set('content-type', type)
      .send(body);
    expect(answer.status).toBe(403);
    expect(await statusOf(server, id)).toBe('pending');
  });

  it('[UX-4] says of a used link that it is, and decides nothing again', async () => {
    const server = make(options());
    const { id, link } = await linked(server);
    const form = sealIn(await open(server, link, 'alice'));
    await send(server, link, { form, verdict: 'deny' });
    for (const who of ['', 'alice', 'bob']) {
      const page = await open(server, link, who);
      expect(page.text).toContain('This link has been used.');
      // What was decided, and of whom, is the person’s own business.
      if (who !== 'alice') expect(page.text).not.toMatch(/The till/);
      expect(titleOf(page)).toBe(who === 'alice' ? 'Denied' : 'Nothing to decide any more');
    }
    await send(server, link, { form, verdict: 'approve' });
    expect(await statusOf(server, id)).toBe('denied');
  });

  it('[UX-5] says of an expired link that it is, also when nobody remembers the request', async () => {
    const server = make(options());
    const { link } = await linked(server);
    const form = sealIn(await open(server, link, 'alice'));
    server.advance(301);
    for (const later of [0, 601]) {
      server.advance(later);
      const page = await open(server, link, 'alice');
      expect({ status: page.status, title: titleOf(page) }).toEqual({ status: 410, title: 'Expired' });
      expect((await send(server, link, { form, verdict: 'approve' })).status).toBe(410);
    }
    expect(server.heard).not.toContain('request.approved');
  });

  it('says of a request that was taken back that it was', async () => {
    const server = make(options());
    const { id, link } = await linked(server);
    await server.ciba.requests.cancel(server.ciba.requests.handleOf(id));
    expect(titleOf(await open(server, link, 'alice'))).toBe('Taken back');
  });

  it('knows no link but those it has sent', async () => {
    const server = make(options());
    const { link } = await linked(server);
    const handle = link.split('/').at(-1)?.split('.')[0];
    for (const token of [
      handle,
      `${handle}.`,
      `${handle}.${'A'.repeat(22)}`,
      'x',
      '%2e%2e',
      `${'x'.repeat(4_000)}`,
    ]) {
      const page = await open(server, link.replace(/[^/]+$/, String(token)), 'alice');
      expect({ token, status: page.status }).toEqual({ token, status: 404 });
    }
  });

  it('is not held in a frame, is not kept, gives no address away, and runs nothing that is not its own', async () => {
    const server = make(options());
    const { link } = await linked(server);
    for (const page of [
      await open(server, link, 'alice'),
      await open(server, link),
      await open(server, `${link}x`),
    ]) {
      expect(page.headers).toMatchObject({
        'content-security-policy':
          "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'content-type': 'text/html; charset=utf-8',
      });
      expect(page.text).not.toMatch(/ on\w+=|style=|<script>|javascript:/);
    }
  });

  it('has assets that a browser may keep, by their version', async () => {
    const server = make(options());
    const { link } = await linked(server);
    const page = await open(server, link, 'alice');
    const assets = [...page.text.matchAll(/(?:href|src)="([^"]+page\.(?:css|js)\?v=[\w-]+)"/g)];
    expect(assets).toHaveLength(2);
    for (const [, address] of assets) {
      const { pathname, search } = new URL(String(address), `http://op.example${link}`);
      const found = await request(server.app).get(pathname + search);
      expect({ status: found.status, kept: found.headers['cache-control'] }).toEqual({
        status: 200,
        kept: 'public, max-age=31536000, immutable',
      });
    }
  });

  it('works under a mount path, and says where to come back to', async () => {
    const returns: string[] = [];
    const server = make(
      options({
        mount: '/oidc',
        issuer: 'http://op.example/oidc',
        ciba: {
          interaction: (_req, res, { returnTo, login }) => {
            returns.push(returnTo);
            if (login) res.redirect(`/login?return=${encodeURIComponent(returnTo)}`);
            return undefined;
          },
        },
      }),
    );
    const { link } = await linked(server);
    expect(link).toMatch(/^\/oidc\/ciba\/decide\//);
    const answer = await open(server, link);
    expect({ status: answer.status, to: answer.headers['location'] }).toEqual({
      status: 302,
      to: `/login?return=${encodeURIComponent(link)}`,
    });
    expect(returns).toEqual([link]);
  });

  it('works behind a proxy that takes a part of the path away, where baseUrl says what people see', async () => {
    const returns: string[] = [];
    const interaction: typeof given = (req, res, context) => {
      returns.push(context.returnTo);
      return given(req, res, context);
    };
    const page = { baseUrl: 'https://id.example/auth' };
    const server = make(options({ ciba: { interaction, page } }));
    const { id, link } = await linked(server);
    expect(link).toMatch(/^\/auth\/ciba\/decide\//);
    const inside = link.replace('/auth', '');
    const shown = await open(server, inside, 'alice');
    for (const [, address] of shown.text.matchAll(/(?:href|src)="([^"]+page\.(?:css|js)[^"]*)"/g)) {
      expect(new URL(String(address), `https://id.example${link}`).pathname).toMatch(
        /^\/auth\/ciba\/decide\/assets\//,
      );
    }
    const answer = await send(server, inside, { form: sealIn(shown), verdict: 'approve' });
    expect(leadsTo(link, answer)).toBe(link);
    expect(await statusOf(server, id)).toBe('approved');
    expect([...new Set(returns)]).toEqual([link]);
  });

  it('says once where links lead elsewhere than to the router', async () => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const server = make(options({ mount: '/oidc' }));
    await asked(server);
    await asked(server);
    const sentences = warned.mock.calls.map(([sentence]) => String(sentence));
    warned.mockRestore();
    expect(sentences.filter((sentence) => sentence.includes('set page.baseUrl'))).toHaveLength(1);
  });

  it('sends nobody elsewhere who has sent a form, and shows where to sign in', async () => {
    const seen: boolean[] = [];
    const server = make(
      options({
        ciba: {
          interaction: (_req, res, { login }) => {
            seen.push(login);
            if (login) res.redirect('https://login.example/');
            return undefined;
          },
        },
      }),
    );
    const { id, link } = await linked(server);
    const answer = await send(server, link, { form: 'any', verdict: 'approve' });
    expect({ status: answer.status, title: titleOf(answer) }).toEqual({
      status: 401,
      title: 'Sign in to see the request',
    });
    expect(answer.text).toContain('href="?login"');
    expect((await open(server, `${link}?login`)).status).toBe(302);
    expect(seen).toEqual([false, true]);
    expect(await statusOf(server, id)).toBe('pending');
  });

  it('does not take what the server’s own callback throws for a wrong form', async () => {
    const server = make(
      options({
        ciba: {
          interaction: () => {
            throw Object.assign(new Error('no such session'), { status: 404 });
          },
        },
      }),
    );
    const { link } = await linked(server);
    server.app.use(((error, _req, res, _next) => {
      res.status(error.status).json({ said: error.message });
    }) as ErrorRequestHandler);
    expect((await open(server, link)).body).toEqual({ said: 'no such session' });
  });

  it('[UX-2] [PRIV-6] shows the claims that are asked for one by one, and not those of the protocol', async () => {
    const server = make(options({ features: { claimsParameter: { enabled: true } } }));
    const claims = JSON.stringify({ id_token: { name: null, acr: null, employee_number: null } });
    const { link } = await linked(server, { claims });
    const { text } = await open(server, link, 'alice');
    expect(text).toContain('See your name');
    expect(text).toContain('employee_number');
    expect(text).not.toContain('<bdi>acr</bdi>');
  });

  it('speaks the person’s language, as far as the server has it', async () => {
    const texts = {
      de: { approve: 'Zustimmen', scopes: { openid: 'Wissen, dass Sie es sind' } },
      ar: { approve: 'موافقة <b>' },
    };
    const server = make(options({ ciba: { page: { texts } } }));
    const { link } = await linked(server);
    const german = await open(server, link, 'alice').set('accept-language', 'de-AT,de;q=0.9,en;q=0.5');
    expect(german.text).toMatch(
      /<html lang="de" dir="ltr">[\s\S]*Wissen, dass Sie es sind[\s\S]*Deny[\s\S]*Zustimmen/,
    );
    const arabic = await open(server, link, 'alice').set('accept-language', 'ar');
    expect(arabic.text).toMatch(/<html lang="ar" dir="rtl">[\s\S]*موافقة &#60;b&#62;/);
    expect((await open(server, link, 'alice').set('accept-language', 'fr')).text).toContain(
      '<html lang="en" dir="ltr">',
    );
    expect((await open(server, link, 'alice')).text).toContain('<html lang="en" dir="ltr">');
  });

  it('does not take a sign-in that is not strong enough, and the request lives', async () => {
    const server = make(
      options({ ciba: { requireAcr: true }, config: { acrValues: ['urn:example:hardware'] } }),
    );
    const { id, link } = await linked(server, { acr_values: 'urn:example:hardware' });
    const form = sealIn(await open(server, link, 'alice'));
    const answer = await send(server, link, { form, verdict: 'approve' });
    expect({ status: answer.status, title: titleOf(answer) }).toEqual({
      status: 403,
      title: 'Nothing was decided',
    });
    expect(await statusOf(server, id)).toBe('pending');
  });

  it('is not there where the server does not say who decides', async () => {
    const server = make(options({ ciba: { interaction: undefined } }));
    expect((await request(server.app).get('/ciba/decide/x')).status).toBe(404);
  });
});

onEveryStore('the decision page of a client with a number', (make) => {
  const numbered = (): PluginServer =>
    make(
      options({
        config: {
          clients: [
            {
              client_id: 'till',
              client_secret: 'till-secret',
              client_name: 'The till',
              grant_types: ['urn:openid:params:grant-type:ciba'],
              backchannel_token_delivery_mode: 'poll',
              redirect_uris: [],
              response_types: [],
              ciba_number_matching: true,
            },
          ],
        },
      }),
    );

  const askedWith = async (
    server: PluginServer,
  ): Promise<{ link: string; id: string; number: string; form: string }> => {
    const { body } = await ask(server);
    const link = await linkOf(server, body.auth_req_id);
    return {
      link,
      id: body.auth_req_id,
      number: body.matching_number,
      form: sealIn(await open(server, link, 'alice')),
    };
  };

  it('approves with the number of the asking screen, which it does not show', async () => {
    const server = numbered();
    const { link, id, number, form } = await askedWith(server);
    const page = await open(server, link, 'alice');
    expect(
      page.text.replace(
        /\d\d:\d\d UTC|data-seconds="\d+"|\?v=[\w-]+|value="[^"]*"|[\w-]{22}\.[\w-]{22}/g,
        '',
      ),
    ).not.toMatch(new RegExp(`\\b${number}\\b`));
    expect((await send(server, link, { form, verdict: 'approve', number })).status).toBe(303);
    expect(await statusOf(server, id)).toBe('approved');
  });

  it('denies with another one, and says so', async () => {
    const server = numbered();
    const { link, id, number, form } = await askedWith(server);
    const wrong = number === '10' ? '11' : '10';
    const answer = await send(server, link, { form, verdict: 'approve', number: wrong });
    expect({ status: answer.status, title: titleOf(answer) }).toEqual({ status: 403, title: 'Denied' });
    expect(answer.text).toContain('That is not the number');
    expect(await statusOf(server, id)).toBe('denied');
  });

  it.each(['', '1', '123', 'ab', '1 2'])('asks again for %p, which could be none', async (typed) => {
    const server = numbered();
    const { link, id, form } = await askedWith(server);
    const answer = await send(server, link, { form, verdict: 'approve', number: typed });
    expect(answer.status).toBe(422);
    expect(answer.text).toContain('Type the two digits');
    expect(await statusOf(server, id)).toBe('pending');
  });

  it('denies without it', async () => {
    const server = numbered();
    const { link, id, form } = await askedWith(server);
    await send(server, link, { form, verdict: 'deny', number: '' });
    expect(await statusOf(server, id)).toBe('denied');
  });
});
