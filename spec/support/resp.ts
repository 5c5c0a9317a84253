/** What a client sends: an array of bulk strings. Returns the command and where it ends, or nothing while it is incomplete. */
export function requestAt(bytes: Buffer, start: number): { command: string[]; end: number } | undefined {
  const header = lineAt(bytes, start);
  if (!header) return undefined;
  if (!header.text.startsWith('*')) throw new Error(`not a RESP request: ${header.text}`);
  const command: string[] = [];
  let at = header.end;
  for (let left = Number(header.text.slice(1)); left > 0; left -= 1) {
    const length = lineAt(bytes, at);
    if (!length) return undefined;
    const end = length.end + Number(length.text.slice(1));
    if (bytes.length < end + 2) return undefined;
    command.push(bytes.toString('utf8', length.end, end));
    at = end + 2;
  }
  return { command, end: at };
}

/** Where the reply that starts here ends, or nothing while it is incomplete (RESP 2 and 3). */
export function replyEnd(bytes: Buffer, start: number): number | undefined {
  const line = lineAt(bytes, start);
  if (!line) return undefined;
  const count = Number(line.text.slice(1));
  switch (line.text[0]) {
    case '$':
    case '=':
    case '!':
      return count < 0 ? line.end : within(bytes, line.end + count + 2);
    case '*':
    case '~':
    case '>':
      return elementsEnd(bytes, line.end, count);
    case '%':
      return elementsEnd(bytes, line.end, count * 2);
    default:
      return line.end;
  }
}

function elementsEnd(bytes: Buffer, start: number, count: number): number | undefined {
  let at: number | undefined = start;
  for (let left = count; left > 0 && at !== undefined; left -= 1) at = replyEnd(bytes, at);
  return at;
}

function within(bytes: Buffer, end: number): number | undefined {
  return end <= bytes.length ? end : undefined;
}

function lineAt(bytes: Buffer, start: number): { text: string; end: number } | undefined {
  const end = bytes.indexOf('\r\n', start);
  return end < 0 ? undefined : { text: bytes.toString('latin1', start, end), end: end + 2 };
}
