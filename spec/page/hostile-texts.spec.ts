import type { Browser, Page } from 'playwright-core';
import request from 'supertest';
import { ExampleServer } from '../example/example-server.js';
import { closePages, complaints, openBrowser, openPage, PhonePage } from '../example/pages.js';
import { isCutOff } from '../example/pictures.js';
import { CIBA_GRANT } from '../support/configuration.js';
import { EVERY_HOSTILE_TEXT, HOSTILE_TEXTS } from '../support/hostile-texts.js';
import { expectErrorEnvelope, expectRefused } from '../support/refusal.js';
import { ask, BACKCHANNEL, basic, type Params, poll, type Sending } from '../support/server.js';
import { PageServer } from './page-server.js';

/** What nobody sees, or what steers what they see; joiners and selectors are part of an emoji or of a letter where they follow it. */
const UNSEEN = new RegExp(
  [
    String.raw`(?!\n)\p{Cc}|\p{Cs}|\p{Co}|\p{Cn}|\p{Zl}|\p{Zp}`,
    String.raw`[\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180E\u200B\u200C\u200E\u200F\u202A-\u202E\u2060-\u206F]`,
    String.raw`[\u2800\u3164\uFEFF\uFFA0\uFFF9-\uFFFB\u{1BCA0}-\u{1BCA3}\u{1D173}-\u{1D17A}\u{E0000}-\u{E007F}]`,
    String.raw`(?<!\p{Emoji}\p{Emoji_Modifier}?\uFE0F?)\u200D`,
    String.raw`(?<!\p{Emoji})[\uFE00-\uFE0F]`,
    String.raw`(?<!\p{Script=Han})[\u{E0100}-\u{E01EF}]`,
  ].join('|'),
  'u',
);

const SCREEN = { width: 360, height: 740 };

/** A detail of a payment, and the service that it is for. */
const detail = (members: object) => ({
  authorization_details: JSON.stringify([{ type: 'payment', ...members }]),
  resource: 'urn:example:pay',
});

/** Where a client’s text goes, as a person sees it or as it names the person. */
const FIELDS = {
  binding_message: { wrong: 'invalid_binding_message', params: (text) => ({ binding_message: text }) },
  scope: { wrong: 'invalid_scope', params: (text) => ({ scope: `openid ${text.replaceAll(' ', '_')}` }) },
  'members and values of a detail': {
    wrong: 'invalid_authorization_details',
    params: (text) => detail({ payee: text, [text]: { [text]: [text, 'more'] } }),
  },
  resource: { wrong: 'invalid_target', params: (text) => ({ resource: `urn:example:${text}` }) },
  request_context: { wrong: 'invalid_request', params: (text) => ({ request_context: text }) },
  login_hint: { wrong: 'unknown_user_id', params: (text) => ({ login_hint: text }) },
} as const satisfies Readonly<
  Record<
    string,
    { readonly wrong: string; readonly params: (text: string) => Readonly<Record<string, string>> }
  >
>;
type Field = keyof typeof FIELDS;
const FIELD_NAMES = Object.keys(FIELDS) as Field[];

let browser: Browser;
let server: PageServer;
let page: Page;
const fetched: string[] = [];
const dialogs: string[] = [];
let globals: string[];
/** People who are called what a text says. */
const people = new Set<string>(['alice']);

beforeAll(async () => {
  [browser, server] = await Promise.all([
    openBrowser(),
    PageServer.start({
      config: {
        findAccount: async (_ctx, accountId) => ({ accountId, claims: async () => ({ sub: accountId }) }),
      },
      ciba: {
        resolveLoginHint: (hint) => (people.has(hint) ? hint : undefined),
        interaction: (_req, _res, { request: { accountId } }) => ({ accountId }),
      },
    }),
  ]);
  const { link } = await server.ask();
  page = await openPage({ browser, origin: server.origin }, link, SCREEN);
  globals = await globalsOf(page);
  page.on('request', (sent) => fetched.push(sent.url()));
  page.on('dialog', async (dialog) => {
    dialogs.push(dialog.message());
    await dialog.dismiss();
  });
});

afterEach(() => {
  expect(complaints.splice(0)).toEqual([]);
});

afterAll(async () => {
  await closePages();
  await browser?.close();
  await server?.stop();
});

describe('[UX-2] [SEC-2] [PRIV-5] a person is shown', () => {
  it.each(EVERY_HOSTILE_TEXT)('nothing but text of %s', async (_, text) => {
    const sending = await clientCalled(text);
    people.delete(text);
    await expectRefused(server.plugin, () => ask(server.plugin, { login_hint: text }, sending), {
      error:
        text === ''
          ? 'invalid_request'
          : textSent(text).includes('\uFFFD')
            ? 'invalid_request'
            : 'unknown_user_id',
    });
    people.add(text);

    const taken: Field[] = [];
    for (const field of FIELD_NAMES) {
      if (await isTaken(field, text, sending)) taken.push(field);
    }
    // One request shows it everywhere at once, where it is not too large for that.
    for (const fields of text.length > 1_000 ? taken.map((field) => [field]) : [taken]) {
      const shown = await shownWith(fields, text, sending);
      expect(shown.shape).toEqual(await shapeWithout(fields, text === '', shown.whole));
      expect(shown.text).not.toMatch(UNSEEN);
      if (fields.includes('binding_message') && text !== '') expect(shown.title).toBe(text);
      if (text.trim() === '') expect(shown.asks).toMatch(/^\S+ asks you$/);
    }
  });
});

describe('a binding message', () => {
  const refused = (text: string) =>
    expectRefused(server.plugin, () => ask(server.plugin, { binding_message: text }), {
      error: 'invalid_binding_message',
    });

  it('[A30] of emoji, Chinese and 450 letters is refused; a short one is shown exactly', async () => {
    const { 'emoji, Chinese and 450 letters': long, 'emoji and Chinese': short } = HOSTILE_TEXTS[
      'is no more than unusual'
    ] as Record<string, string>;
    await refused(String(long));
    await visit((await server.ask({ binding_message: String(short) })).link);
    expect(await page.locator('h1').textContent()).toBe(short);
  });

  it.each([
    ...Object.entries(HOSTILE_TEXTS['turns the direction'] ?? {}),
    ...Object.entries(HOSTILE_TEXTS['hides something'] ?? {}),
    ...Object.entries(HOSTILE_TEXTS['breaks a line or a screen'] ?? {}).filter(([, text]) =>
      /\p{Cc}|\p{Zl}|\p{Zp}|\p{M}{4}|.{65}/su.test(text),
    ),
  ])('[A31] with %s is refused', async (_, text) => {
    await refused(text);
  });

  it.each(['a Cyrillic letter in a Latin word', 'a Greek letter in a Latin word'])(
    '[A32] with %s is refused',
    async (name) => {
      await refused(String(HOSTILE_TEXTS['says another thing than it seems']?.[name]));
    },
  );

  it.each([
    ['only spaces', '   '],
    ['decomposed letters', 'Mu\u0308ller'],
    ['65 letters', 'x'.repeat(65)],
  ])('[A33] of %s is refused', async (_, text) => {
    await refused(text);
  });

  it('[A33] that is empty is none', async () => {
    await visit((await server.ask({ binding_message: '' })).link);
    expect(await page.locator('h1').textContent()).toBe('Do you approve?');
  });

  it('[A34] that looks like markup, a template or a formula is shown as it is', async () => {
    for (const text of [
      '<b>{{7*7}}</b>',
      '%s#{7*7}',
      '=cmd()',
      "$& $' {client}",
      '<script>alert(1)</script>',
    ]) {
      await visit((await server.ask({ binding_message: text })).link);
      expect(await page.locator('h1').textContent()).toBe(text);
    }
  });
});

describe('[A35] bytes that are no UTF-8', () => {
  it.each([
    ['none of its bytes', '%ff%fe'],
    ['an overlong slash', '%c0%af'],
    ['an overlong NUL', '%e0%80%80'],
    ['a lone surrogate', '%ed%a0%80'],
    ['a half of a character', 'Pay%e2%82'],
    ['more than Unicode', '%f4%90%80%80'],
  ])('are refused in every parameter, and nothing is kept: %s', async (_, bytes) => {
    for (const [parameter, error] of [
      ['binding_message', 'invalid_binding_message'],
      ['scope', 'invalid_scope'],
      ['request_context', 'invalid_request'],
      ['login_hint', 'invalid_request'],
      ['acr_values', 'invalid_request'],
    ] as const) {
      const body = new URLSearchParams({ scope: 'openid', login_hint: 'alice' });
      body.delete(parameter);
      const scope = parameter === 'scope' ? 'openid%20' : '';
      await expectRefused(
        server.plugin,
        async () =>
          request(server.plugin.app)
            .post(BACKCHANNEL)
            .set({ authorization: basic('till'), host: 'op.example' })
            .type('form')
            .send(`${body}&${parameter}=${scope}${bytes}`),
        { error },
      );
    }
  });
});

it('what a denial says reaches the client in the letters that an error may have', async () => {
  for (const [, text] of EVERY_HOSTILE_TEXT) {
    const { id } = await server.ask();
    await server.plugin.deny(id, text.slice(0, 256));
    const answer = await poll(server.plugin, id);
    expect({ status: answer.status, error: answer.body.error }).toEqual({
      status: 400,
      error: 'access_denied',
    });
    expectErrorEnvelope(answer);
  }
});

it('a client cannot hide what it asks for behind a long list: what is left out is counted, and nobody can approve it', async () => {
  const many = Object.fromEntries(Array.from({ length: 260 }, (_, index) => [`member ${index}`, 'x']));
  const { link } = await server.ask(detail(many));
  await visit(link);
  expect(await page.locator('.details div').last().textContent()).toBe('…+61');
  expect(await page.locator('#incomplete').textContent()).toContain('it can only be denied');
  expect(await page.getByRole('button', { name: 'Approve' }).count()).toBe(0);
  // By hand neither.
  const form = { form: await page.locator('[name=form]').inputValue(), verdict: 'approve' };
  const sent = await request(server.plugin.app).post(link).type('form').send(form);
  expect(sent.status).toBe(403);
  await page.getByRole('button', { name: 'Deny' }).click();
  await page.getByRole('heading', { name: 'Denied' }).waitFor();
});

describe('the phone of the example', () => {
  let example: ExampleServer;
  beforeAll(async () => {
    example = await ExampleServer.start();
  });
  afterAll(() => example?.stop());

  it('[A34] shows markup, templates and right-to-left letters as text, and loads nothing for it', async () => {
    const phone = await PhonePage.open({ browser, origin: example.origin });
    await phone.signIn('Alice Archer');
    await phone.isEmpty();
    const before = await globalsOf(phone.page);
    const asked: string[] = [];
    phone.page.on('request', (sent) => asked.push(sent.url()));
    phone.page.on('dialog', (dialog) => asked.push(dialog.message()));
    for (const text of [
      '<script>globalThis.harmed=1</script>',
      '<img src=x onerror=globalThis.harmed=1>',
      '"><svg onload=alert(1)>',
      `<a href="javascript:alert(1)">{{7*7}}</a>`,
      '\u05E9\u05DC\u05DD 12.50 \u05D0\u05D9\u05E8\u05D5',
    ]) {
      expect((await example.ask({ binding_message: text })).status).toBe(200);
      const card = phone.page.getByRole('article', { name: text });
      await card.waitFor();
      expect(await card.getByRole('heading').textContent()).toBe(text);
      expect(await card.locator('script, img, svg, a').count()).toBe(0);
      await card.getByRole('button', { name: 'Approve' }).click();
      await phone.became(text, 'Approved');
    }
    expect(await globalsOf(phone.page)).toEqual(before);
    expect(asked.filter((url) => !url.startsWith(`${example.origin}/`))).toEqual([]);
  });

  it('[A31] is never shown what steers it, and two things wrong at once leave the server alive', async () => {
    const answer = await example.ask({ binding_message: 'Pay \u202E12', requested_expiry: '0x10' });
    expect(answer.status).toBe(400);
    expect((await example.ask({ binding_message: 'Still here' })).status).toBe(200);
  });
});

/** A text as a form carries it: in the place of what UTF-8 has no bytes for is U+FFFD. */
const textSent = (text: string): string => Buffer.from(text).toString();

/** Registers a client that is called so, and gives how it sends. A name that is none is refused. */
async function clientCalled(name: string): Promise<Sending> {
  const register = (more: object) =>
    request(server.plugin.app)
      .post('/reg')
      .set('host', 'op.example')
      .send({
        grant_types: [CIBA_GRANT],
        backchannel_token_delivery_mode: 'poll',
        authorization_details_types: ['payment'],
        ...more,
      });
  const named = await register({ client_name: name });
  const { status, body } = named.status === 201 ? named : await register({});
  if (named.status !== 201) {
    expect(named.body.error).toBe('invalid_client_metadata');
    expect(name).toBe('');
  }
  expect(status).toBe(201);
  return { headers: { authorization: basic(body.client_id, body.client_secret) } };
}

/** Whether a text is taken there. Where it is not, the answer says so rightly, and nothing is kept. */
async function isTaken(field: Field, text: string, sending: Sending): Promise<boolean> {
  const params: Params = FIELDS[field].params(text);
  const answer = await ask(server.plugin, params, sending);
  if (answer.status === 200) {
    const handle = server.plugin.ciba.requests.handleOf(answer.body.auth_req_id);
    await server.plugin.ciba.requests.cancel(handle);
    return true;
  }
  const broken = text === '' || textSent(text).includes('\uFFFD');
  const ownError = field === 'binding_message' || field === 'scope';
  const error = broken && !ownError ? 'invalid_request' : FIELDS[field].wrong;
  await expectRefused(server.plugin, () => ask(server.plugin, params, sending), { error });
  return false;
}

interface Seen {
  readonly shape: unknown;
  readonly text: string;
  readonly title: string;
  readonly asks: string;
  /** Whether all of the request is shown; where it is not, nobody can approve it. */
  readonly whole: boolean;
}

/** Asks with a text in these fields and opens the page: nothing of the text may happen there. */
async function shownWith(fields: readonly Field[], text: string, sending: Sending): Promise<Seen> {
  const params = Object.assign({}, ...fields.map((field) => FIELDS[field].params(text)));
  const asked = await server.ask(params, sending);
  await visit(asked.link);
  expect(dialogs).toEqual([]);
  expect(await globalsOf(page)).toEqual(globals);
  expect(fetched.splice(0).filter((url) => !url.startsWith(`${server.origin}/`) && url !== 'data:,')).toEqual(
    [],
  );
  expect(await isCutOff(page)).toBe(false);
  const whole = (await page.locator('#incomplete').count()) === 0;
  if (text.length < 1_000) expect(whole).toBe(true);
  const deny = await pressable('Deny');
  if (whole) expect(await pressable('Approve')).toEqual(deny);
  else expect(await page.getByRole('button', { name: 'Approve' }).count()).toBe(0);
  const seen = await look(whole);
  await server.plugin.ciba.requests.cancel(asked.handle);
  return seen;
}

const harmlessShapes = new Map<string, unknown>();

/** The page's elements and attributes where the text in the same fields is a harmless one, or none. */
async function shapeWithout(fields: readonly Field[], none: boolean, whole: boolean): Promise<unknown> {
  const key = `${none} ${whole} ${fields}`;
  if (harmlessShapes.has(key)) return harmlessShapes.get(key);
  const params: Record<string, string> = Object.assign(
    {},
    ...fields.map((field) => FIELDS[field].params('harmless')),
    { login_hint: 'alice' },
  );
  if (none) Object.assign(params, { binding_message: '', scope: 'openid' });
  const asked = await server.ask(params);
  await visit(asked.link);
  const { shape } = await look(whole);
  await server.plugin.ciba.requests.cancel(asked.handle);
  harmlessShapes.set(key, shape);
  return shape;
}

async function visit(link: string): Promise<void> {
  await page.goto(server.origin + link);
}

/** What is on the page: its elements with their attributes, and what a person reads. The form is another one where nobody can approve. */
function look(whole: boolean): Promise<Seen> {
  return page.evaluate((whole) => {
    const changing = (name: string): boolean => name === 'value' || name === 'data-seconds';
    const shapeOf = (element: Element): unknown => [
      element.localName,
      [...element.attributes].map(({ name, value }) =>
        changing(name) && element.localName !== 'button' ? name : `${name}=${value}`,
      ),
      element.localName === 'form' && !whole ? [] : [...element.children].map(shapeOf),
    ];
    const textOf = (selector: string): string => document.querySelector(selector)?.textContent ?? '';
    return {
      shape: shapeOf(document.documentElement),
      // biome-ignore lint/performance/useDomNodeTextContent: what is meant is what is seen.
      text: document.title + document.body.innerText,
      title: textOf('h1'),
      asks: textOf('.asks'),
      whole,
    };
  }, whole);
}

/** The size of a button that a finger finds: on the screen once it is scrolled to, with nothing above it. */
async function pressable(name: string): Promise<{ width: number; height: number }> {
  const button = page.getByRole('button', { name, exact: true });
  await button.scrollIntoViewIfNeeded();
  const { width, height, free, whole } = await button.evaluate((element) => {
    const { x, y, width, height } = element.getBoundingClientRect();
    return {
      width,
      height,
      free: document.elementFromPoint(x + width / 2, y + height / 2) === element,
      whole: x >= 0 && y >= 0 && x + width <= innerWidth && y + height <= innerHeight,
    };
  });
  expect({ free, whole }).toEqual({ free: true, whole: true });
  expect(width).toBeGreaterThan(100);
  expect(height).toBeGreaterThanOrEqual(44);
  return { width, height };
}

const globalsOf = (shown: Page): Promise<string[]> =>
  shown.evaluate(() =>
    Object.getOwnPropertyNames(globalThis)
      .filter((name) => !/^\d+$/.test(name))
      .sort(),
  );
