import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { messageOperations, operations, type Operation } from '../../../core/operations.ts';
import type { Environment } from '../../../scripts/product.ts';
import { readUrls } from '../../support/ledger/ledger.ts';

/** Customers place no holds, and fees are in groups of staff. */
const ofStaff: ReadonlySet<Operation> = new Set(['hold', 'capture', 'release', 'fee']);

type SiteEnvironment = { readonly daemon: Environment; readonly owners: Environment };

export async function createEnvironment(
  dataDir: string,
  rabbitmqUrl: string,
): Promise<SiteEnvironment> {
  const keyFile = join(dataDir, 'signing-key.pem');
  const { privateKey } = generateKeyPairSync('ed25519');
  await writeFile(keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  const { runtime, owner } = await readUrls(dataDir);
  return {
    daemon: {
      PATH: process.env['PATH'] ?? '',
      RABBITMQ_URL: rabbitmqUrl,
      WALLETD_METRICS_LISTEN: 'off',
      WALLETD_HTTP_LISTEN: 'off',
      SIGN_UP: 'open',
      SELF_SERVICE_OPERATIONS: operations.filter((name) => !ofStaff.has(name)).join(','),
      AMQP_OPERATIONS: messageOperations.join(','),
      AUTH_SIGNING_KEY_FILE: keyFile,
      AUTH_DATABASE_URL: runtime('auth'),
      WALLET_DATABASE_URL: runtime('wallet'),
      STATEMENT_DATABASE_URL: runtime('statement'),
      LOG_LEVEL: 'warn',
    },
    owners: {
      AUTH_MIGRATION_DATABASE_URL: owner('auth'),
      WALLET_MIGRATION_DATABASE_URL: owner('wallet'),
      STATEMENT_MIGRATION_DATABASE_URL: owner('statement'),
    },
  };
}
