import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { RACER } from './race-configuration.js';

export interface Answer {
  readonly status: number;
  readonly body: Record<string, string>;
}

const PROGRAM = fileURLToPath(new URL('./server-process.ts', import.meta.url));
const TSCONFIG = fileURLToPath(new URL('../tsconfig.json', import.meta.url));
const CIBA_GRANT = 'urn:openid:params:grant-type:ciba';

/** Again where a busy machine has kept the store waiting: it says that it does not know. */
async function patiently(ask: () => Promise<Answer>): Promise<Answer> {
  for (let tries = 1; ; tries += 1) {
    const answer = await ask();
    const unknown = answer.status === 503 || answer.body['code'] === 'store_unavailable';
    if (!unknown || tries === 20) return answer;
  }
}

/** One server process, and what a spec asks of it. */
export class ServerProcess {
  readonly #port: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.#port = port;
  }

  /** Starts a process on a free port. */
  static async start(
    mode: 'plugin' | 'plain',
    redisUrl: string,
    more: Record<string, string> = {},
  ): Promise<ServerProcess> {
    const child = fork(PROGRAM, {
      execArgv: ['--import', 'tsx'],
      env: {
        ...process.env,
        NODE_OPTIONS: '',
        TSX_TSCONFIG_PATH: TSCONFIG,
        MODE: mode,
        REDIS_URL: redisUrl,
        ...more,
      },
      stdio: ['ignore', 'ignore', process.env['DEBUG_RACES'] ? 'inherit' : 'ignore', 'ipc'],
    });
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`the server process ended with ${code} before it listened`);
    });
    const [port] = (await Promise.race([once(child, 'message'), ended])) as [number];
    ended.catch(() => {});
    return new ServerProcess(child, port);
  }

  async ask(): Promise<string> {
    const { status, body } = await patiently(() => this.askAs(RACER));
    if (status !== 200) throw new Error(`the request was not accepted: ${status} ${JSON.stringify(body)}`);
    return String(body['auth_req_id']);
  }

  /** Asks, whether that is accepted or not. */
  askAs(client: typeof RACER): Promise<Answer> {
    return this.#post('/backchannel', { scope: 'openid offline_access', login_hint: 'alice' }, client);
  }

  /** How many requests this process has told of. */
  async prompted(): Promise<number> {
    return Number((await this.#send('GET', '/prompted', {})).body['prompted']);
  }

  poll(authReqId: string): Promise<Answer> {
    return this.#post('/token', { grant_type: CIBA_GRANT, auth_req_id: authReqId });
  }

  /** Approves, and goes on until that is known to stand. */
  async approved(authReqId: string): Promise<void> {
    const { status, body } = await patiently(() => this.decide(authReqId, 'allow'));
    if (status !== 204 && body['outcome'] !== 'approved') throw new Error(`it was not approved: ${status}`);
  }

  decide(authReqId: string, action: 'allow' | 'deny'): Promise<Answer> {
    return this.#post(`/decide?action=${action}&auth_req_id=${authReqId}`, {});
  }

  async works(accessToken: string | undefined): Promise<boolean> {
    const response = await this.#send('GET', '/me', { authorization: `Bearer ${accessToken}` });
    return response.status === 200;
  }

  async moveClock(milliseconds: number): Promise<void> {
    await this.#post(`/clock?offset=${milliseconds}`, {});
  }

  async crashAt(point: string): Promise<void> {
    await this.#post(`/crash?at=${encodeURIComponent(point)}`, {});
  }

  /** Resolves once the process is dead. */
  async dead(): Promise<NodeJS.Signals | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
    return this.#child.signalCode;
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    this.#child.kill('SIGKILL');
    await this.dead();
  }

  #post(path: string, form: Record<string, string>, client = RACER): Promise<Answer> {
    const credentials = Buffer.from(`${client.client_id}:${client.client_secret}`).toString('base64');
    return this.#send(
      'POST',
      path,
      { authorization: `Basic ${credentials}`, 'content-type': 'application/x-www-form-urlencoded' },
      new URLSearchParams(form).toString(),
    );
  }

  async #send(method: string, path: string, headers: Record<string, string>, body?: string): Promise<Answer> {
    const sent = request({ host: '127.0.0.1', port: this.#port, agent: this.#agent, method, path, headers });
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    const answer = await text(response);
    return { status: response.statusCode ?? 0, body: answer.startsWith('{') ? JSON.parse(answer) : {} };
  }
}

/** Runs rounds, several at a time, so that the processes are busy with more than the one. */
export async function rounds<T>(count: number, round: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const runner = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) results[index] = await round(index);
  };
  await Promise.all(Array.from({ length: 6 }, runner));
  return results;
}
