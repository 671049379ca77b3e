import type { CreateTransactionResponse } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { fail, type CliFailure, type Failed } from '../../outcome.ts';
import { ofHold } from '../../../core/operations.ts';
import { describeMoneyCommand, type MoneyCommand } from './command.ts';

/** A refusal with what helps this very command, where that is more than the reason's own hint. */
export function fitHint(
  failure: CliFailure,
  { operation, parentId = 'ID', isForced }: MoneyCommand,
): CliFailure {
  const { reason } = failure;
  if (reason === 'INSUFFICIENT_FUNDS' && operation === 'reversal' && !isForced) {
    const hint =
      'the money was spent; staff can reverse it all the same, and the balance falls below 0: ' +
      `wallet reverse ${parentId} --force`;
    return { ...failure, hint };
  }
  if (reason === 'LIMIT_EXCEEDED' && !isForced && parentId === 'ID') {
    return { ...failure, hint: 'see them: wallet limits show; staff can pass them with --force' };
  }
  if (reason === 'UNDO_EXCEEDS_PARENT' || reason === 'PARENT_ALREADY_UNDONE') {
    return { ...failure, hint: `see what is left: wallet transactions show ${parentId}` };
  }
  if (reason === 'PARENT_NOT_UNDOABLE') {
    const isHold = failure.message.endsWith('undo a hold');
    const show = failure.hint?.replace('transactions show ID', `transactions show ${parentId}`);
    const hint = isHold ? `to give back what it reserves: wallet release ${parentId}` : show;
    return hint === undefined ? failure : { ...failure, hint };
  }
  if (ofHold(operation) && failure.hint?.includes(' ID')) {
    const hint = failure.hint.replace('holds show ID', `holds show ${parentId}`);
    return { ...failure, hint: hint.replace(/^capture /, `${operation} `) };
  }
  return failure;
}

/** A failure after which the outcome is unknown, with the key of the transaction. */
export function nameKey(
  failure: CliFailure,
  moneyCommand: MoneyCommand,
  key: string,
  isKept: boolean,
): CliFailure {
  return {
    ...failure,
    message: `${failure.message}; ${explainUnknown(moneyCommand, key, isKept)}`,
    hint: isKept
      ? 'run the same command again'
      : `run the same command again with --idempotency-key ${key}`,
  };
}

/** The money has moved, but the result was not printed: the key stays stored. */
export function failUnprinted(
  moneyCommand: MoneyCommand,
  { transaction }: CreateTransactionResponse,
  key: string,
  isKept: boolean,
  why: string,
): Failed {
  const again = isKept
    ? 'run the same command again: it prints this transaction, and changes nothing'
    : `run the same command again with --idempotency-key ${key}: it changes nothing`;
  return fail(
    'OUTPUT_FAILED',
    `the ${describeMoneyCommand(moneyCommand)} was done (transaction ${transaction?.id ?? 'unknown'}, idempotency ` +
      `key ${key}), but the result cannot be written: ${why}`,
    { hint: again },
  );
}

/** For a person: what may have been done, and that the same key does it once. */
export function explainUnknown(moneyCommand: MoneyCommand, key: string, isKept: boolean): string {
  const after = isKept
    ? 'the same command reuses it, so nothing is done twice'
    : 'a command with that key cannot do it twice';
  return `the outcome of the ${describeMoneyCommand(moneyCommand)} is unknown. Its idempotency key is ${key}; ${after}`;
}
