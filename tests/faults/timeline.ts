import type { FaultKind } from './kinds/names.ts';
import type { RunRecord } from './record/record.ts';

/** `machine`: nothing that the run does. */
type SpanKind = FaultKind | 'machine';

/** One fault: what it is done to (a wallet's id, a daemon's name), and from when to when. */
export type Span = {
  readonly kind: SpanKind;
  readonly target: string;
  readonly fromMs: number;
  toMs: number | undefined;
};

/** Where something happened, as far as its latency is concerned. */
export type Situation =
  'quiet' | 'beside a lock' | 'on a locked wallet' | 'own daemon down' | 'beside other faults';

type Place = {
  readonly fromMs: number;
  readonly toMs: number;
  readonly walletId: string;
  /** The daemons that were asked; undefined: whichever took it. */
  readonly daemons: ReadonlySet<string> | undefined;
};

/** What each fault may still cause after its end: a restart, a new lease, news of revocations. */
const graceMs: Readonly<Partial<Record<SpanKind, number>>> = {
  locks: 500,
  stops: 3_000,
  clock: 2_000,
  machine: 3_000,
};
const otherGraceMs = 5_000;
const downKinds: ReadonlySet<SpanKind> = new Set(['stops', 'kills', 'restarts', 'steps']);

/** Which faults were on when, by the monotonic clock. */
export type Timeline = {
  /** A fault begins, or did; the function given ends it. */
  begin(kind: SpanKind, target: string, fromMs?: number): () => void;
  situationOf(place: Place): Situation;
  /** Money moves between these wallets: while one is locked, others wait behind such a command. */
  couple(walletIds: readonly string[]): void;
  /** The faults of that time in words. */
  describe(fromMs: number, toMs: number): string;
  count(kind: FaultKind): number;
  /** All that have begun. */
  readonly spans: readonly Span[];
  /** Seconds since the beginning, as the output has them. */
  secondsOf(atMs: number): string;
};

/** The faults are in `record` as well. */
export function createTimeline(say: (line: string) => void, record?: RunRecord): Timeline {
  const startedAtMs = performance.now();
  const spans: Span[] = [];
  let coupled: ReadonlySet<string> = new Set();
  const secondsOf = (atMs: number): string => ((atMs - startedAtMs) / 1_000).toFixed(1);
  const during = (fromMs: number, toMs: number): Span[] =>
    spans.filter(
      (span) =>
        span.fromMs <= toMs &&
        (span.toMs === undefined || span.toMs + (graceMs[span.kind] ?? otherGraceMs) >= fromMs),
    );
  return {
    begin: (kind, target, fromMs = performance.now()) => {
      const span: Span = { kind, target, fromMs, toMs: undefined };
      spans.push(span);
      const endRecorded = record?.beginFault(kind, target, fromMs);
      say(`${secondsOf(span.fromMs)} s: ${kind}: ${target}: begins`);
      return () => {
        span.toMs = performance.now();
        endRecorded?.();
        say(`${secondsOf(span.toMs)} s: ${kind}: ${target}: ends`);
      };
    },
    situationOf: ({ fromMs, toMs, walletId, daemons }) => {
      const around = during(fromMs, toMs);
      const isConcerned = ({ kind, target }: Span): boolean =>
        kind === 'locks' && (target === walletId || (coupled.has(target) && coupled.has(walletId)));
      if (around.some(isConcerned)) return 'on a locked wallet';
      const isDown = ({ kind, target }: Span): boolean =>
        downKinds.has(kind) && (daemons === undefined || daemons.has(target));
      if (around.some(isDown)) return 'own daemon down';
      if (around.length === 0) return 'quiet';
      return around.every(({ kind }) => kind === 'locks') ? 'beside a lock' : 'beside other faults';
    },
    couple: (walletIds) => void (coupled = new Set(walletIds)),
    describe: (fromMs, toMs) => {
      const texts = during(fromMs, toMs).map((span) => {
        const end = span.toMs === undefined ? 'now' : `${secondsOf(span.toMs)} s`;
        return `${span.kind} ${span.target} ${secondsOf(span.fromMs)} s to ${end}`;
      });
      return texts.length === 0 ? 'no fault' : texts.join('; ');
    },
    spans,
    count: (kind) => spans.filter((span) => span.kind === kind).length,
    secondsOf,
  };
}
