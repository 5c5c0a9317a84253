import fc from 'fast-check';
import { handleOf } from '../../../lib/request/handle.js';
import { CIBA_GRANT } from '../../support/configuration.js';
import { type Answer, Connection, sendRaw } from './connection.js';
import { faultOf, MARK } from './faults.js';
import { basic, roundOf, type Shot } from './shot.js';
import { shots } from './shots.js';
import type { Target } from './target.js';

/** How a run went. */
export interface Run {
  readonly seed: number;
  readonly sent: number;
  /** How many answers of each status there were; 0 is a connection that was closed without one. */
  readonly statuses: ReadonlyMap<number, number>;
  /** Resident memory and heap after the first tenth and at the end, in bytes. */
  readonly memory: readonly { readonly resident: number; readonly heap: number }[];
}

const VOLLEY = 64;
const CONNECTIONS = 16;
/** How many volleys are sent at what a server has before it is asked for new requests. */
const RENEWED = 16;

/** What stands for the things that the server has, by their names in braces. */
type Things = Readonly<Record<string, string>>;

/** How a server is shot at that is not the plugin's. */
export interface FuzzOptions {
  /** Has the server take requests, and gives what stands for them in a shot. */
  readonly prepare?: (target: Target, turn: number) => Promise<Things>;
  /** How long an answer may take, in milliseconds. */
  readonly deadline?: number;
}

/** Sends so many requests; throws with the first fault, the request that brought it and the seed. */
export async function fuzz(
  target: Target,
  count: number,
  seed: number,
  { prepare = thingsOf, deadline }: FuzzOptions = {},
): Promise<Run> {
  const connections = Array.from({ length: CONNECTIONS }, () => new Connection(target.port, deadline));
  const volleys = Math.ceil(count / VOLLEY);
  const statuses = new Map<number, number>();
  const memory: Run['memory'][number][] = [];
  let things: Things = {};
  let [sent, marks] = [0, 0];

  const shoot = async (connection: Connection, shot: Shot): Promise<void> => {
    const mark = `${MARK}${(++marks).toString(36)}z`;
    const known: Things = { ...things, m: mark, person: things['person'] ?? `person-${shot.person}` };
    const round = roundOf(shot, (text) => text.replace(/\{(\w+)\}/g, (whole, name) => known[name] ?? whole));
    let answer: Answer;
    try {
      answer = round.raw
        ? await sendRaw(target.port, round.bytes, deadline)
        : await connection.send(round.bytes, round.isHead);
    } catch (error) {
      throw new Error(
        `${(await target.endSoon()) ?? (error as Error).message}\n${described(shot, round.bytes)}`,
      );
    }
    sent += 1;
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    const fault = faultOf(round, mark, answer);
    if (fault === undefined) return;
    const { status, head, body } = answer;
    const sentence = (status === 0 ? await target.endSoon() : undefined) ?? fault;
    throw new Error(`${sentence}\n${described(shot, round.bytes)}\n${status}\n${head}\n\n${body}`);
  };

  let fired = 0;
  const volley = async (salvo: readonly Shot[]): Promise<void> => {
    if (fired % RENEWED === 0) things = await prepare(target, fired / RENEWED);
    fired += 1;
    let next = 0;
    const outcomes = await Promise.allSettled(
      connections.map(async (connection) => {
        for (let shot = salvo[next++]; shot; shot = salvo[next++]) await shoot(connection, shot);
      }),
    );
    const failed = outcomes.find(({ status }) => status === 'rejected') as PromiseRejectedResult | undefined;
    if (failed) throw failed.reason;
    if (fired % RENEWED === 0 || fired === volleys) {
      const { polluted } = await target.order();
      if (polluted.length > 0) throw new Error(`every object has ${polluted.join()} now`);
    }
    if (fired === Math.ceil(volleys / 10) || fired === volleys) {
      // What has ended is forgotten, and what is under way comes to its end.
      await target.order({ advance: 86_400 });
      memory.push(await settled(target));
    }
  };
  try {
    const salvos = fc.asyncProperty(fc.array(shots, { minLength: VOLLEY, maxLength: VOLLEY }), volley);
    const { failed, errorInstance } = await fc.check(salvos, { numRuns: volleys, seed, endOnFailure: true });
    if (failed)
      throw new Error(`with FUZZ_SEED=${seed}, after ${sent} requests: ${(errorInstance as Error).message}`);
  } finally {
    for (const connection of connections) connection.close();
  }
  return { seed, sent, statuses, memory };
}

/** The least of some looks: what is being worked on comes and goes. */
async function settled(target: Target): Promise<Run['memory'][number]> {
  const looks = [];
  for (let look = 0; look < 5; look += 1) {
    const { resident, heap } = await target.order();
    looks.push({ resident, heap });
  }
  return {
    resident: Math.min(...looks.map(({ resident }) => resident)),
    heap: Math.min(...looks.map(({ heap }) => heap)),
  };
}

function described(shot: Shot, bytes: Buffer): string {
  return `${JSON.stringify(shot).slice(0, 2000)}\n${JSON.stringify(bytes.toString('latin1').slice(0, 2000))}`;
}

/** Has the server take some requests, in each state that a shot may be about. */
export async function thingsOf(target: Target, turn: number): Promise<Things> {
  // So that the server forgets what the last turn has left.
  await target.order({ advance: 1500 });
  const connection = new Connection(target.port);
  const person = `person-${1000 + turn}`;
  const post = async (path: string, headers: Things, body: string): Promise<Record<string, string>> => {
    const lines = Object.entries({
      host: 'op.example',
      ...headers,
      'content-length': String(Buffer.byteLength(body)),
    });
    const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    const answer = await connection.send(Buffer.from(`POST ${path} HTTP/1.1\r\n${head}\r\n${body}`));
    return answer.body.startsWith('{') ? JSON.parse(answer.body) : {};
  };
  const form = { authorization: basic('till'), 'content-type': 'application/x-www-form-urlencoded' };
  const ask = async (): Promise<{ id: string; handle: string }> => {
    const { auth_req_id: id = '' } = await post('/backchannel', form, `scope=openid&login_hint=${person}`);
    return { id, handle: handleOf(id) };
  };
  const decide = (handle: string, verdict: string) =>
    post(
      `/ciba/requests/${handle}/${verdict}`,
      { 'x-person': person, 'content-type': 'application/json' },
      '{}',
    );
  const poll = (id: string) =>
    post('/token', form, `grant_type=${encodeURIComponent(CIBA_GRANT)}&auth_req_id=${id}`);
  try {
    const [pending, approved, denied, redeemed] = [await ask(), await ask(), await ask(), await ask()];
    await decide(approved.handle, 'approve');
    await decide(denied.handle, 'deny');
    await decide(redeemed.handle, 'approve');
    await poll(redeemed.id);
    const { link = '' } = await target.order({ linkOf: pending.handle });
    const token = link.slice(link.lastIndexOf('/') + 1);
    const page = await connection.send(
      Buffer.from(`GET /ciba/decide/${token} HTTP/1.1\r\nhost: op.example\r\nx-person: ${person}\r\n\r\n`),
    );
    const [, seal = ''] = /name="form" value="([^"]+)"/.exec(page.body) ?? [];
    const things = {
      person,
      pending: pending.id,
      approved: approved.id,
      denied: denied.id,
      redeemed: redeemed.id,
      handle: pending.handle,
      link: token,
      form: seal,
    };
    const missing = Object.entries(things).filter(([, value]) => value === '');
    if (missing.length > 0) throw new Error(`the server has no ${missing.map(([name]) => name).join()}`);
    return things;
  } finally {
    connection.close();
  }
}
