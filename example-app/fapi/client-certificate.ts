import { createHash, type X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';

/** The certificate that a client has shown; it has proved that it holds the key (RFC 8705 2). */
export function certificateOf(socket: TLSSocket): X509Certificate | undefined {
  return socket.getPeerX509Certificate?.();
}

/** Whether our own authority has signed it, and its time is not over. */
export function isSignedByUs(socket: TLSSocket): boolean {
  return socket.authorized;
}

/** Its subject, as clients register it (RFC 4514), of certificates whose subject is one name. */
export function subjectOf(socket: TLSSocket): string | undefined {
  return certificateOf(socket)?.subject.split('\n').reverse().join(',');
}

/** How tokens are bound to it (RFC 8705 3.1). */
export function thumbprintOf({ raw }: X509Certificate): string {
  return createHash('sha256').update(raw).digest('base64url');
}
