// Which requirements are cited by which specs, and what is wrong with that.

/**
 * The ids that a name cites: `[HINT-13]` or `[PING-7, PING-8]` anywhere in it, `UX-4: ` at its start. `SD-1` and its like are cases of the
 * tutorial's dialect, which stands beside the requirements.
 */
export function citedIn(name) {
  const bracketed = [...name.matchAll(/\[([A-Z]{2,}-\d+(?:, ?[A-Z]{2,}-\d+)*)\]/g)];
  const leading = /^([A-Z]{2,}-\d+): /.exec(name);
  const ids = [...bracketed.flatMap(([, listed]) => listed.split(/, ?/)), ...(leading ? [leading[1]] : [])];
  return ids.filter((id) => !id.startsWith('SD-'));
}

/** Whether every spec ran. There are many ways to choose some, so what ran is looked at. */
export function ranInFull(specs, { testNamePattern }, { testResults, wasInterrupted }) {
  const ran = new Set(testResults.map(({ testFilePath }) => testFilePath));
  return !testNamePattern && !wasInterrupted && specs.every((file) => ran.has(file));
}

/** The ids that passing and failing tests cite. What a `describe` cites counts for each of its tests. */
export function citationsOf(testResults) {
  const cited = { passed: new Set(), failed: new Set() };
  for (const { status, ancestorTitles, title } of testResults.flatMap((file) => file.testResults)) {
    for (const id of [...ancestorTitles, title].flatMap(citedIn)) cited[status]?.add(id);
  }
  return { passed: [...cited.passed].sort(), failed: [...cited.failed].sort() };
}

/** What is wrong, a line each. */
export function faultsOf(requirements, { passed, failed }) {
  const known = new Set(requirements.map(({ id }) => id));
  const unknown = [...new Set([...passed, ...failed])].filter((id) => !known.has(id));
  const needed = ({ id, level, notOurs, gap }) =>
    level !== 'MAY' && notOurs === undefined && gap === undefined && !passed.includes(id);
  return [
    ...unknown.map((id) => `${id} is cited and is no requirement`),
    ...requirements
      .filter(needed)
      .map(({ id, level, what }) =>
        failed.includes(id)
          ? `${id} (${level}) is cited only by specs that fail: ${what}`
          : `${id} (${level}) is cited by no spec: ${what}`,
      ),
    ...requirements
      .filter(({ id, gap }) => gap !== undefined && passed.includes(id))
      .map(({ id, gap }) => `${id} is marked as a gap and a spec of it passes: ${gap}`),
  ];
}
