import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { blocksOf, page } from '../docs/markdown.js';
import { ExampleServer } from './example-server.js';

let example: ExampleServer;

beforeAll(async () => {
  example = await ExampleServer.start();
});
afterAll(() => example?.stop());

test('the commands of the README do what it says', async () => {
  const block = blocksOf(page('README.md')).find(({ code }) => code.startsWith('curl'));
  const commands = commandsIn(String(block?.code));
  expect(commands).toHaveLength(3);
  let authReqId = '';
  for (const { command, answer } of commands) {
    const { status, body } = await curl(
      command
        .replaceAll('http://localhost:3000', example.origin)
        .replaceAll('auth_req_id=…', `auth_req_id=${authReqId}`),
    );
    expect({ command, status: Math.floor(status / 100) }).toEqual({ command, status: 2 });
    if (answer) expect(Object.keys(JSON.parse(body)).sort()).toEqual(Object.keys(JSON.parse(answer)).sort());
    if (body.includes('auth_req_id'))
      authReqId = String((JSON.parse(body) as Record<string, string>)['auth_req_id']);
  }
});

/** The commands of a block, each with the answer that a comment after it shows. */
function commandsIn(code: string): { command: string; answer: string | undefined }[] {
  return code.split(/^(?=curl )/m).map((part) => ({
    command: part.replace(/^#.*$/gm, '').replace(/\\\n/g, ' ').trim(),
    answer: /^# (\{.*\})$/m.exec(part)?.[1],
  }));
}

/** Does what `curl` does with these arguments: so it need not be installed. */
async function curl(command: string): Promise<{ status: number; body: string }> {
  const words = [...command.matchAll(/(?:[^\s'"]+|'[^']*'|"[^"]*")+/g)].map(([word]) =>
    word.replace(/['"]/g, ''),
  );
  const headers: Record<string, string> = {};
  const data: string[] = [];
  let [method, url] = ['', ''];
  for (let index = 1; index < words.length; index += 1) {
    const word = String(words[index]);
    if (word === '-u')
      headers['authorization'] = `Basic ${Buffer.from(String(words[++index])).toString('base64')}`;
    else if (word === '-d') data.push(String(words[++index]));
    else if (word === '-X') method = String(words[++index]);
    else if (word !== '-s') url = word;
  }
  const answer = await fetch(url, {
    method: method || (data.length > 0 ? 'POST' : 'GET'),
    headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
    ...(data.length > 0 && { body: data.join('&') }),
  });
  return { status: answer.status, body: await answer.text() };
}
