import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startRedis, type TestRedis } from '../support/redis-server.js';
import { until } from '../support/until.js';
import { RACER } from './race-configuration.js';

const PROGRAM = fileURLToPath(new URL('./prompt-process.ts', import.meta.url));
const TSCONFIG = fileURLToPath(new URL('../tsconfig.json', import.meta.url));

const CREDENTIALS = Buffer.from(`${RACER.client_id}:${RACER.client_secret}`).toString('base64');

/** A server process that reaches people. */
class PromptProcess {
  readonly points: string[] = [];
  readonly #child: ChildProcess;
  readonly #port: number;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.#port = port;
    child.on('message', ({ point }: { point?: string }) => {
      if (point !== undefined) this.points.push(point);
    });
  }

  static async start(redisUrl: string): Promise<PromptProcess> {
    const child = fork(PROGRAM, {
      execArgv: ['--import', 'tsx'],
      env: { ...process.env, NODE_OPTIONS: '', TSX_TSCONFIG_PATH: TSCONFIG, REDIS_URL: redisUrl },
      stdio: ['ignore', 'ignore', process.env['DEBUG_RACES'] ? 'inherit' : 'ignore', 'ipc'],
    });
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`the process ended with ${code} before it listened`);
    });
    const [{ port }] = (await Promise.race([once(child, 'message'), ended])) as [{ port: number }];
    ended.catch(() => {});
    return new PromptProcess(child, port);
  }

  /** The process kills itself when a request comes to this point. */
  crashAt(point: string): Promise<unknown> {
    return this.#post(`/crash?at=${encodeURIComponent(point)}`);
  }

  moveClock(milliseconds: number): Promise<unknown> {
    return this.#post(`/clock?offset=${milliseconds}`);
  }

  /** Asks; nothing where the process died before it could acknowledge. */
  async ask(): Promise<string | undefined> {
    const answer = await this.#post('/backchannel', { scope: 'openid', login_hint: 'alice' }).catch(() => {});
    if (answer && !answer['auth_req_id']) throw new Error(`it was refused: ${JSON.stringify(answer)}`);
    return answer?.['auth_req_id'];
  }

  async deny(authReqId: string): Promise<void> {
    await this.#post(`/decide?auth_req_id=${authReqId}`).catch(() => {});
  }

  /** Resolves once the process is dead. */
  async dead(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
  }

  /** Does nothing until {@link PromptProcess.resume}. */
  pause(): void {
    this.#child.kill('SIGSTOP');
  }

  resume(): void {
    this.#child.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.dead();
  }

  async #post(path: string, form: Record<string, string> = {}): Promise<Record<string, string>> {
    const response = await fetch(`http://127.0.0.1:${this.#port}${path}`, {
      method: 'POST',
      headers: { authorization: `Basic ${CREDENTIALS}` },
      body: new URLSearchParams(form),
    });
    return (await response.json()) as Record<string, string>;
  }
}

/** What is awaited from the request to the end of its first prompt, and from the decision until it was taken away. */
const PROMPTING = ['< ask', '> send', '< send', '> advance', '< advance'];
const DISMISSING = ['decided', '> dismiss', '< dismiss', '> advance', '< advance'];

let redis: TestRedis;
let survivor: PromptProcess;

beforeAll(async () => {
  redis = await startRedis();
  survivor = await PromptProcess.start(redis.url);
});
afterAll(async () => {
  await survivor.kill();
  await redis.stop();
});

const times = (list: string): Promise<number> => redis.client().llen(list);

/** Every request is in Redis, also one that nobody was told of. */
async function handles(): Promise<string[]> {
  const keys = await redis.client().keys('ciba:{*}');
  return keys.map((key) => key.slice('ciba:{'.length, -1));
}

test('the points are those that a request really passes', async () => {
  const process = await PromptProcess.start(redis.url);
  const authReqId = await process.ask();
  await until('it was prompted', () => process.points.includes('< advance'));
  expect(PROMPTING.every((point) => process.points.includes(point))).toBe(true);
  process.points.length = 0;
  await process.deny(String(authReqId));
  await until('it was taken away, by either process', async () => (await dismissedAny()) > 0);
  await process.kill();
});

async function dismissedAny(): Promise<number> {
  return (await redis.client().keys('dismissed:*')).length;
}

test.each(PROMPTING)(
  '[UX-1] a process that is killed at %s: the person is reached all the same',
  async (point) => {
    await redis.client().flushall();
    const process = await PromptProcess.start(redis.url);
    await process.crashAt(point);
    await process.ask();
    await process.dead();
    const [handle] = await handles();
    expect(handle).toBeDefined();
    // What the dead process has taken is another one's after twelve seconds.
    await survivor.moveClock(13_000);
    await until('the person was reached', async () => (await times(`sent:${handle}`)) > 0);
    await survivor.moveClock(0);
    expect(await times(`sent:${handle}`)).toBeLessThanOrEqual(2);
  },
);

test.each(DISMISSING)(
  'a process that is killed at %s after a decision: the prompt is taken away all the same',
  async (point) => {
    await redis.client().flushall();
    const process = await PromptProcess.start(redis.url);
    const authReqId = String(await process.ask());
    await until('the person was reached', () => process.points.includes('< advance'));
    await process.crashAt(point);
    const [handle] = await handles();
    // Either process may take the turn: the survivor must not be the one.
    survivor.pause();
    await process.deny(authReqId).finally(() => process.dead());
    survivor.resume();
    await survivor.moveClock(13_000);
    await until('it was taken away', async () => (await times(`dismissed:${handle}`)) > 0);
    await survivor.moveClock(0);
    expect(await times(`sent:${handle}`)).toBe(1);
  },
);

test('[UX-1] a process that is killed before the request is stored: nobody hears of what was never acknowledged', async () => {
  await redis.client().flushall();
  const process = await PromptProcess.start(redis.url);
  await process.crashAt('> ask');
  expect(await process.ask()).toBe(undefined);
  await process.dead();
  await survivor.moveClock(60_000);
  await survivor.ask();
  await until('another one was reached', async () => (await redis.client().keys('sent:*')).length > 0);
  await survivor.moveClock(0);
  const [handle, ...others] = await handles();
  expect(others).toEqual([]);
  expect(await times(`sent:${handle}`)).toBe(1);
});

test('the control: a server that only tells a listener loses the prompt with the process', async () => {
  await redis.client().flushall();
  const process = await PromptProcess.start(redis.url);
  await process.crashAt('< ask');
  await process.ask();
  await process.dead();
  const [handle] = await handles();
  // As long as nobody looks into the index there is no trace of it: what a hook alone comes to.
  await redis.client().del('ciba:prompts');
  await survivor.moveClock(60_000);
  const other = await survivor.ask();
  await until('another one was reached', async () => (await redis.client().keys('sent:*')).length > 0);
  await survivor.moveClock(0);
  expect(other).toBeDefined();
  expect(await times(`sent:${handle}`)).toBe(0);
});
