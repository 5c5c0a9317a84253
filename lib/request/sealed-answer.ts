import { decrypt, derivedKey, encrypt } from '../aes.js';
import { handleOf } from './handle.js';

/**
 * Seals an answer with the `auth_req_id`, which is stored nowhere: who reads the store cannot open it, and the client that comes again with the
 * id can.
 */
export function sealAnswer(authReqId: string, answer: string): string {
  return encrypt(answer, keyOf(authReqId));
}

/** Opens what {@link sealAnswer} has sealed; nothing where it was another id, or not sealed here. */
export function openAnswer(authReqId: string, sealed: string): string | undefined {
  return decrypt(sealed, keyOf(authReqId));
}

const keyOf = (authReqId: string): Uint8Array =>
  derivedKey(authReqId, handleOf(authReqId), 'oidc-provider-ciba answer');
