import type { Response } from 'supertest';
import type { PluginServer } from './server.js';

/** What an OAuth error may be made of (RFC 6749 5.2). */
const DESCRIPTION = /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/;

/** Holds an error answer to its envelope: JSON, never cached, two members, a description of the characters allowed. */
export function expectErrorEnvelope(answer: Response): void {
  expect(answer.headers['content-type']).toMatch(/^application\/json/);
  expect(answer.headers['cache-control']).toContain('no-store');
  const { error, error_description: description = 'none', ...others } = answer.body;
  expect(others).toEqual({});
  expect(error).toMatch(/^[a-z_]+$/);
  expect(description).toMatch(DESCRIPTION);
}

/** Sends a request that must be refused: with this answer, with nothing stored, and with nobody told of a new request. */
export async function expectRefused(
  server: PluginServer,
  send: () => Promise<Response>,
  expected: { readonly status?: number; readonly error: string },
): Promise<Response> {
  const before = await traces(server);
  const answer = await send();
  expect({ status: answer.status, error: answer.body.error }).toEqual({ status: 400, ...expected });
  expectErrorEnvelope(answer);
  expect(await traces(server)).toEqual(before);
  return answer;
}

async function traces({ ciba, events }: PluginServer): Promise<object> {
  const pending = await Promise.all(['alice', 'bob'].map((accountId) => ciba.requests.list(accountId)));
  return {
    pending: pending.flat().map(({ handle }) => handle),
    accepted: events.filter(({ name }) => name === 'request.accepted').length,
  };
}
