/** The parts of a JSON text that say where a member begins: strings, and what opens, closes and parts. */
const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\]:]/g;

/** Whether an object of a JSON text names a member twice, of which every reader would take another one (RFC 8259 4). */
export function duplicateMember(json: string): boolean {
  const open: (Set<string> | undefined)[] = [];
  let last = '';
  for (const [token] of json.matchAll(TOKENS)) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(undefined);
    else if (token === '}' || token === ']') open.pop();
    else if (token === ':') {
      const members = open.at(-1);
      const name = String(parsed(last));
      if (members?.has(name)) return true;
      members?.add(name);
    }
    last = token;
  }
  return false;
}

function parsed(token: string): unknown {
  try {
    return JSON.parse(token);
  } catch {
    return token;
  }
}
