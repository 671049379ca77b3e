import { isUuid } from '../../../core/ids.ts';
import { isUndo, operationOfWireNumber, type Operation } from '../../../core/operations.ts';
import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import type { TransactionItem } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  checkWalletOfKey,
  deny,
  resolveSubject,
  userNotFound,
  type UserPrincipal,
} from '../../platform/access/access.ts';
import type { Db } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import type { Command } from '../domain.ts';
import { toCommand } from './request.ts';
import { checkOperation } from './operation-rights.ts';
import { isPosition } from '../store/positions.ts';
import * as reads from '../store/reads.ts';
import type { KnownUsers } from './users.ts';
import type { WalletRefs } from './wallet-refs.ts';

export type ItemOptions = {
  readonly db: Db;
  readonly users: KnownUsers;
  readonly walletRefs?: WalletRefs;
  readonly defaultCurrency: string;
  /** What customers may do by themselves. */
  readonly selfServiceOperations: ReadonlySet<Operation>;
  /** The same for requests that come straight from programs on this machine. */
  readonly localOperations: ReadonlySet<Operation>;
};

/** Who asks, and whether the request came straight from a program on this machine. */
export type ItemCaller = Pick<CallContext, 'principal' | 'isLocal'>;

/** Who may ask for this, on whose wallet, and whether it is well formed: all before the lock. */
export async function readItem(
  options: ItemOptions,
  item: TransactionItem,
  caller: ItemCaller,
): Promise<Result<Command>> {
  const admitted = admit(options, item, caller);
  if (!admitted.ok) return admitted;
  if (takesParentsCurrency(admitted.value)) {
    const [command] = await readItems(options, [item], caller, () => undefined);
    if (!command) throw new Error('an item was not read');
    return command;
  }
  const command = nameCommand(options, admitted.value, item.currency || options.defaultCurrency);
  if (!command.ok) return command;
  const { userId } = command.value.wallet;
  const checked = options.users.isKnown(userId) ? command : await options.users.check(userId);
  return checked.ok ? command : checked;
}

/**
 * The same for many at once, a result for each. `findPending` gives the currency of a transaction
 * that is not committed yet, by its id.
 */
export async function readItems(
  options: ItemOptions,
  items: readonly TransactionItem[],
  caller: ItemCaller,
  findPending: (transactionId: string) => string | undefined,
): Promise<readonly Result<Command>[]> {
  const commands: Result<Command>[] = [];
  const undos: OpenUndo[] = [];
  const own = new Map<string, string>();
  for (const item of items) {
    const asked = admit(options, item, caller);
    if (!asked.ok) {
      commands.push(asked);
      continue;
    }
    const { parentId } = item;
    let currency = item.currency || options.defaultCurrency;
    if (parentId !== undefined && takesParentsCurrency(asked.value)) {
      const near = own.get(parentId) ?? findPending(parentId);
      if (near === undefined) undos.push({ place: commands.length, asked: asked.value, parentId });
      currency = near ?? currency;
    }
    const command = nameCommand(options, asked.value, currency);
    if (command.ok && currency !== options.defaultCurrency) {
      own.set(command.value.transactionId, currency);
    }
    commands.push(command);
  }
  await resolveUndos(options, undos, commands);
  return checkUsers(options, commands);
}

/** An undo whose currency has to be looked up. */
type OpenUndo = { readonly place: number; readonly asked: Asked; readonly parentId: string };

const takesParentsCurrency = ({ item, operation }: Asked): boolean =>
  item.currency === '' && isUndo(operation) && isUuid(item.parentId ?? '');

/**
 * An undo takes its parent's currency. A parent that is nowhere yet is looked for in the default
 * currency, under the lock.
 */
async function resolveUndos(
  options: ItemOptions,
  undos: readonly OpenUndo[],
  commands: Result<Command>[],
): Promise<void> {
  if (undos.length === 0) return;
  const { db, defaultCurrency } = options;
  const keys = undos.map(({ asked, parentId }) => ({ id: parentId, userId: asked.userId }));
  const found = await db.read((tx) => reads.findCurrenciesOf(tx, keys));
  for (const { place, asked, parentId } of undos) {
    commands[place] = nameCommand(options, asked, found.get(parentId) ?? defaultCurrency);
  }
}

/** What an item asks for, once it is clear who asks and on whose wallet. */
type Asked = {
  readonly item: TransactionItem;
  readonly operation: Operation;
  readonly userId: string;
  readonly principal: UserPrincipal;
};

function admit(options: ItemOptions, item: TransactionItem, caller: ItemCaller): Result<Asked> {
  const { principal } = caller;
  const operation = operationOfWireNumber(item.operation);
  if (!operation) {
    return refuse('INVALID_ARGUMENT', 'operation is missing or unknown', { field: 'operation' });
  }
  if (item.sentSince !== undefined && !isPosition(item.sentSince)) {
    return refuse('INVALID_ARGUMENT', 'sent_since is not a ledger position', {
      field: 'sent_since',
    });
  }
  if (principal.kind !== 'user') return deny('a user must move money');
  const subject = resolveSubject(principal, item.userId);
  if (!subject.ok) return subject;
  const allowed = checkOperation(options, principal, operation, subject.value, caller.isLocal);
  if (!allowed.ok) return allowed;
  return succeed({ item, operation, userId: subject.value, principal });
}

/** Checks the fields and names wallet and transaction. */
function nameCommand(
  { walletRefs }: ItemOptions,
  { item, operation, userId, principal }: Asked,
  currency: string,
): Result<Command> {
  const request = {
    userId,
    currency,
    operation,
    amountMinor: item.amountMinor,
    parentId: item.parentId,
    merchant: item.merchant,
    description: item.description,
    metadata: item.metadata,
    idempotencyKey: item.idempotencyKey,
    callerClass: principal.role === 'customer' ? ('customer' as const) : ('staff' as const),
    actor: principal.userId,
  };
  const command = toCommand(request, walletRefs);
  if (!command.ok) return command;
  const reached = checkWalletOfKey(principal, command.value.wallet.id);
  return reached.ok ? command : reached;
}

/** Refuses the commands whose user does not exist; all users are asked for at once. */
async function checkUsers(
  { users }: ItemOptions,
  commands: readonly Result<Command>[],
): Promise<readonly Result<Command>[]> {
  const ids = new Set<string>();
  for (const command of commands) if (command.ok) ids.add(command.value.wallet.userId);
  try {
    const unknown = await users.findUnknown([...ids]);
    if (unknown.size === 0) return commands;
    return commands.map((command) =>
      command.ok && unknown.has(command.value.wallet.userId)
        ? userNotFound(command.value.wallet.userId)
        : command,
    );
  } catch {
    return commands.map((command) => (command.ok ? authUnavailable : command));
  }
}

const authUnavailable = refuse(
  'AUTH_UNAVAILABLE',
  'the auth service is unavailable: nothing was done, try again',
);
