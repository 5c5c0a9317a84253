import { element } from './dom.js';
import { canBeNotified, getNotified, notificationState, stopNotifying } from './notifications.js';
import { addPasskey, canUsePasskeys } from './passkey.js';

/** What the browser offers when the page can be installed; kept until somebody wants that. */
let installing;
let installed = matchMedia('(display-mode: standalone)').matches;

/** Shows what this device can be set to, each with its button. */
export function showDevice(list, { passkeys, vapidPublicKey }) {
  list.replaceChildren(notifications(vapidPublicKey), passkeyOf(passkeys), install());
}

/**
 * A setting as a line: what it is for, how it stands, and a button. `act` runs when that is pressed, and what it throws is shown. `show`
 * says how it stands; a line that has nothing to show hides.
 */
function setting(name, purpose, act) {
  const button = element('button', { type: 'button', class: 'secondary small', hidden: true });
  const state = element('span', { class: 'tag', hidden: true });
  const problem = element('p', { class: 'notice bad', role: 'alert', hidden: true });
  button.addEventListener('click', async () => {
    button.disabled = true;
    problem.hidden = true;
    await act().catch(({ message }) => {
      problem.textContent = message;
      problem.hidden = false;
    });
    button.disabled = false;
  });
  const show = (text, tone, label) => {
    state.textContent = text;
    state.className = `tag ${tone}`;
    state.hidden = !text;
    button.textContent = label ?? '';
    button.hidden = !label;
    line.hidden = !text && !label;
  };
  const line = element(
    'li',
    { class: 'setting', hidden: true },
    element('div', {}, element('strong', {}, name), element('p', { class: 'quiet' }, purpose), problem),
    element('div', { class: 'control' }, state, button),
  );
  return { line, show };
}

function notifications(vapidPublicKey) {
  const { line, show } = setting('Notifications', 'Hear of a request while this page is closed', async () => {
    try {
      if ((await notificationState()) === 'on') await stopNotifying();
      else await getNotified(vapidPublicKey);
    } finally {
      await refresh();
    }
  });
  const states = {
    on: () => show('On', 'approved', 'Stop'),
    off: () => show('', '', 'Get notified'),
    blocked: () => show('Blocked in the browser', 'denied'),
  };
  const refresh = async () => states[await notificationState()]();
  if (canBeNotified()) renew(vapidPublicKey).then(refresh, refresh);
  else show('Not in this browser', 'cancelled');
  return line;
}

/** A server that keeps nothing beyond its process has forgotten this browser: it is told again. */
async function renew(vapidPublicKey) {
  if ((await notificationState()) === 'on') await getNotified(vapidPublicKey);
}

function passkeyOf(known) {
  const { line, show } = setting('Passkey', 'Sign in and decide with this device’s lock', async () =>
    refresh(await addPasskey()),
  );
  const refresh = (count) => {
    if (count > 0) show(`${count} added`, 'approved', 'Add another');
    else show('', '', 'Add a passkey');
  };
  if (canUsePasskeys()) refresh(known);
  else show('Not in this browser', 'cancelled');
  return line;
}

function install() {
  const { line, show } = setting('App', 'Keep this page on the home screen', async () => {
    const { outcome } = await installing.prompt();
    installing = undefined;
    installed = outcome === 'accepted';
    refresh();
  });
  const refresh = () => {
    if (installed) show('Installed', 'approved');
    else show('', '', installing && 'Install');
  };
  addEventListener('installable', refresh);
  refresh();
  return line;
}

addEventListener('beforeinstallprompt', (event) => {
  event.preventDefault();
  installing = event;
  dispatchEvent(new Event('installable'));
});
addEventListener('appinstalled', () => {
  installed = true;
  dispatchEvent(new Event('installable'));
});
