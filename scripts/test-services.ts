import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Programs that tests run for real, and the Debian packages that bring them. */
const needed = [
  { program: '/usr/bin/dbus-run-session', package: 'dbus' },
  { program: '/usr/bin/gnome-keyring-daemon', package: 'gnome-keyring' },
  { program: '/usr/share/doc/libsecret-1-0', package: 'libsecret-1-0' },
  { program: '/usr/bin/secret-tool', package: 'libsecret-tools' },
] as const;

/**
 * Sees that what the tests need is there: installs it as root on Debian, and otherwise says what to
 * install. A missing service is an error, never a skipped test.
 */
export function ensureTestServices(): void {
  const missing = needed.filter(({ program }) => !existsSync(program)).map((n) => n.package);
  if (missing.length === 0) return;
  const command = `apt-get install --yes ${missing.join(' ')}`;
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    console.error(`The tests need ${missing.join(', ')}. On Debian, run as root:\n  ${command}`);
    process.exit(1);
  }
  console.log(`Installing ${missing.join(', ')} for the tests …`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = { env, stdio: ['ignore', 'ignore', 'inherit'] as ('ignore' | 'inherit')[] };
  execFileSync('apt-get', ['update', '-qq'], options);
  execFileSync(
    'apt-get',
    ['install', '--yes', '-qq', '--no-install-recommends', ...missing],
    options,
  );
}
