import { toChainedMore } from '../../../../core/chain.ts';
import { operationOfWireNumber } from '../../../../core/operations.ts';
import type { ExportLocale } from '../../../../core/statement-format/index.ts';
import type { ProofEntry, ProofPart } from '../../../../core/statement-proof/index.ts';
import type { Export } from '../../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type {
  StatementProofHead,
  Transaction,
} from '../../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { movedMinorOf } from '../../../../lib/json/amounts.ts';
import { nameFormat } from '../../../../lib/json/exports.ts';

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** What stands in a proof before its entries. What the server gives is checked with the file. */
export function toFirstParts(made: Export, head: StatementProofHead): readonly ProofPart[] {
  const { walletId, userId, currency, from, to, timezone } = made;
  const range = { fromMs: from?.getTime() ?? 0, toMs: to?.getTime() ?? 0, timezone };
  const locale: ExportLocale = made.locale === 'pt-BR' ? 'pt-BR' : 'en';
  const format = nameFormat(made.format) ?? 'csv';
  return [
    {
      kind: 'file',
      file: {
        ...{ format, locale, hasByteOrderMark: made.byteOrderMark },
        hasHolds: made.includeHolds === true,
      },
    },
    { kind: 'statement', statement: { walletId, userId, currency, ...range } },
    { kind: 'start', start: { seq: head.previousSeq, hash: toHex(head.previousHash) } },
  ];
}

/** An entry in its place; undefined for an operation that this version does not know. */
export function toEntryPart(
  { firstSeq, lastSeq }: StatementProofHead,
  transaction: Transaction,
): ProofPart | undefined {
  const entry = toProofEntry(transaction);
  if (!entry) return undefined;
  const { seq } = entry;
  return { kind: seq < firstSeq ? 'before' : seq <= lastSeq ? 'line' : 'after', entry };
}

function toProofEntry(transaction: Transaction): ProofEntry | undefined {
  const operation = operationOfWireNumber(transaction.operation);
  if (!operation) return undefined;
  return {
    id: transaction.id,
    seq: transaction.seq,
    operation,
    amountMinor: movedMinorOf(transaction),
    balanceAfterMinor: transaction.balanceAfterMinor,
    contraAccount: transaction.contraAccount,
    parentId: transaction.parentId,
    source: transaction.source ?? '',
    actor: transaction.actor,
    description: transaction.description,
    metadata: transaction.metadata,
    more: toChainedMore({
      held: transaction.heldMinor,
      heldAfter: transaction.heldAfterMinor,
      parentUsed: transaction.parentUsedMinor,
      groupId: transaction.groupId,
    }),
    occurredAtMs: transaction.occurredAt?.getTime() ?? 0,
    hash: toHex(transaction.hash),
  };
}

export const toDigestPart = (digest: Uint8Array): ProofPart => ({
  kind: 'digest',
  digest: toHex(digest),
});

/** What stands behind the entries and digests. */
export function toLastParts(head: StatementProofHead): readonly ProofPart[] {
  const { leafSeq: seq, leafIndex: index, checkpointText: text, signature, publicKey } = head;
  const path = head.path.map(toHex);
  return [
    { kind: 'leaf', leaf: { seq, hash: toHex(head.leafHash), index, path } },
    { kind: 'checkpoint', checkpoint: { text, signature, publicKey } },
  ];
}
