import { parseCheckpoint } from '../../../core/checkpoint.ts';
import { succeed, type Result } from '../../../core/reasons.ts';
import type {
  Checkpoint as WireCheckpoint,
  ListCheckpointsRequest,
  ListCheckpointsResponse,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Db } from '../../platform/db/db.ts';
import {
  decodePageToken,
  encodePageToken,
  pageSizeOf,
  takePage,
  textBytes,
} from '../../platform/page-token.ts';
import { listCheckpoints, type StoredCheckpoint } from '../checkpoints/store.ts';

const defaultPageSize = 50;
const maxPageSize = 500;
const query = ['checkpoints'];
const cursorShape = { number: /^[1-9]\d{0,17}$/ };
const afterAll = 2n ** 63n - 1n;

/** The signed checkpoints, the newest first. INVALID_ARGUMENT, PAGE_TOKEN_INVALID. */
export async function listSignedCheckpoints(
  db: Db,
  { pageSize, pageToken }: ListCheckpointsRequest,
): Promise<Result<ListCheckpointsResponse>> {
  const size = pageSizeOf(pageSize, defaultPageSize, maxPageSize);
  if (!size.ok) return size;
  const cursor = decodePageToken(query, pageToken, cursorShape);
  if (!cursor.ok) return cursor;
  const before = BigInt(cursor.value?.['number'] ?? afterAll);
  const found = await db.read((tx) => listCheckpoints(tx, before, size.value + 1));
  const { page, last } = takePage(found, size.value, bytesOf);
  return succeed({
    checkpoints: page.map(toWire),
    nextPageToken: last ? encodePageToken(query, { number: last.number.toString() }) : '',
  });
}

/** Besides its texts a checkpoint has numbers and a root. */
const bytesOf = ({ text, signature }: StoredCheckpoint): number =>
  textBytes(text) + textBytes(signature) + 100;

function toWire(checkpoint: StoredCheckpoint): WireCheckpoint {
  const { number, takenAtMs, size: wallets, root, keyId, text, signature } = checkpoint;
  const transactions = parseCheckpoint(text)?.transactions ?? 0n;
  const takenAt = new Date(takenAtMs);
  return { number, takenAt, wallets, transactions, root, keyId, text, signature };
}
