import { entriesById, listAsked } from './commands.ts';
import { describeCommand, differenceFromCommand } from './contents.ts';
import type { Checker, Violation } from './violation.ts';

/**
 * What was only refused has no entry, whatever the reason. A refused message has its stored
 * rejection with that reason, which is final, and nothing else has one.
 */
export const checkRefusals: Checker = ({ attempts, rejections }, { entries, refusals }) => {
  const violations: Violation[] = [];
  const byId = entriesById(entries);
  for (const { command, accepted, open, attempts: all } of listAsked(attempts)) {
    const reason = all.find(({ outcome }) => outcome?.kind === 'refused')?.outcome;
    if (accepted.length > 0 || open.length > 0 || reason?.kind !== 'refused') continue;
    for (const entry of byId.get(command.transactionId) ?? []) {
      const [parent] = byId.get(command.parentId ?? '') ?? [];
      // An entry of another content under the same key is what this one was refused for.
      if (differenceFromCommand(command, entry, parent) !== undefined) continue;
      violations.push({
        ...{ checker: 'refusals', walletId: command.walletId, seq: BigInt(entry.seq) },
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
