import { countDown, element, minutes, post } from './dom.js';

const SCOPES = {
  openid: 'Know that it is you',
  profile: 'See your name',
  email: 'See your e-mail address',
  offline_access: 'Stay connected until you end it',
};

/** A request as a card with its two buttons. `stop` ends its countdown. */
export function showPrompt(request) {
  const title = `prompt-${request.handle}`;
  const timer = element('p', { class: 'timer', role: 'timer' });
  const problem = element('p', { class: 'notice bad', role: 'alert', hidden: true });
  const deny = button('deny', 'Deny');
  const approve = button('approve', 'Approve');
  const buttons = [deny, approve];

  const decide = async (verdict) => {
    for (const each of buttons) each.disabled = true;
    problem.hidden = true;
    try {
      await post(`/ciba/requests/${encodeURIComponent(request.handle)}/${verdict}`);
    } catch (error) {
      // The list of what is pending takes the card away; only where it stays can another try help.
      problem.textContent = error.message;
      problem.hidden = false;
      for (const each of buttons) each.disabled = false;
    }
  };
  for (const each of buttons) each.addEventListener('click', () => decide(each.value));

  const card = element(
    'article',
    { class: 'card prompt', 'aria-labelledby': title },
    element('p', { class: 'above' }, element('strong', {}, request.client), ' asks you'),
    element('h2', { class: 'message', id: title }, request.bindingMessage ?? 'Do you approve?'),
    ...request.details.map(showDetail),
    element('p', { class: 'label' }, 'It wants to'),
    element(
      'ul',
      { class: 'scopes' },
      ...request.scopes.map((scope) => element('li', {}, SCOPES[scope] ?? scope)),
    ),
    timer,
    problem,
    element('div', { class: 'decision' }, deny, approve),
  );
  const stop = countDown(request.expiresIn, (seconds) => {
    timer.textContent = seconds > 0 ? `${minutes(seconds)} left to decide` : 'The time is over';
  });
  return { card, stop };
}

/** An authorization detail: a payment in words, any other type with its members as they came. */
function showDetail(detail) {
  const { type, amount, currency, payee, ...rest } = detail;
  const rows =
    type === 'payment'
      ? [['Amount', `${amount} ${currency}`], ['To', payee], ...Object.entries(rest)]
      : Object.entries(detail);
  return element(
    'dl',
    { class: 'details' },
    ...rows.map(([name, value]) =>
      element(
        'div',
        {},
        element('dt', {}, name),
        element('dd', {}, typeof value === 'string' ? value : JSON.stringify(value)),
      ),
    ),
  );
}

const button = (verdict, text) =>
  element('button', { type: 'button', class: `verdict ${verdict}`, value: verdict }, text);
