import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Express } from 'express';
import type { ClientMetadata } from 'oidc-provider';
import type { CompatOptions } from 'oidc-provider-ciba';
import request, { type Response } from 'supertest';
import { CIBA_GRANT, pollClient } from '../support/configuration.js';
import type { Make } from '../support/every-store.js';
import type { PluginServer, PluginServerOptions } from '../support/server.js';

/** A server on this machine, as the tutorial's secrets want it. */
export const HOST = '127.0.0.1';

/** The clients of the tutorial as an administrator registers them in the words of the standard. */
export const CREDENTIALS = {
  'my-client': 'supersecret',
  'smart-home-device': 'device-secret',
} as const;

/** What is switched on for a client of the dialect. */
export const DIALECT = { ciba_compat: true, ciba_compat_subject: 'alice' } as const;

export const ALLOWED: CompatOptions = {
  allowWeakSecrets: true,
  preapproved: { 'smart-home-device': { secret: 'device-secret', subject: 'alice' } },
};

/** `my-client`, whose redirect URI is told something where one is given. */
export function myClient(more: Partial<ClientMetadata> = {}): ClientMetadata {
  return {
    client_id: 'my-client',
    client_secret: CREDENTIALS['my-client'],
    redirect_uris: ['https://client.invalid/callback'],
    grant_types: ['authorization_code', CIBA_GRANT],
    response_types: ['code'],
    scope: 'openid profile',
    backchannel_token_delivery_mode: 'poll',
    token_endpoint_auth_method: 'client_secret_post',
    ...more,
  };
}

const common = (clients: readonly ClientMetadata[], options: PluginServerOptions): PluginServerOptions => ({
  issuer: `http://${HOST}`,
  ...options,
  config: { clients: [pollClient('till'), ...clients], ...options.config },
  features: { registration: { enabled: true }, ...options.features },
  ciba: {
    maxExpiry: 3600,
    verifyUserCode: (accountId, code) => accountId === 'alice' && ['abc123', 'xyz789'].includes(code),
    delivery: { allowLoopback: true },
    ...options.ciba,
  },
});

/** A server that speaks the standard only. */
export function strict(
  make: Make,
  clients: readonly ClientMetadata[] = [myClient()],
  options: PluginServerOptions = {},
): PluginServer {
  return make(common(clients, options));
}

/** A server with the dialect on, for the clients given. */
export function dialect(
  make: Make,
  clients: readonly ClientMetadata[] = [myClient(DIALECT)],
  options: PluginServerOptions = {},
  compat: CompatOptions = {},
): PluginServer {
  const ciba = { ...options.ciba, compat: { ...ALLOWED, ...compat } };
  return make(common(clients, { ...options, ciba }));
}

/** What follows the empty line of a message. */
export const bodyOf = (message: string): string => message.slice(message.indexOf('\n\n') + 2);

/** The form of a message on one line, as HTTP clients send it, with other values for some names. */
export function formOf(message: string, other: Readonly<Record<string, string>> = {}): string {
  const form = new URLSearchParams(bodyOf(message).replaceAll('\n', ''));
  for (const [name, value] of Object.entries(other)) form.set(name, value);
  return String(form);
}

export async function sendForm(server: PluginServer, path: string, form: string): Promise<Response> {
  return request(server.app)
    .post(`${server.mount}${path}`)
    .set({ host: HOST, 'content-type': 'application/x-www-form-urlencoded' })
    .send(form);
}

export async function sendJson(server: PluginServer, path: string, json: string): Promise<Response> {
  return request(server.app)
    .post(`${server.mount}${path}`)
    .set({ host: HOST, 'content-type': 'application/json' })
    .send(json);
}

/** A server that listens, for whoever speaks TCP. */
export interface Listening {
  readonly port: number;
  close(): void;
}

export async function listening(app: Express): Promise<Listening> {
  const server: HttpServer = createServer(app).listen(0, HOST);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** The answer to a message over TCP. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

/**
 * Sends a printed message over TCP: its head as it is with the host in the place of the tutorial's, and framed as HTTP wants it, its body byte
 * for byte.
 */
export async function sendRaw(port: number, message: string): Promise<RawAnswer> {
  const body = bodyOf(message);
  const head = message.slice(0, message.indexOf('\n\n')).split('\n');
  const lines = [
    ...head.map((line) => line.replace(/^Host: .*/, `Host: ${HOST}:${port}`)),
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  const socket = connect(port, HOST);
  socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`);
  const answer = await text(socket);
  const [top = '', ...rest] = answer.split('\r\n\r\n');
  const [first = '', ...fields] = top.split('\r\n');
  return {
    status: Number(first.split(' ')[1]),
    headers: new Headers(fields.map((field) => field.split(/: (.*)/s, 2) as [string, string])),
    body: parsed(rest.join('\r\n\r\n')),
  };
}

function parsed(answer: string): RawAnswer['body'] {
  try {
    return JSON.parse(answer);
  } catch {
    return { text: answer };
  }
}
