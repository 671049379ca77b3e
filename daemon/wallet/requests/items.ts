import { accountOfUser, userOfAccount } from '../../../core/contra-account.ts';
import { canonicalId, isUuid } from '../../../core/ids.ts';
import {
  hasParent,
  isUndo,
  ofHold,
  operationOfWireNumber,
  type Operation,
} from '../../../core/operations.ts';
import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import type { TransactionItem } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  deny,
  resolveSubject,
  userNotFound,
  type UserPrincipal,
} from '../../platform/access/access.ts';
import type { Db } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { walletsOf, type Command } from '../domain.ts';
import { contraAccountOf } from '../domain-movement.ts';
import { groupIdOf, groupOfOne, joinGroups } from './groups.ts';
import type { HoldDays } from './hold-days.ts';
import { addReference } from './reference.ts';
import { toCommand } from './request.ts';
import { checkForce, checkOperation, checkOther, checkReachOfKey } from './operation-rights.ts';
import { isPosition } from '../store/positions.ts';
import type { DefaultLimits } from '../store/rare-states.ts';
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
  /** Of wallets that have no spending limits of their own. */
  readonly defaultLimits?: DefaultLimits;
  readonly holdDays?: HoldDays;
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
  if (item.groupId !== undefined) return groupOfOne;
  if (namesParent(admitted.value) || item.toUserId !== undefined) {
    const [command] = await readItems(options, [item], caller, () => undefined);
    if (!command) throw new Error('an item was not read');
    return command;
  }
  const command = nameCommand(options, admitted.value, undefined);
  if (!command.ok) return command;
  const { userId } = command.value.wallet;
  const checked = options.users.isKnown(userId) ? command : await options.users.check(userId);
  return checked.ok ? command : checked;
}

/** What an undo or capture needs of the transaction that it names. */
export type Parent = {
  readonly currency: string;
  readonly contraAccount: string;
  /** Whether it took from the wallet, so that its undo gives. */
  readonly isDebit: boolean;
};

/** Names a transaction as one wallet sees it: both wallets of a transfer have it, under one id. */
export const parentKey = (userId: string, id: string): string => `${userId} ${id}`;

/** Whether an undo or capture of this command's transaction can take nothing for granted. */
export function isParent({ wallet, operation, more }: Command, defaultCurrency: string): boolean {
  if (isUndo(operation) || operation === 'release') return false;
  const isForUser = more?.other !== undefined || more?.payeeUserId !== undefined;
  return isForUser || wallet.currency !== defaultCurrency;
}

/** What undos and captures need of this command's transaction, if this user has a side of it. */
export function parentMadeBy(command: Command, userId: string): Parent | undefined {
  const { wallet, operation, more } = command;
  const { currency } = wallet;
  if (userId === wallet.userId) {
    return { currency, contraAccount: contraAccountOf(command), isDebit: operation !== 'deposit' };
  }
  if (userId !== more?.other?.userId) return undefined;
  return { currency, contraAccount: accountOfUser(wallet.userId), isDebit: false };
}

/**
 * The same for many at once, a result for each. `findPending` gives a transaction that is not
 * committed yet, by its owner and its id.
 */
export async function readItems(
  options: ItemOptions,
  items: readonly TransactionItem[],
  caller: ItemCaller,
  findPending: (userId: string, transactionId: string) => Parent | undefined,
): Promise<readonly Result<Command>[]> {
  const { defaultCurrency } = options;
  const commands: Result<Command>[] = [];
  const undos: OpenUndo[] = [];
  const own = new Map<string, Command>();
  for (const item of items) {
    const asked = admit(options, item, caller);
    if (!asked.ok) {
      commands.push(asked);
      continue;
    }
    const { parentId } = item;
    let parent: Parent | undefined;
    if (parentId !== undefined && namesParent(asked.value)) {
      const { userId } = asked.value;
      const made = own.get(parentId);
      parent = (made && parentMadeBy(made, userId)) ?? findPending(userId, parentId);
      if (!parent) undos.push({ place: commands.length, asked: asked.value, parentId });
    }
    const command = nameCommand(options, asked.value, parent);
    if (command.ok && isParent(command.value, defaultCurrency)) {
      own.set(command.value.transactionId, command.value);
    }
    commands.push(command);
  }
  await resolveUndos(options, undos, commands);
  return joinGroups(items, await checkUsers(options, commands));
}

/** An undo whose parent has to be looked up. */
type OpenUndo = { readonly place: number; readonly asked: Asked; readonly parentId: string };

const namesParent = ({ item, operation }: Asked): boolean =>
  hasParent(operation) && isUuid(item.parentId ?? '');

/**
 * An undo takes its parent's currency, and concerns the wallet on the parent's other side. So do
 * captures and releases, of their hold: a capture concerns the wallet of the user who is paid. A
 * parent that is nowhere yet is looked for in the default currency, under the lock.
 */
async function resolveUndos(
  options: ItemOptions,
  undos: readonly OpenUndo[],
  commands: Result<Command>[],
): Promise<void> {
  if (undos.length === 0) return;
  const keys = undos.map(({ asked, parentId }) => ({ id: parentId, userId: asked.userId }));
  const found = await options.db.read((tx) => reads.findParents(tx, keys));
  for (const { place, asked, parentId } of undos) {
    commands[place] = nameCommand(options, asked, found.get(parentKey(asked.userId, parentId)));
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

/** Checks the fields and names wallets and transaction. */
function nameCommand(
  { walletRefs, defaultCurrency, holdDays }: ItemOptions,
  { item, operation, userId, principal }: Asked,
  parent: Parent | undefined,
): Result<Command> {
  const metadata = addReference(item.metadata, item.reference);
  if (!metadata.ok) return metadata;
  // The other side of an undo or capture is its parent's.
  if (hasParent(operation) && item.toUserId) return ofHold(operation) ? payeeOfUse : payeeOfUndo;
  const request = {
    userId,
    currency: item.currency || (parent?.currency ?? defaultCurrency),
    operation,
    amountMinor: item.amountMinor,
    parentId: item.parentId,
    merchant: item.merchant,
    otherUserId: hasParent(operation)
      ? otherSideOf(operation, parent)
      : item.toUserId && canonicalId(item.toUserId),
    via: item.via,
    isForced: item.force ?? false,
    expiresAtMs: item.expiresAt?.getTime(),
    expiresInSeconds: item.expiresInSeconds,
    keepsRest: item.keepRest,
    groupId: groupIdOf(item),
    description: item.description,
    metadata: metadata.value,
    idempotencyKey: item.idempotencyKey,
    callerClass: principal.role === 'customer' ? ('customer' as const) : ('staff' as const),
    actor: principal.userId,
  };
  const command = toCommand(request, walletRefs, holdDays);
  if (!command.ok) return command;
  const allowed = checkForce(principal, command.value) ?? checkOther(principal, command.value);
  if (!allowed.ok) return allowed;
  const reached = checkReachOfKey(principal, command.value, parent?.isDebit === true);
  return reached.ok ? command : reached;
}

/** Whose wallet is concerned by an undo or capture besides the own one. A release concerns none. */
export const otherSideOf = (operation: Operation, parent: Parent | undefined) =>
  parent && operation !== 'release' ? userOfAccount(parent.contraAccount) : undefined;

const payeeOfUse = refuse(
  'INVALID_ARGUMENT',
  'to_user_id must be absent: who is paid was said when the hold was placed',
  { field: 'to_user_id' },
);

const payeeOfUndo = refuse(
  'INVALID_ARGUMENT',
  'to_user_id must be absent: an undo goes back to where the money came from',
  { field: 'to_user_id' },
);

/** Refuses the commands of which a user does not exist; all users are asked for at once. */
async function checkUsers(
  { users }: ItemOptions,
  commands: readonly Result<Command>[],
): Promise<readonly Result<Command>[]> {
  const ids = new Set<string>();
  for (const command of commands) {
    if (!command.ok) continue;
    for (const { userId } of walletsOf(command.value)) ids.add(userId);
    const payee = command.value.more?.payeeUserId;
    if (payee !== undefined) ids.add(payee);
  }
  try {
    const unknown = await users.findUnknown([...ids]);
    if (unknown.size === 0) return commands;
    return commands.map((command) => (command.ok ? checkKnown(command, unknown) : command));
  } catch {
    return commands.map((command) => (command.ok ? authUnavailable : command));
  }
}

function checkKnown(
  command: Extract<Result<Command>, { ok: true }>,
  unknown: ReadonlySet<string>,
): Result<Command> {
  const { wallet, more } = command.value;
  if (unknown.has(wallet.userId)) return userNotFound(wallet.userId);
  const payee = more?.other?.userId ?? more?.payeeUserId;
  return unknown.has(payee ?? '') ? recipientNotFound : command;
}

const recipientNotFound = refuse('RECIPIENT_NOT_FOUND', 'there is no such recipient', {
  field: 'to_user_id',
});

const authUnavailable = refuse(
  'AUTH_UNAVAILABLE',
  'the auth service is unavailable: nothing was done, try again',
);
