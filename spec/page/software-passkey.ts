import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import type { StoredPasskey } from 'oidc-provider-ciba';

/** What a passkey says of itself: the person was there and verified; the key may be had by several devices. */
const PRESENT_AND_VERIFIED = 0x05;
const OF_SEVERAL_DEVICES = 0x18;

/** A passkey without a device: its person always agrees. */
export interface SoftwarePasskey {
  readonly stored: StoredPasskey;
  /** Answers a challenge, as a browser at this origin sends it. */
  answer(challenge: string, origin: string): object;
}

/** Makes one with a key of its own (ES256). */
export function softwarePasskey(id: string, { synced = false } = {}): SoftwarePasskey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  // COSE_Key of RFC 9052 7: an EC2 key, ES256, P-256.
  const cose = Buffer.concat([
    Buffer.from('a5010203262001215820', 'hex'),
    Buffer.from(x, 'base64url'),
    Buffer.from('225820', 'hex'),
    Buffer.from(y, 'base64url'),
  ]);
  return {
    stored: { id, publicKey: new Uint8Array(cose), counter: 0 },
    answer(challenge, origin) {
      const clientData = Buffer.from(JSON.stringify({ type: 'webauthn.get', challenge, origin }));
      const flags = PRESENT_AND_VERIFIED | (synced ? OF_SEVERAL_DEVICES : 0);
      const authenticatorData = Buffer.concat([
        digest(new URL(origin).hostname),
        Buffer.from([flags, 0, 0, 0, 0]),
      ]);
      const signature = sign('sha256', Buffer.concat([authenticatorData, digest(clientData)]), privateKey);
      const response = { clientDataJSON: clientData, authenticatorData, signature };
      return {
        id,
        rawId: id,
        type: 'public-key',
        clientExtensionResults: {},
        response: Object.fromEntries(
          Object.entries(response).map(([name, bytes]) => [name, bytes.toString('base64url')]),
        ),
      };
    },
  };
}

const digest = (data: string | Buffer): Buffer => createHash('sha256').update(data).digest();
