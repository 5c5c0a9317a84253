import { readFileSync } from 'node:fs';
import type { ClientMetadata } from 'oidc-provider';
import type { Env } from '../settings.js';

/** What the environment says about the FAPI example. */
export interface FapiSettings {
  readonly port: number;
  readonly issuer: string;
  /** Where what is made at the first start lies. */
  readonly folder: string;
  /** Where the two clients are told that are told. */
  readonly pingEndpoint: string;
  /** Whether notifications may go to this machine, which a certification client may be on. */
  readonly loopbackCallbacks: boolean;
  /** Whom to trust at notification endpoints besides our own authority, PEM. */
  readonly callbackCa: string | undefined;
  /** Clients beside the server's own. */
  readonly clients: readonly ClientMetadata[];
}

/** Reads the environment; throws a sentence for a person where it makes no sense. */
export function fapiSettingsOf(env: Env): FapiSettings {
  const port = Number(env['PORT'] || 3443);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new Error(`PORT must be a number from 0 to 65535, not ${env['PORT']}`);
  }
  const issuer = env['ISSUER'] || `https://localhost:${port}`;
  if (!URL.canParse(issuer) || new URL(issuer).protocol !== 'https:') {
    throw new Error(`ISSUER must be an https URL, not ${issuer}`);
  }
  return {
    port,
    issuer: issuer.replace(/\/$/, ''),
    folder: env['FAPI_FOLDER'] || '.fapi',
    pingEndpoint: env['PING_ENDPOINT'] || 'https://client.example.com/callback',
    loopbackCallbacks: env['LOOPBACK_CALLBACKS'] === 'on',
    callbackCa: env['CALLBACK_CA'] ? readFileSync(env['CALLBACK_CA'], 'utf8') : undefined,
    clients: env['CLIENTS_FILE'] ? clientsIn(env['CLIENTS_FILE']) : [],
  };
}

function clientsIn(file: string): ClientMetadata[] {
  const wrong = `CLIENTS_FILE must be a file with a JSON array of client metadata, not ${file}`;
  let clients: unknown;
  try {
    clients = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new Error(wrong, { cause });
  }
  if (!Array.isArray(clients)) throw new Error(wrong);
  return clients as ClientMetadata[];
}
