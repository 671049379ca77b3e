import { expect, test } from 'vitest';

import { defaultDataDir } from './data-dir.ts';

test('the data folder of root is under /var/lib, independent of the environment', () => {
  const dataDir = defaultDataDir({ uid: 0, homeDir: '/root', xdgDataHome: '/data' });
  expect(dataDir).toBe('/var/lib/digital-wallet');
});

test('the data folder of other users is in the home folder or in XDG_DATA_HOME', () => {
  const user = { uid: 1000, homeDir: '/home/u' };
  expect(defaultDataDir(user)).toBe('/home/u/.local/share/digital-wallet');
  expect(defaultDataDir({ ...user, xdgDataHome: '/data' })).toBe('/data/digital-wallet');
  for (const xdgDataHome of ['', 'relative']) {
    expect(defaultDataDir({ ...user, xdgDataHome })).toBe('/home/u/.local/share/digital-wallet');
  }
});

test('a user without a home folder has no data folder, unless XDG_DATA_HOME is set', () => {
  const user = { uid: 54_321, homeDir: undefined };
  expect(defaultDataDir(user)).toBeUndefined();
  expect(defaultDataDir({ ...user, xdgDataHome: '/data' })).toBe('/data/digital-wallet');
});
