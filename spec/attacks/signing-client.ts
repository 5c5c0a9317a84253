import { randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import request, { type Response } from 'supertest';
import { pollClient } from '../support/configuration.js';
import {
  BACKCHANNEL,
  basic,
  ISSUER,
  type PluginServer,
  type PluginServerOptions,
} from '../support/server.js';

/** What differs from a good JWT: `undefined` takes a claim out. */
export interface Difference {
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
  readonly key?: Parameters<SignJWT['sign']>[0];
}

/** The clients `signer`, who signs its requests, and `asserter`, who authenticates by assertions, with one key, and `other` with another. */
export interface SigningClient {
  readonly options: PluginServerOptions;
  readonly publicJwk: object;
  /** A signing key that is another client's. */
  readonly othersKey: CryptoKey;
  /** How often something was fetched that is not the clients' keys. */
  readonly fetched: string[];
  request(difference?: Difference): Promise<string>;
  assertion(difference?: Difference): Promise<string>;
  /** Asks with a signed request. */
  ask(server: PluginServer, claims?: Readonly<Record<string, unknown>>): Promise<Response>;
  /** Sends a form as `signer`. */
  send(server: PluginServer, form: Readonly<Record<string, string>>): Promise<Response>;
}

export const seconds = (): number => Math.floor(Date.now() / 1000);

export async function signingClient(): Promise<SigningClient> {
  const [own, others] = await Promise.all([
    generateKeyPair('ES256', { extractable: true }),
    generateKeyPair('ES256', { extractable: true }),
  ]);
  const publicJwk = { ...(await exportJWK(own.publicKey)), kid: 'own' };
  const othersJwk = { ...(await exportJWK(others.publicKey)), kid: 'own' };
  const fetched: string[] = [];
  const signs = {
    backchannel_authentication_request_signing_alg: 'ES256',
    jwks_uri: 'https://signer.example/jwks',
  };
  const jwt = ({ claims = {}, header = {}, key = own.privateKey }: Difference, usual: JWTPayload) => {
    const all = Object.entries({ ...usual, ...claims }).filter(([, value]) => value !== undefined);
    return new SignJWT(Object.fromEntries(all))
      .setProtectedHeader({ alg: 'ES256', kid: 'own', ...header })
      .sign(key);
  };
  const times = () => ({ iat: seconds(), exp: seconds() + 300, jti: randomUUID() });
  const send: SigningClient['send'] = async (server, form) =>
    request(server.app).post(BACKCHANNEL).set('authorization', basic('signer')).type('form').send(form);
  const signed: SigningClient['request'] = (difference = {}) =>
    jwt(difference, {
      iss: 'signer',
      aud: ISSUER,
      nbf: seconds(),
      ...times(),
      scope: 'openid',
      login_hint: 'alice',
    });
  return {
    publicJwk,
    othersKey: others.privateKey,
    fetched,
    options: {
      config: {
        clients: [
          pollClient('till'),
          pollClient('signer', signs),
          pollClient('other', { ...signs, jwks_uri: 'https://other.example/jwks' }),
          pollClient('asserter', {
            client_secret: undefined,
            token_endpoint_auth_method: 'private_key_jwt',
            token_endpoint_auth_signing_alg: 'ES256',
            jwks_uri: signs.jwks_uri,
          }),
        ],
        fetch: async (url: string | URL | Request) => {
          const { hostname } = new URL(String(url));
          if (!/^(signer|other)\.example$/.test(hostname)) fetched.push(String(url));
          return globalThis.Response.json({ keys: [hostname.startsWith('other') ? othersJwk : publicJwk] });
        },
      },
      features: { requestObjects: { enabled: true } },
      ciba: { limits: false },
    },
    request: signed,
    assertion: (difference = {}) =>
      jwt(difference, { iss: 'asserter', sub: 'asserter', aud: ISSUER, ...times() }),
    ask: async (server, claims = {}) => send(server, { request: await signed({ claims }) }),
    send,
  };
}
