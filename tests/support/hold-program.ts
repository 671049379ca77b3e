import { setTimeout as sleep } from 'node:timers/promises';

import type { Db } from '../../daemon/platform/db/db.ts';
import { createOptimisticCommit } from '../../daemon/wallet/commit/optimistic-commit.ts';
import type { Command } from '../../daemon/wallet/domain.ts';
import { brlWalletOf, buildCommand } from './ledger/build-command.ts';

const ofStaff = { callerClass: 'staff', actor: 'staff' } as const;

const hold = (userId: string, amountMinor: bigint, more: Command['more'] = {}): Command =>
  buildCommand(userId, {
    ...{ operation: 'hold', amountMinor, merchant: 'Hotel', ...ofStaff },
    ...{ metadata: { reference: 'R-1' }, more: { expiresInMs: 3_600_000, ...more } },
  });

const use = (
  operation: 'capture' | 'release',
  { transactionId: parentId, wallet }: Command,
  amountMinor?: bigint,
  more?: Command['more'],
): Command => buildCommand(wallet.userId, { operation, amountMinor, parentId, more, ...ofStaff });

/**
 * Everything that holds do on the wallet of ana, with movements between them: parts, the rest, a
 * release, a capture for bia, an expiry, and in the end a balance of -100.00 BRL.
 */
export async function fillWithHolds(
  db: Db,
  { ana, bia }: { readonly ana: string; readonly bia: string },
): Promise<void> {
  const salary = buildCommand(ana, { amountMinor: 10_000n });
  const room = hold(ana, 3_000n);
  const car = hold(ana, 500n);
  const forBia = hold(ana, 700n, { payeeUserId: bia });
  const brief = hold(ana, 40n, { expiresInMs: 1 });
  // While something is reserved: an entry that reserves nothing itself.
  const small = buildCommand(ana, { amountMinor: 50n });
  const commit = createOptimisticCommit(db);
  const decide = async (...commands: readonly Command[]): Promise<void> => {
    for (const result of await commit(commands)) {
      if (typeof result === 'string') throw new Error(result);
      if (!result.ok) throw new Error(JSON.stringify(result.rejection));
    }
  };
  await decide(salary, room);
  await decide(small, car);
  await decide(use('capture', room, 1_000n, { keepsRest: true }), use('release', car), forBia);
  await decide(use('capture', forBia, 600n, { other: brlWalletOf(bia) }));
  await decide(use('capture', room, 500n), brief);
  await sleep(20);
  await decide(buildCommand(ana, { operation: 'withdraw', amountMinor: 7_950n }));
  const undo = { operation: 'reversal', parentId: salary.transactionId, ...ofStaff } as const;
  await decide(buildCommand(ana, { ...undo, amountMinor: undefined, more: { isForced: true } }));
}
