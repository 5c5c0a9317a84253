import type { Redis } from 'ioredis';
import type { Response } from 'supertest';
import { type Make, onEveryStore } from '../support/every-store.js';
import type { TestRedis } from '../support/redis-server.js';
import { expectErrorEnvelope, expectRefused } from '../support/refusal.js';
import type { PluginServer, PluginServerOptions } from '../support/server.js';
import { attacks } from './attacks.js';

/** What a row is run with, on one of the stores. */
export interface Field {
  readonly make: Make;
  readonly redis: () => TestRedis | undefined;
  /** Sends what has to be refused: with this answer, and with nothing stored. */
  refused(
    server: PluginServer,
    send: () => Promise<Response>,
    error: string | { readonly status: number; readonly error: string },
  ): Promise<Response>;
  /** A server without limits, for rows that ask often. */
  unlimited(options?: PluginServerOptions): PluginServer;
}

/** Runs one row. */
export type Run = (field: Field) => Promise<unknown>;

/** Says the rows of a group, each on every store; those that are shown elsewhere alone are left out. */
export function attackSpecs(group: string, runs: Readonly<Record<string, Run>>): void {
  onEveryStore(group, (make, redis) => {
    let client: Redis | undefined;
    const keysOf = async ({ prefix }: PluginServer): Promise<string[]> => {
      client ??= redis()?.client();
      return ((await client?.keys(`${prefix}*`)) ?? []).sort();
    };
    const field: Field = {
      make,
      redis,
      async refused(server, send, wanted) {
        const expected = typeof wanted === 'string' ? { error: wanted } : wanted;
        const before = await keysOf(server);
        const answer = await expectRefused(server, send, expected);
        expect(await keysOf(server)).toEqual(before);
        expect(answer.text).not.toMatch(/\bat .+:\d+:\d+|node_modules/);
        return answer;
      },
      unlimited: ({ ciba, ...options } = {}) => make({ ...options, ciba: { limits: false, ...ciba } }),
    };
    for (const { id, sent, gets } of attacks.filter((row) => row.group === group)) {
      const run = runs[id];
      if (run) it(`${id}: ${sent}: ${gets}`, async () => void (await run(field)));
    }
  });
}

/** Holds an answer to its status and error, and to the envelope. */
export function expectError(answer: Response, error: string, status = 400): void {
  expect({ status: answer.status, error: answer.body.error }).toEqual({ status, error });
  expectErrorEnvelope(answer);
}
