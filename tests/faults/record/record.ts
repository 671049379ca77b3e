import type {
  Alert,
  Attempt,
  BalanceRead,
  FaultSpan,
  HeardEntry,
  HeardRejection,
  History,
  ProgressSample,
  StatementRead,
} from './history.ts';

/** What is known when a request begins. */
type Begun<T> = Omit<T, 'startMs' | 'endMs' | 'outcome' | 'answer'>;
type Mutable<T> = { -readonly [Field in keyof T]: T[Field] };

/** Takes the answer, once: the time of the first one is the end of the request. */
export type End<Answer> = (answer: Answer) => void;

/**
 * The record of a run. Each `begin…` is called before the request is sent, and the function that it
 * gives as soon as the answer is there; a request that is never answered stays open.
 */
export type RunRecord = {
  beginAttempt(begun: Begun<Attempt>): End<NonNullable<Attempt['outcome']>>;
  beginBalance(begun: Begun<BalanceRead>): End<NonNullable<BalanceRead['answer']>>;
  beginStatement(begun: Begun<StatementRead>): End<NonNullable<StatementRead['answer']>>;
  /** A fault begins, or did; the function given ends it. */
  beginFault(kind: string, target: string, fromMs?: number): () => void;
  hear(heard: Omit<HeardEntry, 'atMs'>): void;
  hearRejection(heard: Omit<HeardRejection, 'atMs'>): void;
  sampleProgress(sample: Omit<ProgressSample, 'atMs'>): void;
  alert(alert: Omit<Alert, 'atMs'>): void;
  /** All of it so far. */
  history(): History;
};

/** `now`: the monotonic clock of the run, in milliseconds. `watched`: where alerts are looked for. */
export function createRunRecord(
  now: () => number = () => performance.now(),
  watched: History['watched'] = [],
): RunRecord {
  const attempts: Attempt[] = [];
  const balances: BalanceRead[] = [];
  const statements: StatementRead[] = [];
  const heard: HeardEntry[] = [];
  const rejections: HeardRejection[] = [];
  const faults: Mutable<FaultSpan>[] = [];
  const progress: ProgressSample[] = [];
  const alerts: Alert[] = [];

  const beginRead = <Read extends BalanceRead | StatementRead>(
    list: Read[],
    begun: Begun<Read>,
  ): End<NonNullable<Read['answer']>> => {
    const read = { ...begun, startMs: now(), endMs: undefined, answer: undefined } as Read;
    list.push(read);
    return (answer) => {
      if (read.answer === undefined) Object.assign(read, { answer, endMs: now() });
    };
  };
  return {
    beginAttempt: (begun) => {
      const open = { endMs: undefined, outcome: undefined };
      const attempt: Mutable<Attempt> = { ...begun, startMs: now(), ...open };
      attempts.push(attempt);
      return (outcome) => {
        if (attempt.outcome === undefined) Object.assign(attempt, { outcome, endMs: now() });
      };
    },
    beginBalance: (begun) => beginRead(balances, begun),
    beginStatement: (begun) => beginRead(statements, begun),
    beginFault: (kind, target, fromMs = now()) => {
      const span: Mutable<FaultSpan> = { kind, target, fromMs, toMs: undefined };
      faults.push(span);
      return () => void (span.toMs ??= now());
    },
    hear: (entry) => void heard.push({ ...entry, atMs: now() }),
    hearRejection: (rejection) => void rejections.push({ ...rejection, atMs: now() }),
    sampleProgress: (sample) => void progress.push({ ...sample, atMs: now() }),
    alert: (alert) => void alerts.push({ ...alert, atMs: now() }),
    history: () => ({
      ...{ attempts, balances, statements, heard, rejections, faults, progress, alerts },
      ...{ watched, endMs: now() },
    }),
  };
}
