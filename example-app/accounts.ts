import type { FindAccount } from 'oidc-provider';

/** A person whom the example knows. */
export interface Person {
  readonly id: string;
  readonly name: string;
  readonly email: string;
}

/** Everybody whom the example knows. */
export const people: readonly Person[] = [
  { id: 'alice', name: 'Alice Archer', email: 'alice@example.com' },
  { id: 'bob', name: 'Bob Brook', email: 'bob@example.com' },
];

/** The person with this id. */
export function personById(id: unknown): Person | undefined {
  return people.find((person) => person.id === id);
}

/** The account that a `login_hint` names: an id or an e-mail address. */
export function resolveLoginHint(hint: string): string | undefined {
  const wanted = hint.trim().toLowerCase();
  return people.find(({ id, email }) => id === wanted || email === wanted)?.id;
}

/** The provider's look-up of an account. */
export const findAccount: FindAccount = (_ctx, id) => {
  const person = personById(id);
  if (!person) return undefined;
  const { name, email } = person;
  return {
    accountId: person.id,
    claims: async () => ({ sub: person.id, name, email, email_verified: true }),
  };
};
