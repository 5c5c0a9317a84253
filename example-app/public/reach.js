import { byId, element } from './dom.js';

const CHANNELS = { 'web-push': 'Web push', email: 'E-mail' };

/** What each state means, and how it looks. */
const STATES = {
  waiting: ['Waits its turn', 'cancelled'],
  trying: ['Trying', 'waiting'],
  sent: ['Sent', 'approved'],
  failed: ['Not reached', 'denied'],
  dismissed: ['Dismissed', 'cancelled'],
  // A mail, say, which nobody can take away.
  left: ['Stays', 'cancelled'],
  stuck: ['Could not be dismissed', 'denied'],
  unneeded: ['Not needed', 'cancelled'],
};

const REASONS = {
  no_address: { 'web-push': 'no device wants to be notified', email: 'there is no address' },
  gone: { 'web-push': 'the devices have gone', email: 'the address has gone' },
  refused: 'it was refused',
  unavailable: 'it does not answer',
};

/** Shows live how the person of a sale is reached. Returns how to stop it. */
export function followReach({ sale, who }) {
  const events = new EventSource(`/till/reach?sale=${encodeURIComponent(sale)}`);
  byId('reach').hidden = true;
  events.addEventListener('reach', ({ data }) => {
    const { channels, over } = JSON.parse(data);
    byId('reach').hidden = channels.length === 0;
    byId('channels').replaceChildren(...channels.map((channel) => line(channel, over)));
    if (over) events.close();
  });
  const name = document.querySelector(`[name="who"][value="${CSS.escape(who)}"]`)?.parentElement.textContent;
  byId('reach-title').textContent = `How ${(name ?? who).trim().split(' ')[0]} is reached`;
  return () => events.close();
}

function line({ channel, state, attempts, reason }, over) {
  const unneeded = over && state === 'waiting';
  const stuck = state === 'left' && reason;
  const [word, tone] = STATES[unneeded ? 'unneeded' : stuck ? 'stuck' : state];
  const tries = attempts > 1 ? `tried ${attempts} times` : undefined;
  const said = REASONS[reason]?.[channel] ?? REASONS[reason];
  return element(
    'li',
    { 'data-channel': channel },
    element('strong', {}, CHANNELS[channel] ?? channel),
    element('span', { class: 'quiet' }, [said, tries].filter(Boolean).join(', ')),
    element('span', { class: `tag ${tone}` }, word),
  );
}
