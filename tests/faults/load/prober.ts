import { setTimeout as sleep } from 'node:timers/promises';

import {
  Operation,
  WalletServiceService,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Op } from '../book.ts';
import { outcomeOfReason } from '../record/outcomes.ts';
import type { FaultKind } from '../kinds/names.ts';
import type { Person } from '../site/people.ts';
import type { Span } from '../timeline.ts';
import { itemOf, takeRefusal, type Load } from './load.ts';
import { beginAttempt, toOutcome } from './recording.ts';

type Probe = { readonly fromMs: number; readonly tookMs: number };

export type Prober = {
  run(): Promise<void>;
  /** By kind of fault: how long a call on a wallet took that the fault does not concern. */
  describe(): readonly string[];
};

const everyMs = 100;
/** Then the next daemon is asked under the same key. */
const patienceMs = 1_000;

/**
 * A client whose wallet no fault concerns, and who asks one daemon after the other: how long it
 * waits is how long a fault keeps callers from the ledger.
 */
export function createProber(load: Load, person: Person): Prober {
  const probes: Probe[] = [];
  const who = { via: 'grpc', callerClass: 'customer', userId: person.id } as const;
  let turn = 0;

  const probe = async (): Promise<void> => {
    const op = load.book.ask({ ...who, operation: Operation.DEPOSIT, amountMinor: 1n });
    for (let tries = 0; op.outcome === undefined && !load.isHopeless(); tries += 1) {
      if (tries > 0) {
        turn += 1;
        await sleep(50);
      }
      await askOnce(load, op, person, turn);
    }
    probes.push({ fromMs: op.startedMs, tookMs: performance.now() - op.startedMs });
  };
  return {
    run: async () => {
      while (!load.isOver()) {
        await probe();
        await sleep(everyMs);
      }
    },
    describe: () => describeByKind(load.timeline.spans, probes),
  };
}

async function askOnce(load: Load, op: Op, person: Person, turn: number): Promise<void> {
  const { nodes } = load.site;
  const node = nodes[turn % nodes.length] ?? nodes[0];
  const fromMs = performance.now();
  op.daemons.add(node.name);
  const request = { item: itemOf(op), dryRun: false };
  const method = WalletServiceService.createTransaction;
  const end = beginAttempt(load.record, op, 'prober', node.name);
  const answer = await node.connection().call(method, request, person.token, patienceMs);
  if (answer.ok) {
    const { transaction, replayed } = answer.value;
    end(toOutcome(transaction, replayed));
    load.book.note(op, node.name, fromMs, `done as ${transaction?.seq}`);
    load.book.settleDone(op, transaction);
    return;
  }
  end(outcomeOfReason(answer.reason));
  load.book.note(op, node.name, fromMs, answer.reason);
  // Its own deadline is no refusal.
  if (!answer.reason.startsWith('code 4')) takeRefusal(load, 'calls', op, answer.reason);
}

/** The longest probe that overlaps each fault, with the faults that were on alone apart. */
function describeByKind(spans: readonly Span[], probes: readonly Probe[]): readonly string[] {
  const faults = spans.filter(({ kind }) => kind !== 'machine');
  const endOf = ({ toMs = Infinity }: Span): number => toMs;
  const isAlone = (span: Span): boolean =>
    faults.every(
      (other) => other === span || other.fromMs > endOf(span) || endOf(other) < span.fromMs,
    );
  const longestIn = (span: Span): number =>
    probes
      .filter(({ fromMs, tookMs }) => fromMs <= endOf(span) && fromMs + tookMs >= span.fromMs)
      .reduce((most, { tookMs }) => Math.max(most, tookMs), 0);
  const rows = new Map<FaultKind, { alone: number[]; mixed: number[] }>();
  for (const span of faults) {
    const kind = span.kind as FaultKind;
    const row = rows.get(kind) ?? { alone: [], mixed: [] };
    rows.set(kind, row);
    (isAlone(span) ? row.alone : row.mixed).push(longestIn(span));
  }
  const most = (list: readonly number[]): string =>
    list.length === 0 ? '-' : Math.max(...list).toFixed(0);
  const cells = (name: string, ...texts: readonly string[]): string =>
    name.padEnd(20) + texts.map((text) => text.padStart(14)).join('');
  return [
    cells('fault', 'times', 'alone, ms', 'in mixes, ms'),
    ...[...rows].map(([kind, { alone, mixed }]) =>
      cells(kind, String(alone.length + mixed.length), most(alone), most(mixed)),
    ),
  ];
}
