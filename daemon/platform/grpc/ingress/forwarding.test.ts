import { pino } from 'pino';
import { describe, expect, it } from 'vitest';

import { createAddressSet } from './source.ts';
import { createForwardReport, findOrigin } from './forwarding.ts';

const plain = { ':path': '/x', 'content-type': 'application/grpc', 'user-agent': 'grpc-node' };

describe('findOrigin', () => {
  it.each([
    'forwarded',
    'via',
    'x-forwarded-for',
    'x-forwarded-host',
    'x-forwarded-proto',
    'x-forwarded-port',
    'x-forwarded-client-cert',
    'x-real-ip',
    'x-client-ip',
    'cf-connecting-ip',
    'cf-ray',
    'true-client-ip',
    'x-envoy-external-address',
    'x-amzn-trace-id',
    'fastly-client-ip',
  ])('a request with %s is not local, whatever the value is', (name) => {
    for (const value of ['203.0.113.1', '127.0.0.1', '']) {
      expect(findOrigin(true, { ...plain, [name]: value }, 'localhost:1')).toBe('forwarded');
    }
    expect(findOrigin(false, { ...plain, [name]: 'x' }, 'localhost:1')).toBe('remote');
  });

  it.each([
    ['localhost:50051', 'local'],
    ['LOCALHOST', 'local'],
    ['127.0.0.1:50051', 'local'],
    ['[::1]:50051', 'local'],
    ['wallet.localhost', 'local'],
    [undefined, 'local'],
    ['wallet.example.com', 'forwarded'],
    ['203.0.113.7:443', 'forwarded'],
    ['localhost.example.com', 'forwarded'],
    ['[2001:db8::1]:443', 'forwarded'],
    ['', 'forwarded'],
  ])('a request for the authority %s is %s', (authority, origin) => {
    expect(findOrigin(true, plain, authority)).toBe(origin);
  });
});

describe('the report of a proxy on this machine', () => {
  const collect = (proxies: string[]) => {
    const lines: { settings: string[]; headers: string[]; proxy: string }[] = [];
    const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line) as never) });
    return { report: createForwardReport(log, createAddressSet(proxies)), lines };
  };
  const call = { peerAddress: '127.0.0.1', listForwardingHeaders: () => ['x-real-ip'] };

  it('a proxy on this machine is reported once, with the settings to change', () => {
    const { report, lines } = collect([]);
    report(call);
    report(call);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({
      proxy: '127.0.0.1',
      headers: ['x-real-ip'],
      settings: ['TRUSTED_PROXIES', 'SIGN_UP', 'SELF_SERVICE_OPERATIONS'],
    });
  });

  it('the report of a proxy in TRUSTED_PROXIES does not name that setting', () => {
    const { report, lines } = collect(['127.0.0.1']);
    report(call);
    expect(lines[0]?.settings).toEqual(['SIGN_UP', 'SELF_SERVICE_OPERATIONS']);
  });
});
