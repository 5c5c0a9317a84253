import { describe, expect, test } from '@jest/globals';
import type { CibaOptions } from 'oidc-provider-ciba';
import type { Response } from 'supertest';
import { pollClient } from '../support/configuration.js';
import { onEveryStore } from '../support/every-store.js';
import { rounds } from '../support/rounds.js';
import { ask, type PluginServer } from '../support/server.js';
import { until } from '../support/until.js';

/**
 * Somebody has a client's credentials and lets one person's device ring: as many requests as they can send, each as short as it may be, over ten
 * minutes by the store's clock. What counts is how often the device rings, and that nobody else's does not ring because of it.
 */

const REQUESTS = rounds(240, 10_000);

/** What the fault model wants at most in ten minutes. */
const WANTED = 5;

/**
 * What the defaults come to at most: five of one client may pend for a person, and as they end without an answer it takes three to keep the client
 * away, so two more are let in meanwhile.
 */
const BY_DEFAULT = 7;

const TEN_MINUTES = 600;

/** What the fault model wants of a cool-down: after two denials, for a quarter of an hour. */
const STRICT = { refusals: 2, cooldown: 900 };

/** Asks again where a busy machine has kept the store waiting, which is said by 503. */
async function answered(ask: () => Promise<Response>): Promise<Response> {
  for (let tries = 1; ; tries += 1) {
    const response = await ask();
    if (response.status !== 503 || tries === 20) return response;
  }
}

onEveryStore('[T19] a device that is let ring', (make) => {
  function begin(limits: CibaOptions['limits']) {
    const rung: string[] = [];
    const device = {
      name: 'device',
      send: async ({ accountId }: { accountId: string }) => void rung.push(accountId),
    };
    const clients = ['till', 'kiosk', 'van'].map((id) => pollClient(id));
    const server = make({ ciba: { limits, channels: [device] }, config: { clients } });
    return { server, rung };
  }

  /** Sends them evenly over the time, of which the real one is a part, and gives how many were sent and let in. */
  async function bomb(server: PluginServer, clients: readonly string[], count = REQUESTS) {
    const began = Date.now();
    let [sent, accepted, moved] = [0, 0, 0];
    for (; sent < count; sent += 1) {
      const passed = moved + (Date.now() - began) / 1_000;
      if (passed >= TEN_MINUTES) break;
      const ahead = Math.max(0, (sent / count) * (TEN_MINUTES - 10) - passed);
      server.advance(ahead);
      moved += ahead;
      const client = clients[sent % clients.length] as string;
      const { status, body } = await answered(() => ask(server, { requested_expiry: '10' }, { client }));
      if (status === 200) accepted += 1;
      else expect(`${status} ${body.error}`).toBe('403 access_denied');
    }
    return { sent, accepted };
  }

  test.each([
    ['by default', undefined, BY_DEFAULT],
    ['where three of a client may pend', { pendingPerAccountAndClient: 3 }, WANTED],
  ] as const)(
    `${REQUESTS} requests of one client in ten minutes, %s: it rings a few times, and another person is reached`,
    async (_what, limits, most) => {
      const { server, rung } = begin(limits);
      const { sent, accepted } = await bomb(server, ['till']);
      await until('all that was accepted has rung', () => rung.length >= accepted);
      process.stdout.write(`${sent} requests of one client: ${rung.length} prompts\n`);
      expect(rung.length).toBeLessThanOrEqual(most);
      expect(rung.length).toBeGreaterThan(0);

      const other = { login_hint: 'bob' };
      expect((await answered(() => ask(server, other, { client: 'till' }))).status).toBe(200);
      await until('the other one is reached', () => rung.includes('bob'));
      // The person is reached by those who did not take part.
      expect((await answered(() => ask(server, {}, { client: 'kiosk' }))).status).toBe(200);
    },
    600_000,
  );

  test('the control, without limits: it rings as often as somebody likes', async () => {
    const { server, rung } = begin(false);
    expect(await bomb(server, ['till'], 40)).toEqual({ sent: 40, accepted: 40 });
    await until('it rings', () => rung.length > WANTED);
  });

  describe('with two refusals and a quarter of an hour, as the server may say', () => {
    test('two denials keep the client away for so long, and no longer', async () => {
      const { server } = begin(STRICT);
      for (let time = 0; time < STRICT.refusals; time += 1) {
        const { body } = await answered(() => ask(server));
        await server.deny(body.auth_req_id);
      }
      expect((await answered(() => ask(server))).status).toBe(403);
      server.advance(STRICT.cooldown - 10);
      expect((await answered(() => ask(server))).status).toBe(403);
      server.advance(20);
      expect((await answered(() => ask(server))).status).toBe(200);
    });
  });
});
