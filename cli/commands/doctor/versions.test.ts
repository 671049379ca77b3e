import { expect, test } from 'vitest';

import { compareVersions, describeSchema } from './versions.ts';

test.each([
  ['1.4.0', '1.9.2', 'ok'],
  ['1.4.0', '2.0.0', 'problem'],
  ['0.3.1', '0.3.9', 'ok'],
  ['0.3.1', '0.4.0', 'problem'],
  ['0.9.0', '1.0.0', 'problem'],
])('wallet %s with walletd %s is %s', (own, version, state) => {
  const [finding] = compareVersions(own, [['wallet', { version }]]);
  expect(finding).toMatchObject({ state, details: { client: own, wallet: version } });
});

test('services of different versions are a warning, unless one does not fit', () => {
  const mixed = (version: string) =>
    compareVersions('1.4.0', [
      ['auth', { version: '1.4.0' }],
      ['wallet', { version }],
    ])[0]?.state;
  expect(mixed('1.4.0')).toBe('ok');
  expect(mixed('1.5.0')).toBe('warning');
  expect(mixed('2.0.0')).toBe('problem');
  expect(compareVersions('1.4.0', [])).toEqual([]);
});

test.each([
  [{ expectedVersion: 2, appliedVersion: 2 }, 'ok', undefined],
  [{ expectedVersion: 2, appliedVersion: 1 }, 'problem', 'walletd migrate'],
  [{ expectedVersion: 2, appliedVersion: 3 }, 'warning', 'update this walletd'],
  [{ expectedVersion: 2, appliedVersion: undefined }, 'problem', /server of the database/],
])('a schema %j is %s', (schema, state, fix) => {
  const finding = describeSchema('wallet', schema);
  expect(finding.state).toBe(state);
  if (fix === undefined) expect(finding.fix).toBeUndefined();
  else expect(finding.fix).toMatch(fix);
});
