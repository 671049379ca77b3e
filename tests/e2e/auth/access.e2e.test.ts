import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { AuditEvent } from '../../../protos/gen/digitalwallet/common/v1/audit.ts';
import { StatementServiceService } from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import {
  Operation,
  WalletServiceService,
  WalletStatus,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { connect, item, type Connection } from '../../support/grpc/client.ts';
import { waitUntil } from '../../support/ledger/ledger.ts';
import { createWorld, password, type Person, type World } from '../../support/processes/world.ts';

let world: World;
let connection: Connection;
let ana: Person;
let operator: Person;
let tokens: { readonly ana: string; readonly operator: string; readonly admin: string };

beforeAll(async () => {
  world = await createWorld();
  await world.start();
  connection = connect(world.daemon().address);
  ana = await world.customer('ana');
  operator = await world.staff('opal', 'operator');
  const admin = await world.staff('ada', 'admin');
  const tokenOf = async ({ email }: Person): Promise<string> => {
    const signedIn = await connection.call(AuthServiceService.signIn, {
      email,
      password,
      client: 'test',
      deviceToken: '',
    });
    if (!signedIn.ok) throw new Error(signedIn.reason);
    return signedIn.value.tokens?.accessToken ?? '';
  };
  tokens = {
    ana: await tokenOf(ana),
    operator: await tokenOf(operator),
    admin: await tokenOf(admin),
  };
});

afterAll(async () => {
  connection.close();
  await world.dispose();
});

const everything = { pageSize: 0, pageToken: '', actor: '', target: '', action: '' };

async function readAudit(of: 'wallet' | 'statement'): Promise<AuditEvent[]> {
  const listed =
    of === 'wallet'
      ? await connection.call(WalletServiceService.listAuditEvents, everything, tokens.admin)
      : await connection.call(StatementServiceService.listAuditEvents, everything, tokens.admin);
  if (!listed.ok) throw new Error(listed.reason);
  return listed.value.events;
}

const hasLine = async (of: 'wallet' | 'statement', line: Partial<AuditEvent>): Promise<boolean> =>
  (await readAudit(of)).some((event) =>
    Object.entries(line).every(([name, value]) => event[name as keyof AuditEvent] === value),
  );

describe('frozen wallets', () => {
  it('a wallet that staff froze takes no transactions until staff unfreeze it', async () => {
    await ana.json(['deposit', '10.00', '--yes']);
    const request = {
      userId: ana.id,
      currency: 'BRL',
      note: 'a stolen phone',
      dryRun: false,
      debitsOnly: false,
    };
    const { freezeWallet, unfreezeWallet } = WalletServiceService;
    expect(await connection.call(freezeWallet, request, tokens.ana)).toMatchObject({
      reason: 'PERMISSION_DENIED',
    });
    expect(await connection.call(freezeWallet, request, tokens.operator)).toMatchObject({
      value: { wallet: { status: WalletStatus.FROZEN } },
    });
    const refused = await ana.run(['withdraw', '1.00', '--yes', '--json', '--quiet']);
    expect(refused.code).toBe(6);
    expect(refused.stderr).toContain('WALLET_FROZEN');
    expect((await connection.call(unfreezeWallet, request, tokens.operator)).ok).toBe(true);
    await ana.json(['withdraw', '1.00', '--yes']);
    const line = { actor: operator.id, target: ana.id, result: 'ok' };
    for (const action of ['wallet.freeze', 'wallet.unfreeze']) {
      expect(await hasLine('wallet', { ...line, action })).toBe(true);
    }
    await waitUntil('the owner’s attempt is recorded', () =>
      hasLine('wallet', {
        actor: ana.id,
        action: 'denied freezeWallet',
        result: 'PERMISSION_DENIED',
      }),
    );
  });
});

describe('audit log', () => {
  it('the audit log shows admins only the transactions, reads and denials of staff', async () => {
    const done = await connection.call(
      WalletServiceService.createTransaction,
      {
        item: item({ userId: ana.id, operation: Operation.DEPOSIT, amountMinor: 100n }),
        dryRun: false,
      },
      tokens.operator,
    );
    expect(done.ok).toBe(true);
    await operator.run(['deposit', '1.00', '--user', operator.id, '--yes', '--json', '--quiet']);
    await operator.run(['statement', 'show', '--user', ana.id, '--json', '--quiet']);
    const line = { actor: operator.id, target: ana.id, result: 'ok' };
    expect(await hasLine('wallet', { ...line, action: 'transaction.create' })).toBe(true);
    expect(await hasLine('statement', { ...line, action: 'statement.generate' })).toBe(true);
    await waitUntil('the denial is recorded', () =>
      hasLine('wallet', {
        actor: operator.id,
        action: 'denied createTransaction',
        result: 'STAFF_OWN_WALLET',
      }),
    );
    for (const { listAuditEvents } of [WalletServiceService, StatementServiceService]) {
      for (const token of [tokens.ana, tokens.operator]) {
        const asked = await connection.call(listAuditEvents, everything, token);
        expect(asked).toMatchObject({ reason: 'PERMISSION_DENIED' });
      }
    }
    await waitUntil('the statement service records denials too', () =>
      hasLine('statement', { actor: operator.id, action: 'denied listAuditEvents' }),
    );
  });
});
