import { describe, expect, it } from 'vitest';

import { createHostCheck, findForgery, formatCookie, readCookies } from './request.ts';

describe('the session cookie', () => {
  it.each([
    ['alone', 'token=abc', 'abc'],
    ['among others', 'a=1; token=abc; b=2', 'abc'],
    ['without blanks', 'a=1;token=abc', 'abc'],
    ['with blanks around it', 'a=1;  token = abc ', 'abc'],
    ['with = in it', 'token=a=b=', 'a=b='],
    ['twice with one value', 'token=abc; token=abc', 'abc'],
    ['twice with two values', 'token=abc; token=xyz', 'abc', 'xyz'],
    ['empty', 'token=', ''],
    ['absent among others', 'mytoken=1; token2=2; Token=3', undefined],
    ['without a value', 'token', undefined],
    ['without a name', '=token', undefined],
    ['in no header at all', undefined, undefined],
  ])('a cookie %s is read', (_how, header, ...values) => {
    const known = values.filter((value) => value !== undefined);
    expect(readCookies(header, 'token')).toEqual(known);
  });

  it.each([
    ['over TLS', 'dws_abc', 60, true, 'HttpOnly; SameSite=Strict; Max-Age=60; Secure'],
    [
      'from this machine without TLS',
      'dws_abc',
      60,
      false,
      'HttpOnly; SameSite=Strict; Max-Age=60',
    ],
    ['that ends', '', 0, false, 'HttpOnly; SameSite=Strict; Max-Age=0'],
  ])(
    'a cookie %s is for this server only, and for no script',
    (_when, token, age, isSecure, ends) => {
      expect(formatCookie(token, age, isSecure)).toBe(`token=${token}; Path=/; ${ends}`);
    },
  );
});

describe('the name by which a request with a cookie addresses this server', () => {
  const { isKnown } = createHostCheck(['localhost', '127.0.0.1', '[::1]', 'Wallet.example:8443']);
  it.each([
    ['localhost', true],
    ['localhost:3000', true],
    ['LOCALHOST:3000', true],
    ['127.0.0.1:3000', true],
    ['[::1]', true],
    ['[::1]:3000', true],
    ['wallet.example:8443', true],
    ['wallet.example', false],
    ['wallet.example:3000', false],
    ['127.0.0.2', false],
    ['[::2]:3000', false],
    ['localhost.attacker.example', false],
    ['attacker.example:3000', false],
    ['localhost:', false],
    ['localhost:3000:3000', false],
    ['localhost:port', false],
    ['a@localhost', false],
    [':3000', false],
    ['', false],
    [undefined, false],
  ])('Host %s: %s', (host, known) => {
    expect(isKnown(host)).toBe(known);
  });

  it('with * every host that has a name is known', () => {
    const all = createHostCheck(['*']);
    expect(all.isKnown('attacker.example')).toBe(true);
    expect(all.isKnown('')).toBe(false);
    expect(all.isKnown(undefined)).toBe(false);
  });
});

describe('cross-site request forgery', () => {
  const own = 'http://localhost:3000';
  const isRefused = (method: string, headers: Record<string, string>, isTls = false): boolean =>
    findForgery({ method, headers: { host: 'localhost:3000', ...headers } }, isTls) !== undefined;

  it.each([
    ['a program that is no browser', {}, false],
    ['a page of this server', { 'sec-fetch-site': 'same-origin', origin: own }, false],
    ['a person, at the address bar', { 'sec-fetch-site': 'none' }, false],
    [
      'a page of another site',
      { 'sec-fetch-site': 'cross-site', origin: 'https://x.example' },
      true,
    ],
    [
      'a page of a neighbour',
      { 'sec-fetch-site': 'same-site', origin: 'http://x.localhost' },
      true,
    ],
    ['a page that says nothing of its origin', { 'sec-fetch-site': 'cross-site' }, true],
    [
      'a page with another origin than its site',
      { 'sec-fetch-site': 'cross-site', origin: own },
      true,
    ],
    ['an older browser on a page of this server', { origin: own }, false],
    ['an older browser on a page of another port', { origin: 'http://localhost:3001' }, true],
    ['an older browser on a page with TLS', { origin: 'https://localhost:3000' }, true],
    ['an older browser on a page of another site', { origin: 'https://x.example' }, true],
    ['a page without an origin, as in a sandbox', { origin: 'null' }, true],
    ['an empty origin', { origin: '' }, true],
    ['an unknown value', { 'sec-fetch-site': 'same-planet' }, true],
  ])('a POST with the cookie from %s: %o is refused: %s', (_from, headers, refused) => {
    expect(isRefused('POST', headers)).toBe(refused);
  });

  it.each(['PUT', 'PATCH', 'DELETE'])('a %s is checked like a POST', (method) => {
    expect(isRefused(method, { 'sec-fetch-site': 'cross-site' })).toBe(true);
  });

  it.each(['GET', 'HEAD'])('a %s changes nothing, and is not refused', (method) => {
    expect(isRefused(method, { 'sec-fetch-site': 'cross-site', origin: 'https://x.example' })).toBe(
      false,
    );
  });

  it('with TLS the own origin begins with https', () => {
    expect(isRefused('POST', { origin: 'https://localhost:3000' }, true)).toBe(false);
    expect(isRefused('POST', { origin: own }, true)).toBe(true);
  });
});
