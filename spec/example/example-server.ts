import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { until } from '../support/until.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const CIBA_GRANT = 'urn:openid:params:grant-type:ciba';
const TILL = `Basic ${Buffer.from('till-poll:till-poll-secret-0123456789abcdef').toString('base64')}`;

/** An answer of the server, its JSON parsed. */
export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** The example as a person starts it: a process of its own, on a free port. */
export class ExampleServer {
  readonly origin: string;
  readonly #child: ChildProcess;
  readonly #output: { text: string };

  private constructor(child: ChildProcess, output: { text: string }) {
    this.#child = child;
    this.#output = output;
    this.origin = String(/Phone: +(\S+)\/phone/.exec(output.text)?.[1]);
  }

  static async start(env: Record<string, string> = {}): Promise<ExampleServer> {
    const child = spawn(process.execPath, ['--import', 'tsx', 'example-app/server.ts'], {
      cwd: ROOT,
      // Polls that come sooner, so that the specs are over sooner.
      env: { ...bareEnv(), PORT: '0', INTERVAL: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = { text: '' };
    const collect = (text: string): void => {
      output.text += text;
    };
    child.stdout.setEncoding('utf8').on('data', collect);
    child.stderr.setEncoding('utf8').on('data', collect);
    const listening = (): boolean => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}:\n${output.text}`);
      return /Phone: +\S+\/phone\n/.test(output.text);
    };
    await until('the example listens', listening, 60_000).catch((error: unknown) => {
      // Nobody else would: the process that runs the specs waits for its children.
      child.kill('SIGKILL');
      throw error;
    });
    return new ExampleServer(child, output);
  }

  /** Everything that the process has printed. */
  get output(): string {
    return this.#output.text;
  }

  get firstLine(): string {
    return String(this.output.split('\n')[0]);
  }

  /** Asks as the till does; the parameters given go before its own. */
  ask(parameters: Record<string, string> = {}): Promise<Answer> {
    return this.#post('/backchannel', { scope: 'openid profile', login_hint: 'alice', ...parameters });
  }

  poll(authReqId: string): Promise<Answer> {
    return this.#post('/token', { grant_type: CIBA_GRANT, auth_req_id: authReqId });
  }

  refresh(refreshToken: unknown, resource: string): Promise<Answer> {
    const token = String(refreshToken);
    return this.#post('/token', { grant_type: 'refresh_token', refresh_token: token, resource });
  }

  decide(authReqId: unknown, action: string): Promise<Answer> {
    const query = new URLSearchParams({ auth_req_id: String(authReqId), action });
    return this.#post(`/demo/decide?${query}`, {});
  }

  /** Ends the process as a terminal does, and gives its exit code. */
  async stop(): Promise<number | null> {
    if (this.#child.exitCode === null) {
      const ended = once(this.#child, 'exit');
      this.#child.kill('SIGTERM');
      await ended;
    }
    return this.#child.exitCode;
  }

  async #post(path: string, parameters: Record<string, string>): Promise<Answer> {
    const response = await fetch(this.origin + path, {
      method: 'POST',
      headers: { authorization: TILL },
      body: new URLSearchParams(parameters),
    });
    const text = await response.text();
    return { status: response.status, body: text ? (JSON.parse(text) as Answer['body']) : {} };
  }
}

/** How a program ended, and what it printed. */
export interface Run {
  readonly code: number;
  readonly output: string;
}

/** Runs a program of `example-app/clients` to its end. */
export function runClient(name: 'smart-home' | 'agent', env: Record<string, string>): Promise<Run> {
  return new Promise((resolve) => {
    const args = ['--import', 'tsx', `example-app/clients/${name}.ts`];
    const child = execFile(process.execPath, args, { cwd: ROOT, env: { ...bareEnv(), ...env } });
    let output = '';
    const collect = (text: string): void => {
      output += text;
    };
    child.stdout?.on('data', collect);
    child.stderr?.on('data', collect);
    child.on('close', (code) => resolve({ code: code ?? -1, output }));
  });
}

/** What jest sets is not what a person's shell has. */
function bareEnv(): Record<string, string | undefined> {
  const { NODE_ENV: _, NODE_OPTIONS: __, REDIS_URL: ___, ...env } = process.env;
  return env;
}
