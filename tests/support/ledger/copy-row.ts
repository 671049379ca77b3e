import { toMoreColumns, type ChainedMore } from '../../../core/chain.ts';
import { operationTable } from '../../../core/operations.ts';
import type { StatementFileLine } from '../../../core/statement-format/index.ts';

/** What a row of `chainedColumns` has besides what a file shows. */
export type RowRest = {
  readonly previousHash: string;
  readonly hash: string;
  readonly currency: string;
  readonly parentId: string | undefined;
  readonly source: string | undefined;
  readonly actor: string | undefined;
  /** As it is stored. */
  readonly metadata: string | undefined;
  readonly more: ChainedMore | undefined;
};

const noRest: RowRest = {
  ...{ previousHash: '0'.repeat(64), hash: '0'.repeat(64), currency: 'BRL', parentId: undefined },
  ...{ source: 'grpc', actor: 'a', metadata: undefined, more: undefined },
};

const noMore: Partial<ReturnType<typeof toMoreColumns>> = {};

const int8 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
};
const uuid = (text: string): Buffer => Buffer.from(text.replaceAll('-', ''), 'hex');
const text = (value: string | undefined): Buffer | undefined =>
  value === undefined ? undefined : Buffer.from(value);

/** A line as Postgres' COPY writes it in its binary format. */
export function toCopyRow(line: StatementFileLine, change: Partial<RowRest> = {}): Buffer {
  const rest = { ...noRest, ...change };
  const micros = (BigInt(line.occurredAtMs) - 946_684_800_000n) * 1_000n;
  const { held, heldAfter, parentUsed, groupId } = rest.more ? toMoreColumns(rest.more) : noMore;
  const fields = [
    Buffer.from(rest.previousHash, 'hex'),
    uuid(line.transactionId),
    int8(line.seq),
    Buffer.of(0, operationTable[line.operation].code),
    int8(line.amountMinor),
    int8(line.balanceAfterMinor),
    text(line.contraAccount),
    rest.parentId === undefined ? undefined : uuid(rest.parentId),
    text(rest.source),
    text(rest.actor),
    text(line.description),
    text(rest.metadata),
    int8(micros),
    ...[held, heldAfter, parentUsed].map((value) => (value === undefined ? value : int8(value))),
    groupId === undefined ? undefined : uuid(groupId),
    Buffer.from(rest.hash, 'hex'),
    text(rest.currency),
  ];
  const parts: Buffer[] = [Buffer.of(0, fields.length)];
  for (const field of fields) {
    const length = Buffer.alloc(4);
    length.writeInt32BE(field?.length ?? -1);
    parts.push(length);
    if (field) parts.push(field);
  }
  return Buffer.concat(parts);
}
