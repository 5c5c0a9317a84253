/**
 * A program without a page: asks the person who was named, polls, checks the ID Token, and reads the userinfo endpoint.
 * `ISSUER` and `LOGIN_HINT` say where and whom; with `AUTO_APPROVE=1` it agrees by itself through `/demo/decide`.
 */
import { importJWK, type JWK } from 'jose';
import * as client from 'openid-client';
import { tillKey } from '../keys.js';

const issuer = process.env['ISSUER'] || 'http://localhost:3000';
const loginHint = process.env['LOGIN_HINT'] || 'alice';
const autoApprove = process.env['AUTO_APPROVE'] === '1';

async function run(): Promise<void> {
  const config = await discover();
  console.log(`Discovered ${config.serverMetadata().issuer}`);

  const asked = await client.initiateBackchannelAuthentication(config, {
    scope: 'openid profile',
    login_hint: loginHint,
    binding_message: 'Unlock the front door, code K7QX',
  });
  console.log(
    `Asked ${loginHint}: the request lives ${asked.expires_in} s, polls every ${asked.interval ?? 5} s`,
  );
  if (!autoApprove) console.log(`Open ${issuer}/phone, sign in as ${loginHint} and decide`);

  config[client.customFetch] = reportPolls(config, asked.auth_req_id);
  const tokens = await client.pollBackchannelAuthenticationGrant(config, asked);
  const claims = tokens.claims();
  if (!claims) throw new Error('The server sent no ID Token.');
  console.log(`Verified the ID Token: sub=${claims.sub} acr=${claims['acr'] ?? 'none'} iss=${claims.iss}`);

  const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
  console.log(`Userinfo says: ${userinfo.name ?? userinfo.sub}`);
  console.log('The front door is unlocked');
}

async function discover(): Promise<client.Configuration> {
  const jwk = tillKey() as JWK;
  const key = await importJWK(jwk, 'ES256');
  if (key instanceof Uint8Array || !jwk.kid) throw new Error('The client key is not a key pair with a kid.');
  return client.discovery(
    new URL(issuer),
    'till-jwt',
    undefined,
    client.PrivateKeyJwt({ key, kid: jwk.kid }),
    {
      // The first is for a laptop, whose server speaks http: leave it out elsewhere. The second has the ID Token's signature checked.
      execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
    },
  );
}

/** Prints how each poll is answered, and with `AUTO_APPROVE` agrees after the first. */
function reportPolls(config: client.Configuration, authReqId: string): client.CustomFetch {
  let polls = 0;
  return async (url, options) => {
    const response = await fetch(url, options as RequestInit);
    if (url !== config.serverMetadata().token_endpoint) return response;
    polls += 1;
    const { error } = (await response.clone().json()) as { error?: string };
    console.log(`Poll ${polls}: ${response.status} ${error ?? 'tokens'}`);
    if (autoApprove && polls === 1) await approve(authReqId);
    return response;
  };
}

async function approve(authReqId: string): Promise<void> {
  const query = new URLSearchParams({ auth_req_id: authReqId, action: 'allow' });
  const { status } = await fetch(`${issuer}/demo/decide?${query}`, { method: 'POST' });
  if (status !== 204) throw new Error(`The approval was answered ${status}.`);
  console.log(`Approved as ${loginHint}`);
}

const SENTENCES: Readonly<Record<string, string>> = {
  access_denied: `${loginHint} said no, or may not be asked now.`,
  expired_token: `${loginHint} did not decide in time.`,
  unknown_user_id: `The server knows nobody called ${loginHint}.`,
};

function sentenceOf(error: unknown): string {
  if (error instanceof client.ResponseBodyError) {
    return SENTENCES[error.error] ?? `The server refused: ${error.error_description ?? error.error}.`;
  }
  const { cause, message } = error as Error;
  if ((cause as { code?: unknown } | undefined)?.code === 'ECONNREFUSED') {
    return `No identity server answers at ${issuer}: start it with npm start.`;
  }
  return `It did not work: ${message}`;
}

try {
  await run();
} catch (error) {
  console.error(sentenceOf(error));
  process.exitCode = 1;
}
