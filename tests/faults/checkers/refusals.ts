import { indexEntries, listAsked } from './commands.ts';
import { describeCommand, differenceFromCommand } from './contents.ts';
import { groupBy } from './group.ts';
import type { Checker, Violation } from './violation.ts';

/**
 * What was only refused has no entry, whatever the reason. A refused message has its stored
 * rejection with that reason, which is final, and nothing else has one.
 */
export const checkRefusals: Checker = ({ attempts, rejections }, { entries, refusals }) => {
  const violations: Violation[] = [];
  const byId = groupBy(entries, ({ id }) => id);
  const index = indexEntries(entries);
  for (const { command, accepted, open, attempts: all } of listAsked(attempts)) {
    const reason = all.find(({ outcome }) => outcome?.kind === 'refused')?.outcome;
    if (accepted.length > 0 || open.length > 0 || reason?.kind !== 'refused') continue;
    const own = index.own(command);
    for (const entry of own.length > 0 ? own : index.others(command)) {
      // An entry of another content under the same key is what this one was refused for.
      const isOwn = entry.wallet_id === command.walletId;
      if (isOwn && differenceFromCommand(command, entry, index.parent(command))) continue;
      violations.push({
        ...{ checker: 'refusals', walletId: entry.wallet_id, seq: BigInt(entry.seq) },
        what: `${describeCommand(command)}: refused with ${reason.reason}, and there`,
      });
    }
  }
  for (const { transaction_id: id, wallet_id: walletId, reason } of refusals) {
    const [entry] = byId.get(id) ?? [];
    if (!entry || reason === 'IDEMPOTENCY_KEY_REUSED') continue;
    const what = `message ${id}: its rejection with ${reason} is stored, and it is there`;
    violations.push({ checker: 'refusals', walletId, seq: BigInt(entry.seq), what });
  }
  const heard = new Map(rejections.map(({ transactionId, reason }) => [transactionId, reason]));
  for (const { transaction_id: id, wallet_id: walletId, reason } of refusals) {
    const found = heard.get(id);
    heard.delete(id);
    if (found === reason) continue;
    const what = `message ${id}: stored as ${reason}, heard as ${found}`;
    violations.push({ checker: 'refusals', walletId, what });
  }
  for (const [id, reason] of heard) {
    const what = `message ${id}: heard as ${reason}, and no rejection is stored`;
    violations.push({ checker: 'refusals', what });
  }
  return violations;
};
