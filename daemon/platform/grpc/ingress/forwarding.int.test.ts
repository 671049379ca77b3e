import { pino } from 'pino';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';

import { connectRaw, type RawClient } from '../../../../tests/support/grpc/raw-http2.ts';
import { startTestServer, type TestServer } from '../test-support.ts';

const releases: (() => unknown)[] = [];

let isFastPathOn = true;

afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

async function start(proxies: string[]): Promise<TestServer> {
  const stand = await startTestServer({}, proxies, { isFastPathOn });
  releases.push(stand.stop);
  return stand;
}

function client(address: string): RawClient {
  const raw = connectRaw(address);
  releases.push(() => raw.close());
  return raw;
}

const question = [Buffer.from('?')];
const authorization = 'User ana';
const proxies = ['127.0.0.1'];

describe.each([true, false])('with the fast path %s', (isOn) => {
  beforeAll(() => {
    isFastPathOn = isOn;
  });

  describe('requests with a forwarding header', () => {
    const isLocal = async (raw: RawClient, path: string, headers: Record<string, string>) => {
      const { body } = await raw.call(path, {
        headers: { authorization, ...headers },
        messages: question,
      });
      return body.subarray(5).toString();
    };

    it.each([['/test.Test/local'], ['/test.Test/stream']])(
      'a request of %s with a forwarding header is not local, compressed or not',
      async (path) => {
        for (const trusted of [[], proxies]) {
          const raw = client((await start(trusted)).address);
          expect(await isLocal(raw, path, {})).toBe('true');
          for (const header of ['forwarded', 'via', 'x-forwarded-for', 'x-real-ip', 'cf-ray']) {
            expect(await isLocal(raw, path, { [header]: '127.0.0.1' })).toBe('false');
          }
          // The library answers what announces a compression.
          const viaLibrary = { 'grpc-encoding': 'gzip', 'x-forwarded-proto': 'https' };
          expect(await isLocal(raw, path, viaLibrary)).toBe('false');
          expect(await isLocal(raw, path, { 'grpc-encoding': 'gzip' })).toBe('true');
          expect(await isLocal(raw, path, { ':authority': 'wallet.example.com' })).toBe('false');
        }
      },
    );

    it('requests with a forwarding header are reported once, without its address', async () => {
      const lines: string[] = [];
      const log = pino({}, { write: (line: string) => void lines.push(line) });
      const stand = await startTestServer({}, [], { log, isFastPathOn });
      releases.push(stand.stop);
      const raw = client(stand.address);
      for (let i = 0; i < 3; i += 1) {
        await isLocal(raw, '/test.Test/local', { 'x-forwarded-for': '203.0.113.1' });
      }
      const reports = lines.filter((line) => line.includes('TRUSTED_PROXIES'));
      expect(reports).toHaveLength(1);
      expect(reports[0]).not.toContain('203.0.113.1');
    });
  });
});
