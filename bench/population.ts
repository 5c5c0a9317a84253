/**
 * Who takes part, by number, so that every process of the benchmark names the same clients, people and requests without being told them.
 */

/** How many clients there are of each kind. */
export const CLIENTS = { secret: 125, assertion: 10, ping: 10 } as const;

export type ClientKind = keyof typeof CLIENTS;

export const SECRET = 'secret-of-a-client-0123456789abcdef0123456789';
export const ISSUER = 'http://op.example';
export const CIBA_GRANT = 'urn:openid:params:grant-type:ciba';

/** The client of the request with this number. */
export const clientOf = (kind: ClientKind, request: number): string => `${kind}-${request % CLIENTS[kind]}`;

/** The ping client whose endpoint answers nothing. */
export const HANGING_CLIENT = 'hanging';

/** Everybody is asked once at a time. */
export const accountOf = (request: number): string => `person-${request}`;

/** As long as one that oidc-provider makes, and of the same letters. */
export const authReqIdOf = (request: number): string => `${request}`.padStart(43, 'request_');

/** The header of a client with a secret. */
export const basicOf = (clientId: string): string =>
  `Basic ${Buffer.from(`${clientId}:${SECRET}`).toString('base64')}`;

/** Least time between two polls of one request, in seconds. */
export const INTERVAL = 1;

/** The life of a request, in seconds: longer than a measurement takes. */
export const LIFETIME = 3_600;
