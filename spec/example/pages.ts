import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Locator,
  type Page,
} from 'playwright-core';
import { chromiumPath } from '../support/chromium.js';
import { until } from '../support/until.js';

/** A browser with a fresh profile. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumPath(),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

type Scheme = 'light' | 'dark';
type Place = { readonly browser: Browser; readonly origin: string; readonly scheme?: Scheme };

/** What pages complained about: refused by the policy, not found, or thrown. A server that is away is none. */
export const complaints: string[] = [];

const contexts = new Set<BrowserContext>();

/** Closes every page that was opened. */
export async function closePages(): Promise<void> {
  await Promise.all([...contexts].map((context) => context.close()));
  contexts.clear();
}

/** A payment to ask for, and how. */
interface Order {
  readonly who?: string;
  readonly amount?: string;
  readonly mode?: 'Poll' | 'Ping' | 'Push';
  readonly refresh?: boolean;
  /** Whether the till shows a number that the phone must give. */
  readonly number?: boolean;
}

/** The till's page, as wide as beside a phone. */
export class TillPage {
  readonly page: Page;

  private constructor(page: Page) {
    this.page = page;
  }

  static async open(place: Place): Promise<TillPage> {
    const page = await openPage(place, '/till', { width: 760, height: 844 });
    // Until the page has heard who can pay, its form is hidden, and keys pressed go nowhere.
    await page.getByRole('button', { name: 'Ask for the payment' }).waitFor();
    return new TillPage(page);
  }

  /** Asks for a payment, and gives the message that both screens show. */
  async ask({
    who = 'Alice Archer',
    amount = '12.50',
    mode = 'Poll',
    refresh = false,
    number = false,
  }: Order = {}): Promise<string> {
    await this.page.getByLabel(who).check();
    await this.page.getByLabel('Show a number to match').setChecked(number);
    await this.page.getByLabel(mode, { exact: true }).check();
    await this.page.getByLabel('Refresh token').setChecked(refresh);
    await this.page.getByLabel('Amount in EUR').fill(amount);
    await this.page.getByRole('button', { name: 'Ask for the payment' }).click();
    const message = this.page.getByRole('heading', { level: 1, name: /^Pay / });
    await message.waitFor();
    return textOf(message);
  }

  /** Waits for the state that the page shows. */
  async state(state: string): Promise<void> {
    await this.page.getByRole('status').getByText(state, { exact: true }).waitFor();
  }

  /** Waits for a line in the log of polls. */
  async logged(line: RegExp): Promise<void> {
    await this.page.locator('#log li').filter({ hasText: line }).first().waitFor();
  }

  /** How many lines the log of polls has. */
  polls(): Promise<number> {
    return this.page.locator('#log li').count();
  }

  /** Waits for the server's call that the page shows, and gives its text and its body. */
  async call(): Promise<{ text: string; body: Record<string, unknown> }> {
    const call = this.page.locator('#call');
    const body = await textOf(call.locator('#call-body'));
    return { text: await textOf(call), body: JSON.parse(body) as Record<string, unknown> };
  }

  /** The number that the page shows for the phone. */
  number(): Promise<string> {
    return textOf(this.page.locator('#digits'));
  }

  /** Waits until the page shows that a channel has come this far. */
  async reached(channel: 'Web push' | 'E-mail', state: string): Promise<void> {
    await this.page.locator('#channels li').filter({ hasText: channel }).getByText(state).waitFor();
  }

  /** A part of the ID Token that the page shows. */
  async idToken(part: 'header' | 'payload'): Promise<Record<string, unknown>> {
    return JSON.parse(await textOf(this.page.locator(`#token-${part}`))) as Record<string, unknown>;
  }
}

/** The phone's page, as big as a phone. */
export class PhonePage {
  readonly page: Page;

  private constructor(page: Page) {
    this.page = page;
  }

  static async open(place: Place, opening?: Opening): Promise<PhonePage> {
    return new PhonePage(await openPage(place, '/phone', { width: 390, height: 844 }, opening));
  }

  async signIn(name: string): Promise<void> {
    await this.page.getByRole('button', { name }).click();
    await this.page.getByRole('button', { name: 'Sign out' }).waitFor();
  }

  /** Waits until the page has heard that there is nothing to decide. */
  async isEmpty(): Promise<void> {
    await this.page.getByText('Nothing is waiting for you').waitFor();
  }

  /** Waits for the prompt with this message, and gives everything that it says. */
  async prompt(message: string): Promise<string> {
    const prompt = this.page.getByRole('article', { name: message });
    await prompt.waitFor();
    return textOf(prompt);
  }

  /** The messages of all prompts on the screen. */
  prompts(): Promise<string[]> {
    return this.page.getByRole('article').getByRole('heading').allTextContents();
  }

  async decide(message: string, verdict: 'Approve' | 'Deny' | 'I did not start this'): Promise<void> {
    await this.page.getByRole('article', { name: message }).getByRole('button', { name: verdict }).click();
  }

  /** Types the number of the other screen and approves. */
  async match(message: string, number: string): Promise<void> {
    const prompt = this.page.getByRole('article', { name: message });
    await prompt.getByLabel('Number on the other screen').fill(number);
    await prompt.getByRole('button', { name: 'Approve' }).click();
  }

  /** Waits until the prompt has become a line among the earlier ones, with its outcome. */
  async became(message: string, outcome: string): Promise<void> {
    await this.page.getByRole('listitem').filter({ hasText: message }).getByText(outcome).waitFor();
    await this.page.getByRole('article', { name: message }).waitFor({ state: 'detached' });
  }
}

/** The mailbox's page, as wide as on a desk. */
export class MailboxPage {
  readonly page: Page;

  private constructor(page: Page) {
    this.page = page;
  }

  static async open(place: Place): Promise<MailboxPage> {
    return new MailboxPage(await openPage(place, '/mailbox', { width: 1100, height: 844 }));
  }

  /** Waits for a mail about this message, opens it, and gives the address in it. */
  async link(message: string): Promise<string> {
    const found = await this.#find(message);
    return (await found.getAttribute('href')) ?? '';
  }

  /** Follows the link in a mail, as the page opens it: beside itself. */
  async follow(message: string): Promise<Page> {
    const link = await this.#find(message);
    const opened = this.page.context().waitForEvent('page');
    await link.click();
    const page = await opened;
    listenTo(page);
    return page;
  }

  /** The link in the HTML part of the mail about this message, whichever of the list it is. */
  async #find(message: string): Promise<Locator> {
    const text = this.page.locator('#text');
    const link = this.page.frameLocator('#html').getByRole('link');
    await until('the mail is there', async () => {
      for (const mail of await this.page.getByRole('list').getByRole('button').all()) {
        await mail.click();
        if (!(await text.textContent())?.includes(message)) continue;
        // A frame that is filled anew before it was filled may stay empty: then the mail is opened again.
        await link.waitFor({ timeout: 5_000 });
        return true;
      }
      return false;
    });
    return link;
  }
}

/** What a page is opened with. */
interface Opening {
  readonly permissions?: string[];
  /** What else its browser is like. */
  readonly context?: BrowserContextOptions;
  /** Done to the page before it is opened. */
  readonly before?: (page: Page) => Promise<void>;
}

/** Opens an address as on a screen of this size. */
export async function openPage(
  { browser, origin, scheme = 'light' }: Place,
  path: string,
  viewport: { width: number; height: number },
  { permissions = [], context: more, before }: Opening = {},
): Promise<Page> {
  const context = await browser.newContext({
    viewport,
    permissions,
    colorScheme: scheme,
    deviceScaleFactor: 2,
    ...more,
  });
  contexts.add(context);
  const page = await context.newPage();
  listenTo(page);
  await before?.(page);
  await page.goto(origin + path);
  return page;
}

/** Answers that say no are no complaint: the page shows them. */
const EXPECTED = /ERR_CONNECTION|ERR_INCOMPLETE|status of (40[0139]|410|422)/;

function listenTo(page: Page): void {
  page.setDefaultTimeout(20_000);
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' && !EXPECTED.test(message.text())) complaints.push(message.text());
  });
}

async function textOf(locator: Locator): Promise<string> {
  return (await locator.textContent()) ?? '';
}
