import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

const LENGTH = /\r\ncontent-length: *(\d+)/i;

/**
 * A connection that is kept, with one request on it at a time. It knows no more of HTTP than the answers here need, so that making load
 * costs little beside answering it.
 */
export class Connection {
  readonly #socket: Socket;
  #received = '';
  #waiting: Waiting | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay().setEncoding('latin1');
    socket.on('data', (text: string) => this.#receive(text));
    socket.on('error', (error) => this.#waiting?.reject(error));
    socket.on('close', () => this.#waiting?.reject(new Error('the server has closed the connection')));
  }

  static async open(port: number): Promise<Connection> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new Connection(socket);
  }

  /** Sends a whole request, as bytes of HTTP. */
  send(request: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(request, 'latin1');
    });
  }

  close(): void {
    this.#waiting = undefined;
    this.#socket.destroy();
  }

  #receive(text: string): void {
    this.#received += text;
    const headEnd = this.#received.indexOf('\r\n\r\n');
    if (headEnd === -1) return;
    const [, length] = LENGTH.exec(this.#received.slice(0, headEnd)) ?? [];
    if (length === undefined) {
      this.#waiting?.reject(new Error('an answer without a length'));
      return;
    }
    if (this.#received.length < headEnd + 4 + Number(length)) return;
    const answer = { status: Number(this.#received.slice(9, 12)), body: this.#received.slice(headEnd + 4) };
    const waiting = this.#waiting;
    this.#received = '';
    this.#waiting = undefined;
    waiting?.resolve(answer);
  }
}

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/** Opens so many for a piece of work, and closes them. */
export async function onConnections(
  port: number,
  count: number,
  work: (connections: readonly Connection[]) => Promise<unknown>,
): Promise<void> {
  const connections = await Promise.all(Array.from({ length: count }, () => Connection.open(port)));
  try {
    await work(connections);
  } finally {
    for (const connection of connections) connection.close();
  }
}
