import { countDown, element, minutes, post } from './dom.js';

const SCOPES = {
  openid: 'Know that it is you',
  profile: 'See your name',
  email: 'See your e-mail address',
  offline_access: 'Stay connected until you end it',
};

/**
 * A request as a card with its buttons. `stop` ends its countdown; `tell` is called where a decision came to something else than was
 * wanted.
 */
export function showPrompt(request, tell) {
  const title = `prompt-${request.handle}`;
  const timer = element('p', { class: 'timer', role: 'timer' });
  const problem = element('p', { class: 'notice bad', role: 'alert', hidden: true });
  const number = request.numberMatching ? numberField(request.handle) : undefined;
  const deny = button('verdict deny', 'Deny');
  const approve = button('verdict approve', 'Approve');
  const report = button('link', 'I did not start this');
  const buttons = [deny, approve, report];

  const refused = (sentence) => {
    problem.textContent = sentence;
    problem.hidden = false;
    for (const each of buttons) each.disabled = false;
  };
  const decide = async (verdict, body) => {
    for (const each of buttons) each.disabled = true;
    problem.hidden = true;
    try {
      await post(`/ciba/requests/${encodeURIComponent(request.handle)}/${verdict}`, body);
    } catch (error) {
      if (error.code === 'wrong_number') {
        tell('That is not the number on the other screen, so the request was denied. Nothing was approved.');
      }
      // The list of what is pending takes the card away; only where it stays can another try help.
      refused(error.message);
    }
  };
  deny.addEventListener('click', () => decide('deny'));
  report.addEventListener('click', () => decide('report'));
  approve.addEventListener('click', () => {
    if (!number) decide('approve');
    else if (number.input.checkValidity()) decide('approve', { number: number.input.value });
    else {
      refused('Type the two digits that the other screen shows.');
      number.input.focus();
    }
  });

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
    number?.field,
    timer,
    problem,
    element('div', { class: 'decision' }, deny, approve),
    element(
      'div',
      { class: 'report' },
      report,
      element('p', { class: 'quiet' }, `Denies it, and ${request.client} may not ask you again.`),
    ),
  );
  const stop = countDown(request.expiresIn, (seconds) => {
    timer.textContent = seconds > 0 ? `${minutes(seconds)} left to decide` : 'The time is over';
  });
  return { card, stop };
}

/** The number on the asking screen is typed, not chosen: who has not that screen in front of them cannot. */
function numberField(handle) {
  const note = `number-note-${handle}`;
  const input = element('input', {
    inputmode: 'numeric',
    autocomplete: 'off',
    pattern: '[0-9]{2}',
    maxlength: '2',
    required: true,
    'aria-describedby': note,
  });
  const field = element(
    'div',
    { class: 'matching' },
    element('label', {}, element('span', {}, 'Number on the other screen'), input),
    element('p', { id: note, class: 'quiet' }, 'A wrong number denies the request.'),
  );
  return { field, input };
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

const button = (kind, text) => element('button', { type: 'button', class: kind }, text);
