import { createHash } from 'node:crypto';

/** The digest that goes with each signature algorithm of an ID Token, and its length in bytes. */
const DIGESTS: readonly (readonly [algorithms: RegExp, digest: string, length: number])[] = [
  [/^(?:RS|PS|ES|HS)256$/, 'sha256', 32],
  [/^(?:RS|PS|ES|HS)384$/, 'sha384', 48],
  [/^(?:RS|PS|ES|HS)512$/, 'sha512', 64],
  [/^(?:Ed25519|EdDSA)$/, 'sha512', 64],
  [/^ML-DSA-(?:44|65|87)$/, 'shake256', 64],
];

/** The left half of a token's digest, as an ID Token signed with this algorithm says it (OIDC Core 3.1.3.6, CIBA Core 10.3.1). */
export function tokenHash(token: string, algorithm: string): string {
  const [, digest, length] = DIGESTS.find(([algorithms]) => algorithms.test(algorithm)) ?? [];
  if (digest === undefined || length === undefined)
    throw new Error(`no token hash is known for ${algorithm}`);
  const options = digest.startsWith('shake') ? { outputLength: length } : undefined;
  return createHash(digest, options)
    .update(token)
    .digest()
    .subarray(0, length / 2)
    .toString('base64url');
}
