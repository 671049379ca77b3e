import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createWorld, password, type Person, type World } from '../../support/processes/world.ts';

let world: World;
let admin: Person;

beforeAll(async () => {
  world = await createWorld();
  await world.start();
  admin = await world.staff('admin', 'admin');
});

afterAll(() => world.dispose());

const reset = (email: string, text: string) =>
  world.walletd(['users', 'reset-password', '--email', email], text);

describe('walletd users reset-password', () => {
  it('reset-password beside a running daemon sets the password and ends sign-ins', async () => {
    const done = await reset(admin.email, 'another long passphrase\n');
    expect(done).toMatchObject({ code: 0, stdout: '' });
    expect(done.stderr).toContain(`set the password of ${admin.email} (${admin.id})`);
    expect(done.stderr).toContain('sign-ins ended: 1, API keys ended: 0, API keys that go on: 0');
    for (;;) {
      const { code } = await admin.run(['balance', '--user', admin.id]);
      if (code === 4) break;
    }
    const signIn = ['sign-in', '--email', admin.email, '--password-stdin', '--insecure-storage'];
    expect((await admin.run(signIn, password)).code).toBe(4);
    expect((await admin.run(signIn, 'another long passphrase')).code).toBe(0);
  });

  it.each([
    ['unknown@example.com', 'another long passphrase', 'there is no account for'],
    ['unknown@example.com', 'short', 'at least 12 characters'],
    ['no address', 'another long passphrase', 'name@example.com'],
  ])('reset-password of %j to %j is refused with a reason', async (email, text, why) => {
    const done = await reset(email, text);
    expect(done.code).toBe(1);
    expect(done.stderr).toContain(why);
    expect(done.stderr).not.toContain(text);
  });
});

describe('unknown commands', () => {
  it.each([
    [['bogus'], "unknown command 'bogus'"],
    [['start', 'bogus'], "too many arguments for 'start'"],
  ])('an unknown command is refused: %j', async (args, reported) => {
    const done = await world.walletd(args);
    expect(done).toMatchObject({ code: 2, stdout: '' });
    expect(done.stderr).toContain(`walletd: ${reported}`);
    expect(done.stderr).toMatch(/^hint: see `walletd.* --help`$/m);
  });
});

describe('previous signing keys', () => {
  it('a previous signing key that is the current one or absent stops a start', async () => {
    expect(await world.stop()).toBe(0);
    const copy = join(world.folder, 'previous.pem');
    await copyFile(join(world.dataDir, 'signing-key.pem'), copy);
    for (const [file, why] of [
      [copy, 'it is the key that signs'],
      [join(world.folder, 'none.pem'), 'ENOENT'],
    ] as const) {
      const done = await world.walletd([`--auth-previous-key-file`, file]);
      expect(done.code).toBe(1);
      expect(done.stderr).toContain(`AUTH_PREVIOUS_KEY_FILE`);
      expect(done.stderr).toContain(why);
    }
    await world.start();
  });
});
