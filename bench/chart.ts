/** A chart of bars as SVG, which is as legible on a dark page as on a light one: it brings its own ground. */

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** Where the slowest of a hundred lies, as a line that goes on. */
  readonly late?: number;
  /** Whether it is the package's: the others are there to compare with. */
  readonly ours: boolean;
}

export interface Chart {
  readonly title: string;
  /** What the bars are in. */
  readonly unit: string;
  readonly bars: readonly Bar[];
}

const [WIDTH, MARGIN, LABELS, NUMBERS, TOP, STEP, THICKNESS] = [760, 20, 190, 120, 64, 38, 20];

const STYLE = `
    .ground { fill: #ffffff; stroke: #d0d7de }
    text { font: 14px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328 }
    .title { font-weight: 600; font-size: 16px }
    .quiet { fill: #59636e; font-weight: 400; font-size: 14px }
    .ours { fill: #0969da }
    .other { fill: #8c959f }
    .late { stroke: #1f2328; stroke-width: 2 }
    @media (prefers-color-scheme: dark) {
      .ground { fill: #0d1117; stroke: #3d444d }
      text { fill: #f0f6fc }
      .quiet { fill: #9198a1 }
      .ours { fill: #4493f8 }
      .other { fill: #656c76 }
      .late { stroke: #f0f6fc }
    }`;

export function svgOf({ title, unit, bars }: Chart): string {
  const height = TOP + bars.length * STEP + MARGIN / 2;
  const most = Math.max(...bars.map(({ value, late = 0 }) => Math.max(value, late)));
  const room = WIDTH - 2 * MARGIN - LABELS - NUMBERS;
  const lengthOf = (value: number): number => round((room * value) / most);
  const lines = bars.map(({ label, value, late, ours }, index) => {
    const y = TOP + index * STEP;
    const [left, middle] = [MARGIN + LABELS, y + THICKNESS / 2];
    const end = left + lengthOf(late ?? value);
    const numbers = late === undefined ? shown(value) : `${shown(value)} – ${shown(late)}`;
    return [
      `  <text x="${left - 10}" y="${middle + 5}" text-anchor="end">${escaped(label)}</text>`,
      `  <rect class="${ours ? 'ours' : 'other'}" x="${left}" y="${y}" width="${Math.max(2, lengthOf(value))}" height="${THICKNESS}" rx="3"/>`,
      ...(late === undefined
        ? []
        : [
            `  <path class="late" d="M${round(left + lengthOf(value))} ${middle}H${round(end)}M${round(end)} ${y + 4}v${THICKNESS - 8}"/>`,
          ]),
      `  <text x="${round(end + 10)}" y="${middle + 5}">${numbers}</text>`,
    ].join('\n');
  });
  const summary = bars.map(({ label, value }) => `${label} ${shown(value)}`).join('; ');
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img">
  <title>${escaped(`${title}, ${unit}: ${summary}`)}</title>
  <style>${STYLE}
  </style>
  <rect class="ground" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>
  <text class="title" x="${MARGIN}" y="34">${escaped(title)} <tspan class="quiet">${escaped(unit)}</tspan></text>
${lines.join('\n')}
</svg>
`;
}

const round = (value: number): number => Math.round(value * 10) / 10;
const shown = (value: number): string => value.toLocaleString('en', { maximumSignificantDigits: 3 });
const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
