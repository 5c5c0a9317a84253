import { createRemoteJWKSet, type JWTHeaderParameters, type JWTPayload, jwtVerify } from 'jose';

const CIBA_GRANT = 'urn:openid:params:grant-type:ciba';
const TIMEOUT = 10_000;

/** What the till needs of the server's discovery document. */
interface Discovery {
  readonly issuer: string;
  readonly backchannel_authentication_endpoint: string;
  readonly token_endpoint: string;
  readonly jwks_uri: string;
}

/** An answer of the server: its status, its JSON, and how many seconds it asks to wait. */
export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly retryAfter: number | undefined;
}

/** An ID Token whose signature, issuer, audience and lifetime were checked. */
export interface VerifiedIdToken {
  readonly header: JWTHeaderParameters;
  readonly payload: JWTPayload;
}

/** The till's backend as a confidential client: plain HTTP to the identity server, as any other program would do it. */
export class TillClient {
  readonly #issuer: string;
  readonly #credentials: { readonly id: string; readonly secret: string };
  #discovery: Promise<Discovery> | undefined;

  constructor(issuer: string, credentials: { readonly id: string; readonly secret: string }) {
    this.#issuer = issuer;
    this.#credentials = credentials;
  }

  /** Asks for a person's yes (CIBA Core 7.1). */
  async ask(parameters: Record<string, string>): Promise<Answer> {
    return this.#post((await this.#discover()).backchannel_authentication_endpoint, parameters);
  }

  /** Asks whether the person has decided (CIBA Core 10.1). */
  async poll(authReqId: string, resource: string): Promise<Answer> {
    const { token_endpoint } = await this.#discover();
    return this.#post(token_endpoint, { grant_type: CIBA_GRANT, auth_req_id: authReqId, resource });
  }

  /** Takes a request back that waits for the person: the plugin's own endpoint, which takes the form of a poll. */
  async cancel(authReqId: string): Promise<Answer> {
    const { backchannel_authentication_endpoint: endpoint } = await this.#discover();
    return this.#post(`${endpoint}/cancel`, { grant_type: CIBA_GRANT, auth_req_id: authReqId });
  }

  /** Checks an ID Token against the server's published keys. */
  async verify(idToken: unknown): Promise<VerifiedIdToken> {
    const { issuer, jwks_uri } = await this.#discover();
    const keys = createRemoteJWKSet(new URL(jwks_uri));
    const { protectedHeader, payload } = await jwtVerify(String(idToken), keys, {
      issuer,
      audience: this.#credentials.id,
      // What the till is registered for: a signature of any other kind is none.
      algorithms: ['RS256'],
    });
    return { header: protectedHeader, payload };
  }

  async #post(url: string, parameters: Record<string, string>): Promise<Answer> {
    const { id, secret } = this.#credentials;
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`,
      },
      body: new URLSearchParams(parameters),
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT),
    });
    const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN);
    return {
      status: response.status,
      body: response.status === 204 ? {} : ((await response.json()) as Answer['body']),
      retryAfter: Number.isFinite(retryAfter) ? retryAfter : undefined,
    };
  }

  #discover(): Promise<Discovery> {
    this.#discovery ??= this.#fetchDiscovery().catch((error: unknown) => {
      this.#discovery = undefined;
      throw error;
    });
    return this.#discovery;
  }

  async #fetchDiscovery(): Promise<Discovery> {
    const response = await fetch(`${this.#issuer}/.well-known/openid-configuration`, {
      signal: AbortSignal.timeout(TIMEOUT),
    });
    if (!response.ok) throw new Error(`discovery was answered ${response.status}`);
    return (await response.json()) as Discovery;
  }
}
