import { downloadExport, downloadStatement } from './downloads.ts';
import type { Export, StatementLine } from './gen/api.ts';
import { createList } from './lists.ts';
import type { CallOptions } from './options.ts';
import { iteratePages } from './pages.ts';
import { WalletProblem } from './problem.ts';
import { sleep, type Sender } from './send.ts';
import type { BatchBody, BatchResult, Client, ListQuery, WaitOptions } from './types.ts';

type MoneyMethods = Pick<Client, 'transactions' | 'holds' | 'wallets' | 'statements' | 'exports'>;

/** Methods about wallets, what moves their money, and what is reported of it. */
export const createMoneyMethods = (sender: Sender): MoneyMethods => ({
  transactions: {
    ...createList(sender, 'getTransactions'),
    create: (body, options) => sender.call('postTransactions', { body }, options),
    createBatch: (body, options) => createBatch(sender, body, options),
    get: (id, query, options) =>
      sender.call('getTransactionsById', { path: { id }, query: query ?? {} }, options),
    getByKey: (key, query, options) =>
      sender.call('getTransactionsByKeyByKey', { path: { key }, query: query ?? {} }, options),
  },
  holds: {
    ...createList(sender, 'getHolds'),
    place: (body, options) => sender.call('postHolds', { body }, options),
    capture: (id, body, options) =>
      sender.call('postHoldsByIdCapture', { path: { id }, body }, options),
    release: (id, body, options) =>
      sender.call('postHoldsByIdRelease', { path: { id }, body }, options),
    get: (id, options) => sender.call('getHoldsById', { path: { id } }, options),
  },
  wallets: {
    ...createList(sender, 'getWallets'),
    get: (user, currency, query = {}, options = {}) =>
      sender.call('getWalletsByUserByCurrency', { path: { user, currency }, query }, options),
    update: (user, currency, body, options) =>
      sender.call('patchWalletsByUserByCurrency', { path: { user, currency }, body }, options),
    close: (user, currency, body, options) =>
      sender.call('postWalletsByUserByCurrencyClose', { path: { user, currency }, body }, options),
    reopen: (user, currency, body, options) =>
      sender.call('postWalletsByUserByCurrencyReopen', { path: { user, currency }, body }, options),
    getTerms: (user, currency, options) =>
      sender.call('getWalletsByUserByCurrencyTerms', { path: { user, currency } }, options),
    setTerms: (user, currency, body, options) =>
      sender.call('putWalletsByUserByCurrencyTerms', { path: { user, currency }, body }, options),
    findRecipient: (email, options) => sender.call('postRecipients', { body: { email } }, options),
  },
  statements: {
    get: (query = {}, options = {}) => sender.call('getStatements', { query }, options),
    search: (query, options) => sender.call('getStatementsSearch', { query }, options),
    listLines: (query = {}, options = {}) => listLines(sender, query, options),
    download: (format, query = {}, options = {}) =>
      downloadStatement(sender, { format, query, options }),
  },
  exports: {
    ...createList(sender, 'getExports'),
    create: (body, options) => sender.call('postExports', { body }, options),
    get: (id, options) => sender.call('getExportsById', { path: { id }, query: {} }, options),
    wait: (id, options) => waitForExport(sender, id, options),
    download: (id, options) => downloadExport(sender, id, options),
  },
});

/** Each item has a key, so that the whole batch may be sent again. */
async function createBatch(
  sender: Sender,
  { items, ...body }: BatchBody,
  options?: CallOptions,
): Promise<readonly BatchResult[]> {
  const keyed = items.map((item) => ({
    ...item,
    idempotencyKey: item.idempotencyKey ?? crypto.randomUUID(),
  }));
  const request = { body: { ...body, items: keyed }, isRepeatable: true };
  const answer = await sender.call('postTransactionsBatch', request, options);
  return keyed.map(({ idempotencyKey }, i) => {
    const result = answer.items[i];
    if (result) return { ...result, idempotencyKey };
    const message = 'the answer has fewer results than the batch has items';
    throw new WalletProblem({ reason: 'ANSWER_INVALID', message, isOutcomeUnknown: true });
  });
}

const listLines = (
  sender: Sender,
  query: ListQuery<'getStatements'>,
  options: CallOptions,
): AsyncGenerator<StatementLine, void, undefined> =>
  iteratePages(async (next) => {
    const page = await sender.call('getStatements', { query: { ...query, ...next } }, options);
    if (page.status !== 'queued') {
      const { nextPageToken } = page;
      const items = page.statement.lines;
      return { items, ...(nextPageToken === undefined ? {} : { nextPageToken }) };
    }
    throw new WalletProblem({
      reason: 'RANGE_TOO_LONG',
      message: `the range is long: the statement is written to a file, export ${page.export.id}`,
      hint: 'use exports.wait and exports.download',
    });
  });

const longestWaitSeconds = 25;
const pauseMs = 250;

async function waitForExport(
  sender: Sender,
  id: string,
  { signal, timeoutMs = 300_000 }: WaitOptions = {},
): Promise<Export> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const leftMs = endMs - performance.now();
    const longestMs = Math.min(leftMs, sender.attemptTimeoutMs / 2);
    const wait = Math.max(0, Math.min(longestWaitSeconds, Math.floor(longestMs / 1_000)));
    const request = { path: { id }, query: { wait } };
    const found = await sender.call('getExportsById', request, { signal });
    if (found.status !== 'queued' && found.status !== 'running') return found;
    if (endMs - performance.now() <= pauseMs) {
      const message = `the export ${id} was not finished within ${timeoutMs} ms`;
      throw new WalletProblem({ reason: 'TIMED_OUT', message, hint: 'wait for it again' });
    }
    await sleep(pauseMs, signal);
  }
}
