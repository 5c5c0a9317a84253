import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { RACER } from '../races/race-configuration.js';

const PROGRAM = fileURLToPath(new URL('./node-process.ts', import.meta.url));
const TSCONFIG = fileURLToPath(new URL('../tsconfig.json', import.meta.url));
const SKEWED = new URL('./skewed-clock.mjs', import.meta.url).href;
const CIBA_GRANT = 'urn:openid:params:grant-type:ciba';

/** What a node answered. */
export interface Reply {
  readonly status: number;
  readonly body: { readonly [member: string]: string | undefined };
  /** In seconds, where the answer has it. */
  readonly retryAfter: number | undefined;
}

export interface Client {
  readonly client_id: string;
  readonly client_secret: string;
}

export interface NodeOptions {
  readonly mode?: 'plugin' | 'plain';
  /** Of its clock, in milliseconds. */
  readonly skew?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** Whether the server said that it does not know: a busy machine has kept its store waiting, which proves nothing. */
export const isUnknown = ({ status }: Reply): boolean => status === 503;

/** Asks again where it is not known. */
export async function patiently(ask: () => Promise<Reply>): Promise<Reply> {
  for (let tries = 1; ; tries += 1) {
    const reply = await ask();
    if (!isUnknown(reply) || tries === 20) return reply;
  }
}

/** How a node ended that was asked to. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** In milliseconds. */
  readonly took: number;
}

/** A server process, and what a spec asks of it. What it does not answer any more, because it died, is rejected. */
export class FaultNode {
  /** The points that were passed since {@link FaultNode.crashAt}. */
  readonly points: string[] = [];
  /** What nobody has caught in the process. */
  readonly unhandled: string[] = [];
  readonly #child: ChildProcess;
  readonly #port: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.#port = port;
    child.on('message', ({ point, unhandled }: { point?: string; unhandled?: string }) => {
      if (point !== undefined) this.points.push(point);
      if (unhandled !== undefined) this.unhandled.push(unhandled);
    });
  }

  static async start(
    redisUrl: string,
    { mode = 'plugin', skew, env = {} }: NodeOptions = {},
  ): Promise<FaultNode> {
    const child = fork(PROGRAM, {
      execArgv: [...(skew === undefined ? [] : ['--import', SKEWED]), '--import', 'tsx'],
      env: {
        ...process.env,
        NODE_OPTIONS: '',
        TSX_TSCONFIG_PATH: TSCONFIG,
        REDIS_URL: redisUrl,
        MODE: mode,
        SKEW: String(skew ?? 0),
        ...env,
      },
      stdio: ['ignore', 'ignore', process.env['DEBUG_RACES'] ? 'inherit' : 'ignore', 'ipc'],
    });
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`the server process ended with ${code} before it listened`);
    });
    const [{ port }] = (await Promise.race([once(child, 'message'), ended])) as [{ port: number }];
    ended.catch(() => {});
    return new FaultNode(child, port);
  }

  ask(form: Record<string, string> = {}, client: Client = RACER): Promise<Reply> {
    return this.form(
      '/backchannel',
      { scope: 'openid offline_access', login_hint: 'alice', ...form },
      client,
    );
  }

  /** Asks, and is acknowledged: the `auth_req_id`. */
  async asked(form: Record<string, string> = {}, client: Client = RACER): Promise<string> {
    const { status, body } = await patiently(() => this.ask(form, client));
    if (status !== 200) throw new Error(`the request was not accepted: ${status} ${JSON.stringify(body)}`);
    return String(body['auth_req_id']);
  }

  /** Polls; with `wait` it is held for up to so many seconds. */
  poll(authReqId: string, { client = RACER, wait }: { client?: Client; wait?: number } = {}): Promise<Reply> {
    const prefer = wait === undefined ? {} : { prefer: `wait=${wait}` };
    return this.form('/token', { grant_type: CIBA_GRANT, auth_req_id: authReqId }, client, prefer);
  }

  /** The client takes its request back. */
  cancel(authReqId: string, client: Client = RACER): Promise<Reply> {
    return this.form('/backchannel/cancel', { grant_type: CIBA_GRANT, auth_req_id: authReqId }, client);
  }

  decide(authReqId: string, action: 'allow' | 'deny'): Promise<Reply> {
    return this.#send('POST', `/decide?action=${action}&auth_req_id=${authReqId}`);
  }

  async works(accessToken: string | undefined): Promise<boolean> {
    return (await this.#send('GET', '/me', { authorization: `Bearer ${accessToken}` })).status === 200;
  }

  async moveClock(milliseconds: number): Promise<void> {
    await this.#send('POST', `/clock?offset=${milliseconds}`);
  }

  async crashAt(point: string): Promise<void> {
    await this.#send('POST', `/crash?at=${encodeURIComponent(point)}`);
  }

  /** What the event loop has waited since it was asked last, in milliseconds, the process's memory in bytes, and how many polls it has held so far. */
  async loop(): Promise<{ p99: number; max: number; rss: number; held: number }> {
    const { body } = await this.#send('POST', '/loop');
    const number = (name: string): number => Number(body[name]);
    return { p99: number('p99'), max: number('max'), rss: number('rss'), held: number('held') };
  }

  /** What time it is there, in milliseconds since the epoch. */
  async time(): Promise<number> {
    return Number((await this.#send('POST', '/time')).body['time']);
  }

  async state(authReqId: string): Promise<Reply['body']> {
    return (await this.#send('POST', `/state?auth_req_id=${authReqId}`)).body;
  }

  /** Resolves once the process is dead. */
  async dead(): Promise<NodeJS.Signals | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
    return this.#child.signalCode;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.dead();
    this.#agent.destroy();
  }

  /** Asks it to end, as an orchestrator does. */
  async terminate(): Promise<Ending> {
    const began = performance.now();
    this.#child.kill('SIGTERM');
    await this.dead();
    this.#agent.destroy();
    const { exitCode: code, signalCode: signal } = this.#child;
    return { code, signal, took: performance.now() - began };
  }

  /** Does nothing until {@link FaultNode.resume}. */
  pause(): void {
    this.#child.kill('SIGSTOP');
  }

  resume(): void {
    this.#child.kill('SIGCONT');
  }

  form(
    path: string,
    form: Record<string, string>,
    client: Client,
    headers: Record<string, string> = {},
  ): Promise<Reply> {
    const credentials = Buffer.from(`${client.client_id}:${client.client_secret}`).toString('base64');
    const type = 'application/x-www-form-urlencoded';
    const all = { authorization: `Basic ${credentials}`, 'content-type': type, ...headers };
    return this.#send('POST', path, all, new URLSearchParams(form).toString());
  }

  async #send(method: string, path: string, headers: Record<string, string> = {}, body = ''): Promise<Reply> {
    const length = { 'content-length': String(Buffer.byteLength(body)) };
    const sent = request({
      host: '127.0.0.1',
      port: this.#port,
      agent: this.#agent,
      method,
      path,
      headers: { ...headers, ...length },
    });
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    const answer = await text(response);
    const retryAfter = response.headers['retry-after'];
    return {
      status: response.statusCode ?? 0,
      body: answer.startsWith('{') ? JSON.parse(answer) : {},
      retryAfter: retryAfter === undefined ? undefined : Number(retryAfter),
    };
  }
}
