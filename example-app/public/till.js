import { byId, countDown, element, minutes, post, timeOfDay } from './dom.js';

const STATES = {
  waiting: 'Waiting',
  approved: 'Approved',
  denied: 'Denied',
  expired: 'Expired',
  cancelled: 'Cancelled',
  failed: 'Failed',
};

const order = byId('order');
let sale;
let events;
let stopClock = () => {};

async function start() {
  const { people } = await (await fetch('/till/people')).json();
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
  order.hidden = false;
}

order.addEventListener('submit', async (event) => {
  event.preventDefault();
  const form = new FormData(order);
  const button = order.querySelector('button');
  button.disabled = true;
  byId('refused').hidden = true;
  try {
    const asked = await post('/till/ask', {
      who: form.get('who'),
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
  byId('log').replaceChildren();
  byId('message').textContent = asked.bindingMessage;
  byId('message').focus();
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
  events.addEventListener('open', () => byId('log').replaceChildren());
  events.addEventListener('poll', ({ data }) => logPoll(JSON.parse(data)));
  events.addEventListener('end', ({ data }) => end(JSON.parse(data)));
  events.addEventListener('error', () => {
    if (events.readyState === EventSource.CLOSED) {
      end({ state: 'failed', description: 'the server knows nothing of this sale any more' });
    }
  });
}

function logPoll({ at, status, said, next }) {
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
  show(state, state === 'failed' ? description : undefined);
  byId('left').textContent = '';
  byId('progress').hidden = true;
  byId('again').textContent = 'New payment';
  if (!tokens) return;
  const { id_token: idToken, authorization_details: details, ...others } = tokens;
  const rows = Object.entries(others).filter(([, value]) => value !== undefined && value !== '');
  byId('tokens').replaceChildren(
    element('h3', {}, 'ID Token, signature checked'),
    block('header', idToken.header),
    block('payload', idToken.payload),
    element('h3', {}, 'Beside it'),
    element(
      'dl',
      { class: 'details' },
      ...rows.map(([name, value]) =>
        element('div', {}, element('dt', {}, name), element('dd', {}, String(value))),
      ),
    ),
    ...(details ? [block('authorization_details', details)] : []),
  );
  byId('result').hidden = false;
}

const block = (name, value) =>
  element(
    'figure',
    {},
    element('figcaption', {}, name),
    element('pre', { id: `token-${name}`, tabindex: '0' }, JSON.stringify(value, null, 2)),
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
      // Decided meanwhile, or the server does not answer: the sale goes on, and its polls tell how it ends.
      show('waiting', error.message);
      return;
    }
  }
  events.close();
  stopClock();
  byId('sale').hidden = true;
  order.hidden = false;
  order.querySelector('[name="amount"]').focus();
});

start();
