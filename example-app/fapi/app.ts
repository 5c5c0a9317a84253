import { randomUUID } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import express, { type Express, type Request, type Response, Router } from 'express';
import Provider, { type ClientMetadata, type KoaContextWithOIDC } from 'oidc-provider';
import { type Ciba, createCiba } from 'oidc-provider-ciba';
import { findAccount, resolveLoginHint } from '../accounts.js';
import { demoRoutes } from '../demo.js';
import { answerError, handled } from '../http.js';
import { publicPart } from '../keys.js';
import { CLIENTS, type FapiClient, type Made } from './belongings.js';
import { certificateOf, isSignedByUs, subjectOf, thumbprintOf } from './client-certificate.js';
import type { FapiSettings } from './settings.js';

const CIBA_GRANT = 'urn:openid:params:grant-type:ciba';
const ALGORITHMS = ['PS256', 'ES256'] as const;

/** The FAPI example, ready to be listened with. */
export interface FapiExample {
  readonly app: Express;
  readonly ciba: Ciba;
}

/** An identity server that is under the FAPI-CIBA profile. */
export function createFapiExample(settings: FapiSettings, made: Made): FapiExample {
  const { loopbackCallbacks, callbackCa } = settings;
  const ciba = createCiba({
    profile: 'fapi-ciba',
    resolveLoginHint,
    maxExpiry: 3600,
    limits: false,
    delivery: {
      allowLoopback: loopbackCallbacks,
      ca: [made.ca, ...(callbackCa === undefined ? [] : [callbackCa])],
    },
  });
  const provider = new Provider(
    settings.issuer,
    ciba.configure({
      clients: [...CLIENTS.map((name) => clientOf(name, made, settings)), ...settings.clients],
      findAccount,
      jwks: { keys: [made.signingKey as never] },
      cookies: { keys: [made.cookieKey] },
      acrValues: ['urn:example:demo'],
      claims: {
        openid: ['sub', 'acr', 'amr', 'auth_time'],
        profile: ['name'],
        email: ['email', 'email_verified'],
      },
      clientAuthMethods: ['private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth'],
      enabledJWA: {
        idTokenSigningAlgValues: [...ALGORITHMS],
        requestObjectSigningAlgValues: [...ALGORITHMS],
        clientAuthSigningAlgValues: [...ALGORITHMS],
      },
      ttl: { AccessToken: 600, Grant: 14 * 86_400, IdToken: 600, RefreshToken: 14 * 86_400 },
      features: {
        ciba: { enabled: true, deliveryModes: ['poll', 'ping'] },
        devInteractions: { enabled: false },
        requestObjects: { enabled: true },
        dPoP: { enabled: true },
        introspection: { enabled: true },
        revocation: { enabled: true },
        registration: { enabled: true },
        mTLS: {
          enabled: true,
          certificateBoundAccessTokens: true,
          tlsClientAuth: true,
          selfSignedTlsClientAuth: true,
          getCertificate: ({ req }: KoaContextWithOIDC) => certificateOf(req.socket as TLSSocket),
          certificateAuthorized: ({ req }: KoaContextWithOIDC) => isSignedByUs(req.socket as TLSSocket),
          certificateSubjectMatches: ({ req }: KoaContextWithOIDC, property: string, expected: string) =>
            property === 'tls_client_auth_subject_dn' && subjectOf(req.socket as TLSSocket) === expected,
        } as never,
      },
    }),
  );
  provider.on('server_error', (_ctx, error) => console.error('the provider failed:', error));

  const app = express();
  app.disable('x-powered-by');
  app.use(demoRoutes(ciba, false));
  app.use(resource(provider));
  app.use(ciba.router(provider));
  app.use(provider.callback());
  app.use(answerError);
  return { app, ciba };
}

/** One of the server's own clients. */
function clientOf(name: FapiClient, { clients }: Made, { pingEndpoint }: FapiSettings): ClientMetadata {
  const mtls = name.endsWith('mtls');
  const ping = name.startsWith('ping');
  return {
    client_id: name,
    client_name: `FAPI example, ${name}`,
    grant_types: [CIBA_GRANT, 'refresh_token'],
    response_types: [],
    redirect_uris: [],
    scope: 'openid profile email offline_access',
    backchannel_token_delivery_mode: ping ? 'ping' : 'poll',
    ...(ping && { backchannel_client_notification_endpoint: pingEndpoint }),
    backchannel_authentication_request_signing_alg: 'PS256',
    id_token_signed_response_alg: 'PS256',
    tls_client_certificate_bound_access_tokens: true,
    jwks: {
      keys: [{ ...publicPart(clients[name].jwk as never), n: clients[name].jwk.n, e: clients[name].jwk.e }],
    } as never,
    ...(mtls
      ? { token_endpoint_auth_method: 'tls_client_auth', tls_client_auth_subject_dn: `CN=${name}` }
      : { token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: 'PS256' }),
  };
}

/** `GET /resource`: what tokens are for. It says which interaction a request belongs to (FAPI 1.0 Baseline 6.2.1). */
function resource(provider: Provider): Router {
  const router = Router();
  router.get(
    '/resource',
    handled(async (req: Request, res: Response) => {
      res.set('x-fapi-interaction-id', req.get('x-fapi-interaction-id') || randomUUID());
      res.set('Cache-Control', 'no-store');
      const value = /^Bearer +(\S+)$/i.exec(req.get('authorization') ?? '')?.[1];
      const token = value ? await provider.AccessToken.find(value) : undefined;
      const certificate = certificateOf(req.socket as TLSSocket);
      const bound = (token as { 'x5t#S256'?: string } | undefined)?.['x5t#S256'];
      if (!token || !certificate || bound !== thumbprintOf(certificate)) {
        res.set('WWW-Authenticate', 'Bearer error="invalid_token"');
        res.status(401).json({ error: 'invalid_token', error_description: 'the token is not good here' });
        return;
      }
      res.json({ sub: token.accountId, client_id: token.clientId, scope: token.scope });
    }),
  );
  return router;
}
