import { createECDH, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';

/** The encrypted content coding of RFC 8188, which comes without types. */
const { decrypt } = createRequire(import.meta.url)('http_ece') as {
  decrypt(body: Buffer, options: { version: 'aes128gcm'; privateKey: unknown; authSecret: string }): Buffer;
};

/** A push message as the browser that it is for can read it. */
export interface PushMessage {
  readonly headers: IncomingMessage['headers'];
  /** What it says, which is JSON. */
  readonly data: string;
}

/** A push service on this machine, with one browser that is subscribed at it (RFC 8030, 8291). */
export interface PushService {
  /** What the browser's `PushSubscription` says of itself. */
  readonly subscription: {
    readonly endpoint: string;
    readonly keys: { readonly p256dh: string; readonly auth: string };
  };
  readonly messages: readonly PushMessage[];
  /** What every message is answered from now on: 201, or 410 where the browser has gone. */
  answer: number;
  /** How often anything was sent here. */
  readonly calls: number;
  /** Forgets what came, and answers 201 again. */
  reset(): void;
  close(): Promise<void>;
}

export async function startPushService(): Promise<PushService> {
  const browser = createECDH('prime256v1');
  browser.generateKeys();
  const auth = randomBytes(16).toString('base64url');
  const path = `/push/${randomBytes(16).toString('base64url')}`;
  const messages: PushMessage[] = [];
  const state = { answer: 201, calls: 0 };

  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    state.calls += 1;
    if (state.answer === 201 && req.url === path) {
      const body = decrypt(Buffer.concat(chunks), {
        version: 'aes128gcm',
        privateKey: browser,
        authSecret: auth,
      });
      messages.push({ headers: req.headers, data: body.toString('utf8') });
    }
    res.writeHead(req.url === path ? state.answer : 404).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  return {
    subscription: {
      endpoint: `http://127.0.0.1:${port}${path}`,
      keys: { p256dh: browser.getPublicKey('base64url'), auth },
    },
    messages,
    get answer() {
      return state.answer;
    },
    set answer(status) {
      state.answer = status;
    },
    get calls() {
      return state.calls;
    },
    reset() {
      messages.length = 0;
      Object.assign(state, { answer: 201, calls: 0 });
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
