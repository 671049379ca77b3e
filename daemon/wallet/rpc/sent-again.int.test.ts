import { expect, it } from 'vitest';

import type {
  StreamTransactionsRequest,
  TransactionItem,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { outcomeOf } from '../../../tests/support/grpc/stream.ts';
import { isPosition, readPosition } from '../store/positions.ts';
import {
  contextOf,
  countEntries,
  createBatchService,
  createStreamService,
  deposit,
  people,
  times,
  useLedger,
  withdraw,
} from './test-support.ts';

const { ana, bia } = people;
const at = useLedger();

const position = (): Promise<string> => at.database().db.read(readPosition);

/** An item as it is sent again. */
const again = (item: TransactionItem, sentSince: string): TransactionItem => ({
  ...item,
  sentSince,
});

it('what an item made after its position is done by it; what is older is replayed', async () => {
  const { outcomes } = createBatchService(at.database());
  const items = times(6, (i) => deposit(i % 2 === 0 ? ana : bia));
  expect(await outcomes(items.slice(0, 3))).toEqual(times(3, () => 'done'));
  const since = await position();
  expect(await outcomes(items.slice(3, 5))).toEqual(['done', 'done']);
  const sentAgain = items.map((item) => again(item, since));
  expect(await outcomes(sentAgain)).toEqual([
    ...['replayed', 'replayed', 'replayed'],
    ...['done', 'done', 'done'],
  ]);
  expect(await outcomes(items)).toEqual(times(6, () => 'replayed'));
  expect(await countEntries(at.database())).toBe(6);
});

it('a position still says what came before it once all rows are frozen', async () => {
  const { outcomes } = createBatchService(at.database());
  const [early, late] = [deposit(ana), deposit(bia)];
  await outcomes([early]);
  const since = await position();
  await outcomes([late]);
  await at.database().query('VACUUM (FREEZE) transactions');
  expect(await outcomes([again(early, since), again(late, since)])).toEqual(['replayed', 'done']);
});

it('a dry run ignores the position, and so does a refusal', async () => {
  const { outcomes } = createBatchService(at.database());
  const since = await position();
  const item = deposit(ana);
  await outcomes([item]);
  expect(await outcomes([again(item, since)], { dryRun: true })).toEqual(['replayed']);
  const tooMuch = again(withdraw(ana, { amountMinor: 101n }), since);
  expect(await outcomes([tooMuch])).toEqual(['INSUFFICIENT_FUNDS']);
  const other = { ...again(item, since), amountMinor: 7n };
  expect(await outcomes([other])).toEqual(['IDEMPOTENCY_KEY_REUSED']);
});

it('a position of another database makes nothing one’s own, and other texts are refused', async () => {
  const { outcomes } = createBatchService(at.database());
  const item = deposit(ana);
  await outcomes([item]);
  expect(await outcomes([again(item, '999999999999999999')])).toEqual(['replayed']);
  for (const text of ['', '0', '-1', '1.5', 'x', '12345678901234567890']) {
    expect(isPosition(text)).toBe(false);
    expect(await outcomes([again(item, text)])).toEqual(['INVALID_ARGUMENT']);
  }
});

it('a stream gives the position before its items, and claims what was sent again', async () => {
  const stream = createStreamService(at.database());
  const items = times(3, () => deposit(ana));
  const [first] = await send(stream, [{ items: items.slice(0, 1), dryRun: false }]);
  expect(first).toMatchObject({ outcomes: ['done'], position: undefined });
  const [opening, second] = await send(stream, [
    { items: [], dryRun: false, withPosition: true },
    { items: items.slice(1, 2), dryRun: false },
  ]);
  expect(opening?.outcomes).toEqual([]);
  const since = opening?.position ?? '';
  expect(isPosition(since)).toBe(true);
  expect(second?.outcomes).toEqual(['done']);
  const sentAgain = items.map((item) => again(item, since));
  const [third] = await send(stream, [{ items: sentAgain, dryRun: false }]);
  expect(third?.outcomes).toEqual(['replayed', 'done', 'done']);
  const [dry] = await send(stream, [{ items: sentAgain, dryRun: true }]);
  expect(dry?.outcomes).toEqual(['replayed', 'replayed', 'replayed']);
});

/** Each message, once the one before it is answered, with its answer. */
async function send(
  stream: ReturnType<typeof createStreamService>,
  messages: readonly StreamTransactionsRequest[],
) {
  const answers: { outcomes: string[]; position: string | undefined }[] = [];
  let answered: () => void = () => undefined;
  const requests = async function* (): AsyncGenerator<StreamTransactionsRequest> {
    for (const message of messages) {
      const isAnswered = new Promise<void>((resolve) => (answered = resolve));
      yield message;
      await isAnswered;
    }
  };
  const opened = await stream(requests(), contextOf());
  if (!opened.ok) throw new Error(opened.rejection.reason);
  for await (const { results, ledgerPosition } of opened.value) {
    answers.push({ outcomes: results.map(outcomeOf), position: ledgerPosition });
    answered();
  }
  return answers;
}
