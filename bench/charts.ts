import type { Chart } from './chart.js';
import type { ValueOf } from './results.js';

/** The charts of what was measured, by the name of their file in `docs/images/`. */
export function chartsOf(value: ValueOf): Readonly<Record<string, Chart>> {
  return {
    'pending-polls': {
      title: 'Polls of pending requests',
      unit: 'a second, by client_secret_basic',
      bars: [
        { label: 'oidc-provider alone', value: value('basicNative'), ours: false },
        { label: 'with the plugin', value: value('basicExpress'), ours: true },
        { label: 'and with accelerate()', value: value('basicAccelerated'), ours: true },
        { label: 'bare node:http and Redis', value: value('basicFloor'), ours: false },
      ],
    },
    'approval-to-tokens': {
      title: 'From the approval to the tokens',
      unit: 'ms: median – 99th percentile',
      bars: [
        { label: 'a poll every 5 s', value: value('pollingMedian'), late: value('pollingLate'), ours: false },
        { label: 'ping', value: value('pingMedian'), late: value('pingLate'), ours: true },
        {
          label: 'long poll, other process',
          value: value('heldThereMedian'),
          late: value('heldThereLate'),
          ours: true,
        },
        {
          label: 'long poll, same process',
          value: value('heldHereMedian'),
          late: value('heldHereLate'),
          ours: true,
        },
      ],
    },
    'many-pending': {
      title: 'Polls, by how many requests are pending',
      unit: 'a second',
      bars: [
        { label: '1,000', value: value('pollsAt1000'), ours: true },
        { label: '100,000', value: value('pollsAt100000'), ours: true },
        { label: '1,000,000', value: value('pollsAt1000000'), ours: true },
      ],
    },
    'held-polls': {
      title: `Memory of a process that holds ${value('heldCount').toLocaleString('en')} polls`,
      unit: 'MB',
      bars: [
        { label: 'bare Express handler', value: value('heldBare'), ours: false },
        { label: 'with the plugin', value: value('heldPlugin'), ours: true },
      ],
    },
  };
}
