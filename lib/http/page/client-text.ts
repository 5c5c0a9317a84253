import { html, type Markup } from '../../html.js';

/** Text that came from a client, which must not turn the text around it. */
export const bdi = (text: string): Markup => html`<bdi>${text}</bdi>`;

/** A text of the server's with the name of who asks in it. */
export function withClient(template: string, client: string): Markup {
  const [before = '', ...rest] = template.split('{client}');
  return html`${before}${rest.map((after) => html`<strong>${bdi(client)}</strong>${after}`)}`;
}
