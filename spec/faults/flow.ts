import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Response } from 'supertest';
import { CibaError } from '../../lib/errors.js';
import { CLAIM_LEASE } from '../../lib/store/lifecycle.js';
import { expectErrorEnvelope } from '../support/refusal.js';
import { ask, type PluginServer, poll } from '../support/server.js';

/** One server whose line to Redis a fault befalls, and what its client and its person see. */
export interface Run {
  readonly server: PluginServer;
  /** Answers that were 503. */
  faults: number;
  /** Whether the server's clock may be moved from poll to poll: others' claims would end by it. */
  readonly alone: boolean;
  /** How many access tokens there were before. */
  readonly tokens: number;
}

export type Flow = (run: Run) => Promise<void>;

/** An answer that is true, or 503 with when to come again. */
export async function answered(run: Run, send: () => Promise<Response>): Promise<Response> {
  for (let tries = 1; ; tries += 1) {
    const answer = await send();
    if (answer.status !== 503) return answer;
    run.faults += 1;
    expect(answer.body.error).toBe('temporarily_unavailable');
    expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(5);
    expectErrorEnvelope(answer);
    if (tries === 20) throw new Error('the store does not answer any more');
    await pause(100);
  }
}

export async function asks(run: Run, client = 'till'): Promise<string> {
  const params =
    client === 'till' ? {} : { client_notification_token: randomBytes(16).toString('base64url') };
  const answer = await answered(run, () => ask(run.server, params, { client }));
  expect(answer.status).toBe(200);
  return answer.body.auth_req_id;
}

/**
 * A poll that finds the claim of one before it comes again when that has ended; none is told that it is too fast. One that comes after the
 * tokens may be told to wait until the store has heard that they were known to be settled.
 */
export async function polls(run: Run, id: string, client = 'till', hasTokens = false): Promise<Response> {
  for (let tries = 1; ; tries += 1) {
    if (run.alone) run.server.advance(20);
    const answer = await answered(run, () => poll(run.server, id, {}, { client }));
    const mayWait = run.faults > 0 || hasTokens;
    if (answer.body.error !== 'slow_down' || !mayWait || tries === 20) return answer;
    run.server.advance(CLAIM_LEASE / 1000);
  }
}

/** A decision, until it is known; one that had taken effect unheard is told by what stands. */
export async function decides(run: Run, decide: () => Promise<void>, outcome: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await decide();
    } catch (error) {
      if (!(error instanceof CibaError) || tries === 20) throw error;
      if (error.code === 'already_decided' && run.faults > 0) return expect(error.outcome).toBe(outcome);
      expect(error.code).toBe('store_unavailable');
      run.faults += 1;
      await pause(100);
    }
  }
}

/** The error that a poll was answered with, or 200. */
export const errorOf = ({ status, body }: Response): unknown => (status === 200 ? 200 : body.error);
