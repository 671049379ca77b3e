import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export type SecretService = {
  /** For a process that should find this keychain. */
  readonly env: Record<string, string>;
  /** Locks the keychain's collections, as a desktop does after a while. */
  lock(): void;
  /** Stops the service from answering, as a hung one does; `thaw` lets it go on. */
  freeze(): void;
  thaw(): void;
  /** Ends the service and its bus, and removes what they stored. */
  stop(): Promise<void>;
};

const programs = ['gnome-keyring-daemon', 'dbus-daemon', 'dbus-send'] as const;
const packages = 'gnome-keyring dbus libsecret-1-0';
const loginCollection = '/org/freedesktop/secrets/collection/login';
const startTimeoutMs = 15_000;

/**
 * Starts a private D-Bus session bus with a Secret Service of its own on it, unlocked and empty, in
 * a temporary folder. Works as root too, and without a desktop.
 */
export async function startSecretService(): Promise<SecretService> {
  requirePrograms();
  const home = await mkdtemp(join(tmpdir(), 'wallet-keyring-'));
  const dirs = {
    XDG_DATA_HOME: join(home, 'data'),
    XDG_CACHE_HOME: join(home, 'cache'),
    XDG_RUNTIME_DIR: join(home, 'run'),
  };
  await Promise.all(Object.values(dirs).map((dir) => mkdir(dir, { mode: 0o700 })));
  const inherited = Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && !/^(DBUS_|DISPLAY|WAYLAND_)/.test(entry[0]),
  );
  const base = { ...Object.fromEntries(inherited), ...dirs };
  const children: ChildProcess[] = [];
  const stop = async (): Promise<void> => {
    for (const child of children.reverse()) await end(child);
    await rm(home, { recursive: true, force: true });
  };
  try {
    const address = `--address=unix:path=${join(home, 'bus')}`;
    const bus = spawn('dbus-daemon', ['--session', '--nofork', address, '--print-address=1'], {
      env: base,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    children.push(bus);
    const env = { ...base, DBUS_SESSION_BUS_ADDRESS: await readAddress(bus) };
    const keyring = spawn(
      'gnome-keyring-daemon',
      ['--foreground', '--unlock', '--components=secrets'],
      { env, stdio: ['pipe', 'ignore', 'ignore'] },
    );
    children.push(keyring);
    // The password that unlocks the login collection, which it creates.
    keyring.stdin.end('test');
    await waitForOwner(env);
    return {
      env,
      lock: () => {
        const locked = send(env, [
          ...['--dest=org.freedesktop.secrets', '/org/freedesktop/secrets'],
          ...['org.freedesktop.Secret.Service.Lock', `array:objpath:${loginCollection}`],
        ]);
        if (locked.status !== 0) throw new Error(`cannot lock the keychain: ${locked.stderr}`);
      },
      freeze: () => {
        keyring.kill('SIGSTOP');
      },
      thaw: () => {
        keyring.kill('SIGCONT');
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function requirePrograms(): void {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const missing = programs.filter(
    (program) => !folders.some((folder) => existsSync(join(folder, program))),
  );
  if (missing.length > 0) {
    throw new Error(
      `The keychain tests need ${missing.join(', ')}, not found in PATH. ` +
        `On Debian or Ubuntu: apt-get install -y ${packages}`,
    );
  }
}

/** The bus prints its address as its first line. */
function readAddress(bus: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error('dbus-daemon printed no address in time'));
    }, startTimeoutMs);
    let text = '';
    bus.once('error', reject);
    bus.once('exit', (code) => {
      reject(new Error(`dbus-daemon ended with ${code ?? 'a signal'} before it was ready`));
    });
    bus.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const end = text.indexOf('\n');
      if (end < 0) return;
      clearTimeout(timer);
      resolve(text.slice(0, end));
    });
  });
}

async function waitForOwner(env: Record<string, string>): Promise<void> {
  const deadlineMs = Date.now() + startTimeoutMs;
  while (Date.now() < deadlineMs) {
    const asked = send(env, [
      ...['--dest=org.freedesktop.DBus', '/org/freedesktop/DBus'],
      ...['org.freedesktop.DBus.NameHasOwner', 'string:org.freedesktop.secrets'],
    ]);
    if (asked.stdout.includes('boolean true')) return;
    await delay(50);
  }
  throw new Error('gnome-keyring-daemon did not take the name org.freedesktop.secrets in time');
}

function send(env: Record<string, string>, message: readonly string[]) {
  return spawnSync('dbus-send', ['--session', '--print-reply', ...message], {
    env,
    encoding: 'utf8',
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGCONT');
  child.kill('SIGKILL');
  await ended;
}
