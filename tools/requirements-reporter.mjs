// Writes down after a full run which requirements its specs cite, for tools/check-requirements.mjs. The gate is a
// step of its own, so that it can be asked without a run, and a missing row is not taken for a spec that fails.
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { citationsOf, ranInFull } from './requirements.mjs';

const specFolder = fileURLToPath(new URL('../spec/', import.meta.url));
const resultsFile = new URL('../coverage/requirements.json', import.meta.url);

export default class RequirementsReporter {
  constructor(globalConfig) {
    this.globalConfig = globalConfig;
  }

  onRunComplete(_contexts, results) {
    const specs = readdirSync(specFolder, { recursive: true }).filter((file) => file.endsWith('.spec.ts'));
    const paths = specs.map((file) => join(specFolder, file));
    if (!ranInFull(paths, this.globalConfig, results)) return;
    mkdirSync(new URL('.', resultsFile), { recursive: true });
    writeFileSync(resultsFile, `${JSON.stringify(citationsOf(results.testResults), null, 2)}\n`);
  }
}
