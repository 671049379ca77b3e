import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, describe, expect, it } from 'vitest';

import {
  connectRaw,
  readAnswer,
  type RawClient,
} from '../../../../tests/support/grpc/raw-http2.ts';
import { startTestServer, type TestServer } from '../test-support.ts';
import { loadLimits } from './load-limits.ts';

const releases: (() => unknown)[] = [];

afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

async function start(isFastPathOn: boolean): Promise<TestServer> {
  const load = { ...loadLimits, userCalls: 5 };
  const stand = await startTestServer({ load }, [], { isFastPathOn });
  releases.push(stand.stop);
  return stand;
}

function connect(address: string): RawClient {
  const raw = connectRaw(address);
  releases.push(() => raw.close());
  return raw;
}

const as = (authorization: string) => ({
  headers: { authorization },
  messages: [Buffer.from('?')],
});

describe.each([true, false])('with the fast path %s', (isFastPathOn) => {
  it('past the cap of one user a call is refused before it is read', async () => {
    const { address, answerWaiting } = await start(isFastPathOn);
    const raw = connect(address);
    const known = as(isFastPathOn ? 'Known ana' : 'User ana');
    const held = Array.from({ length: 5 }, () => raw.call('/test.Test/wait', known));
    await sleep(200);
    // Neither a message nor an end: only the headers are there. The library reads first.
    const messages = isFastPathOn ? [] : known.messages;
    const half = raw.open('/test.Test/wait', { ...known, messages, staysOpen: isFastPathOn });
    const refused = await readAnswer(half);
    expect(refused).toMatchObject({ status: 8, info: { reason: 'OVERLOADED' } });
    expect(refused.message).toContain('you have more than 5 calls in flight');
    expect(await raw.call('/test.Test/source', as('User bia'))).toMatchObject({ status: 0 });
    answerWaiting();
    expect((await Promise.all(held)).map((answer) => answer.status)).toEqual([0, 0, 0, 0, 0]);
    expect(await raw.call('/test.Test/source', known)).toMatchObject({ status: 0 });
  });
});
