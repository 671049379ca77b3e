import fs from 'node:fs';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { createLog, maskConnectionString } from './log.ts';

const canary = 'cAnArY-7f3a';
const url = `postgres://walletd:${canary}@db.example:5432/wallet`;

let written: string;

/** The log writes to the file descriptor itself: what arrives there is what counts. */
beforeEach(() => {
  written = '';
  vi.spyOn(fs, 'writeSync').mockImplementation((fd: number, data: unknown) => {
    expect(fd).toBe(2);
    const text = Buffer.isBuffer(data) ? data.toString() : String(data);
    written += text;
    return Buffer.byteLength(text);
  });
});

afterEach(() => {
  vi.restoreAllMocks();
});

const lines = () => written.split('\n').slice(0, -1);
const parsed = () => lines().map((line) => JSON.parse(line) as Record<string, unknown>);

describe('secrets', () => {
  it.each([
    'password',
    'token',
    'accessToken',
    'refreshToken',
    'browserToken',
    'authorization',
    'url',
    'connectionString',
    'secret',
  ])('a field named %s is redacted, at the top or one level down', (name) => {
    const log = createLog('info');
    log.info({ [name]: canary, request: { [name]: canary } }, 'called');
    expect(written).not.toContain(canary);
    expect(parsed()).toMatchObject([{ [name]: '[redacted]', request: { [name]: '[redacted]' } }]);
  });

  it('the credentials of a connection string in a message are masked', () => {
    const log = createLog('info');
    log.info(`cannot reach ${url}`);
    log.info({ database: 'wallet' }, `cannot reach ${url}`);
    log.info('cannot reach %s', url);
    expect(written).not.toContain(canary);
    expect(parsed().map((line) => line['msg'])).toEqual(
      Array(3).fill('cannot reach postgres://***@db.example:5432/wallet'),
    );
  });

  it('the credentials of a connection string in any field are masked', () => {
    createLog('info').info({ address: url, nested: { list: [url] } }, 'connecting');
    expect(written).not.toContain(canary);
    expect(parsed()).toMatchObject([{ address: 'postgres://***@db.example:5432/wallet' }]);
  });

  it('a secret in an error, its stack or its cause is not written', () => {
    const log = createLog('info');
    const cause = new Error(`refused by amqp://guest:${canary}@broker`);
    log.error({ err: new Error(`no ${url}`, { cause }) }, 'failed');
    log.error(new Error(`no ${url}`, { cause }));
    log.error({ err: `no ${url}` }, 'failed');
    expect(written).not.toContain(canary);
    expect(lines()).toHaveLength(3);
    expect(parsed()[0]).toMatchObject({ err: { type: 'Error', cause: { type: 'Error' } } });
  });

  it.each([
    ['an access token', `eyJhbGciOiJFZERTQSJ9.${canary}.${canary}`],
    ['a header', `authorization: Bearer ${canary}-and-more-of-it`],
    ['a service credential', `Service ${canary}-and-more-of-it`],
    ['an API key', `the key dwk_0a1b2c3d_${canary}-and-more-of-it`],
    ['a browser token', `the cookie token=dws_${canary}-and-more-of-it`],
  ])('%s in a message or an error is not written', (_what, text) => {
    const log = createLog('info');
    log.info({ metadata: { text } }, `called with ${text}`);
    log.error({ err: new Error(text) }, 'failed');
    expect(written).not.toContain(canary);
    expect(parsed()).toHaveLength(2);
  });

  it('a child log writes no secret, neither in its fields nor in a message', () => {
    createLog('info').child({ connectionString: url, where: url }).info(`at ${url}`);
    expect(written).not.toContain(canary);
    expect(parsed()).toHaveLength(1);
  });
});

describe('log lines', () => {
  it('a log line cannot be forged by CR or LF in a message, a field or an error', () => {
    const forged = '\r\n{"level":"info","msg":"payment accepted"}\n';
    const log = createLog('info');
    log.info({ client: forged, [forged]: forged, err: new Error(forged) }, forged);
    expect(lines()).toHaveLength(1);
    expect(written).not.toContain('\r');
    expect(parsed()[0]).toMatchObject({ msg: forged, client: forged });
  });

  it('a log line is JSON, also if a URL and an @ are in different fields', () => {
    createLog('info').info({ site: 'https://wallet.example:80', email: 'a@b.example' }, 'both');
    expect(parsed()).toMatchObject([{ site: 'https://wallet.example:80', email: 'a@b.example' }]);
  });

  it('a log line has level, time and message, and the code of an error', () => {
    const err = Object.assign(new Error('gone'), { code: 'ECONNRESET' });
    createLog('info').warn({ err }, 'lost');
    expect(parsed()).toMatchObject([
      { level: 'warn', msg: 'lost', time: expect.stringMatching(/Z$/) as string },
    ]);
    expect(parsed()[0]?.['err']).toMatchObject({ code: 'ECONNRESET', message: 'gone' });
  });

  it('a line below the log level is not written', () => {
    createLog('warn').info('quiet');
    createLog('silent').fatal('quiet');
    expect(written).toBe('');
  });
});

describe('maskConnectionString', () => {
  it.each([
    ['amqp://u:p@h/v', 'amqp://***@h/v'],
    ['amqps+tls://u@h', 'amqps+tls://***@h'],
    ['postgres://u:p%40ss@h', 'postgres://***@h'],
    ['postgres://u:p@ss@h', 'postgres://***@h'],
    ['one smtp://a:b@c and postgres://d:e@f', 'one smtp://***@c and postgres://***@f'],
    ['postgres://h/db?user=u&password=p&x=1', 'postgres://h/db?user=u&password=***&x=1'],
    ['https://example.com/a@b', 'https://example.com/a@b'],
    ['mail to a@b.example', 'mail to a@b.example'],
  ])('maskConnectionString turns "%s" into "%s"', (text, masked) => {
    expect(maskConnectionString(text)).toBe(masked);
  });
});
