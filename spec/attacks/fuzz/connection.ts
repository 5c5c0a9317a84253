import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** An answer as it came over the connection; status 0 where the connection was closed without one. */
export interface Answer {
  readonly status: number;
  /** The lines behind the status line. */
  readonly head: string;
  readonly body: string;
  /** The server closes the connection behind it. */
  readonly last: boolean;
}

const CLOSED: Answer = { status: 0, head: '', body: '', last: true };

/** Sends a request over a connection that is kept for the next one. */
export class Connection {
  #socket: Socket | undefined;
  readonly #port: number;
  readonly #deadline: number;

  /** `deadline` is how long an answer may take, in milliseconds: only one that never comes is a fault. */
  constructor(port: number, deadline = 60_000) {
    this.#port = port;
    this.#deadline = deadline;
  }

  /** Sends bytes that are one request, and gives its answer. */
  async send(bytes: Buffer, isHead = false): Promise<Answer> {
    const socket = this.#socket?.writable ? this.#socket : await opened(this.#port);
    this.#socket = socket;
    const answer = await answered(socket, bytes, this.#deadline, (received) => answerIn(received, isHead));
    if (answer.last) this.close();
    return answer;
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }
}

/** Sends bytes that may be anything over a connection of their own, which ends behind them; gives the first answer. */
export async function sendRaw(port: number, bytes: Buffer, deadline = 60_000): Promise<Answer> {
  const socket = await opened(port);
  try {
    return await answered(socket, bytes, deadline, (received) => answerIn(received, false), true);
  } finally {
    socket.destroy();
  }
}

async function opened(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').setNoDelay();
  socket.on('error', () => {});
  await Promise.race([once(socket, 'connect'), once(socket, 'close')]);
  return socket;
}

function answered(
  socket: Socket,
  bytes: Buffer,
  deadline: number,
  read: (received: string) => Answer | undefined,
  ends = false,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let received = '';
    const done = (answer: Answer): void => {
      clearTimeout(timer);
      socket.off('data', hear).off('close', closed);
      resolve(answer);
    };
    const hear = (chunk: Buffer): void => {
      received += chunk.toString('latin1');
      const answer = read(received);
      if (answer) done(answer);
    };
    const closed = (): void => done(read(`${received}\0`) ?? CLOSED);
    const timer = setTimeout(() => {
      socket.off('data', hear).off('close', closed).destroy();
      reject(new Error('the server has not answered'));
    }, deadline);
    socket.on('data', hear).on('close', closed);
    if (socket.destroyed) closed();
    else if (ends) socket.end(bytes);
    else socket.write(bytes);
  });
}

/** The answer at the beginning of what was received, once it is whole. A NUL behind it says that no more will come. */
function answerIn(received: string, isHead: boolean): Answer | undefined {
  const end = received.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [line = '', ...lines] = received.slice(0, end).split('\r\n');
  const status = Number(line.split(' ', 2)[1]);
  // An interim answer: 100 Continue.
  if (status < 200) return answerIn(received.slice(end + 4), isHead);
  const head = lines.join('\n');
  const last = /^connection: close/im.test(head);
  const rest = received.slice(end + 4);
  const whole = (body: string): Answer => ({ status, head, body: utf8(body), last });
  if (isHead || status === 204 || status === 304) return whole('');
  if (/^transfer-encoding: chunked/im.test(head)) {
    const body = unchunked(rest);
    return body === undefined ? undefined : whole(body);
  }
  const [, length] = /^content-length: *(\d+)/im.exec(head) ?? [];
  if (length === undefined) return rest.endsWith('\0') || last ? whole(rest) : undefined;
  return rest.length >= Number(length) ? whole(rest.slice(0, Number(length))) : undefined;
}

function unchunked(text: string): string | undefined {
  let body = '';
  for (let at = 0; ; ) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    if (text.length < lineEnd + 4 + size) return undefined;
    if (size === 0) return body;
    body += text.slice(lineEnd + 2, lineEnd + 2 + size);
    at = lineEnd + 4 + size;
  }
}

const utf8 = (latin1: string): string => Buffer.from(latin1, 'latin1').toString();
