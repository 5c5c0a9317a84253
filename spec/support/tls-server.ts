import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';
import type { Express } from 'express';
import { exportJWK, importX509, type JWK } from 'jose';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { type Authority, type Certificate, makeAuthority } from '../../example-app/fapi/certificates.js';
import { certificateOf, isSignedByUs, subjectOf } from '../../example-app/fapi/client-certificate.js';

const socketOf = ({ req }: KoaContextWithOIDC): TLSSocket => req.socket as TLSSocket;

/** `features.mTLS` of a server that TLS ends at. */
export const mTLS = {
  enabled: true,
  certificateBoundAccessTokens: true,
  selfSignedTlsClientAuth: true,
  tlsClientAuth: true,
  getCertificate: (ctx: KoaContextWithOIDC) => certificateOf(socketOf(ctx)),
  certificateAuthorized: (ctx: KoaContextWithOIDC) => isSignedByUs(socketOf(ctx)),
  certificateSubjectMatches: (ctx: KoaContextWithOIDC, property: string, expected: string) =>
    property === 'tls_client_auth_subject_dn' && subjectOf(socketOf(ctx)) === expected,
};

/** A server that asks every client for a certificate, and takes each and none. */
export interface TlsServer {
  readonly origin: string;
  /** Signs the certificates that `tls_client_auth` goes by. */
  readonly authority: Authority;
  /** A `fetch` that shows a certificate, or none. */
  fetchAs(certificate?: Certificate): typeof fetch;
  close(): Promise<void>;
}

/** Starts one on this machine, for an app that is made when the address is known. */
export async function startTlsServer(appAt: (origin: string) => Express): Promise<TlsServer> {
  const authority = await makeAuthority();
  const { ca } = authority;
  const asking = { requestCert: true, rejectUnauthorized: false };
  const server = createServer({ ...(await authority.issue()), ca, ...asking }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  server.on('request', appAt(origin));
  return {
    origin,
    authority,
    fetchAs: (certificate) => async (url, init) => {
      const { method = 'GET', body } = init ?? {};
      const headers = Object.fromEntries(new Headers(init?.headers));
      // A connection for each request: the certificate is that of the connection.
      const outgoing = request(String(url), { ...certificate, ca, agent: false, method, headers });
      outgoing.end(body === undefined || body === null ? undefined : String(body));
      const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
      const content = await buffer(incoming);
      const answer = new Headers(incoming.headers as Record<string, string>);
      return new Response(content.length > 0 ? content : null, {
        status: Number(incoming.statusCode),
        headers: answer,
      });
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** A certificate as a client publishes it for `self_signed_tls_client_auth` (RFC 8705 2.2.2). */
export async function publishedCertificate({ cert }: Certificate, kid: string): Promise<JWK> {
  const x5c = [new X509Certificate(cert).raw.toString('base64')];
  return { ...(await exportJWK(await importX509(cert, 'ES256'))), kid, x5c };
}

/** How tokens are bound to a certificate. */
export function thumbprintOf({ cert }: Certificate): string {
  return Buffer.from(new X509Certificate(cert).fingerprint256.replaceAll(':', ''), 'hex').toString(
    'base64url',
  );
}
