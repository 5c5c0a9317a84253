import { type Browser, type BrowserContext, chromium, type Locator, type Page } from 'playwright-core';
import { chromiumPath } from '../support/chromium.js';

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
}

/** The till's page, as wide as beside a phone. */
export class TillPage {
  readonly page: Page;

  private constructor(page: Page) {
    this.page = page;
  }

  static async open(place: Place): Promise<TillPage> {
    return new TillPage(await openPage(place, '/till', { width: 760, height: 844 }));
  }

  /** Asks for a payment, and gives the message that both screens show. */
  async ask({
    who = 'Alice Archer',
    amount = '12.50',
    mode = 'Poll',
    refresh = false,
  }: Order): Promise<string> {
    await this.page.getByLabel(who).check();
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

  static async open(place: Place): Promise<PhonePage> {
    return new PhonePage(await openPage(place, '/phone', { width: 390, height: 844 }));
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

  async decide(message: string, verdict: 'Approve' | 'Deny'): Promise<void> {
    await this.page.getByRole('article', { name: message }).getByRole('button', { name: verdict }).click();
  }

  /** Waits until the prompt has become a line among the earlier ones, with its outcome. */
  async became(message: string, outcome: string): Promise<void> {
    await this.page.getByRole('listitem').filter({ hasText: message }).getByText(outcome).waitFor();
    await this.page.getByRole('article', { name: message }).waitFor({ state: 'detached' });
  }
}

async function openPage(
  { browser, origin, scheme = 'light' }: Place,
  path: string,
  viewport: { width: number; height: number },
): Promise<Page> {
  const context = await browser.newContext({ viewport, colorScheme: scheme, deviceScaleFactor: 2 });
  contexts.add(context);
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' && !/ERR_CONNECTION|ERR_INCOMPLETE|status of 409/.test(message.text()))
      complaints.push(message.text());
  });
  await page.goto(origin + path);
  return page;
}

async function textOf(locator: Locator): Promise<string> {
  return (await locator.textContent()) ?? '';
}
