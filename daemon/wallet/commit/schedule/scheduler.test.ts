import fc from 'fast-check';
import { expect, it } from 'vitest';

import { refuse, succeed, type Rejection } from '../../../../core/reasons.ts';
import { seededRandom } from '../../../../tests/support/ledger/ledger-rows.ts';
import { createLog } from '../../../platform/log.ts';
import { createGroupCommit } from '../group-commit.ts';

/** Of one wallet, or of two. */
type Command = { readonly keys: readonly string[]; readonly n: number };

const log = createLog('silent');
const explain = (err: unknown): Rejection =>
  refuse('INTERNAL', err instanceof Error ? err.message : '').rejection;
const waiting = { deadlineMs: Infinity, isCancelled: () => false };
const nameOf = (i: number): string => `wallet ${i}`;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** What was committed, and what went wrong on the way. */
function createLedger(turns: readonly number[]) {
  const inFlight = new Set<string>();
  const faults: string[] = [];
  const order: Command[] = [];
  let commits = 0;
  const commit = async (commands: readonly Command[]) => {
    const keys = new Set(commands.flatMap((command) => command.keys));
    for (const key of keys) {
      if (inFlight.has(key)) faults.push(`${key} is in two commits at once`);
      inFlight.add(key);
    }
    const wait = turns[commits++ % turns.length] ?? 0;
    for (let i = 0; i < wait; i += 1) await turn();
    order.push(...commands);
    for (const key of keys) inFlight.delete(key);
    return commands.map(({ n }) => succeed(n));
  };
  return { commit, faults, order };
}

/** So many that commits run beside each other. */
function makeProgram(
  seed: number,
  { count, shareOfTwo, wallets }: { count: number; shareOfTwo: number; wallets: number },
): (readonly string[])[] {
  const random = seededRandom(seed);
  const pick = (): string => nameOf(Math.floor(random() * wallets));
  return Array.from({ length: count }, () => {
    const [own, other] = [pick(), pick()];
    return own !== other && random() < shareOfTwo ? [own, other] : [own];
  });
}

it('commands on one and two wallets keep the order of each wallet, however many commits run at once', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        seed: fc.nat(),
        count: fc.integer({ min: 1, max: 3_000 }),
        shareOfTwo: fc.constantFrom(0, 0.002, 0.02, 0.2, 1),
        wallets: fc.constantFrom(8, 3_000),
        maxCommits: fc.integer({ min: 1, max: 4 }),
        turns: fc.array(fc.nat(3), { minLength: 1, maxLength: 5 }),
      }),
      async ({ seed, maxCommits, turns, ...shape }) => {
        const { commit, faults, order } = createLedger(turns);
        const keysOf = ({ keys }: Command): readonly string[] => keys;
        const group = createGroupCommit({ keysOf, commit, maxCommits, explain, log });
        const program = makeProgram(seed, shape);
        const answers: Promise<unknown>[] = [];
        for (const [n, keys] of program.entries()) {
          answers.push(group.submit({ keys, n }, waiting));
          if (n % 700 === 0) await turn();
        }
        expect(await Promise.all(answers)).toEqual(program.map((_keys, n) => succeed(n)));
        expect(faults).toEqual([]);
        const last = new Map<string, number>();
        for (const { keys, n } of order) {
          for (const key of keys) {
            expect(n).toBeGreaterThan(last.get(key) ?? -1);
            last.set(key, n);
          }
        }
        expect(order).toHaveLength(program.length);
      },
    ),
    { numRuns: 60 },
  );
});
