import { expect, test } from 'vitest';

import { defaultDataDir } from './data-dir.ts';

test('root keeps its data under /var/lib, whatever the environment says', () => {
  const dataDir = defaultDataDir({ uid: 0, homeDir: '/root', xdgDataHome: '/data' });
  expect(dataDir).toBe('/var/lib/digital-wallet');
});

test('others keep theirs in the home folder, or where XDG_DATA_HOME says', () => {
  const user = { uid: 1000, homeDir: '/home/u' };
  expect(defaultDataDir(user)).toBe('/home/u/.local/share/digital-wallet');
  expect(defaultDataDir({ ...user, xdgDataHome: '/data' })).toBe('/data/digital-wallet');
  for (const xdgDataHome of ['', 'relative']) {
    expect(defaultDataDir({ ...user, xdgDataHome })).toBe('/home/u/.local/share/digital-wallet');
  }
});

test('a user without a home folder has none, unless XDG_DATA_HOME says where', () => {
  const user = { uid: 54_321, homeDir: undefined };
  expect(defaultDataDir(user)).toBeUndefined();
  expect(defaultDataDir({ ...user, xdgDataHome: '/data' })).toBe('/data/digital-wallet');
});
