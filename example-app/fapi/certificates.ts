import { randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';

/** A certificate and its private key, PEM, as node:https takes them. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority of one's own. */
export interface Authority {
  /** The certificate to trust, PEM. */
  readonly ca: string;
  /** Makes a certificate for host names and IP addresses. Default: of this machine's loopback interface. */
  issue(names?: readonly string[], validity?: Validity, subject?: string): Promise<Certificate>;
}

/** Days from now, which may be negative. Default: from yesterday to tomorrow. */
export interface Validity {
  readonly from?: number;
  readonly to?: number;
}

const LOOPBACK_NAMES: readonly string[] = ['localhost', '127.0.0.1', '::1'];
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY = 86_400_000;

// The package asks a reflection polyfill for decorators' metadata, of which the part that makes certificates has none.
if (!('getMetadata' in Reflect)) {
  Object.assign(Reflect, { getMetadata: () => undefined, getOwnMetadata: () => undefined });
}
const x509 = await import('@peculiar/x509');
x509.cryptoProvider.set(webcrypto as never);

/** Makes a certificate authority on the spot. */
export async function makeAuthority(lifetime: Validity = {}): Promise<Authority> {
  const keys = await makeKeys();
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    ...common(lifetime),
    // A client picks the one to check against by its name.
    name: `CN=Authority ${randomBytes(8).toString('hex')}`,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  return {
    ca: root.toString('pem'),
    async issue(names = LOOPBACK_NAMES, validity = {}, subject = 'CN=localhost') {
      const { publicKey, privateKey } = await makeKeys();
      const certificate = await x509.X509CertificateGenerator.create({
        ...common(validity),
        subject,
        issuer: root.subject,
        publicKey,
        signingKey: keys.privateKey,
        extensions: [alternativeNames(names)],
      });
      return { cert: certificate.toString('pem'), key: await pemOf(privateKey) };
    },
  };
}

/** Makes a server certificate that nobody but itself has signed. */
export async function makeSelfSigned(names: readonly string[] = LOOPBACK_NAMES): Promise<Certificate> {
  const keys = await makeKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...common({}),
    name: 'CN=localhost',
    keys,
    extensions: [alternativeNames(names)],
  });
  return { cert: certificate.toString('pem'), key: await pemOf(keys.privateKey) };
}

function common({ from = -1, to = 1 }: Validity) {
  return {
    serialNumber: `01${randomBytes(8).toString('hex')}`,
    notBefore: new Date(Date.now() + from * DAY),
    notAfter: new Date(Date.now() + to * DAY),
    signingAlgorithm: ALGORITHM,
  };
}

function alternativeNames(names: readonly string[]) {
  return new x509.SubjectAlternativeNameExtension(
    names.map((value) => ({ type: isIP(value) ? ('ip' as const) : ('dns' as const), value })),
  );
}

function makeKeys(): Promise<CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']) as Promise<CryptoKeyPair>;
}

async function pemOf(key: CryptoKey): Promise<string> {
  const bytes = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key as webcrypto.CryptoKey));
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN PRIVATE KEY-----', ...lines, '-----END PRIVATE KEY-----', ''].join('\n');
}
