import { isUuid } from '../../../core/ids.ts';
import type { LedgerFinding } from '../../../core/ledger-check/index.ts';
import type { Db, Tx } from '../../platform/db/db.ts';
import { findHashes, readOutboxRefs, type Place } from './store.ts';

const rowsPerRead = 50;

/** The entries that rows of the outbox name, part by part. */
async function* listNamed(
  read: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>,
): AsyncGenerator<readonly Place[], void> {
  for (let afterId = 0n; ;) {
    const after = afterId;
    const rows = await read((tx) => readOutboxRefs(tx, after, rowsPerRead));
    yield rows.flatMap((row) => parseRefs(row.entry_refs));
    const last = rows.at(-1);
    if (!last || rows.length < rowsPerRead) return;
    afterId = last.id;
  }
}

/** As `appendEvents` writes them: a wallet's id and a seq, one entry a line. */
const parseRefs = (references: string): Place[] =>
  references.split('\n').flatMap((ref) => {
    if (ref === '') return [];
    const [walletId = '', seq = ''] = ref.split(' ');
    return isUuid(walletId) && /^\d{1,18}$/.test(seq) ? [{ walletId, seq: BigInt(seq) }] : [noEntry];
  });

/** What stands for a reference that cannot be read. */
const noEntry: Place = { walletId: '00000000-0000-0000-0000-000000000000', seq: 0n };

/** Reports rows of the outbox that name entries which do not exist. */
export async function checkOutbox(
  tx: Tx,
  walletId: string | undefined,
  onPart: (part: {
    readonly findings: readonly LedgerFinding[];
    readonly missing: readonly Place[];
    readonly wallets: number;
    readonly transactions: number;
  }) => void | Promise<void>,
): Promise<void> {
  for await (const named of listNamed((work) => work(tx))) {
    const places = walletId === undefined ? named : named.filter((p) => p.walletId === walletId);
    const hashes = await findHashes(tx, places);
    const findings = places.flatMap((place, i): LedgerFinding[] =>
      hashes[i] ? [] : [{ ...place, kind: 'outbox', detail: 'the outbox names it' }],
    );
    if (findings.length > 0) await onPart({ findings, missing: [], wallets: 0, transactions: 0 });
  }
}

/** Those of the places whose event has not been sent: by now, in the outbox. */
export async function findUnsent(db: Db, places: readonly Place[]): Promise<ReadonlySet<string>> {
  const wanted = new Set(places.map(keyOf));
  const found = new Set<string>();
  for await (const named of listNamed((work) => db.read(work))) {
    for (const place of named) if (wanted.has(keyOf(place))) found.add(keyOf(place));
  }
  return found;
}

/** One text for one place. */
export const keyOf = ({ walletId, seq }: Place): string => `${walletId} ${seq}`;
