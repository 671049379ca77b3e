import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { parseConfig } from '../daemon/config/config.ts';
import { createAddressSet, findSource } from '../daemon/platform/grpc/ingress/source.ts';
import { settings } from '../daemon/config/settings.ts';

type Service = {
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
};
type Project = {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<
    Record<string, { readonly ipam: { readonly config: readonly Record<string, string>[] } }>
  >;
};

const file = resolve('docker-compose.yml');
const text = readFileSync(file, 'utf8');
const example = readFileSync('.env.example', 'utf8');
const lines = example.split('\n').filter((line) => /^[A-Z_]+=/.test(line));
const names = lines.map((line) => line.slice(0, line.indexOf('=')));

/** As a person would fill it in: each password gets a value of its own. */
const filled = (): string =>
  lines
    .map((line, index) => (line.endsWith('_PASSWORD=') ? `${line}secret-${index}-x` : line))
    .join('\n');

function run(command: string, args: readonly string[], input?: string): string {
  try {
    return execFileSync(command, args, {
      // What the surrounding shell has set would beat the file.
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], LANG: 'C.UTF-8' },
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(input === undefined ? {} : { input }),
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new Error(
      `This test needs ${command}. On Debian: apt-get install -y docker-compose python3-yaml`,
      { cause: error },
    );
  }
}

describe('docker-compose.yml', { timeout: 60_000 }, () => {
  let folder: string;
  let project: Project;

  const expand = (env: string): Project => {
    const envFile = join(folder, 'env');
    writeFileSync(envFile, env);
    const yaml = run('docker-compose', ['--env-file', envFile, '--file', file, 'config']);
    const toJson = 'import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)';
    return JSON.parse(run('python3', ['-c', toJson], yaml)) as Project;
  };

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'dw-compose-'));
    project = expand(filled());
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('docker-compose.yml gives walletd only valid settings', () => {
    const environment = project.services['walletd']?.environment ?? {};
    expect(Object.keys(environment).filter((name) => !(name in settings))).toEqual([]);
    const outcome = parseConfig(environment);
    expect(outcome).toMatchObject({ ok: true });
    if (!outcome.ok) return;
    expect(outcome.config.isSignUpOpen).toBe(false);
    expect(outcome.config.rabbitmqUrl).toMatch(/^amqp:\/\/walletd:.+@rabbitmq\/wallet$/);
    expect(outcome.config.shouldMigrate).toBe(false);
  });

  test('docker-compose.yml gives the database owners to the migrate service only', () => {
    const { migrate, walletd } = project.services;
    const environment = migrate?.environment ?? {};
    const outcome = parseConfig(environment, 'databases');
    expect(outcome).toMatchObject({ ok: true, config: { shouldMigrate: true } });
    if (!outcome.ok) return;
    for (const name of ['auth', 'wallet', 'statement'] as const) {
      const { url, ownerUrl } = outcome.config.databases?.[name] ?? { url: '', ownerUrl: '' };
      expect([new URL(url).username, new URL(ownerUrl).username]).toEqual([
        `${name}_app`,
        `${name}_owner`,
      ]);
    }
    const secret = (name: string) => new URL(environment[name] ?? '').password;
    for (const name of ['AUTH', 'WALLET', 'STATEMENT']) {
      const owner = secret(`${name}_MIGRATION_DATABASE_URL`);
      expect(owner).not.toBe('');
      expect(JSON.stringify(walletd)).not.toContain(owner);
    }
    expect(walletd?.depends_on?.['migrate']?.condition).toBe('service_completed_successfully');
    expect(migrate?.depends_on?.['postgres']?.condition).toBe('service_healthy');
  });

  test('docker-compose.yml uses the passwords that databases and broker are created with', () => {
    const { walletd, migrate, postgres, rabbitmq } = project.services;
    const passwordOf = (setting: string, { environment } = walletd ?? {}): string =>
      new URL(environment?.[setting] ?? '').password;
    for (const name of ['AUTH', 'WALLET', 'STATEMENT']) {
      const given = postgres?.environment;
      const app = given?.[`${name}_APP_PASSWORD`];
      expect(passwordOf(`${name}_DATABASE_URL`)).toBe(app);
      expect(passwordOf(`${name}_DATABASE_URL`, migrate)).toBe(app);
      const owner = passwordOf(`${name}_MIGRATION_DATABASE_URL`, migrate);
      expect(owner).toBe(given?.[`${name}_OWNER_PASSWORD`]);
    }
    expect(passwordOf('RABBITMQ_URL')).toBe(rabbitmq?.environment?.['RABBITMQ_WALLETD_PASSWORD']);
  });

  test('docker-compose.yml trusts only the gateway of its network as a proxy', () => {
    const believed = project.services['walletd']?.environment?.['TRUSTED_PROXIES'] ?? '';
    const [network] = project.networks['default']?.ipam.config ?? [];
    expect(believed).toBe(network?.['gateway']);
    expect(createAddressSet([network?.['subnet'] ?? '']).has(believed)).toBe(true);
    const client = { forwardedFor: ['203.0.113.9'], proxies: createAddressSet([believed]) };
    expect(findSource(believed, client.forwardedFor, client.proxies)).toBe('203.0.113.9');
    const container = believed.replace(/\d+$/, '7');
    expect(findSource(container, client.forwardedFor, client.proxies)).toBe(container);
  });

  test('docker-compose.yml publishes ports to this host only', () => {
    const ports = Object.values(project.services).flatMap((service) => service.ports ?? []);
    expect(ports.length).toBeGreaterThan(0);
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  });

  test('docker-compose.yml publishes each port of the image', () => {
    const exposed = /^EXPOSE (.+)$/m.exec(readFileSync('Dockerfile', 'utf8'))?.[1]?.split(' ');
    const inside = project.services['walletd']?.ports?.map(
      (port) => /:(\d+)(?:\/tcp)?$/.exec(port)?.[1],
    );
    expect(inside?.sort()).toEqual(exposed?.sort());
    expect(inside).toContain('3000');
  });

  test('docker-compose.yml has no default for a password', () => {
    const passwords = names.filter((name) => name.endsWith('_PASSWORD'));
    expect(passwords.length).toBeGreaterThan(0);
    expect(lines.filter((line) => /_PASSWORD=./.test(line))).toEqual([]);
    expect(passwords.filter((name) => !text.includes(`\${${name}:?`))).toEqual([]);
    expect(text).not.toMatch(/_PASSWORD:-/);
    expect(() => expand(example)).toThrow('see .env.example');
  });

  test('docker-compose.yml uses exactly the variables of .env.example', () => {
    const used = [...text.matchAll(/\$\{([A-Z_]+)/g)].map((match) => match[1]);
    expect([...new Set(used)].sort()).toEqual([...names].sort());
  });
});

describe('image', () => {
  const allowed = readFileSync('.dockerignore', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1));
  const files = execFileSync('git', ['ls-files', 'cli', 'daemon', 'scripts/build.ts'], {
    encoding: 'utf8',
  })
    .split('\n')
    .filter((path) => /\.ts$/.test(path) && !/(\.test|test-support)\.ts$/.test(path));

  test('the build of the image gets every folder that its sources import', () => {
    const needed = new Set<string>();
    for (const file of files) {
      for (const [, path = ''] of readFileSync(file, 'utf8').matchAll(/from '(\.[^']+)'/g)) {
        needed.add(join(dirname(file), path).split('/')[0] ?? '');
      }
    }
    expect([...needed]).toEqual(expect.arrayContaining(['core', 'lib', 'protos']));
    expect([...needed].filter((folder) => !allowed.includes(folder))).toEqual([]);
  });
});
