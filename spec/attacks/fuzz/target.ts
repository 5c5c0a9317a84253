import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Account, Order } from './answer-fuzzer.js';

const TSCONFIG = fileURLToPath(new URL('../../tsconfig.json', import.meta.url));

/** A server process under fire. */
export class Target {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #said: { text: string };
  #orders = 0;

  private constructor(child: ChildProcess, port: number, said: { text: string }) {
    this.#child = child;
    this.port = port;
    this.#said = said;
  }

  static async start(program: string, env: Readonly<Record<string, string>> = {}): Promise<Target> {
    const child = fork(fileURLToPath(new URL(`../${program}`, import.meta.url)), {
      execArgv: ['--import', 'tsx', '--expose-gc'],
      env: { ...process.env, NODE_OPTIONS: '', TSX_TSCONFIG_PATH: TSCONFIG, ...env },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const said = { text: '' };
    child.stderr?.on('data', (bytes) => {
      said.text = `${said.text}${bytes}`.slice(-20_000);
    });
    const ended = once(child, 'exit').then(() => {
      throw new Error(`the server did not start:\n${said.text}`);
    });
    const [port] = (await Promise.race([once(child, 'message'), ended])) as [number];
    ended.catch(() => {});
    child.setMaxListeners(0);
    return new Target(child, port, said);
  }

  /** How the process ended, with the last that it said, or nothing while it runs. */
  get end(): string | undefined {
    const { exitCode, signalCode } = this.#child;
    return exitCode === null && signalCode === null
      ? undefined
      : `the server has ended with ${exitCode ?? signalCode}:\n${this.#said.text}`;
  }

  /** The same, where it may be about to end: its connections are closed before its end is heard of here. */
  async endSoon(): Promise<string | undefined> {
    for (let look = 0; look < 20 && this.end === undefined; look += 1) await pause(100);
    return this.end;
  }

  async order(order: Omit<Order, 'id'> = {}): Promise<Account> {
    const id = ++this.#orders;
    return new Promise((resolve, reject) => {
      const hear = (account: Account): void => {
        if (account.id !== id) return;
        this.#child.off('message', hear).off('exit', gone);
        resolve(account);
      };
      const gone = (): void => reject(new Error(this.end));
      this.#child.on('message', hear).on('exit', gone);
      if (this.#child.connected) this.#child.send({ ...order, id });
      else gone();
    });
  }

  async stop(): Promise<void> {
    if (this.end !== undefined) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}
