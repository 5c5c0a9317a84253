import { onEveryStore } from '../support/every-store.js';
import { expectRefused } from '../support/refusal.js';
import { ask } from '../support/server.js';

onEveryStore('a binding message', (make) => {
  it.each([
    'Pay 12.50 EUR to ACME',
    'W4SCT',
    '1234',
    'Zahle 12,50 € an Müller & Söhne',
    'Оплатить 100 ₽',
    'دفع ١٠٠ ريال',
    '確認コード 4711',
    'भुगतान ₹500',
    'Καφές 3€',
    'Order #7 — "Blue" (2×)',
    'Pay Ivan / Иван',
    '😀 7',
    'x'.repeat(64),
    '字'.repeat(64),
  ])('is shown as it was sent: %j [REQ-13] [REQ-14]', async (message) => {
    const server = make();
    expect((await ask(server, { binding_message: message })).status).toBe(200);
    const [request] = await server.ciba.requests.list('alice');
    expect(request?.bindingMessage).toBe(message);
  });

  it.each([
    ['a control character', 'Pay\u0000 12'],
    ['a line break', 'Pay\n12'],
    ['a tab', 'Pay\t12'],
    ['an escape', 'Pay \u001b[31m12'],
    ['a bidirectional override', 'Pay \u202e21\u202c'],
    ['a bidirectional isolate', 'Pay \u206612\u2069'],
    ['a zero-width space', 'Pay\u200b12'],
    ['a zero-width joiner', 'Pay\u200d12'],
    ['a byte order mark', '\ufeffPay 12'],
    ['a soft hyphen', 'Pay\u00ad12'],
    ['a no-break space', 'Pay\u00a012'],
    ['a line separator', 'Pay\u202812'],
    ['a tag character', 'Pay 12\u{e0041}'],
    ['a private character', 'Pay \ue000'],
    ['an unassigned character', 'Pay \u{e0fff}'],
    ['more than 64 characters', 'x'.repeat(65)],
    ['more than 64 characters of a long script', '字'.repeat(65)],
    ['decomposed letters', 'Mu\u0308ller'],
    ['a Cyrillic letter in a Latin word', 'P\u0430y 12'],
    ['a Greek letter in a Latin word', 'P\u03b1y 12'],
    ['a space in front', ' Pay 12'],
    ['a space at the end', 'Pay 12 '],
  ])('with %s is refused, not mangled [REQ-14] [REQ-15] [ERR-10]', async (_what, message) => {
    const server = make();
    await expectRefused(server, () => ask(server, { binding_message: message }), {
      error: 'invalid_binding_message',
    });
  });

  it('may be judged by the server’s own rule instead', async () => {
    const { errors } = await import('oidc-provider');
    const server = make({
      hooks: {
        validateBindingMessage: (_ctx, message) => {
          if (!/^\d{4}$/.test(message ?? '')) throw new errors.InvalidBindingMessage('four digits');
        },
      },
    });
    expect((await ask(server, { binding_message: '4711' })).status).toBe(200);
    await expectRefused(server, () => ask(server, { binding_message: 'Pay 12' }), {
      error: 'invalid_binding_message',
    });
  });
});
