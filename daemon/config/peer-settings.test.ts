import { expect, it } from 'vitest';

import { parseConfig, type Config } from './config.ts';
import type { RawConfig } from './settings.ts';

const own = {
  AUTH_DATABASE_URL: 'postgres://auth_app:x@db/auth',
  WALLET_DATABASE_URL: 'postgres://wallet_app:x@db/wallet',
  STATEMENT_DATABASE_URL: 'postgres://statement_app:x@db/statement',
  AUTH_SIGNING_KEY_FILE: '/etc/walletd/key.pem',
} as const satisfies RawConfig;

function accept(raw: RawConfig): Config {
  const outcome = parseConfig(raw);
  if (!outcome.ok) throw new Error(outcome.faults.join('\n'));
  return outcome.config;
}

const faultsOf = (raw: RawConfig): readonly string[] => {
  const outcome = parseConfig(raw);
  return outcome.ok ? [] : outcome.faults;
};

it('addresses of hosted services are ignored, and those that no hosted service calls may be without TLS', () => {
  const elsewhere = {
    AUTH_SERVICE_URL: 'auth.example.com:50051',
    WALLET_SERVICE_URL: 'wallet.example.com:50051',
    STATEMENT_SERVICE_URL: 'statement.example.com:50051',
  };
  expect(accept(elsewhere).peerAddresses).toEqual({});
  expect(faultsOf({ STATEMENT_SERVICE_URL: 'no address' })).toEqual([
    expect.stringMatching(/^STATEMENT_SERVICE_URL: must be HOST:PORT/),
  ]);
  const auth = { WALLETD_SERVICES: 'auth', WALLETD_SERVICE_CREDENTIAL_FILE: '/run/secret' };
  expect(accept({ ...elsewhere, ...auth }).services).toEqual(['auth']);
  const ledger = { ...auth, WALLETD_SERVICES: 'wallet,statement' };
  expect(faultsOf({ ...elsewhere, ...ledger })).toEqual([
    expect.stringMatching(/^AUTH_SERVICE_URL: is another machine/),
  ]);
});

it('one environment configures all daemons of a split system', () => {
  const shared = {
    ...own,
    AUTH_SERVICE_URL: 'https://auth.example.com:50051',
    WALLET_SERVICE_URL: 'https://wallet.example.com:50051',
    STATEMENT_SERVICE_URL: 'https://statement.example.com:50051',
    WALLETD_SERVICE_CREDENTIAL_FILE: '/run/secret',
    RABBITMQ_URL: 'amqp://127.0.0.1/wallet',
  };
  const hosts = {
    auth: 'auth.example.com',
    wallet: 'wallet.example.com',
    statement: 'statement.example.com',
  };
  for (const [services, asked] of [
    ['auth', ['wallet', 'statement']],
    ['wallet', ['auth', 'statement']],
    ['statement', ['auth', 'wallet']],
    ['gateway', ['auth', 'wallet', 'statement']],
    ['auth,wallet,statement', []],
    ['auth,wallet,statement,gateway', []],
  ] as const) {
    const { peerAddresses } = accept({ ...shared, WALLETD_SERVICES: services });
    const expected = asked.map((name) => [name, hosts[name]]);
    expect(Object.entries(peerAddresses).map(([name, { host }]) => [name, host])).toEqual(expected);
  }
});

it('a gateway alone needs the addresses of all three services, and the service credential', () => {
  const faults = faultsOf({ WALLETD_SERVICES: 'gateway' });
  expect(faults.map((fault) => fault.slice(0, fault.indexOf(':'))).sort()).toEqual([
    ...['AUTH_SERVICE_URL', 'STATEMENT_SERVICE_URL', 'WALLETD_SERVICE_CREDENTIAL_FILE'],
    'WALLET_SERVICE_URL',
  ]);
});
