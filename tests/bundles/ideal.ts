import { chainRows } from '../support/ledger/chain-rows.ts';
import { toData } from './judge-heard.ts';
import type { Heard } from './listener.ts';
import {
  applyDone,
  createState,
  decideRequest,
  formatAmount,
  operationCodes,
  uuidOf,
  type Done,
  type Request,
  type State,
} from '../support/ledger/wallet-model.ts';
import type { EntryRow, RefusalRow } from '../support/ledger/final-rows.ts';
import type { Observed } from './observed.ts';
import type { Step } from './plan.ts';

/** What a product without any defect leaves behind, if it handles all in this order. */
export function makeIdeal(steps: readonly Step[]): Observed {
  const states = new Map<string, State>();
  const rows = new Map<string, EntryRow[]>();
  const refusals: RefusalRow[] = [];
  for (const step of steps) {
    if (step.kind === 'poison') continue;
    const { request } = step;
    const state = states.get(request.wallet.id) ?? createState();
    states.set(request.wallet.id, state);
    const verdict = decideRequest(state, request);
    if (verdict.kind === 'accepted') {
      applyDone(state, verdict.done);
      const entries = rows.get(request.wallet.id) ?? [];
      rows.set(request.wallet.id, [...entries, toEntry(request, verdict.done)]);
    } else if (verdict.kind === 'rejected') {
      if (!state.done.has(request.id)) state.refused.add(request.id);
      const isKnown = refusals.some(({ transaction_id: id }) => id === request.id);
      if (!isKnown) refusals.push(toRefusal(request, verdict.reason, state));
    }
  }
  const chains = [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, of]) => chainRows(of));
  return {
    entries: chains.flatMap(({ entries }) => entries),
    lines: chains.flatMap(({ lines }) => lines),
    wallets: chains.flatMap(({ wallets }) => wallets),
    ...{ refusals, divergences: 0, outboxRows: 0 },
    heard: [
      ...chains.flatMap(({ entries }) => entries.map((e, i) => toCreated(e, entries[i - 1]))),
      ...refusals.map((row) => toRejected(row, steps)),
    ],
    letters: steps.flatMap((step) =>
      step.kind !== 'poison'
        ? []
        : {
            message_id: step.poison.messageId ?? null,
            ...{ reason: step.poison.reason, field: step.poison.field },
            content: step.poison.body.subarray(0, 256 * 1024).toString('latin1'),
          },
    ),
  };
}

const toEntry = (request: Request, done: Done): EntryRow => ({
  ...{ id: done.id, seq: '', wallet_id: request.wallet.id, user_id: request.wallet.userId },
  ...{ currency: request.wallet.currency, operation: operationCodes[done.operation] },
  ...{ amount: String(done.amountMinor), balance_after: '', contra_account: done.contraAccount },
  ...{ parent_id: done.parentId ?? null, source: 2, actor: request.actor, metadata: null },
  ...{ description: request.description ?? null, at_ms: '1780000000000', hash: '' },
});

const toRefusal = ({ id, key, wallet }: Request, reason: string, state: State): RefusalRow => ({
  ...{ transaction_id: id, wallet_id: wallet.id, message_id: key, reason },
  metadata:
    reason === 'INSUFFICIENT_FUNDS'
      ? { balance: formatAmount(state.balanceMinor, wallet.exponent) }
      : {},
});

const toHeard = (routingKey: string, messageId: string, body: object): Heard => ({
  ...{ atMs: 0, exchange: 'wallet.events', routingKey, messageId, body: JSON.stringify(body) },
});

const toCreated = (entry: EntryRow, previous: EntryRow | undefined): Heard =>
  toHeard('transaction.created', uuidOf(entry.wallet_id, `created ${entry.id}`), {
    ...{ pattern: 'transaction_created', data: toData(entry, previous) },
  });

function toRejected(row: RefusalRow, steps: readonly Step[]): Heard {
  const step = steps.find((one) => one.kind !== 'poison' && one.request.key === row.message_id);
  const userId = step && step.kind !== 'poison' ? step.request.wallet.userId : '';
  const data = { messageId: row.message_id, userId, reason: row.reason };
  const id = uuidOf(row.wallet_id, `rejected ${row.transaction_id}`);
  return toHeard('transaction.rejected', id, { pattern: 'transaction_rejected', data });
}
