import { type Content, html, type Markup } from '../../html.js';
import { ASSETS_VERSION } from './assets.js';
import type { Language } from './language.js';

/** What every page has around it. Its address is that of a link, which the assets stand beside. */
export function layout({ tag, direction }: Language, title: string, main: Content): string {
  return html`<!doctype html>
<html lang="${tag}" dir="${direction}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="assets/page.css?v=${ASSETS_VERSION}">
<script type="module" src="assets/page.js?v=${ASSETS_VERSION}"></script>
</head>
<body>
<main>${main}</main>
</body>
</html>
`.text;
}

const TICK = html`<svg viewBox="0 0 48 48" aria-hidden="true" focusable="false"><circle cx="24" cy="24" r="21"/><path d="M15 24.5l6.5 6.5L33.5 18.5"/></svg>`;
const CROSS = html`<svg viewBox="0 0 48 48" aria-hidden="true" focusable="false"><circle cx="24" cy="24" r="21"/><path d="M17 17l14 14M31 17L17 31"/></svg>`;
const DASH = html`<svg viewBox="0 0 48 48" aria-hidden="true" focusable="false"><circle cx="24" cy="24" r="21"/><path d="M15 24h18"/></svg>`;

const SIGNS: Readonly<Record<'good' | 'bad' | 'plain', Markup>> = { good: TICK, bad: CROSS, plain: DASH };

/** A page that says one thing. */
export function notice(
  kind: keyof typeof SIGNS,
  title: string,
  sentences: readonly Content[],
  more?: Content,
): Markup {
  return html`<section class="card notice ${kind}">${SIGNS[kind]}<h1>${title}</h1>
${sentences.map((sentence) => html`<p>${sentence}</p>`)}${more}</section>`;
}
