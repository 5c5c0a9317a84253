import { byId, countDown, element, minutes, post, timeOfDay } from './dom.js';
import { followReach } from './reach.js';

const STATES = {
  waiting: 'Waiting',
  approved: 'Approved',
  denied: 'Denied',
  expired: 'Expired',
  cancelled: 'Cancelled',
  failed: 'Failed',
  untold: 'Time is over',
};

const MODES = {
  poll: 'The till asks for the tokens again and again until the person has decided.',
  ping: 'The server calls the till once the person has decided. Only then does the till ask for the tokens.',
  push: 'The server calls the till with the tokens. The till asks for nothing.',
};

const order = byId('order');
let callbacks = {};
let sale;
let events;
let stopClock = () => {};
let forgetReach = () => {};

async function start() {
  const { people, queue, mailbox, ...setup } = await (await fetch('/till/setup')).json();
  callbacks = setup.callbacks;
  byId('queue').hidden = !queue;
  byId('mailbox').hidden = !mailbox;
  byId('people').replaceChildren(
    ...people.map(({ id, name }, index) =>
      element(
        'label',
        { class: 'option' },
        element('input', { type: 'radio', name: 'who', value: id, required: true, checked: index === 0 }),
        ` ${name}`,
      ),
    ),
  );
  noteMode();
  order.hidden = false;
}

function noteMode() {
  const { mode, number } = order.elements;
  // The till with a number is a client of its own, and registered to poll.
  if (number.checked) mode.value = 'poll';
  for (const choice of mode) choice.disabled = number.checked && choice.value !== 'poll';
  byId('mode-note').textContent = `${MODES[mode.value]} ${whereTo(mode.value)}`;
}

/** Said only where the call does not come to this till. */
function whereTo(mode) {
  return callbacks[mode]?.elsewhere ? `The call goes to ${callbacks[mode].url}.` : '';
}

order.addEventListener('change', noteMode);

order.addEventListener('submit', async (event) => {
  event.preventDefault();
  const form = new FormData(order);
  const button = order.querySelector('button');
  button.disabled = true;
  byId('refused').hidden = true;
  try {
    const asked = await post('/till/ask', {
      who: form.get('who'),
      mode: form.get('mode'),
      number: form.has('number'),
      amount: form.get('amount'),
      text: form.get('text'),
      scopes: form.getAll('scopes'),
    });
    follow(asked);
  } catch (error) {
    byId('refused').textContent = error.message;
    byId('refused').hidden = false;
  } finally {
    button.disabled = false;
  }
});

function follow(asked) {
  sale = asked.sale;
  order.hidden = true;
  byId('sale').hidden = false;
  byId('result').hidden = true;
  forget();
  byId('callback').hidden = asked.mode === 'poll';
  byId('awaiting').hidden = false;
  byId('awaiting').textContent = whereTo(asked.mode) || 'Nothing yet: the till waits for the call.';
  byId('polls').hidden = asked.mode !== 'poll';
  byId('message').textContent = asked.bindingMessage;
  byId('message').focus();
  byId('number').hidden = !asked.number;
  byId('digits').textContent = asked.number ?? '';
  forgetReach();
  forgetReach = followReach(asked);
  show('waiting');
  byId('again').textContent = 'Cancel';
  byId('progress').hidden = false;
  byId('progress').max = asked.expiresIn;
  stopClock = countDown(asked.expiresIn, (seconds) => {
    byId('left').textContent = `${minutes(seconds)} left`;
    byId('progress').value = seconds;
  });

  events = new EventSource(`/till/events?sale=${encodeURIComponent(sale)}`);
  // Whoever connects hears everything from the beginning.
  events.addEventListener('open', forget);
  events.addEventListener('callback', ({ data }) => showCallback(JSON.parse(data)));
  events.addEventListener('poll', ({ data }) => logPoll(JSON.parse(data)));
  events.addEventListener('end', ({ data }) => end(JSON.parse(data)));
  events.addEventListener('error', () => {
    if (events.readyState === EventSource.CLOSED) {
      end({ state: 'failed', description: 'the server knows nothing of this sale any more' });
    }
  });
}

function forget() {
  byId('log').replaceChildren();
  byId('call').replaceChildren();
}

function showCallback({ at, path, headers, body }) {
  byId('awaiting').hidden = true;
  byId('call').replaceChildren(
    element(
      'p',
      { class: 'called' },
      element('time', { datetime: at }, timeOfDay(new Date(at))),
      element('span', { class: 'code' }, `POST ${path}`),
    ),
    list(headers),
    block('call-body', 'body', body),
  );
}

function logPoll({ at, status, said, next }) {
  byId('polls').hidden = false;
  const tone = said === 'tokens' ? 'approved' : said === 'authorization_pending' ? 'waiting' : 'denied';
  byId('log').append(
    element(
      'li',
      {},
      element('time', { datetime: at }, timeOfDay(new Date(at))),
      element('span', { class: 'code' }, String(status ?? '–')),
      element('span', { class: `tag ${tone}` }, said),
      element('span', { class: 'quiet' }, next === undefined ? '' : `next in ${next} s`),
    ),
  );
}

function end({ state, description, tokens }) {
  events.close();
  stopClock();
  byId('number').hidden = true;
  show(state, state === 'failed' ? description : undefined);
  byId('left').textContent = '';
  byId('progress').hidden = true;
  byId('again').textContent = 'New payment';
  if (!tokens) return;
  const { id_token: idToken, authorization_details: details, ...others } = tokens;
  byId('tokens').replaceChildren(
    element('h3', {}, 'ID Token, signature checked'),
    block('token-header', 'header', idToken.header),
    block('token-payload', 'payload', idToken.payload),
    element('h3', {}, 'Beside it'),
    list(others),
    ...(details ? [block('token-details', 'authorization_details', details)] : []),
  );
  byId('result').hidden = false;
}

const list = (members) =>
  element(
    'dl',
    { class: 'details' },
    ...Object.entries(members)
      .filter(([, value]) => value !== undefined && value !== '')
      .map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, String(value)))),
  );

const block = (id, name, value) =>
  element(
    'figure',
    {},
    element('figcaption', {}, name),
    element('pre', { id, tabindex: '0' }, JSON.stringify(value, null, 2)),
  );

function show(state, description) {
  byId('state').className = `state ${state}`;
  byId('state').textContent = description ? `${STATES[state]}: ${description}` : STATES[state];
}

byId('again').addEventListener('click', async () => {
  if (events.readyState !== EventSource.CLOSED) {
    try {
      await post('/till/cancel', { sale });
    } catch (error) {
      // Decided meanwhile, or the server does not answer: the sale goes on, and the till hears how it ends, if it has not yet.
      if (events.readyState !== EventSource.CLOSED) show('waiting', error.message);
      return;
    }
  }
  events.close();
  stopClock();
  forgetReach();
  byId('sale').hidden = true;
  order.hidden = false;
  order.querySelector('[name="amount"]').focus();
});

start();
