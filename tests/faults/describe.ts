import type { Load } from './load/load.ts';
import type { Prober } from './load/prober.ts';
import type { Readers } from './load/readers.ts';

type Described = {
  readonly seconds: number;
  readonly facts: readonly string[];
  readonly readers: Readers;
  readonly prober: Prober;
};

/** Says what the run did: operations by outcome, faults by kind, and how long callers waited. */
export function describeRun(
  load: Load,
  { seconds, facts, readers, prober }: Described,
  say: (line: string) => void,
): void {
  const ops = [...load.book.all.values()];
  say(`${ops.length} operations, ${(ops.length / seconds).toFixed(0)} a second`);
  const outcomes = ops.map(({ outcome }) => {
    if (!outcome) return 'never answered';
    return outcome.isDone ? 'done' : outcome.reason;
  });
  say(`by outcome: ${countEach(outcomes)}`);
  say(`by interface: ${countEach(ops.map(({ via }) => via))}`);
  const attempts = load.record.history().attempts.map(({ outcome }) => {
    if (outcome?.kind === 'accepted') return outcome.isReplayed ? 'replayed' : 'accepted';
    const [first = ''] = (outcome?.reason ?? 'no answer').split(':');
    return first;
  });
  say(`answers: ${countEach(attempts)}`);
  for (const fact of facts) say(fact);
  say(
    `reports: ${readers.balances} balances and ${readers.statements} complete statements, ` +
      `looked at again ${readers.rereads} times`,
  );
  const spans = load.timeline.spans.filter(({ kind }) => kind !== 'machine');
  say(`${load.tally.faults} faults: ${countEach(spans.map(({ kind }) => kind))}`);
  const steps = [...load.tally.steps].map(([name, count]) => `${name} ${count}`);
  if (steps.length > 0) say(`steps: ${steps.join(', ')}`);
  say('how long a call on a wallet that the fault does not concern took at most:');
  prober.describe().forEach(say);
}

function countEach(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}
