import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { transactionIdOf, walletIdOf } from '../../../core/ids.ts';
import {
  StatementServiceService,
  StatementStatus,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import {
  Operation,
  WalletServiceService,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { createProducer, toBody } from '../../support/broker/producer.ts';
import { item } from '../../support/grpc/client.ts';
import { formatAmount, type OperationName } from '../../support/ledger/wallet-model.ts';
import { toOutcome, toRefusal } from '../load/recording.ts';
import type { CallerClass, Command, Outcome } from '../record/history.ts';
import { isLedgerRefusal, outcomeOfReason } from '../record/outcomes.ts';
import type { RunRecord } from '../record/record.ts';
import type { Node, Person, Site } from '../site.ts';

export const currency = 'BRL';

type Wanted = {
  readonly operation: OperationName;
  readonly amountMinor?: bigint;
  readonly parentId?: string;
  /** Of a transfer, a capture, and their undo; of a hold who a capture pays. */
  readonly otherUserId?: string;
  /** Of a hold. */
  readonly lifeMs?: number;
  readonly keepsRest?: boolean;
  readonly key?: string;
  readonly callerClass?: CallerClass;
};

/** A command, and whose wallet it is about. */
type Order = {
  readonly command: Command;
  readonly person: Person;
  readonly lifeMs?: number | undefined;
};

/** What a client of a scenario does; all of it is recorded. */
export type Clients = {
  order(person: Person, wanted: Wanted): Order;
  /** One attempt at one daemon. */
  send(order: Order, node: Node): Promise<Outcome>;
  /** Attempts under the same key, at one daemon after the other, until the ledger has answered. */
  complete(order: Order, nodes: readonly Node[]): Promise<Outcome>;
  /** Publishes it as a message, until the broker has confirmed it. */
  publish(order: Order): Promise<void>;
  /** The balance as of a time; the time that the answer is about. */
  balance(person: Person, node: Node, at: Date): Promise<Date | undefined>;
  /** True if the daemon said that the statement is complete. */
  statement(person: Person, node: Node, from: Date, to: Date): Promise<boolean>;
};

const timeoutMs = 8_000;
const completeMs = 20_000;
/** Nothing that asking again soon would change. */
const lasting: ReadonlySet<string> = new Set([
  'WALLET_CORRUPT',
  'WALLET_CLOCK_AHEAD',
  'WALLET_FROZEN',
  'INTERNAL',
]);

export function createClients(site: Site, record: RunRecord): Clients {
  const send = async ({ command, person, lifeMs }: Order, node: Node): Promise<Outcome> => {
    const daemon = node.name;
    const end = record.beginAttempt({ command, client: person.id, over: 'grpc', daemon });
    const isStaff = command.callerClass === 'staff';
    const request = { item: toItem(command, isStaff ? person.id : '', lifeMs), dryRun: false };
    const { token } = isStaff ? site.operator : person;
    const method = WalletServiceService.createTransaction;
    const answer = await node.connection().call(method, request, token, timeoutMs);
    const outcome = answer.ok
      ? toOutcome(answer.value.transaction, answer.value.replayed)
      : toRefusal(answer);
    end(outcome);
    return outcome;
  };
  const complete = async (order: Order, nodes: readonly Node[]): Promise<Outcome> => {
    const endsAtMs = performance.now() + completeMs;
    for (let tries = 0; ; tries += 1) {
      const node = nodes[tries % nodes.length];
      if (!node) throw new Error('no daemon is given');
      const outcome = await send(order, node);
      if (outcome.kind === 'accepted') return outcome;
      const isFinal = isLedgerRefusal(outcome.reason) || lasting.has(outcome.reason);
      if (isFinal || performance.now() > endsAtMs) return outcome;
      await sleep(100);
    }
  };
  return {
    order: (person, { key = randomUUID(), callerClass = 'customer', ...wanted }) => {
      const walletId = walletIdOf(person.id, currency);
      const transactionId = transactionIdOf(walletId, callerClass, key);
      const { operation, amountMinor, parentId, otherUserId, lifeMs, keepsRest } = wanted;
      const pair =
        otherUserId === undefined || operation === 'hold'
          ? undefined
          : { userId: person.id, otherUserId, otherWalletId: walletIdOf(otherUserId, currency) };
      const merchant = operation === 'hold' && otherUserId === undefined ? 'Bakery' : undefined;
      const payeeId = operation === 'hold' ? otherUserId : undefined;
      const asked = { operation, amountMinor, parentId, merchant, pair, payeeId, keepsRest };
      return { command: { walletId, transactionId, key, callerClass, ...asked }, person, lifeMs };
    },
    send,
    complete,
    publish: async ({ command, person }) => {
      const { key, operation, amountMinor = 0n } = command;
      record.beginAttempt({ command, client: 'producer', over: 'message', daemon: undefined });
      const producer = await createProducer(site.broker.url(site.vhost));
      const body = toBody({ userId: person.id, operation, amount: formatAmount(amountMinor, 2) });
      await producer.send(body, { messageId: key }).finally(() => producer.close());
    },
    balance: async (person, node, at) => {
      const walletId = walletIdOf(person.id, currency);
      const begun = { client: person.id, over: 'grpc', daemon: node.name, walletId } as const;
      const end = record.beginBalance({ ...begun, isNow: false });
      const method = WalletServiceService.getBalance;
      const request = { userId: '', currency, at };
      const answer = await node.connection().call(method, request, person.token, timeoutMs);
      if (!answer.ok) {
        end(outcomeOfReason(answer.reason));
        return undefined;
      }
      const { wallet, asOf = at } = answer.value;
      const { balanceMinor = 0n, seq = 0n } = wallet ?? {};
      end({ kind: 'balance', balanceMinor, seq, asOfMs: asOf.getTime() });
      return asOf;
    },
    statement: (person, node, from, to) => readStatement(record, person, node, from, to),
  };
}

function toItem(command: Command, userId: string, lifeMs = 3_600_000) {
  const { key, operation, amountMinor, parentId, pair, payeeId, merchant, keepsRest } = command;
  const name = operation.toUpperCase() as keyof typeof Operation;
  return item({
    ...{ userId, currency, operation: Operation[name], idempotencyKey: key },
    ...(amountMinor === undefined ? {} : { amountMinor }),
    ...(parentId === undefined ? {} : { parentId }),
    ...(operation === 'transfer' ? { toUserId: pair?.otherUserId } : {}),
    ...(payeeId === undefined ? {} : { toUserId: payeeId }),
    ...(merchant === undefined ? {} : { merchant }),
    ...(keepsRest === undefined ? {} : { keepRest: keepsRest }),
    ...(operation === 'hold' ? { expiresInSeconds: BigInt(Math.ceil(lifeMs / 1_000)) } : {}),
  });
}

async function readStatement(
  record: RunRecord,
  person: Person,
  node: Node,
  from: Date,
  to: Date,
): Promise<boolean> {
  const walletId = walletIdOf(person.id, currency);
  const begun = { client: person.id, over: 'grpc', daemon: node.name, walletId } as const;
  const period = { fromMs: from.getTime(), toMs: to.getTime() };
  const end = record.beginStatement({ ...begun, ...period });
  const query = { userId: '', currency, from, to, timezone: '', pageSize: 1_000, pageToken: '' };
  const request = { ...query, operations: [], descending: false };
  const method = StatementServiceService.generateStatement;
  const answer = await node.connection().call(method, request, person.token, timeoutMs);
  if (!answer.ok) {
    end(outcomeOfReason(answer.reason));
    return false;
  }
  const { status, statement } = answer.value;
  if (status !== StatementStatus.COMPLETE || !statement) {
    end({ kind: 'unknown', reason: 'not complete' });
    return false;
  }
  const { openingMinor, closingMinor, totalDebitMinor, totalCreditMinor } = statement;
  const lines = statement.lines.map(({ seq, transactionId, balanceAfterMinor, hash }) => ({
    ...{ seq, transactionId, balanceAfterMinor, hash: Buffer.from(hash).toString('hex') },
  }));
  const sums = { openingMinor, closingMinor, totalDebitMinor, totalCreditMinor };
  end({ kind: 'statement', ...sums, lines });
  return true;
}
