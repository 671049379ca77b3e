import { setTimeout as sleep } from 'node:timers/promises';

import { openRaw, toRequest } from '../support/http/raw.ts';
import { baselineMs, maxCostMs, measureCost, processorNs, tries } from './cost.ts';
import type { Range } from './pure.ts';
import { createRandom, type Random } from './random.ts';
import type { Report } from './report.ts';

const maxBytes = 1024 * 1024;

const json = 'Host: a\r\nContent-Type: application/json\r\n';
const chunked = `POST /v1/transactions/batch HTTP/1.1\r\n${json}Transfer-Encoding: chunked\r\n\r\n`;
const batch = (body: string, type = 'application/json'): Buffer =>
  toRequest('POST', '/v1/transactions/batch', { 'Content-Type': type }, body);
const fill = (text: string, bytes: number): string => text.repeat(Math.floor(bytes / text.length));
const many = (random: Random, target: string, headers: Record<string, string> = {}): Buffer => {
  const method = random.pick(['GET', 'GET', 'HEAD', 'TRACE']);
  return Buffer.from(fill(toRequest(method, target, headers).toString(), maxBytes));
};
const bodies: readonly string[] = [
  ...[
    '[',
    '{"a":',
    '{},',
    '[],',
    '1,',
    '0.1e1,',
    '"\\ud83d\\ude00",',
    '"\\n",',
    '1',
    ' ',
    '\\',
    '"',
  ],
  ...['{"a":1},', '-', '"a":"b",', '123456789012345,', '1e1,', 'null,'],
];

/** Inputs of up to 1 MiB that are cheap to send, each from a caller that is not known. */
const floods: readonly [name: string, make: (random: Random) => Buffer][] = [
  ['pages', (random) => many(random, random.pick(['/healthz', '/openapi.json', '/docs']))],
  ['no routes', (random) => many(random, random.pick(['/', '/x?a=%41', '//', '*']))],
  ['no credential', (random) => many(random, random.pick(['/v1/me', '/v1/events', '/auth/me']))],
  ['bad tokens', (random) => many(random, '/v1/me', { Authorization: `Bearer ${'x'.repeat(50)}` })],
  ['bad cookies', (random) => many(random, '/v1/me', { Cookie: `token=dws_${'a'.repeat(43)}` })],
  [
    'headers',
    () => Buffer.from(fill(`GET / HTTP/1.1\r\nHost: a\r\n${'a:\r\n'.repeat(1_900)}\r\n`, maxBytes)),
  ],
  [
    'few headers',
    () => Buffer.from(fill(`GET / HTTP/1.1\r\nHost: a\r\n${'a:\r\n'.repeat(90)}\r\n`, maxBytes)),
  ],
  [
    'small chunks',
    (random) => {
      const size = 1 + random.int(8);
      const chunk = `${size}\r\n${' '.repeat(size)}\r\n`;
      return Buffer.from(`${chunked}${fill(chunk, maxBytes - 500)}0\r\n\r\n`);
    },
  ],
  [
    'chunks to a page',
    () =>
      Buffer.from(
        `GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${fill('1\r\n \r\n', maxBytes - 200)}`,
      ),
  ],
  ['small bodies', () => Buffer.from(fill(`${chunked}1\r\n \r\n0\r\n\r\n`, maxBytes))],
  [
    'JSON',
    (random) => {
      const [first, second] = [random.pick(bodies), random.pick(bodies)];
      const half = fill(first, maxBytes / 2 - 300);
      return batch(`${random.pick(['[', '{', ''])}${half}${fill(second, maxBytes / 2 - 300)}`);
    },
  ],
  ['whole JSON', (random) => batch(`[${fill(random.pick(bodies.slice(2, 8)), maxBytes - 500)}1]`)],
  [
    'keys',
    () => {
      const keys = Array.from({ length: 80_000 }, (_x, i) => `"k${i}":1`);
      return batch(`{${keys.join()}}`);
    },
  ],
  [
    'lines',
    (random) =>
      batch(
        fill(random.pick(['1\n', '\n', '{}\n', ' \n']), maxBytes - 300),
        'application/x-ndjson',
      ),
  ],
  ['noise', (random) => random.bytes(100_000)],
];

/** How much processor time the daemon spends on one connection each; see `fuzzCost`. */
export async function fuzzHttpCost(
  report: Report,
  range: Range,
  port: number,
  pid: number,
): Promise<string> {
  const session = openRaw(port);
  const ready = toRequest('GET', '/readyz');
  const ask = async (): Promise<void> => {
    session.write(ready);
    await session.next();
  };
  const daemon = { address: `127.0.0.1:${port}`, pid, ask };
  const idle = processorNs(pid);
  await sleep(baselineMs);
  const idleShare = (processorNs(pid) - idle) / 1e6 / baselineMs;
  let worst = { costMs: 0, name: 'none' };
  for (let index = range.from; index < range.from + range.count; index += 1) {
    const [name, make] = floods[index % floods.length]!;
    const bytes = make(createRandom(report.seed, 'httpFloods', index));
    let costMs = Infinity;
    for (let i = 0; i < tries && costMs > maxCostMs; i += 1) {
      costMs = Math.min(costMs, await measureCost(bytes, daemon, idleShare));
    }
    report.count('httpFloods', name);
    if (costMs > worst.costMs) worst = { costMs, name };
    if (costMs > maxCostMs) {
      const shown = bytes.toString('latin1', 0, 300);
      report.violate('httpFloods', index, `${name}: cost ${Math.round(costMs)} ms`, shown);
    }
  }
  session.close();
  return (
    `worst processor time of an input over HTTP: ${Math.round(worst.costMs)} ms (${worst.name}); ` +
    `idle ${(idleShare * 100).toFixed(1)} % taken off, ${range.count} inputs measured`
  );
}
