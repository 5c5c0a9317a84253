import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { type Certificate, makeAuthority } from './certificates.js';

/** What the clients of this server are called: two ways to authenticate, two ways to hear of the outcome. */
export const CLIENTS = ['poll-private-key-jwt', 'ping-private-key-jwt', 'poll-mtls', 'ping-mtls'] as const;

export type FapiClient = (typeof CLIENTS)[number];

/** What a client has: the key that it signs with, and its certificate. */
export interface Belongings {
  readonly jwk: JWK;
  readonly certificate: Certificate;
}

/** Everything that was made at the first start, and lasts over restarts. */
export interface Made {
  /** Who has signed all certificates, PEM. */
  readonly ca: string;
  readonly server: Certificate;
  /** What the server signs ID Tokens with. */
  readonly signingKey: JWK;
  readonly cookieKey: string;
  readonly clients: Readonly<Record<FapiClient, Belongings>>;
}

const YEAR = { from: -1, to: 365 };

/** What lies in a folder; made there at the first start. */
export async function belongingsIn(folder: string): Promise<Made> {
  const path = join(folder, 'made.json');
  const found = await readFile(path, 'utf8').catch(() => undefined);
  if (found !== undefined) return JSON.parse(found) as Made;
  const made = await make();
  await mkdir(folder, { recursive: true });
  // The keys are the server's and its clients' own: nobody else reads them.
  const write = (name: string, text: string) => writeFile(join(folder, name), text, { mode: 0o600 });
  await write('made.json', JSON.stringify(made, null, 2));
  await write('ca.pem', made.ca);
  for (const name of CLIENTS) {
    const { jwk, certificate } = made.clients[name];
    await write(`${name}.jwks.json`, JSON.stringify({ keys: [jwk] }, null, 2));
    await write(`${name}.cert.pem`, certificate.cert);
    await write(`${name}.key.pem`, certificate.key);
  }
  return made;
}

async function make(): Promise<Made> {
  const authority = await makeAuthority(YEAR);
  const clients = await Promise.all(
    CLIENTS.map(async (name) => {
      const certificate = await authority.issue([], YEAR, `CN=${name}`);
      return [name, { jwk: await newKey(name), certificate }] as const;
    }),
  );
  return {
    ca: authority.ca,
    server: await authority.issue(undefined, YEAR),
    signingKey: await newKey('server'),
    cookieKey: String((await newKey('cookies')).d),
    clients: Object.fromEntries(clients) as Made['clients'],
  };
}

async function newKey(kid: string): Promise<JWK> {
  const { privateKey } = await generateKeyPair('PS256', { modulusLength: 2048, extractable: true });
  return { ...(await exportJWK(privateKey)), kid, alg: 'PS256', use: 'sig' };
}
