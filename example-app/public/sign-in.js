import { element, post } from './dom.js';
import { canUsePasskeys, signInWithPasskey } from './passkey.js';

/** Offers everybody whom the example knows, and to sign in with a passkey; `done` is called once somebody is signed in. */
export function offerSignIn(place, people, done) {
  const problem = element('p', { class: 'notice bad', role: 'alert', hidden: true });
  const attempt = (signIn) => async () => {
    problem.hidden = true;
    try {
      await signIn();
    } catch ({ message }) {
      problem.textContent = message;
      problem.hidden = false;
      return;
    }
    done();
  };
  const choices = people.map(({ id, name, email }) => {
    const button = element(
      'button',
      { type: 'button', class: 'person', value: id },
      element('strong', {}, name),
      element('span', {}, email),
    );
    button.addEventListener(
      'click',
      attempt(() => post('/phone/login', { account: id })),
    );
    return button;
  });
  const passkey = element(
    'button',
    { type: 'button', class: 'secondary', hidden: !canUsePasskeys() },
    'Sign in with a passkey',
  );
  passkey.addEventListener('click', attempt(signInWithPasskey));
  place.replaceChildren(...choices, passkey, problem);
}
