import type { Asked } from './asked.ts';
import {
  applyDone,
  createState,
  decideRequest,
  formatAmount,
  operationCodes,
  sizeOf,
  type Request,
  type State,
} from '../support/ledger/wallet-model.ts';
import type { EntryRow, RefusalRow } from '../support/ledger/final-rows.ts';
import type { Observed } from './observed.ts';

type Decided = {
  /** Messages that were accepted, and those that were refused. */
  readonly messages: number;
  readonly refusals: number;
  readonly violations: string[];
};

/** What concerns one wallet. */
type Case = {
  /** By messages, in the order in which they were published, with copies and conflicts. */
  readonly asked: Request[];
  readonly calls: Map<string, Request>;
  readonly entries: EntryRow[];
};

/**
 * Each message and each call has exactly the effect that the model gives it, in an order that the
 * queue allows: messages of one wallet as they were published, and calls anywhere between them.
 */
export function judgeDecisions(asked: Asked, observed: Observed): Decided {
  const cases = listCases(asked, observed);
  const refusals = new Map(observed.refusals.map((row) => [row.transaction_id, row]));
  const violations: string[] = [];
  const explained = new Set<string>();
  for (const [walletId, of] of cases) {
    const isOrdered = asked.isOrdered && !asked.looseWallets.has(walletId);
    const judgeOne = isOrdered ? judgeInOrder : judgeAnyOrder;
    judgeOne(of, refusals, explained, (what) => violations.push(`${walletId}: ${what}`));
  }
  for (const { transaction_id: id, message_id: key } of observed.refusals) {
    if (!explained.has(id)) violations.push(`message ${key}: refused, which it must not be`);
  }
  judgeCalls(asked, observed, violations);
  const messages = observed.entries.filter(({ source }) => source === 2).length;
  return { messages, refusals: observed.refusals.length, violations };
}

function listCases(asked: Asked, observed: Observed): ReadonlyMap<string, Case> {
  const cases = new Map<string, Case>();
  const caseOf = (walletId: string): Case => {
    const known = cases.get(walletId) ?? { asked: [], calls: new Map(), entries: [] };
    cases.set(walletId, known);
    return known;
  };
  for (const step of asked.steps) {
    if (step.kind !== 'poison') caseOf(step.request.wallet.id).asked.push(step.request);
  }
  for (const { request } of asked.called) caseOf(request.wallet.id).calls.set(request.id, request);
  for (const entry of observed.entries) caseOf(entry.wallet_id).entries.push(entry);
  return cases;
}

type Violate = (what: string) => void;

/** Decides the request on the state, and compares the entry with the decision. */
function applyEntry(state: State, request: Request, entry: EntryRow, violate: Violate): void {
  const verdict = decideRequest(state, request);
  const where = `seq ${entry.seq} (${request.source} ${request.key})`;
  if (verdict.kind !== 'accepted') {
    violate(
      `${where}: accepted, but is ${verdict.kind === 'rejected' ? verdict.reason : 'a copy'}`,
    );
    state.seq += 1;
    return;
  }
  const { done } = verdict;
  applyDone(state, done);
  const expected = {
    seq: String(state.seq),
    operation: operationCodes[done.operation],
    amount: String(done.amountMinor),
    balance_after: String(state.balanceMinor),
    contra_account: done.contraAccount,
    parent_id: done.parentId ?? null,
    source: request.source === 'message' ? 2 : 1,
    actor: request.actor,
    description: request.description ?? null,
    user_id: request.wallet.userId,
    currency: request.wallet.currency,
  };
  for (const [name, value] of Object.entries(expected)) {
    const found = entry[name as keyof typeof expected];
    if (found !== value) violate(`${where}: ${name} is ${String(found)}, not ${String(value)}`);
  }
}

/** True if the state gives the refusal that was stored, for the balance that it names. */
function isRefusedAs(state: State, request: Request, row: RefusalRow): boolean {
  const verdict = decideRequest(state, request);
  if (verdict.kind !== 'rejected' || verdict.reason !== row.reason) return false;
  const { balance } = row.metadata;
  return (
    balance === undefined || balance === formatAmount(state.balanceMinor, request.wallet.exponent)
  );
}

/** Messages in the order in which they were published; calls where the ledger has them. */
function judgeInOrder(
  { asked, calls, entries }: Case,
  refusals: ReadonlyMap<string, RefusalRow>,
  explained: Set<string>,
  violate: Violate,
): void {
  const state = createState();
  const places = new Map(entries.map(({ id }, place) => [id, place]));
  let next = 0;
  const takeCall = (): boolean => {
    const entry = entries[next];
    const request = entry && calls.get(entry.id);
    if (!request) return false;
    next += 1;
    applyEntry(state, request, entry, violate);
    return true;
  };
  for (const request of asked) {
    const { id, key } = request;
    if (decideRequest(state, request).kind === 'repeated') continue;
    const place = places.get(id);
    const entry = place === undefined ? undefined : entries[place];
    if (entry && !state.done.has(id)) {
      while (entries[next] !== entry && takeCall());
      if (entries[next] !== entry) {
        violate(`message ${key}: is seq ${entry.seq}, out of the order of the queue`);
        return;
      }
      next += 1;
      applyEntry(state, request, entry, violate);
      continue;
    }
    const row = refusals.get(id);
    if (!row) {
      violate(`message ${key}: has no effect`);
      continue;
    }
    while (!isRefusedAs(state, request, row) && takeCall());
    if (isRefusedAs(state, request, row)) explained.add(id);
    else violate(`message ${key}: refused with ${row.reason} ${JSON.stringify(row.metadata)}`);
    if (row.message_id !== key) violate(`message ${key}: refused as ${row.message_id}`);
    if (!state.done.has(id)) state.refused.add(id);
  }
  while (takeCall());
  for (const { seq, id } of entries.slice(next)) violate(`seq ${seq}: ${id} was not asked for`);
}

/** The order of the ledger, whatever it is: each refusal must be right in one of its states. */
function judgeAnyOrder(
  { asked, calls, entries }: Case,
  refusals: ReadonlyMap<string, RefusalRow>,
  explained: Set<string>,
  violate: Violate,
): void {
  const state = createState();
  const byId = new Map<string, Request[]>();
  for (const request of asked) byId.set(request.id, [...(byId.get(request.id) ?? []), request]);
  const open = new Map(byId);
  for (const { id } of entries) {
    const isConflict = refusals.get(id)?.reason === 'IDEMPOTENCY_KEY_REUSED';
    const contents = new Set(open.get(id)?.map(({ amountMinor }) => amountMinor));
    if (isConflict && contents.size > 1) explained.add(id);
    open.delete(id);
  }
  const explain = (): void => {
    for (const [id, requests] of open) {
      const row = refusals.get(id);
      if (!row || !requests.some((request) => isRefusedAs(state, request, row))) continue;
      explained.add(id);
      open.delete(id);
    }
  };
  explain();
  for (const entry of entries) {
    const amountMinor = sizeOf(BigInt(entry.amount));
    const requests = byId.get(entry.id) ?? [];
    const request =
      requests.find((one) => one.amountMinor === amountMinor) ?? requests[0] ?? calls.get(entry.id);
    if (!request) violate(`seq ${entry.seq}: ${entry.id} was not asked for`);
    else applyEntry(state, request, entry, violate);
    explain();
  }
  for (const [id, [request]] of open) {
    const reason = refusals.get(id)?.reason;
    const effect = reason === undefined ? 'has no effect' : `refused with ${reason}`;
    violate(`message ${request?.key}: ${effect}`);
  }
}

/** A call is in the ledger as it was answered. */
function judgeCalls({ called }: Asked, { entries }: Observed, violations: string[]): void {
  const byId = new Map(entries.map((entry) => [entry.id, entry]));
  for (const { request, seq } of called) {
    const found = byId.get(request.id)?.seq;
    if (found === seq?.toString()) continue;
    violations.push(`call ${request.key}: answered as ${seq}, in the ledger as ${found}`);
  }
}
