import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';

/** Programs that tests run for real, and the Debian packages that bring them. */
const needed = [
  { program: '/usr/bin/dbus-run-session', package: 'dbus' },
  { program: '/usr/bin/gnome-keyring-daemon', package: 'gnome-keyring' },
  { program: '/usr/share/doc/libsecret-1-0', package: 'libsecret-1-0' },
  { program: '/usr/bin/secret-tool', package: 'libsecret-tools' },
  { program: '/usr/lib/rabbitmq/bin/rabbitmq-server', package: 'rabbitmq-server' },
  { program: '/usr/lib/python3/dist-packages/pika', package: 'python3-pika' },
  { program: '/usr/lib/python3/dist-packages/yaml', package: 'python3-yaml' },
  { program: '/usr/bin/docker-compose', package: 'docker-compose' },
  { program: '/usr/sbin/nginx', package: 'nginx-light' },
  { program: '/usr/sbin/haproxy', package: 'haproxy' },
  { program: '/usr/bin/openssl', package: 'openssl' },
  { program: '/usr/bin/curl', package: 'curl' },
  // psql and pgbench, for the benchmarks.
  { program: '/usr/share/doc/postgresql', package: 'postgresql' },
  { program: '/usr/sbin/pgbouncer', package: 'pgbouncer' },
  { program: '/usr/bin/hledger', package: 'hledger' },
  { program: '/usr/bin/ledger', package: 'ledger' },
  // A spreadsheet program that re-saves a batch file.
  { program: '/usr/bin/soffice', package: 'libreoffice-calc-nogui' },
  // A terminal that can be read.
  { program: '/usr/bin/tmux', package: 'tmux' },
  { program: '/usr/bin/bean-check', package: 'beancount' },
  // The documentation page in a browser.
  { program: '/usr/bin/chromium', package: 'chromium' },
  // Shells in which completion is tried, and a checker of man pages.
  { program: '/usr/share/bash-completion/bash_completion', package: 'bash-completion' },
  { program: '/usr/bin/zsh', package: 'zsh' },
  { program: '/usr/bin/fish', package: 'fish' },
  { program: '/usr/bin/mandoc', package: 'mandoc' },
  // Clocks of servers that a test steps.
  { program: '/usr/share/doc/libfaketime', package: 'libfaketime' },
] as const;
type Needed = (typeof needed)[number];

const policy = '/usr/sbin/policy-rc.d';
const policyAside = `${policy}.before-tests`;
const systemBrokerData = '/var/lib/rabbitmq/mnesia';

/**
 * Sees that what the tests need is there, or these packages of it: installs it as root on Debian,
 * and otherwise says what to install. A missing service is an error, never a skipped test.
 */
export function ensureTestServices(packages?: readonly Needed['package'][]): void {
  ensureTerminals();
  const missing = needed
    .filter((each) => packages?.includes(each.package) ?? true)
    .filter(({ program }) => !existsSync(program))
    .map((each) => each.package);
  if (missing.length === 0) return;
  const command = `apt-get install --yes --no-install-recommends ${missing.join(' ')}`;
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    console.error(`Missing: ${missing.join(', ')}. On Debian, run as root:\n  ${command}`);
    process.exit(1);
  }
  console.log(`Installing ${missing.join(', ')} …`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = { env, stdio: ['ignore', 'ignore', 'inherit'] as ('ignore' | 'inherit')[] };
  execFileSync('apt-get', ['update', '-qq'], options);
  withoutStartingServices(() => {
    const flags = ['--yes', '-qq', '--no-install-recommends'];
    execFileSync('apt-get', ['install', ...flags, ...missing], options);
  });
}

/** A chroot may have no pseudo-terminals: root gives it some. */
function ensureTerminals(): void {
  const isRootOnLinux = process.platform === 'linux' && process.getuid?.() === 0;
  if (existsSync('/dev/ptmx') || !isRootOnLinux) return;
  mkdirSync('/dev/pts', { recursive: true });
  execFileSync('mount', ['-t', 'devpts', '-o', 'ptmxmode=0666', 'devpts', '/dev/pts']);
  symlinkSync('pts/ptmx', '/dev/ptmx');
}

/** Packages start their services when installed; the tests start their own, so nothing should. */
function withoutStartingServices(install: () => void): void {
  const hadBroker = hasRunSystemBroker();
  if (existsSync(policy)) renameSync(policy, policyAside);
  try {
    // 101 is "action forbidden by policy" of invoke-rc.d.
    writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
    install();
  } finally {
    rmSync(policy, { force: true });
    if (existsSync(policyAside)) renameSync(policyAside, policy);
  }
  if (!hadBroker && hasRunSystemBroker()) {
    execFileSync('/usr/sbin/service', ['rabbitmq-server', 'stop'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
}

/** The system's broker makes its data folder when it starts for the first time. */
const hasRunSystemBroker = (): boolean =>
  existsSync(systemBrokerData) && readdirSync(systemBrokerData).length > 0;
