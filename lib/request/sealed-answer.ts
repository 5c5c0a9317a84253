import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { handleOf } from './handle.js';

const ALGORITHM = 'aes-256-gcm';
const [IV_BYTES, TAG_BYTES] = [12, 16];

/**
 * Seals an answer with the `auth_req_id`, which is stored nowhere: who reads the store cannot open it, and the client that comes again with the
 * id can.
 */
export function sealAnswer(authReqId: string, answer: string): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(ALGORITHM, keyOf(authReqId), iv);
  const sealed = Buffer.concat([cipher.update(answer, 'utf8'), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url');
}

/** Opens what {@link sealAnswer} has sealed; nothing where it was another id, or not sealed here. */
export function openAnswer(authReqId: string, sealed: string): string | undefined {
  const bytes = Buffer.from(sealed, 'base64url');
  try {
    const decipher = createDecipheriv(ALGORITHM, keyOf(authReqId), bytes.subarray(0, IV_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
    const opened = [decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()];
    return Buffer.concat(opened).toString('utf8');
  } catch {
    return undefined;
  }
}

function keyOf(authReqId: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', authReqId, handleOf(authReqId), 'oidc-provider-ciba answer', 32));
}
