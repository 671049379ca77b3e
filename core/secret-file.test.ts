import { describe, expect, test } from 'vitest';

import { findSecretProblem } from './secret-file.ts';

const reader = { uids: [0, 1000], gids: [1000, 2000] };
const facts = (uid: number, gid: number, mode: number) => ({ uid, gid, mode, isFile: () => true });

describe('secret files', () => {
  test.each([
    ['of the process', 1000, 1000, 0o100600],
    ['read-only', 1000, 1000, 0o100400],
    ['of root, for the group of the process', 0, 2000, 0o100640],
    ['of root, as Kubernetes mounts it', 0, 2000, 0o100440],
  ])('a secret file (%s) is accepted', (_what, uid, gid, mode) => {
    expect(findSecretProblem('/k', facts(uid, gid, mode), reader)).toBeUndefined();
  });

  test.each([
    ['readable by all', 1000, 1000, 0o100644, 'can be read'],
    ['readable by a group of the process itself', 1000, 1000, 0o100640, 'can be read'],
    ['of root, for another group', 0, 3000, 0o100640, 'can be read'],
    ['of root, for the group to change', 0, 2000, 0o100660, 'can be changed'],
    ['of the process, for the group to change', 1000, 1000, 0o100620, 'can be changed'],
    ['of the process, for others to run', 1000, 1000, 0o100601, 'can be changed'],
    ['of root, for the group to run', 0, 2000, 0o100650, 'can be changed'],
    ['of root, for others to read', 0, 2000, 0o100644, 'can be read'],
    ['of another user', 1001, 1000, 0o100600, 'belongs to'],
  ])('a secret file (%s) is refused with a remedy', (_what, uid, gid, mode, problem) => {
    const found = findSecretProblem('/a b', facts(uid, gid, mode), reader);
    expect(found?.problem).toContain(problem);
    expect(found?.command).toBe(uid === 1001 ? "chown 1000 '/a b'" : "chmod 600 '/a b'");
  });

  test('a secret file that is a folder is refused', () => {
    const folder = { ...facts(0, 0, 0o40700), isFile: () => false };
    expect(findSecretProblem('/k', folder, reader)?.problem).toContain('not a regular file');
  });
});

test('the mode of a file is named in full', () => {
  const problemOf = (mode: number) =>
    findSecretProblem('/k', facts(1000, 1000, mode), reader)?.problem;
  expect(problemOf(0o100644)).toBe('can be read by other users (mode 0644)');
  expect(problemOf(0o100066)).toBe('can be read by other users (mode 0066)');
});

test('where no user is known the command names root', () => {
  const found = findSecretProblem('/k', facts(7, 7, 0o600), { uids: [], gids: [] });
  expect(found?.command).toBe('chown 0 /k');
});
