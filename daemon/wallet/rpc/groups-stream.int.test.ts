import { randomUUID } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import type {
  StreamTransactionsRequest,
  TransactionItem,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { outcomeOf } from '../../../tests/support/grpc/stream.ts';
import {
  contextOf,
  createStreamService,
  deposit,
  fee,
  groupOf,
  people,
  readBalances,
  times,
  transfer,
  useLedger,
  withdraw,
} from './test-support.ts';

const { ana, bia } = people;
const at = useLedger();

describe('groups on a stream', () => {
  const run = async (
    messages: readonly (readonly TransactionItem[])[],
    dryRun = false,
  ): Promise<string[]> => {
    const requests = async function* (): AsyncGenerator<StreamTransactionsRequest> {
      for (const items of messages) {
        await Promise.resolve();
        yield { items: [...items], dryRun };
      }
    };
    const opened = await createStreamService(at.database())(requests(), contextOf());
    if (!opened.ok) return [opened.rejection.reason];
    const outcomes: string[] = [];
    for await (const { results } of opened.value) outcomes.push(...results.map(outcomeOf));
    return outcomes;
  };

  it('groups and single items share messages, and each sees what came before', async () => {
    const messages = [
      [deposit(ana), ...groupOf([transfer(ana, bia, 60n), fee(ana, 40n)])],
      [...groupOf([fee(ana, 1n), deposit(ana)]), ...groupOf([fee(bia, 60n)]), withdraw(ana)],
    ];
    const wanted = ['done', 'done', 'done'];
    wanted.push('INSUFFICIENT_FUNDS', 'GROUP_ABORTED', 'done', 'INSUFFICIENT_FUNDS');
    expect(await run(messages, true)).toEqual(wanted);
    expect(await run(messages)).toEqual(wanted);
    expect(await readBalances(at.database())).toEqual({ [ana]: 0, [bia]: 0 });
  });

  it('what of a group is behind the end of a message is refused; the same group again is not', async () => {
    const groupId = randomUUID();
    const group = groupOf(
      times(4, () => deposit(ana)),
      groupId,
    );
    const [first, rest] = [group.slice(0, 2), group.slice(2)];
    expect(await run([first, rest, rest, [deposit(bia)]])).toEqual([
      ...['done', 'done'],
      ...times(4, () => 'INVALID_ARGUMENT'),
      'done',
    ]);
    expect(await run([first, first])).toEqual(times(4, () => 'replayed'));
    expect(await readBalances(at.database())).toEqual({ [ana]: 200, [bia]: 100 });
  });
});
