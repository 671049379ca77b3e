import { describe, expect, it } from 'vitest';

import { addressOfPeer, createAddressSet, findSource, isAddressOrRange } from './source.ts';

const proxies = createAddressSet(['10.0.0.0/8', '2001:db8:1::/48', '192.0.2.7']);

describe('the source of a call', () => {
  it.each([
    ['no proxy, no header', '203.0.113.9', [], '203.0.113.9'],
    ['no proxy, a header that it made up', '203.0.113.9', ['198.51.100.1'], '203.0.113.9'],
    ['a proxy that says nothing', '10.1.2.3', [], '10.1.2.3'],
    ['a proxy that names the caller', '10.1.2.3', ['198.51.100.1'], '198.51.100.1'],
    ['what the caller made up before', '10.1.2.3', ['1.1.1.1, 198.51.100.1'], '198.51.100.1'],
    [
      'the caller made up a trusted address',
      '10.1.2.3',
      ['10.9.9.9, 198.51.100.1'],
      '198.51.100.1',
    ],
    ['two proxies', '10.1.2.3', ['198.51.100.1, 192.0.2.7'], '198.51.100.1'],
    ['two headers are one list', '10.1.2.3', ['1.1.1.1', '198.51.100.1'], '198.51.100.1'],
    ['a second proxy that is not trusted', '10.1.2.3', ['198.51.100.1, 192.0.2.8'], '192.0.2.8'],
    ['nothing but proxies', '10.1.2.3', ['10.0.0.1, 10.0.0.2'], '10.0.0.1'],
    ['a port', '10.1.2.3', ['198.51.100.1:4711'], '198.51.100.1'],
    ['IPv6', '2001:db8:1::5', ['2001:db8:2::9'], '2001:db8:2::9'],
    ['IPv6 with a port', '2001:db8:1::5', ['[2001:db8:2::9]:443'], '2001:db8:2::9'],
    ['IPv4 that came in by IPv6', '::ffff:10.1.2.3', ['::ffff:198.51.100.1'], '198.51.100.1'],
    ['the same in hex', '::ffff:a01:203', ['::ffff:c633:6401'], '198.51.100.1'],
    ['no address', '10.1.2.3', ['198.51.100.1, unknown'], '10.1.2.3'],
    ['an empty entry', '10.1.2.3', ['198.51.100.1,'], '10.1.2.3'],
    ['a name', '10.1.2.3', ['evil.example'], '10.1.2.3'],
    ['a Unix socket', 'unknown', ['198.51.100.1'], 'unknown'],
  ])('%s: the source of peer %s with %j is %s', (_what, peer, header, source) => {
    expect(findSource(peer, header, proxies)).toBe(source);
  });

  it.each([
    ['127.0.0.1:4711', '127.0.0.1'],
    ['::1:4711', '::1'],
    ['2001:db8::5:4711', '2001:db8::5'],
    ['::ffff:10.1.2.3:4711', '10.1.2.3'],
    ['fe80::1%eth0:4711', 'fe80::1'],
    ['unknown', 'unknown'],
    ['', 'unknown'],
  ])('the address of peer %j is %j', (peer, address) => expect(addressOfPeer(peer)).toBe(address));
});

describe('a header of thousands of proxies', () => {
  it('of a header with 8,000 proxies fewer than 100 addresses are looked up', () => {
    let looked = 0;
    const counting = { has: (address: string) => ((looked += 1), proxies.has(address)) };
    const header = Array.from({ length: 8_000 }, () => '10.0.0.9').join(',');
    expect(findSource('10.0.0.1', [header], counting)).toBe('10.0.0.9');
    expect(looked).toBeLessThan(100);
  });
});

describe('addresses and ranges', () => {
  it.each(['10.0.0.7', '10.0.0.0/8', '::1', 'fd00::/8', '::ffff:10.0.0.7', '0.0.0.0/0'])(
    '%s is an address or a range',
    (text) => expect(isAddressOrRange(text)).toBe(true),
  );

  it.each([
    '',
    '10.0.0',
    '10.0.0.0/33',
    '10.0.0.0/',
    '::/129',
    '10.0.0.0/8/8',
    'a',
    'fe80::1%eth0',
  ])('%j is neither an address nor a range', (text) => expect(isAddressOrRange(text)).toBe(false));

  it('an address set contains its addresses and ranges, in IPv4 or mapped notation', () => {
    expect(proxies.has('10.255.0.1')).toBe(true);
    expect(proxies.has('::ffff:10.255.0.1')).toBe(true);
    expect(proxies.has('192.0.2.8')).toBe(false);
    expect(proxies.has('2001:db8:1:2::3')).toBe(true);
    expect(proxies.has('fe80::1%eth0')).toBe(false);
    expect(proxies.has('no address')).toBe(false);
  });
});

it('an address set gives the same answer for an address again, whatever was asked meanwhile', () => {
  const inside = Array.from({ length: 300 }, (_, n) => `10.0.${n >> 8}.${n & 255}`);
  const outside = inside.map((address) => address.replace('10.', '11.'));
  for (let count = 0; count < 2; count += 1) {
    expect(inside.filter((address) => !proxies.has(address))).toEqual([]);
    expect(outside.filter((address) => proxies.has(address))).toEqual([]);
  }
});
