import { describe, expect, test } from 'vitest';

import { parseServerAddress } from './server-address.ts';

describe('parseServerAddress', () => {
  test.each([
    ['127.0.0.1:50051', '127.0.0.1:50051', true],
    ['127.9.9.9:1', '127.9.9.9:1', true],
    ['LOCALHOST:50051', 'localhost:50051', true],
    ['[::1]:50051', '[::1]:50051', true],
    ['[2001:DB8::1]:443', '[2001:db8::1]:443', false],
    ['wallet.example.com:443', 'wallet.example.com:443', false],
    ['10.0.0.1:65535', '10.0.0.1:65535', false],
    ['127.0.0.1.example.com:443', '127.0.0.1.example.com:443', false],
  ])('the server address %s is read as %s, loopback: %s', (text, spelling, isLoopback) => {
    expect(parseServerAddress(text)).toMatchObject({ text: spelling, isLoopback });
  });

  test.each([
    '',
    'localhost',
    ':50051',
    'localhost:',
    'localhost:0',
    'localhost:65536',
    'http://localhost:1',
    'user@localhost:1',
    'localhost:1/path',
    '::1:50051',
    '[localhost]:1',
    '[fe80::1%eth0]:1',
    'a b:1',
    'a\u0000:1',
    '../x:1',
    '256.1.1.1:1',
    '1.2.3:1',
  ])('the server address %j is refused', (text) => {
    expect(parseServerAddress(text)).toBeUndefined();
  });
});
