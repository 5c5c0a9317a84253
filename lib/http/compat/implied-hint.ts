import type { Form } from './form.js';

/** What names the person; a signed request holds its hint itself, and takes nothing beside it. */
const HINTS = ['login_hint', 'login_hint_token', 'id_token_hint', 'request', 'request_uri'] as const;

/** The form with the hint that an administrator has bound to the client, where it holds none. */
export function withImpliedHint(form: Form, subject: string | undefined): Form {
  return subject === undefined || HINTS.some((hint) => form.has(hint))
    ? form
    : form.adding('login_hint', subject);
}
