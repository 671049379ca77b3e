import { readClock, type Tx } from '../../platform/db/db.ts';
import type { WalletState } from '../domain.ts';
import { decideBatch } from '../domain-batch.ts';
import { toExpiryCommand } from '../domain-holds.ts';
import { noDefaultLimits, readExpiring } from '../store/rare-states.ts';
import { readStates } from '../store/states.ts';
import { createInDoubtCommits } from './in-doubt-commits.ts';
import { updateLocked } from './locked-updates.ts';
import { persistDecisions } from './persist-decisions.ts';

/** A locked wallet after the release of its holds whose time is over. */
export async function releaseDue(tx: Tx, wallet: WalletState): Promise<WalletState> {
  if (!wallet.held) return wallet;
  const clockMs = await readClock(tx);
  const { due } = await readExpiring(tx, new Map([[wallet.id, wallet]]), clockMs);
  const [first] = due.get(wallet.id) ?? [];
  if (!first) return wallet;
  const commands = [toExpiryCommand(wallet, first.id)];
  const states = await readStates(tx, commands, [wallet], clockMs, noDefaultLimits);
  if (states.corrupt.has(wallet.id)) return wallet;
  const decided = decideBatch(states, commands, clockMs);
  await updateLocked(tx, commands, decided, { read: [wallet], states });
  await persistDecisions(tx, commands, decided, createInDoubtCommits());
  return decided.changed.find(({ id }) => id === wallet.id) ?? wallet;
}
