import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';

/**
 * Lets oidc-provider have a body at once that has arrived whole, as nearly all have that came in one packet with their head. It reads bodies by
 * the stream's own iterator, which costs a request more than what it asks Redis for. Any other body is waited for as ever.
 */
export function readAtOnce(req: IncomingMessage): void {
  req.iterator = arrivedBody as typeof req.iterator;
}

function arrivedBody(this: IncomingMessage, options: IteratorOptions): AsyncIterableIterator<Buffer> {
  return new ArrivedBody(this, options);
}

const { iterator } = Readable.prototype;
type IteratorOptions = Parameters<typeof iterator>[0];
type Chunks = AsyncIterator<Buffer, undefined>;

const ENDED = Promise.resolve({ done: true, value: undefined } as const);
const NOTHING: Chunks = { next: () => ENDED };
/** When the packet is parsed whose head has begun the request. */
const SOON = Promise.resolve();

class ArrivedBody implements AsyncIterableIterator<Buffer, undefined> {
  readonly #req: IncomingMessage;
  readonly #options: IteratorOptions;
  #rest: Chunks | undefined;

  constructor(req: IncomingMessage, options: IteratorOptions) {
    this.#req = req;
    this.#options = options;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Buffer, undefined>> {
    return this.#rest ? this.#rest.next() : SOON.then(() => this.#first());
  }

  return(): Promise<IteratorResult<Buffer, undefined>> {
    return this.#rest?.return?.() ?? ENDED;
  }

  #first(): IteratorResult<Buffer, undefined> | Promise<IteratorResult<Buffer, undefined>> {
    const { readableFlowing, readableLength, headers } = this.#req;
    const whole = readableLength > 0 && readableLength === Number(headers['content-length']);
    if (!whole || readableFlowing !== null) {
      this.#rest = iterator.call(this.#req, this.#options);
      return this.#rest.next();
    }
    this.#rest = NOTHING;
    const value = this.#req.read() as Buffer;
    // To its end, which others may wait for.
    this.#req.resume();
    return { done: false, value };
  }
}
