import {
  findHoldProblem,
  findOpenProblem,
  type CheckListener,
  type HoldEntry,
  type HoldRow,
  type LedgerFinding,
  type OpenHolds,
} from '../../../core/ledger-check/index.ts';
import {
  countHolds,
  findFirstOpen,
  findHolds,
  readUnknownHolds,
  type HoldFactsRow,
} from './holds-store.ts';
import type { IdSpan, RunInTx } from './store.ts';

const rowsPerRead = 1_000;
const lowestId = '00000000-0000-0000-0000-000000000000';

type HoldCheck = Required<Pick<CheckListener, 'onHold' | 'onOpenHolds'>> & {
  /** What is wrong with the holds since the last call. */
  flush(run: RunInTx): Promise<LedgerFinding[]>;
  /** After all entries of the span. Gives the findings part by part. */
  finish(run: RunInTx): AsyncGenerator<readonly LedgerFinding[], void>;
};

/**
 * Holds the table of holds against the entries of the wallets of a span, whatever their number:
 * each hold's row is looked up, and the rows are counted. Only where there are more rows than
 * entries have one, the rows are looked at.
 */
export function createHoldCheck(span: IdSpan): HoldCheck {
  let holds: HoldEntry[] = [];
  let wallets: OpenHolds[] = [];
  let found = 0;
  return {
    onHold: (hold) => void holds.push(hold),
    onOpenHolds: (wallet) => void wallets.push(wallet),
    flush: async (run) => {
      const [asked, open] = [holds, wallets];
      [holds, wallets] = [[], []];
      const rows = asked.length === 0 ? [] : await run((tx) => findHolds(tx, asked));
      found += rows.filter(({ seq }) => seq !== null).length;
      const first = open.length === 0 ? [] : await run((tx) => findFirstOpen(tx, open));
      return [
        ...asked.flatMap((hold, i) => checkHold(hold, rows[i])),
        ...open.flatMap((wallet, i): LedgerFinding[] => {
          const { id, expires_at: expiresAtMs } = first[i] ?? { id: null, expires_at: null };
          const hold = id === null || expiresAtMs === null ? undefined : { id, expiresAtMs };
          const problem = findOpenProblem(wallet, hold);
          return problem ? [{ walletId: wallet.walletId, seq: wallet.seq, ...problem }] : [];
        }),
      ];
    },
    finish: async function* (run) {
      if ((await run((tx) => countHolds(tx, span))) === found) return;
      for (let after = { walletId: span.first, id: lowestId }; ;) {
        const at = after;
        const rows = await run((tx) => readUnknownHolds(tx, at, span.last, rowsPerRead));
        yield rows.map(({ wallet_id: walletId, seq, id }) => ({
          ...{ walletId, seq, kind: 'hold', detail: `the ledger does not have hold ${id}` },
        }));
        const last = rows.at(-1);
        if (!last || rows.length < rowsPerRead) return;
        after = { walletId: last.wallet_id, id: last.id };
      }
    },
  };
}

function checkHold(hold: HoldEntry, facts: HoldFactsRow | undefined): LedgerFinding[] {
  const uses = {
    usedMinor: facts?.uses_end ?? 0n,
    capturedMinor: BigInt(facts?.uses_captured ?? 0),
    last:
      facts?.last_at == null
        ? undefined
        : { occurredAtMs: facts.last_at, isOfSystem: facts.last_of_system === true },
  };
  const detail = findHoldProblem(hold, uses, facts && toHoldRow(facts));
  const { walletId, seq } = hold;
  return detail === undefined ? [] : [{ walletId, seq, kind: 'hold', detail }];
}

const toHoldRow = (row: HoldFactsRow): HoldRow | undefined =>
  row.seq === null
    ? undefined
    : {
        seq: row.seq,
        amountMinor: row.amount ?? 0n,
        usedMinor: row.used ?? 0n,
        capturedMinor: row.captured ?? 0n,
        state: row.state ?? '',
        contraAccount: row.contra_account ?? '',
        placedAtMs: row.placed_at ?? NaN,
        expiresAtMs: row.expires_at ?? NaN,
        closedAtMs: row.closed_at ?? undefined,
      };
