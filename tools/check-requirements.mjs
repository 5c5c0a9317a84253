// Fails where a MUST or SHOULD of spec/requirements.ts is cited by no spec that passes, where a spec cites what
// is no requirement, and where a gap has been closed. Reads what the last full run of the specs left; a run of
// some of them leaves that as it is.
import { existsSync, readFileSync } from 'node:fs';
import { requirements } from '../spec/requirements.ts';
import { faultsOf } from './requirements.mjs';

const resultsFile = new URL('../coverage/requirements.json', import.meta.url);
const faults = existsSync(resultsFile)
  ? faultsOf(requirements, JSON.parse(readFileSync(resultsFile, 'utf8')))
  : ['No full run of the specs has been written down: run npm test first'];
if (faults.length > 0) {
  console.error(faults.join('\n'));
  process.exit(1);
}
