import type { LockedLatency } from './latencies.ts';

/** One demand on a run, and whether the run met it. */
export type Check = {
  readonly name: string;
  readonly found: string;
  readonly limit: string;
  readonly isMet: boolean;
};

/** What a run is evaluated by. */
export type Findings = {
  /** Violations by kind. */
  readonly counts: ReadonlyMap<string, number>;
  /** Rows in the outbox after everything has come to rest; undefined if they were not counted. */
  readonly outboxRows: number | undefined;
  /** Of the other wallets while one was locked; empty where none was. */
  readonly latencies: readonly LockedLatency[];
};

/** The kinds of violations that have a line of their own. */
const kindsOf = {
  INTERNAL: ['INTERNAL'],
  'false refusals': ['false refusals'],
  'reported balances that changed': ['balances that changed'],
  'complete statements that changed': [
    'statements that changed',
    'statements of the future that changed',
  ],
} as const;
/** They have lines with numbers. */
const measured: readonly string[] = ['outbox', 'latency'];

/** All demands; a run is good if all are met. */
export function listChecks({ counts, outboxRows, latencies }: Findings): Check[] {
  const sum = (kinds: readonly string[]): number =>
    kinds.reduce((total, kind) => total + (counts.get(kind) ?? 0), 0);
  const named: readonly string[] = [...Object.values(kindsOf).flat(), ...measured];
  const others = [...counts.keys()].filter((kind) => !named.includes(kind));
  return [
    ...Object.entries(kindsOf).map(([name, kinds]) => toZero(name, sum(kinds))),
    toZero('rows in the outbox at the end', outboxRows),
    ...latencies.map(({ of, count, p99Ms, limitMs, isMet }) => ({
      name: `p99 of ${of} beside a locked wallet`,
      found: count === 0 ? 'none measured' : `${p99Ms.toFixed(0)} ms of ${count}`,
      limit: `${limitMs} ms`,
      isMet,
    })),
    toZero('other violations', sum(others)),
  ];
}

const toZero = (name: string, found: number | undefined): Check => ({
  ...{ name, found: found === undefined ? 'not counted' : String(found) },
  ...{ limit: '0', isMet: found === 0 },
});

export function formatChecks(checks: readonly Check[]): string[] {
  const format = (name: string, found: string, limit: string, met: string): string =>
    name.padEnd(44) + found.padEnd(18) + limit.padEnd(10) + met;
  return [
    format('check', 'found', 'limit', 'met'),
    ...checks.map(({ name, found, limit, isMet }) =>
      format(name, found, limit, isMet ? 'yes' : 'NO'),
    ),
  ];
}
