import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeAll, describe, expect, it } from 'vitest';

import { createAuthority } from '../../../../tests/support/auth/certificates.ts';
import { definition, startTestServer } from '../test-support.ts';
import type { Caller } from './caller.ts';
import { createRemoteCaller, type PeerTls } from './remote.ts';

const releases: (() => unknown)[] = [];
let isFastPathOn = true;

afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

const serviceCredential = 'secret';

async function readStream(caller: Caller): Promise<string[]> {
  const answers: string[] = [];
  for await (const answer of caller.stream(definition.stream, Buffer.from('?'))) {
    answers.push(answer.toString());
  }
  return answers;
}

describe.each([true, false])('with the fast path %s', (isOn) => {
  beforeAll(() => {
    isFastPathOn = isOn;
  });

  it('the next stream or call after a renewal of certificates opens a new connection', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dw-remote-'));
    releases.push(() => rm(folder, { recursive: true, force: true }));
    const authority = createAuthority(folder, 'authority');
    const files = authority.issue('server');
    const server = {
      ...{ cert: readFileSync(files.cert), key: readFileSync(files.key) },
      clientCa: undefined,
    };
    const own = { current: () => server, subscribe: () => undefined };
    const stand = await startTestServer({}, [], { tls: own, isFastPathOn });
    releases.push(stand.stop);
    const material = { key: undefined, cert: undefined, rootCerts: readFileSync(authority.cert) };
    let latest: ReturnType<PeerTls['current']> = material;
    const tls: PeerTls = { current: () => latest };
    const caller = createRemoteCaller({ address: stand.address, serviceCredential, tls });
    releases.push(caller.close);
    const countConnections = (): number => stand.server.readCounts().connections;
    await readStream(caller);
    await readStream(caller);
    expect(countConnections()).toBe(1);
    latest = { ...material };
    await readStream(caller);
    expect(countConnections()).toBe(2);
    latest = { ...material };
    expect(await caller.call(definition.source, Buffer.from('?'))).toMatchObject({ ok: true });
    expect(countConnections()).toBe(3);
  });

  it('a caller with isApart has its own connection; others of an address share one', async () => {
    const stand = await startTestServer({}, [], { isFastPathOn });
    releases.push(stand.stop);
    const { address } = stand;
    const callers = [false, false, true].map((isApart) =>
      createRemoteCaller({ address, serviceCredential, isApart }),
    );
    for (const caller of callers) {
      releases.push(caller.close);
      expect(await caller.call(definition.source, Buffer.from('?'))).toMatchObject({ ok: true });
    }
    expect(stand.server.readCounts().connections).toBe(2);
  });
});
