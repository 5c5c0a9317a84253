import { CIBA_GRANT } from '../provider/names.js';

/** A poll that holds nothing but what every poll holds. */
export interface PlainPoll {
  readonly authReqId: string;
  /** The client's credentials as they stand in the form, or what there is of them. */
  readonly credentials: string;
}

/** The ways in which the grant type is written in a form. */
const ENCODED = encodeURIComponent(CIBA_GRANT);
const GRANTS: ReadonlySet<string> = new Set([CIBA_GRANT, ENCODED, ENCODED.toLowerCase()]);

const AUTH_REQ_ID = /^[\w-]{16,128}$/;

/** Reads a form as a plain poll; nothing where it is anything else, which is the provider's to judge. */
export function plainPollOf(form: string): PlainPoll | undefined {
  let [authReqId, isGrant, credentials] = ['', false, ''];
  for (const field of form.split('&')) {
    const at = field.indexOf('=');
    if (at < 0) return undefined;
    const [name, value] = [field.slice(0, at), field.slice(at + 1)];
    if (name === 'auth_req_id' && authReqId === '' && AUTH_REQ_ID.test(value)) authReqId = value;
    else if (name === 'grant_type' && !isGrant && GRANTS.has(value)) isGrant = true;
    else if (name === 'client_id' || name === 'client_secret') credentials += `${field}&`;
    else return undefined;
  }
  return isGrant && authReqId !== '' ? { authReqId, credentials } : undefined;
}
