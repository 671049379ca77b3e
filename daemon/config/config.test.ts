import { describe, expect, it } from 'vitest';

import { parseConfig, type Config } from './config.ts';
import { isLoopback, settings, type RawConfig } from './settings.ts';

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

/** The faults, each as [variable, text]. */
function refuse(raw: RawConfig): [string, string][] {
  const outcome = parseConfig(raw);
  if (outcome.ok) throw new Error('accepted');
  return outcome.faults.map((fault) => {
    const at = fault.indexOf(': ');
    return [fault.slice(0, at), fault.slice(at + 2)];
  });
}

const variables = (raw: RawConfig): string[] => refuse(raw).map(([variable]) => variable);

describe('faults', () => {
  const bad = {
    WALLETD_LISTEN: 'localhost',
    WALLETD_SERVICES: 'auth,walet',
    AUTH_DATABASE_URL: 'mysql://db/auth',
    WALLET_MIGRATION_DATABASE_URL: 'postgres://[',
    WALLETD_MIGRATE: 'yes',
    STATEMENT_QUEUE: 'a queue',
    WALLET_CURRENCY: 'brl',
    STATEMENT_INLINE_DAYS: '0',
    SMTP_URL: 'mail.example:25',
    MAIL_FROM: 'the wallet',
    SIGN_UP: 'maybe',
    SELF_SERVICE_OPERATIONS: 'withdraw,gift',
    WALLETD_ALLOW_PLAINTEXT: 'true',
    LOG_LEVEL: 'verbose',
  };

  it('faults are listed all at once, each with its variable and what would be right', () => {
    const faults = refuse(bad);
    expect(faults.map(([variable]) => variable).sort()).toEqual(Object.keys(bad).sort());
    for (const [, text] of faults) expect(text).toMatch(/^must (be|name|start with) /);
  });

  it('faults of one setting and contradictions between settings are reported together', () => {
    const raw = {
      ...own,
      LOG_LEVEL: 'loud',
      AUTH_SIGNING_KEY_FILE: '',
      WALLETD_LISTEN: '0.0.0.0:1',
    };
    expect(variables(raw).sort()).toEqual(['AUTH_SIGNING_KEY_FILE', 'LOG_LEVEL', 'WALLETD_LISTEN']);
  });

  it('faults do not contain the content of a database URL', () => {
    const [fault] = refuse({ ...own, AUTH_DATABASE_URL: 'mysql://u:hunter2@db/auth' });
    expect(fault?.join()).not.toContain('hunter2');
  });

  it.each([
    ['WALLETD_LISTEN', ['50051', ':50051', '127.0.0.1:', '127.0.0.1:65536', '::1:50051', 'a b:1']],
    ['STATEMENT_INLINE_DAYS', ['-1', '1.5', '367', '015', 'ten', '1e1']],
    ['WALLET_CURRENCY', ['XAU', 'R$', 'BR']],
    ['WALLETD_SERVICES', ['wallet;auth', ',']],
  ] as const)('%s refuses %j', (variable, texts) => {
    for (const text of texts) expect(variables({ [variable]: text })).toContain(variable);
  });
});

describe('defaults', () => {
  it('on the embedded database and loopback, programs on this machine may use everything', () => {
    const config = accept({});
    expect(config).toMatchObject({
      databases: undefined,
      isSignUpOpen: true,
      isSignUpLocal: true,
      listen: { host: '127.0.0.1', port: 50_051 },
      defaultCurrency: 'BRL',
      inlineDays: 15,
      shouldMigrate: true,
      isUnsafeDurabilityAllowed: false,
    });
    expect([...config.selfServiceOperations]).toEqual(['withdraw', 'purchase', 'cancellation']);
    expect([...config.localOperations].sort()).toEqual(
      ['cancellation', 'deposit', 'purchase', 'reversal', 'transfer', 'withdraw'].sort(),
    );
  });

  it('messages may ask for the five operations that have a number, and for others by name', () => {
    const five = ['deposit', 'withdraw', 'purchase', 'reversal', 'cancellation'];
    expect([...accept({}).amqpOperations]).toEqual(five);
    expect(accept({}).searchKeys).toEqual(['reference']);
    expect(accept({ SEARCH_KEYS: 'order, reference,order' }).searchKeys).toEqual([
      'order',
      'reference',
    ]);
    expect(accept({ SEARCH_KEYS: 'none' }).searchKeys).toEqual([]);
    expect([...accept({ AMQP_OPERATIONS: 'transfer' }).amqpOperations]).toEqual(['transfer']);
    const refused = parseConfig({ AMQP_OPERATIONS: 'deposit,fee' });
    expect(refused).toMatchObject({
      ok: false,
      faults: [expect.stringContaining('release, or be')],
    });
  });

  it.each([
    ['a database of one’s own', own],
    [
      'the embedded one beyond loopback',
      { WALLETD_LISTEN: '0.0.0.0:1', WALLETD_ALLOW_PLAINTEXT: '1' },
    ],
  ])('with %s no caller may sign up or deposit', (_what, raw) => {
    const config = accept(raw);
    expect(config).toMatchObject({ isSignUpOpen: false, isSignUpLocal: false });
    expect([...config.selfServiceOperations]).toEqual(['withdraw', 'purchase', 'cancellation']);
    expect(config.localOperations).toEqual(config.selfServiceOperations);
  });

  it('a variable that is set overrides its default, both ways', () => {
    expect(accept({ SIGN_UP: 'closed' }).isSignUpOpen).toBe(false);
    expect(accept({ SIGN_UP: 'open' })).toMatchObject({ isSignUpOpen: true, isSignUpLocal: false });
    expect(accept({ ...own, SIGN_UP: 'open' }).isSignUpOpen).toBe(true);
    const asked = accept({ SELF_SERVICE_OPERATIONS: ' deposit , purchase,' });
    expect([...asked.selfServiceOperations]).toEqual(['deposit', 'purchase']);
    expect(asked.localOperations).toEqual(asked.selfServiceOperations);
  });

  it('a setting that is empty or blank is not set', () => {
    const empty = Object.fromEntries(Object.keys(settings).map((name) => [name, '  ']));
    expect(parseConfig(empty)).toEqual(parseConfig({}));
  });

  it('the owner role migrates if one is set, otherwise the only role', () => {
    const owner = 'postgres://auth_owner:y@db/auth';
    const { databases } = accept({ ...own, AUTH_MIGRATION_DATABASE_URL: owner });
    expect(databases?.auth).toEqual({ url: own.AUTH_DATABASE_URL, ownerUrl: owner });
    expect(databases?.wallet?.ownerUrl).toBe(own.WALLET_DATABASE_URL);
  });
});

describe('plaintext', () => {
  it.each(['0.0.0.0:50051', '[::]:50051', '192.168.1.2:50051', 'wallet.example:50051', '[::2]:1'])(
    'plaintext on %s is refused unless allowed',
    (listen) => {
      expect(variables({ WALLETD_LISTEN: listen })).toEqual(['WALLETD_LISTEN']);
      expect(variables({ WALLETD_LISTEN: listen, WALLETD_ALLOW_PLAINTEXT: '0' })).toEqual([
        'WALLETD_LISTEN',
      ]);
      const allowed = accept({ WALLETD_LISTEN: listen, WALLETD_ALLOW_PLAINTEXT: '1' });
      expect(allowed.isPlaintextAllowed).toBe(true);
    },
  );

  it.each(['127.0.0.1:0', 'localhost:50051', '[::1]:50051', '127.8.9.10:1'])(
    'plaintext on %s needs no permission',
    (listen) => {
      expect(accept({ WALLETD_LISTEN: listen }).isPlaintextAllowed).toBe(false);
    },
  );

  it.each(['127.0.0.1.example.com', 'localhost.example.com', '1127.0.0.1', '', '::', '128.0.0.1'])(
    'the host %j is not loopback',
    (host) => {
      expect(isLoopback(host)).toBe(false);
    },
  );

  it('plaintext needs no permission with TLS, except for metrics, which have no TLS', () => {
    const tls = { TLS_CERT_FILE: '/cert.pem', TLS_KEY_FILE: '/key.pem' };
    const open = { ...tls, WALLETD_LISTEN: '0.0.0.0:50051' };
    expect(accept(open).tlsFiles).toMatchObject({ cert: '/cert.pem', key: '/key.pem' });
    expect(variables({ ...open, WALLETD_METRICS_LISTEN: '0.0.0.0:9464' })).toEqual([
      'WALLETD_METRICS_LISTEN',
    ]);
    expect(accept({ ...open, WALLETD_METRICS_LISTEN: 'off' }).metricsListen).toBeUndefined();
  });

  it('an IPv6 address is read without its brackets', () => {
    expect(accept({ WALLETD_LISTEN: '[::1]:7' }).listen).toEqual({ host: '::1', port: 7 });
  });
});

describe('TLS', () => {
  it('TLS needs certificate and key, and a client authority needs both', () => {
    expect(variables({ TLS_CERT_FILE: '/cert.pem' })).toEqual(['TLS_KEY_FILE']);
    expect(variables({ TLS_KEY_FILE: '/key.pem' })).toEqual(['TLS_CERT_FILE']);
    expect(variables({ TLS_CLIENT_CA_FILE: '/ca.pem' })).toEqual(['TLS_CLIENT_CA_FILE']);
  });
});

describe('trusted proxies', () => {
  it('trusted proxies must be addresses or ranges', () => {
    const asked = accept({ TRUSTED_PROXIES: '10.0.0.7, fd00::/8' });
    expect(asked.trustedProxies).toEqual(['10.0.0.7', 'fd00::/8']);
    for (const text of ['proxy.internal', '10.0.0.0/33', '10.0.0.7;10.0.0.8']) {
      expect(variables({ TRUSTED_PROXIES: text })).toEqual(['TRUSTED_PROXIES']);
    }
  });
});

describe('contradictions', () => {
  it('a custom database requires those of all hosted services, and a signing key', () => {
    expect(variables({ WALLET_DATABASE_URL: own.WALLET_DATABASE_URL }).sort()).toEqual([
      'AUTH_DATABASE_URL',
      'AUTH_SIGNING_KEY_FILE',
      'STATEMENT_DATABASE_URL',
    ]);
  });

  it('a service that is not hosted needs an address and the shared secret', () => {
    expect(variables({ WALLETD_SERVICES: 'wallet,statement' }).sort()).toEqual([
      'AUTH_SERVICE_URL',
      'WALLETD_SERVICE_CREDENTIAL_FILE',
    ]);
    const split = {
      WALLETD_SERVICES: 'wallet,statement',
      AUTH_SERVICE_URL: '127.0.0.1:50052',
      WALLETD_SERVICE_CREDENTIAL_FILE: '/run/secret',
    };
    expect(accept(split).peerAddresses).toEqual({
      auth: { host: '127.0.0.1', port: 50_052, hasTls: false },
    });
  });

  it('a peer on another machine is refused without TLS unless plaintext is allowed', () => {
    const split = {
      WALLETD_SERVICES: 'wallet,statement',
      AUTH_SERVICE_URL: 'auth.example.com:50051',
      WALLETD_SERVICE_CREDENTIAL_FILE: '/run/secret',
    };
    expect(variables(split)).toEqual(['AUTH_SERVICE_URL']);
    expect(accept({ ...split, WALLETD_ALLOW_PLAINTEXT: '1' }).isPlaintextAllowed).toBe(true);
    const secure = { ...split, AUTH_SERVICE_URL: 'https://auth.example.com:50051' };
    expect(accept(secure).peerAddresses.auth).toEqual({
      host: 'auth.example.com',
      port: 50_051,
      hasTls: true,
    });
    for (const url of ['http://auth:1', 'https://auth', 'https://auth:1/path', 'auth']) {
      expect(variables({ ...split, AUTH_SERVICE_URL: url })).toEqual(['AUTH_SERVICE_URL']);
    }
  });

  it('a migration URL without its database URL is refused; self-service can be none', () => {
    expect(variables({ WALLET_MIGRATION_DATABASE_URL: own.WALLET_DATABASE_URL })).toEqual([
      'WALLET_MIGRATION_DATABASE_URL',
    ]);
    expect(accept({ SELF_SERVICE_OPERATIONS: 'none' }).selfServiceOperations.size).toBe(0);
  });

  it('a daemon that hosts no auth needs neither its database nor its key', () => {
    const config = accept({
      WALLETD_SERVICES: 'wallet,statement',
      WALLET_DATABASE_URL: own.WALLET_DATABASE_URL,
      STATEMENT_DATABASE_URL: own.STATEMENT_DATABASE_URL,
      AUTH_SERVICE_URL: '127.0.0.1:50052',
      WALLETD_SERVICE_CREDENTIAL_FILE: '/run/secret',
    });
    expect(Object.keys(config.databases ?? {})).toEqual(['wallet', 'statement']);
  });

  it('the wallet service without statement is refused if there is no broker', () => {
    expect(variables({ WALLETD_SERVICES: 'auth,wallet' })).toContain('WALLETD_SERVICES');
  });

  it('a service named twice is hosted once, and does not stand in for another', () => {
    const config = accept({ WALLETD_SERVICES: 'auth,wallet,statement,auth' });
    expect(config.services).toEqual(['auth', 'wallet', 'statement']);
    expect(variables({ WALLETD_SERVICES: 'auth,auth,auth' })).toContain(
      'WALLETD_SERVICE_CREDENTIAL_FILE',
    );
  });
});
