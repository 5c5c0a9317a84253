import { type ChildProcess, type ForkOptions, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Call, Reply } from './answer-calls.js';

/** What a process can be called for: functions of one argument or none. */
export type CallsOf<Calls> = { readonly [Name in keyof Calls]: (argument: never) => unknown };

/** A process of the benchmark, which is called from the one that started it and ends with it. */
export class Child<Calls extends CallsOf<Calls>> {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #calls = 0;
  #ending = false;

  private constructor(started: ChildProcess) {
    this.#process = started;
    started.on('message', (reply: Reply) => {
      this.#waiting.get(reply.id)?.(reply);
      this.#waiting.delete(reply.id);
    });
    // What it says matters only where it fails.
    let said = '';
    started.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    started.on('close', (code, signal) => {
      if (!this.#ending) throw new Error(`a process of the benchmark ended, ${code ?? signal}:\n${said}`);
    });
  }

  /** Starts a module of `bench/`, which is told what it is started for. It is built: a loader of TypeScript would be in every memory. */
  static start<Calls extends CallsOf<Calls>>(module: string, given: unknown = {}): Child<Calls> {
    const path = fileURLToPath(new URL(`../.build/bench/${module}.js`, import.meta.url));
    const options: ForkOptions = {
      execArgv: ['--expose-gc'],
      env: { ...process.env, NODE_ENV: 'production' },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    };
    return new Child(fork(path, [JSON.stringify(given)], options));
  }

  async call<Name extends keyof Calls & string>(
    name: Name,
    ...[argument]: Parameters<Calls[Name]>
  ): Promise<Awaited<ReturnType<Calls[Name]>>> {
    const id = this.#calls++;
    const replied = new Promise<Reply>((resolve) => {
      this.#waiting.set(id, resolve);
    });
    this.#process.send({ id, name, argument } satisfies Call);
    const { error, value } = await replied;
    if (error !== undefined) throw new Error(`${name}: ${error}`);
    return value as Awaited<ReturnType<Calls[Name]>>;
  }

  async end(): Promise<void> {
    this.#ending = true;
    const ended = once(this.#process, 'exit');
    this.#process.disconnect();
    await ended;
  }
}
