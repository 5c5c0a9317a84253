import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { TOLD, type ToldMode } from './telling-configuration.js';

const PROGRAM = fileURLToPath(new URL('./delivery-process.ts', import.meta.url));
const TSCONFIG = fileURLToPath(new URL('../tsconfig.json', import.meta.url));

/** What arrived for one request. */
export interface Told {
  readonly mode: string;
  readonly bearer: string;
  readonly body: string;
}

/** A client's notification endpoints, in this process, which answer 204. */
export class Receiver {
  /** What arrived, by `auth_req_id`, in order. */
  readonly told = new Map<string, Told[]>();
  /** Called when a message is there and not answered yet: `false` leaves it unanswered. */
  arrived: (authReqId: string) => boolean = () => true;
  readonly #server = createServer(async (req, res) => {
    const body = await text(req);
    const id = String((JSON.parse(body) as Record<string, unknown>)['auth_req_id']);
    const bearer = String(req.headers.authorization).replace('Bearer ', '');
    this.told.set(id, [...(this.told.get(id) ?? []), { mode: String(req.url).slice(1), bearer, body }]);
    if (this.arrived(id)) res.writeHead(204).end();
  });

  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

/** A server process whose clients are told, and what a spec asks of it. */
export class DeliveryProcess {
  /** The points that the watched request passed, in order. */
  readonly points: string[] = [];
  readonly #child: ChildProcess;
  readonly #port: number;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.#port = port;
    child.on('message', (message: { point?: string }) => {
      if (message.point !== undefined) this.points.push(message.point);
    });
  }

  static async start(
    redisUrl: string,
    receiver: string,
    mode: 'plugin' | 'plain' = 'plugin',
  ): Promise<DeliveryProcess> {
    const child = fork(PROGRAM, {
      execArgv: ['--import', 'tsx'],
      env: {
        ...process.env,
        NODE_OPTIONS: '',
        TSX_TSCONFIG_PATH: TSCONFIG,
        REDIS_URL: redisUrl,
        RECEIVER: receiver,
        MODE: mode,
      },
      stdio: ['ignore', 'ignore', process.env['DEBUG_RACES'] ? 'inherit' : 'ignore', 'ipc'],
    });
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`the server process ended with ${code} before it listened`);
    });
    const [{ port }] = (await Promise.race([once(child, 'message'), ended])) as [{ port: number }];
    ended.catch(() => {});
    return new DeliveryProcess(child, port);
  }

  /** Delivers from now on. */
  async work(): Promise<void> {
    await this.#post('/work');
  }

  async ask(mode: ToldMode, token: string): Promise<string> {
    const form = {
      scope: 'openid offline_access',
      login_hint: 'alice',
      client_notification_token: token,
      requested_expiry: '600',
    };
    const { auth_req_id: authReqId } = await this.#post('/backchannel', form, mode);
    if (authReqId === undefined) throw new Error('the request was not accepted');
    return String(authReqId);
  }

  /** Decides; with `at`, the process kills itself when the request comes to that point. */
  async decide(authReqId: string, action: 'allow' | 'deny', at?: string): Promise<void> {
    const query = new URLSearchParams({ auth_req_id: authReqId, action, ...(at && { at }) });
    await this.#post(`/decide?${query}`);
  }

  /** What the token endpoint answers the ping client. */
  async poll(authReqId: string): Promise<{ access_token?: string; error?: string }> {
    const grant = 'urn:openid:params:grant-type:ciba';
    return this.#post('/token', { grant_type: grant, auth_req_id: authReqId }, 'ping');
  }

  async state(authReqId: string): Promise<{ status?: string; delivery?: string; attempts?: number }> {
    return this.#post(`/state?auth_req_id=${authReqId}`);
  }

  /** Resolves once the process is dead. */
  async dead(): Promise<NodeJS.Signals | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
    return this.#child.signalCode;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.dead();
  }

  /** Whether an access token is good at the userinfo endpoint. */
  async works(accessToken: string): Promise<boolean> {
    const sent = this.#request('GET', '/me', { authorization: `Bearer ${accessToken}` });
    sent.end();
    const [response] = await once(sent, 'response');
    response.resume();
    return response.statusCode === 200;
  }

  async #post<T extends Record<string, unknown>>(
    path: string,
    form: Record<string, string> = {},
    client?: ToldMode,
  ): Promise<T> {
    const { client_id: id, client_secret: secret } = client
      ? TOLD[client]
      : { client_id: '', client_secret: '' };
    const sent = this.#request('POST', path, {
      'content-type': 'application/x-www-form-urlencoded',
      ...(client && { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` }),
    });
    sent.end(new URLSearchParams(form).toString());
    const [response] = await once(sent, 'response');
    return JSON.parse((await text(response)) || '{}') as T;
  }

  #request(method: string, path: string, headers: Record<string, string>) {
    return request({ host: '127.0.0.1', port: this.#port, method, path, headers });
  }
}

/** Starts processes ahead of their turn, so that a round does not wait for one. */
export class ProcessPool {
  readonly #start: () => Promise<DeliveryProcess>;
  readonly #ready: Promise<DeliveryProcess>[] = [];

  constructor(start: () => Promise<DeliveryProcess>, ahead: number) {
    this.#start = start;
    for (let made = 0; made < ahead; made += 1) this.#make();
  }

  async next(): Promise<DeliveryProcess> {
    this.#make();
    return this.#ready.shift() as Promise<DeliveryProcess>;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#ready.map(async (each) => (await each).kill()));
  }

  #make(): void {
    const made = this.#start();
    made.catch(() => {});
    this.#ready.push(made);
  }
}
