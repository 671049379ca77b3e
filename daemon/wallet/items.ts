import { isUuid } from '../../core/ids.ts';
import { isUndo, type Operation } from '../../core/operations.ts';
import { refuse, succeed, type Result } from '../../core/reasons.ts';
import type { TransactionItem } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  checkWalletOfKey,
  deny,
  resolveSubject,
  userNotFound,
  type Principal,
  type UserPrincipal,
} from '../platform/access.ts';
import type { Db } from '../platform/db.ts';
import type { Command } from './domain.ts';
import { toCommand } from './request.ts';
import * as reads from './store-reads.ts';
import type { KnownUsers } from './users.ts';
import { readOperation } from './wire.ts';

export type ItemOptions = {
  readonly db: Db;
  readonly users: KnownUsers;
  readonly defaultCurrency: string;
  /** What customers may do by themselves. */
  readonly selfServiceOperations: ReadonlySet<Operation>;
};

/** Who may ask for this, on whose wallet, and whether it is well formed: all before the lock. */
export async function readItem(
  options: ItemOptions,
  item: TransactionItem,
  principal: Principal,
): Promise<Result<Command>> {
  const [command] = await readItems(options, [item], principal, () => undefined);
  if (!command) throw new Error('an item was not read');
  return command;
}

/**
 * The same for many at once, a result for each. `findPending` gives the currency of a transaction
 * that is not committed yet, by its id.
 */
export async function readItems(
  options: ItemOptions,
  items: readonly TransactionItem[],
  principal: Principal,
  findPending: (transactionId: string) => string | undefined,
): Promise<readonly Result<Command>[]> {
  const commands: (Result<Command> | undefined)[] = [];
  const admitted = items.map((item) => admit(options, item, principal));
  const own = new Map<string, string>();
  const findNear = (id: string): string | undefined => own.get(id) ?? findPending(id);
  const isOfParent = (item: TransactionItem): item is TransactionItem & { parentId: string } =>
    item.currency === '' && item.parentId !== undefined && isUuid(item.parentId);
  admitted.forEach((result, i) => {
    if (!result.ok) return void (commands[i] = result);
    const { item, operation } = result.value;
    const isOpen = isUndo(operation) && isOfParent(item);
    const near = isOpen ? findNear(item.parentId) : undefined;
    if (isOpen && near === undefined) return;
    const command = nameCommand(result.value, item.currency || (near ?? options.defaultCurrency));
    if (command.ok) own.set(command.value.transactionId, command.value.wallet.currency);
    commands[i] = command;
  });
  const open = admitted.flatMap((result, i) =>
    result.ok && !commands[i] && isOfParent(result.value.item)
      ? [{ i, asked: result.value, parentId: result.value.item.parentId }]
      : [],
  );
  // An undo takes its parent's currency. A parent that is nowhere yet is looked for in the default
  // currency, under the lock.
  const keys = open.map(({ asked, parentId }) => ({ id: parentId, userId: asked.userId }));
  const found =
    keys.length > 0
      ? await options.db.read((tx) => reads.findCurrenciesOf(tx, keys))
      : new Map<string, string>();
  for (const { i, asked, parentId } of open) {
    commands[i] = nameCommand(asked, found.get(parentId) ?? options.defaultCurrency);
  }
  return checkUsers(
    options,
    commands.map((command) => command ?? refuse('INTERNAL', 'an item was not read')),
  );
}

/** What an item asks for, once it is clear who asks and on whose wallet. */
type Asked = {
  readonly item: TransactionItem;
  readonly operation: Operation;
  readonly userId: string;
  readonly principal: UserPrincipal;
};

function admit(options: ItemOptions, item: TransactionItem, principal: Principal): Result<Asked> {
  const operation = readOperation(item.operation);
  if (!operation) {
    return refuse('INVALID_ARGUMENT', 'operation is missing or unknown', { field: 'operation' });
  }
  if (principal.kind !== 'user') return refuse('PERMISSION_DENIED', 'a user must move money');
  const subject = resolveSubject(principal, item.userId);
  if (!subject.ok) return subject;
  const allowed = checkMover(options, principal, operation, {
    isOwn: subject.value === principal.userId,
  });
  if (!allowed.ok) return allowed;
  return succeed({ item, operation, userId: subject.value, principal });
}

function checkMover(
  options: ItemOptions,
  { role, apiKey }: UserPrincipal,
  operation: Operation,
  { isOwn }: { isOwn: boolean },
): Result<void> {
  if (role !== 'customer' && isOwn) {
    return refuse(
      'STAFF_OWN_WALLET',
      'staff move no money on a wallet of their own: have a colleague do it',
    );
  }
  if (role === 'customer' && !options.selfServiceOperations.has(operation)) {
    return refuse('OPERATION_NOT_ALLOWED', `customers may not ${operation} here: ask the staff`, {
      field: 'operation',
      operation,
    });
  }
  if (apiKey && apiKey.operations.length > 0 && !apiKey.operations.includes(operation)) {
    return deny(`this API key may not ${operation}`, { field: 'operation', operation });
  }
  return succeed(undefined);
}

/** Checks the fields and names wallet and transaction. */
function nameCommand(
  { item, operation, userId, principal }: Asked,
  currency: string,
): Result<Command> {
  const command = toCommand({
    userId,
    currency,
    operation,
    amountMinor: item.amountMinor,
    parentId: item.parentId,
    merchant: item.merchant,
    description: item.description,
    metadata: item.metadata,
    idempotencyKey: item.idempotencyKey,
    callerClass: principal.role === 'customer' ? 'customer' : 'staff',
    actor: principal.userId,
  });
  if (!command.ok) return command;
  const reached = checkWalletOfKey(principal, command.value.wallet.id);
  return reached.ok ? command : reached;
}

/** Refuses the commands whose user does not exist; all users are asked for at once. */
async function checkUsers(
  { users }: ItemOptions,
  commands: readonly Result<Command>[],
): Promise<readonly Result<Command>[]> {
  const ids = new Set(commands.flatMap((c) => (c.ok ? [c.value.wallet.userId] : [])));
  try {
    const unknown = await users.findUnknown([...ids]);
    if (unknown.size === 0) return commands;
    return commands.map((command) =>
      command.ok && unknown.has(command.value.wallet.userId)
        ? userNotFound(command.value.wallet.userId)
        : command,
    );
  } catch {
    return commands.map((command) => (command.ok ? authAway : command));
  }
}

const authAway = refuse(
  'AUTH_UNAVAILABLE',
  'the auth service is out of reach: nothing was done, try again',
);
