import type { Browser, Page } from 'playwright-core';
import { closePages, complaints, openBrowser, openPage } from '../example/pages.js';
import { isCutOff, Pictures } from '../example/pictures.js';
import { checkOnEveryScreen } from '../support/accessible.js';
import { poll } from '../support/server.js';
import { until } from '../support/until.js';
import { ARABIC } from './arabic.js';
import { type Linked, PageServer } from './page-server.js';

const PHONE = { width: 360, height: 844 };

const PAYMENT = {
  scope: 'openid profile',
  binding_message: 'Pay 12.50 EUR, code 4F7K',
  authorization_details: JSON.stringify([
    { type: 'payment', amount: '12.50 EUR', payee: 'Corner shop, 12 High Street' },
  ]),
  resource: 'https://pay.example/api',
};

let browser: Browser;
let server: PageServer;
let withPasskeys: PageServer;
let pictures: Pictures;

beforeAll(async () => {
  [browser, server, withPasskeys, pictures] = await Promise.all([
    openBrowser(),
    PageServer.start({ ciba: { requireAcr: true, page: { texts: { ar: ARABIC } } } }),
    PageServer.start({ ciba: { page: { passkeys: { of: () => [] } } } }),
    Pictures.begin(),
  ]);
});

afterEach(async () => {
  await closePages();
  expect(complaints.splice(0)).toEqual([]);
});

afterAll(async () => {
  await browser?.close();
  await Promise.all([server?.stop(), withPasskeys?.stop()]);
  await pictures?.end();
});

/** How somebody opens a link. */
interface Visit {
  /** Who is signed in; nobody where it is left out. */
  readonly who?: string;
  readonly script?: boolean;
  readonly scheme?: 'light' | 'dark' | undefined;
  readonly locale?: string;
  readonly at?: PageServer;
  /** Done to the page before it is opened. */
  readonly before?: (page: Page) => Promise<void>;
}

function open(link: string, visit: Visit = {}): Promise<Page> {
  const { who, script = true, scheme = 'light', locale = 'en', at = server, before } = visit;
  return openPage({ browser, origin: at.origin, scheme }, link, PHONE, {
    context: { javaScriptEnabled: script, locale },
    before: async (page) => {
      if (who !== undefined) await page.context().addCookies([{ name: 'who', value: who, url: at.origin }]);
      await before?.(page);
    },
  });
}

const press = (page: Page, name: string): Promise<void> => page.getByRole('button', { name }).click();
const says = (page: Page, title: string): Promise<void> =>
  page.getByRole('heading', { name: title, level: 1 }).waitFor();

/** Types a number into the page's field. */
const type = (page: Page, number: string): Promise<void> =>
  page.getByLabel('Number on the other screen').fill(number);

/** Two digits that are not these. */
const other = (number: string): string => (number === '10' ? '11' : '10');

describe.each([
  ['with JavaScript', true],
  ['without JavaScript', false],
])('in a browser %s', (_, script) => {
  const visit: Visit = { who: 'alice', script };

  test('[UX-1] [UX-2] a person sees what is asked and approves, and the client gets its tokens', async () => {
    const asked = await server.ask(PAYMENT);
    const page = await open(asked.link, visit);
    const seen = await page.locator('main').textContent();
    for (const part of [
      'Corner shop till asks you',
      'Pay 12.50 EUR, code 4F7K',
      '12.50 EUR',
      'Corner shop, 12 High Street',
      'See your name',
      'https://pay.example/api',
    ]) {
      expect(seen).toContain(part);
    }
    await press(page, 'Approve');
    await says(page, 'Approved');
    expect((await poll(server.plugin, asked.id)).status).toBe(200);
  });

  test('[UX-6] a person denies, and the client hears that access is denied', async () => {
    const asked = await server.ask(PAYMENT);
    const page = await open(asked.link, visit);
    await press(page, 'Deny');
    await says(page, 'Denied');
    expect((await poll(server.plugin, asked.id)).body).toMatchObject({ error: 'access_denied' });
  });

  test('a person reports what they did not start, and the client is blocked for them', async () => {
    const asked = await server.ask(PAYMENT);
    const page = await open(asked.link, visit);
    await press(page, 'I did not start this');
    await says(page, 'Denied');
    await page.getByText('Corner shop till cannot ask you again').waitFor();
    expect(await server.statusOf(asked)).toBe('denied');
    expect(
      server.plugin.events.filter(({ name }) => name === 'request.reported').at(-1)?.event,
    ).toMatchObject({
      handle: asked.handle,
    });
    await server.plugin.ciba.requests.unblock('alice', 'till');
  });

  test('the number of the other screen approves', async () => {
    const asked = await server.ask(PAYMENT, { client: 'matcher' });
    const page = await open(asked.link, visit);
    await type(page, asked.number);
    await press(page, 'Approve');
    await says(page, 'Approved');
    expect(await server.statusOf(asked)).toBe('approved');
  });

  test('Enter behind the number is an approval, not a denial', async () => {
    const asked = await server.ask(PAYMENT, { client: 'matcher' });
    const page = await open(asked.link, visit);
    await type(page, asked.number);
    await page.keyboard.press('Enter');
    await says(page, 'Approved');
    expect(await server.statusOf(asked)).toBe('approved');
  });

  test('another number denies, and the page says so', async () => {
    const asked = await server.ask(PAYMENT, { client: 'matcher' });
    // The browser says of the page that it was refused.
    const page = await open(asked.link, visit);
    await type(page, other(asked.number));
    await press(page, 'Approve');
    await says(page, 'Denied');
    await page.getByText('That is not the number on the other screen').waitFor();
    expect(await server.statusOf(asked)).toBe('denied');
  });

  test('no number asks for one, and decides nothing', async () => {
    const asked = await server.ask(PAYMENT, { client: 'matcher' });
    const page = await open(asked.link, visit);
    await press(page, 'Approve');
    await page.getByRole('alert').getByText('Type the two digits').waitFor();
    expect(await server.statusOf(asked)).toBe('pending');
    await press(page, 'Deny');
    await says(page, 'Denied');
  });

  test('nobody who is not signed in sees anything of the request', async () => {
    const asked = await server.ask(PAYMENT);
    const page = await open(asked.link, { script });
    await says(page, 'Sign in to see the request');
    expect(await page.content()).not.toMatch(/12\.50|Corner|alice/);
    expect(await page.getByRole('button').count()).toBe(0);
  });

  test('the way to sign in is one that works there', async () => {
    const asked = await withPasskeys.ask(PAYMENT);
    const page = await open(asked.link, { script, at: withPasskeys });
    await says(page, 'Sign in to see the request');
    await page.getByRole('link', { name: 'Sign in another way' }).waitFor();
    expect(await page.getByRole('button', { name: 'Use a passkey' }).isVisible()).toBe(script);
    expect(await page.locator('noscript p').isVisible()).toBe(!script);
  });

  test('[UX-5] a link whose time is over says so', async () => {
    const passing = await PageServer.start();
    try {
      const asked = await passing.ask(PAYMENT);
      const page = await open(asked.link, { ...visit, at: passing });
      passing.plugin.advance(301);
      await press(page, 'Approve');
      await says(page, 'Expired');
      await page.reload();
      await says(page, 'Expired');
      expect(await passing.statusOf(asked)).toBe('expired');
    } finally {
      await passing.stop();
    }
  });

  test('[UX-4] a link that was used says so, and cannot be used again', async () => {
    const asked = await server.ask(PAYMENT);
    const [first, second] = [await open(asked.link, visit), await open(asked.link, visit)];
    await press(first, 'Deny');
    await says(first, 'Denied');
    await press(second, 'Approve');
    await says(second, 'Denied');
    await second.getByText('This link has been used.').waitFor();
    expect(await server.statusOf(asked)).toBe('denied');
  });

  test('[UX-3] somebody else is told no more than that it is not for them', async () => {
    const asked = await server.ask(PAYMENT);
    const page = await open(asked.link, { who: 'bob', script });
    await says(page, 'This is for somebody else');
    expect(await page.content()).not.toMatch(/12\.50|Corner|alice/);
  });

  test('a request that was taken back says so', async () => {
    const asked = await server.ask(PAYMENT);
    const page = await open(asked.link, visit);
    await server.plugin.ciba.requests.cancel(asked.handle);
    await press(page, 'Approve');
    await says(page, 'Taken back');
  });

  test('the keyboard alone reaches everything in the order of the screen, and decides', async () => {
    for (const [verdict, title] of [
      ['Approve', 'Approved'],
      ['Deny', 'Denied'],
    ] as const) {
      const asked = await server.ask(PAYMENT, { client: 'matcher' });
      const page = await open(asked.link, visit);
      const reached: string[] = [];
      for (let stop = 0; stop < 4; stop += 1) {
        await page.keyboard.press('Tab');
        const focused = page.locator(':focus');
        // What has the focus shows it.
        expect(await focused.evaluate((element) => getComputedStyle(element).outlineStyle)).toBe('solid');
        reached.push(
          (await focused.getAttribute('name')) === 'number' ? 'number' : String(await focused.textContent()),
        );
      }
      expect(reached).toEqual(['number', 'Deny', 'Approve', 'I did not start this']);
      await page.locator('body').click({ position: { x: 2, y: 2 } });
      await type(page, asked.number);
      await page.keyboard.press('Tab');
      if (verdict === 'Approve') await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      await says(page, title);
    }
  });
});

test('the time that is left is counted down, and the page says when it is over', async () => {
  const passing = await PageServer.start();
  try {
    const asked = await passing.ask(PAYMENT);
    const page = await open(asked.link, {
      who: 'alice',
      at: passing,
      before: (opened) => opened.clock.install(),
    });
    const timer = page.getByRole('timer');
    await timer.waitFor();
    const left = async (): Promise<number> => {
      const [minutes, seconds] = String(await timer.textContent())
        .split(':')
        .map(Number);
      return Number(minutes) * 60 + Number(seconds);
    };
    const before = await left();
    // On one line, also beside words that need two.
    expect((await timer.boundingBox())?.height).toBeLessThan(30);
    expect(before).toBeLessThanOrEqual(300);
    await page.clock.runFor(60_000);
    const after = await left();
    expect(before - after).toBeGreaterThanOrEqual(59);
    // The words beside it go along, to the end.
    await page.getByText(`${Math.floor(after / 60)} min left to decide`).waitFor();
    await page.clock.runFor((after - 50) * 1000);
    await page.getByText('Less than a minute left to decide').waitFor();
    passing.plugin.advance(301);
    await page.clock.runFor(300_000);
    await says(page, 'Expired');
  } finally {
    await passing.stop();
  }
});

test('a decision is sent once, and it is the first, however often buttons are pressed', async () => {
  const asked = await server.ask(PAYMENT);
  const page = await open(asked.link, { who: 'alice' });
  let sent = 0;
  page.on('request', (request) => {
    if (request.method() === 'POST') sent += 1;
  });
  await page.evaluate(() => {
    const [deny, approve] = document.querySelectorAll<HTMLButtonElement>('.decision button');
    for (const button of [approve, approve, deny]) button?.click();
    document.querySelector('form')?.requestSubmit();
  });
  await says(page, 'Approved');
  expect(sent).toBe(1);
});

test('while a decision is on its way no button can be pressed', async () => {
  const asked = await server.ask(PAYMENT);
  const page = await open(asked.link, { who: 'alice' });
  // An answer without content leaves the page as it is.
  await page.route('**/ciba/decide/*', (route) => route.fulfill({ status: 204 }));
  await press(page, 'Approve');
  for (const name of ['Approve', 'Deny', 'I did not start this']) {
    await until(`${name} is switched off`, () => page.getByRole('button', { name }).isDisabled());
  }
});

test('what was switched off works again for who comes back', async () => {
  const asked = await server.ask(PAYMENT, { client: 'matcher' });
  const page = await open(asked.link, { who: 'alice' });
  await press(page, 'Approve');
  await page.getByRole('alert').waitFor();
  await page.goBack();
  await type(page, asked.number);
  await press(page, 'Approve');
  await says(page, 'Approved');
});

test('a language from right to left is laid out so, and nothing of it is cut off', async () => {
  const asked = await server.ask(PAYMENT, { client: 'matcher' });
  const page = await open(asked.link, { who: 'alice', locale: 'ar' });
  expect(await page.evaluate(() => [document.documentElement.lang, document.documentElement.dir])).toEqual([
    'ar',
    'rtl',
  ]);
  expect(await isCutOff(page)).toBe(false);
  const [deny, approve] = await Promise.all(
    ['رفض', 'موافقة'].map((name) => page.getByRole('button', { name, exact: true }).boundingBox()),
  );
  // The first of the two is where reading begins.
  expect(deny?.x).toBeGreaterThan(Number(approve?.x));
  await page.getByLabel('الرقم على الشاشة الأخرى').fill(asked.number);
  await press(page, 'موافقة');
  await says(page, 'تمت الموافقة');
});

test('both verdicts weigh the same', async () => {
  const asked = await server.ask(PAYMENT);
  const page = await open(asked.link, { who: 'alice' });
  const [deny, approve] = await Promise.all(
    ['Deny', 'Approve'].map((name) =>
      page.getByRole('button', { name }).evaluate((button) => {
        const { width, height } = button.getBoundingClientRect();
        const { color, backgroundColor, borderColor, fontSize, fontWeight } = getComputedStyle(button);
        return { width, height, color, backgroundColor, borderColor, fontSize, fontWeight };
      }),
    ),
  );
  expect(deny).toEqual(approve);
  expect(Number(deny?.height)).toBeGreaterThanOrEqual(44);
});

/** Everything that the page can show, and how it comes to it. */
const STATES: Readonly<Record<string, (visit: Visit) => Promise<Page>>> = {
  request: async (visit) => open((await server.ask(PAYMENT)).link, visit),
  'request-with-nothing': async (visit) => open((await server.ask()).link, visit),
  'request-with-a-number': async (visit) => open((await withNumber()).link, visit),
  'request-in-arabic': async (visit) => open((await withNumber()).link, { ...visit, locale: 'ar' }),
  'request-without-a-script': async (visit) => open((await withNumber()).link, { ...visit, script: false }),
  'number-missing': async (visit) => {
    const page = await open((await withNumber()).link, visit);
    await press(page, 'Approve');
    await page.getByRole('alert').waitFor();
    return page;
  },
  'number-wrong': async (visit) => {
    const asked = await withNumber();
    const page = await open(asked.link, visit);
    await type(page, other(asked.number));
    await press(page, 'Approve');
    await says(page, 'Denied');
    return page;
  },
  approved: (visit) => decided('Approve', 'Approved', visit),
  denied: (visit) => decided('Deny', 'Denied', visit),
  reported: async (visit) => {
    const page = await decided('I did not start this', 'Denied', visit);
    await server.plugin.ciba.requests.unblock('alice', 'till');
    return page;
  },
  cancelled: async (visit) => {
    const { handle, link } = await server.ask(PAYMENT);
    await server.plugin.ciba.requests.cancel(handle);
    return open(link, visit);
  },
  expired: async (visit) => {
    const passing = await PageServer.start();
    try {
      const { link } = await passing.ask(PAYMENT);
      passing.plugin.advance(301);
      return await open(link, { ...visit, at: passing });
    } finally {
      await passing.stop();
    }
  },
  stranger: async (visit) => open((await server.ask(PAYMENT)).link, { ...visit, who: 'bob' }),
  'sign-in': async ({ scheme }) => open((await server.ask(PAYMENT)).link, { scheme }),
  'sign-in-with-a-passkey': async ({ scheme }) =>
    open((await withPasskeys.ask(PAYMENT)).link, { scheme, at: withPasskeys }),
  'sign-in-without-a-script': async ({ scheme }) =>
    open((await withPasskeys.ask(PAYMENT)).link, { scheme, at: withPasskeys, script: false }),
  'not-strong-enough': async (visit) => {
    const { link } = await server.ask({ ...PAYMENT, acr_values: 'urn:example:hardware' });
    const page = await open(link, visit);
    await press(page, 'Approve');
    await says(page, 'Nothing was decided');
    return page;
  },
};

describe.each(['light', 'dark'] as const)('in the %s', (scheme) => {
  test.each(Object.keys(STATES))('everybody can use the page: %s', async (state) => {
    const page = await (STATES[state] as (typeof STATES)[string])({ who: 'alice', scheme });
    await checkOnEveryScreen(page, pictures, `${state}-${scheme}`, !state.includes('without-a-script'));
  });
});

test('the picture of the documentation shows a payment and a number, by day and by night', async () => {
  const { link } = await withNumber();
  const [day, night] = await Promise.all(
    (['light', 'dark'] as const).map((scheme) => open(link, { who: 'alice', scheme })),
  );
  expect(
    await pictures.pair(browser, 'decision-page', day as Page, night as Page, PHONE.height),
  ).toBeGreaterThan(50_000);
});

function withNumber(): Promise<Linked> {
  return server.ask(PAYMENT, { client: 'matcher' });
}

async function decided(verdict: string, title: string, visit: Visit): Promise<Page> {
  const page = await open((await server.ask(PAYMENT)).link, visit);
  await press(page, verdict);
  await says(page, title);
  return page;
}
