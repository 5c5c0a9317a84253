import type { CDPSession, Page, Worker } from 'playwright-core';
import { until } from '../support/until.js';
import type { PushMessage, PushService } from './push-service.js';

/** How long a worker is given to show something, in milliseconds. */
const PATIENCE = 5_000;

/** A notification that the page's service worker shows. */
export interface ShownNotification {
  readonly title: string;
  readonly body: string;
  readonly tag: string;
}

/**
 * Lets a page subscribe at a push service of the spec's: Chromium knows only its maker's, which needs the Internet. Call it before the page
 * is opened.
 */
export async function subscribesAt(page: Page, { subscription }: PushService): Promise<void> {
  await page.addInitScript((fake) => {
    const key = 'subscription-of-this-spec';
    const made = (options: PushSubscriptionOptionsInit) => ({
      endpoint: fake.endpoint,
      options,
      toJSON: () => fake,
      async unsubscribe() {
        sessionStorage.removeItem(key);
        return true;
      },
    });
    Object.assign(PushManager.prototype, {
      async subscribe(options: { applicationServerKey: Uint8Array }) {
        sessionStorage.setItem(key, [...options.applicationServerKey].join());
        return made(options as unknown as PushSubscriptionOptionsInit);
      },
      async getSubscription() {
        const bytes = sessionStorage.getItem(key);
        return bytes === null
          ? null
          : made({ applicationServerKey: new Uint8Array(bytes.split(',').map(Number)).buffer });
      },
    });
  }, subscription);
}

/** The part of a phone that lies below its browser: it receives push messages. */
export class PhoneDevice {
  readonly #page: Page;
  readonly #session: CDPSession;
  readonly #registration: string;

  private constructor(page: Page, session: CDPSession, registration: string) {
    this.#page = page;
    this.#session = session;
    this.#registration = registration;
  }

  /** The device of a page whose service worker is registered, or soon will be. */
  static async of(page: Page): Promise<PhoneDevice> {
    const session = await page.context().newCDPSession(page);
    let registration: string | undefined;
    session.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
      registration = registrations.find(({ isDeleted }) => !isDeleted)?.registrationId ?? registration;
    });
    await session.send('ServiceWorker.enable');
    await until('the service worker is registered', () => registration !== undefined);
    await page.evaluate(async () => void (await navigator.serviceWorker.ready));
    // Ready it is as soon as it begins to be active.
    await until('the service worker is active', () =>
      page.evaluate(async () => (await navigator.serviceWorker.ready).active?.state === 'activated'),
    );
    return new PhoneDevice(page, session, String(registration));
  }

  /**
   * Gives the worker a push message, and waits until it has shown what it shows: whoever looks sooner can have Chromium forget the
   * notification that it is about to put up. Where the browser has lost the message on the way it is given again.
   */
  async receive({ data }: Pick<PushMessage, 'data'>): Promise<void> {
    const { origin } = new URL(this.#page.url());
    const registrationId = this.#registration;
    await until('the worker has shown something', async () => {
      const worker = this.#worker();
      await worker.evaluate((patience) => {
        const { registration } = globalThis as unknown as { registration: ServiceWorkerRegistration };
        const { showNotification } = Object.getPrototypeOf(registration) as ServiceWorkerRegistration;
        const shown = new Promise<boolean>((resolve) => {
          registration.showNotification = (...notification) =>
            showNotification.apply(registration, notification).finally(() => resolve(true));
          setTimeout(() => resolve(false), patience);
        });
        Object.assign(globalThis, { shown });
      }, PATIENCE);
      await this.#session.send('ServiceWorker.deliverPushMessage', { origin, registrationId, data });
      return worker.evaluate(() => (globalThis as unknown as { shown: Promise<boolean> }).shown);
    });
  }

  async manifest(): Promise<{ readonly errors: readonly unknown[]; readonly data: string }> {
    const { errors, data = '' } = await this.#session.send('Page.getAppManifest');
    return { errors, data };
  }

  /** What keeps the page from being installed, but for its being open in a window that keeps nothing. */
  async installabilityErrors(): Promise<string[]> {
    const { installabilityErrors } = await this.#session.send('Page.getInstallabilityErrors');
    return installabilityErrors.map(({ errorId }) => errorId).filter((id) => id !== 'in-incognito');
  }

  /** Clicks the one notification that is shown, and gives the address that it opens. */
  async click(): Promise<string> {
    return this.#worker().evaluate(async () => {
      const scope = globalThis as unknown as {
        registration: ServiceWorkerRegistration;
        clients: { openWindow(url: string): Promise<unknown> };
      };
      const [notification] = await scope.registration.getNotifications();
      return new Promise<string>((resolve) => {
        // Only a person's click may open a window.
        scope.clients.openWindow = async (url) => resolve(url);
        const event = new Event('notificationclick');
        Object.assign(event, { notification, waitUntil: () => {} });
        dispatchEvent(event);
      });
    });
  }

  #worker(): Worker {
    const worker = this.#page.context().serviceWorkers()[0];
    if (!worker) throw new Error('there is no service worker');
    return worker;
  }

  notifications(): Promise<ShownNotification[]> {
    return this.#page.evaluate(async () => {
      const registration = await navigator.serviceWorker.ready;
      return (await registration.getNotifications()).map(({ title, body, tag }) => ({ title, body, tag }));
    });
  }
}
