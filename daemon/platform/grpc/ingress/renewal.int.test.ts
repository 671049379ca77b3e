import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { connect } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { createAuthority } from '../../../../tests/support/auth/certificates.ts';
import type { ServerTls, TlsMaterial } from './listener.ts';
import { createRemoteCaller } from '../caller/remote.ts';
import { sessionLimits } from './sessions.ts';
import { definition, startTestServer } from '../test-support.ts';

let isFastPathOn = true;
const folder = mkdtempSync(join(tmpdir(), 'dw-renewal-'));
const authority = createAuthority(folder, 'authority');
afterAll(() => rm(folder, { recursive: true, force: true }));

const materialOf = (name: string): TlsMaterial => {
  const { cert, key } = authority.issue(name);
  return { cert: readFileSync(cert), key: readFileSync(key), clientCa: undefined };
};

const messageOf = (text: string): Buffer => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(text.length, 1);
  return Buffer.concat([head, Buffer.from(text)]);
};

describe.each([true, false])('with the fast path %s', (isOn) => {
  beforeAll(() => {
    isFastPathOn = isOn;
  });

  it('a renewed certificate reaches clients with a long stream; no answer is lost', async () => {
    let material = materialOf('first');
    const renewals: ((material: TlsMaterial) => void)[] = [];
    const tls: ServerTls = { current: () => material, subscribe: (on) => void renewals.push(on) };
    const sessions = { ...sessionLimits, outdatedMs: 1_500 };
    const stand = await startTestServer({ sessions }, [], { tls, isFastPathOn });
    const open = () => {
      const session = connect(`https://${stand.address}`, { rejectUnauthorized: false });
      session.on('error', () => undefined);
      return session;
    };
    const session = open();
    try {
      const goaways: number[] = [];
      session.on('goaway', (code: number) => goaways.push(code));
      const stream = session.request({
        ':method': 'POST',
        ':path': '/test.Test/talk',
        'content-type': 'application/grpc',
        te: 'trailers',
        authorization: 'User ana',
      });
      stream.on('error', () => undefined);
      const answers: string[] = [];
      let end: Readonly<Record<string, unknown>> = {};
      stream.on('data', (chunk: Buffer) => answers.push(chunk.subarray(5).toString()));
      stream.on('trailers', (trailers: object) => (end = { ...trailers }));
      stream.write(messageOf('a'));
      await vi.waitFor(() => expect(answers).toEqual(['a']), { timeout: 5_000 });

      material = materialOf('second');
      for (const renew of renewals) renew(material);
      await vi.waitFor(() => expect(goaways.length).toBeGreaterThan(0), { timeout: 5_000 });
      expect(new Set(goaways)).toEqual(new Set([0]));
      const next = open();
      await new Promise((resolve) => next.once('connect', resolve));
      expect((next.socket as TLSSocket).getPeerCertificate().subject.CN).toBe('second');
      next.destroy();

      // What is begun on the old connection is answered, and then the stream ends by itself.
      stream.write(messageOf('w'));
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      stand.answerWaiting();
      await vi.waitFor(() => expect(end).toMatchObject({ 'grpc-status': '8' }), {
        timeout: 10_000,
      });
      expect(answers).toEqual(['a', 'w']);
      stream.destroy();
      const isGone = (): void => expect(stand.server.readCounts().connections).toBe(0);
      await vi.waitFor(isGone, { timeout: 15_000, interval: 100 });
    } finally {
      session.destroy();
      await stand.stop();
    }
  }, 40_000);

  it('calls that cross a GOAWAY of a certificate renewal are all answered', async () => {
    const material = materialOf('third');
    const renewals: ((material: TlsMaterial) => void)[] = [];
    const tls: ServerTls = { current: () => material, subscribe: (on) => void renewals.push(on) };
    const stand = await startTestServer({}, [], { tls, isFastPathOn });
    const trusted = { key: undefined, cert: undefined, rootCerts: readFileSync(authority.cert) };
    const serviceCredential = 'secret';
    const caller = createRemoteCaller({
      ...{ address: stand.address, serviceCredential },
      tls: { current: () => trusted },
    });
    const refused: unknown[] = [];
    let count = 0;
    let isOver = false;
    const callOn = async (): Promise<void> => {
      while (!isOver) {
        const deadlineMs = performance.now() + 20_000;
        const result = await caller.call(definition.source, Buffer.from('?'), { deadlineMs });
        count += 1;
        if (!result.ok) refused.push(result.rejection);
      }
    };
    try {
      const calling = Array.from({ length: 16 }, callOn);
      for (let renewed = 0; renewed < 50; renewed += 1) {
        const before = count;
        for (const renew of renewals) renew(material);
        await vi.waitFor(() => expect(count).toBeGreaterThan(before + 32), {
          timeout: 15_000,
          interval: 5,
        });
      }
      isOver = true;
      await Promise.all(calling);
      expect(refused).toEqual([]);
    } finally {
      isOver = true;
      caller.close();
      await stand.stop();
    }
  }, 60_000);
});
