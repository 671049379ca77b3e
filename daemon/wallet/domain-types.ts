import type { CallerClass } from '../../core/ids.ts';
import type { Operation } from '../../core/operations.ts';
import type { Rejection } from '../../core/reasons.ts';

/** Which wallet is meant: its id follows from the other two. */
export type WalletRef = {
  readonly id: string;
  readonly userId: string;
  readonly currency: string;
  readonly exponent: number;
};

/** What is asked for, checked as far as that needs no state. Times and ids are passed in. */
export type Command = {
  readonly transactionId: string;
  /** What the caller named it by; the id follows from it. */
  readonly key: string;
  readonly wallet: WalletRef;
  readonly operation: Operation;
  /** Always there but for an undo, which may leave it to its parent. */
  readonly amountMinor: bigint | undefined;
  readonly parentId: string | undefined;
  readonly merchant: string | undefined;
  readonly description: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly callerClass: CallerClass;
  readonly actor: string;
  /** Nothing new may be done now, and why: what was done before is answered all the same. */
  readonly refusedIfNew?: Rejection;
  /** What only some commands have; undefined for most. */
  readonly more: CommandMore | undefined;
};
export type CommandMore = {
  /** The second wallet: of the payee, or the other side of what is undone. */
  readonly other?: WalletRef;
  /** Of a deposit or withdrawal: the account outside, `cash` if it is absent. */
  readonly via?: string;
  /**
   * Of a reversal: it may take a wallet below zero. Of a debit or hold: it may pass spending
   * limits, never what is available.
   */
  readonly isForced?: boolean;
  /** Of a hold: the user that a capture pays. No wallet of that user is concerned by the hold. */
  readonly payeeUserId?: string;
  /** Of a hold: when it ends, or how long after its own time; at most one of them. */
  readonly expiresAtMs?: number;
  readonly expiresInMs?: number;
  /** Of a hold: it ends so long after its own time at the latest. */
  readonly longestMs?: number;
  /** Of a capture: what is left of the hold stays reserved. */
  readonly keepsRest?: boolean;
  /** Commands with the same one stand side by side, and happen together or not at all. */
  readonly groupId?: string;
  /** Of a command with a `groupId`: its group, the same object in all of its commands. */
  readonly group?: AtomicGroup;
};
/** Commands of one request that happen together or not at all. */
export type AtomicGroup = {
  readonly size: number;
  /** The wallets of all its commands, each once. */
  readonly wallets: readonly WalletRef[];
};

/** `system`: `walletd` itself, which releases holds whose time is over. */
export type Source = 'grpc' | 'message' | 'system';

/** One side of a movement of money, as the ledger keeps it: a row of `transactions`. */
export type Entry = {
  readonly id: string;
  readonly wallet: WalletRef;
  readonly seq: bigint;
  readonly operation: Operation;
  /** Above 0 credits the wallet, below 0 debits it; the contra account gets the opposite. */
  readonly amountMinor: bigint;
  readonly balanceAfterMinor: bigint;
  readonly contraAccount: string;
  readonly parentId: string | undefined;
  readonly source: Source;
  readonly actor: string;
  readonly description: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly occurredAtMs: number;
  readonly hash: string;
  /** All debits of the wallet so far, this one included. */
  readonly debitedAfterMinor: bigint;
  /** What only some entries have; undefined for most. */
  readonly more: EntryMore | undefined;
};
export type EntryMore = {
  /** Above 0 reserves money, below 0 releases it. */
  readonly heldMinor: bigint;
  readonly heldAfterMinor: bigint;
  /** What of the parent was used up before this entry, and the parent's whole amount. */
  readonly parentUsedMinor: bigint;
  readonly parentAmountMinor: bigint | undefined;
  readonly groupId: string | undefined;
};
/** An entry as it was decided, with the hash that its own hash follows. */
export type NewEntry = Entry & { readonly previousHash: string };

export type WalletState = WalletRef & {
  readonly balanceMinor: bigint;
  /** All debits so far. */
  readonly debitedMinor: bigint;
  readonly seq: bigint;
  readonly lastAtMs: number;
  /** Balances and statements before this time were reported: no entry may be put before it. */
  readonly readWatermarkMs: number;
  /** Up to this time an operator lets the wallet be ahead of the clock; 0 if none did. */
  readonly aheadAcceptedMs: number;
  readonly lastHash: string;
  /** What open holds reserve; undefined if nothing. */
  readonly held: Held | undefined;
  readonly terms: Terms;
};
export type Held = {
  readonly heldMinor: bigint;
  /** When the first open hold ends: maybe too early, never too late. */
  readonly nextExpiryMs: number;
};
/** What an operator decides about a wallet. */
export type Terms = {
  /** Grows with every change. */
  readonly no: number;
  readonly status: WalletStatus;
  /** How far below 0 the balance may go. */
  readonly overdraftMinor: bigint;
  /** The wallet's own limits; undefined: those of the setting DEFAULT_LIMITS. */
  readonly limits: SpendingLimits | undefined;
};
/** In minor units. Windows are half-open and begin in `timezone`, an IANA name. */
export type SpendingLimits = {
  readonly perTransactionMinor?: bigint;
  readonly dayMinor?: bigint;
  readonly weekMinor?: bigint;
  readonly monthMinor?: bigint;
  readonly rolling?: readonly { readonly hours: number; readonly amountMinor: bigint }[];
  readonly timezone: string;
};

/** A reservation, as the entries of its wallet make it: a row of `holds`. */
export type Hold = {
  /** The transaction that placed it. */
  readonly id: string;
  readonly walletId: string;
  readonly seq: bigint;
  readonly amountMinor: bigint;
  /** Captured and released; the rest is reserved while the hold is open. */
  readonly usedMinor: bigint;
  readonly capturedMinor: bigint;
  readonly state: HoldState;
  readonly contraAccount: string;
  readonly placedAtMs: number;
  readonly expiresAtMs: number;
  readonly closedAtMs: number | undefined;
};
export type HoldState = 'open' | 'captured' | 'released' | 'expired';
/** `debits_frozen`: the wallet takes credits only. */
export type WalletStatus = 'active' | 'frozen' | 'debits_frozen' | 'closed';

/** What only some commands and wallets need. */
export type RareStates = {
  /**
   * Open holds whose time is over, by wallet, in order of expiry and id; they are released before
   * the wallet's first command. Others among them stay open.
   */
  readonly due: ReadonlyMap<string, readonly Hold[]>;
  /** What captures and releases name, by the hold's id: as it was before the first of them. */
  readonly holds: ReadonlyMap<string, Hold>;
  /**
   * Open holds of wallets, those in `due` included, where a command places one; absent: 0. Past
   * 1,025 they are not counted.
   */
  readonly openHolds: ReadonlyMap<string, number>;
  /** All debits of a wallet before a time, by `anchorKey`; absent: 0. */
  readonly anchors: ReadonlyMap<string, bigint>;
  /** The limits of wallets that have none of their own, by currency. */
  readonly defaultLimits: ReadonlyMap<string, SpendingLimits>;
};

/** What was read under the lock, as far as the commands concern it. */
export type States = RareStates & {
  /** Wallets that have a row, by id. */
  readonly wallets: ReadonlyMap<string, WalletState>;
  /** Entries by transaction id: twins of the commands, and the parents asked for. */
  readonly entries: ReadonlyMap<string, readonly Entry[]>;
  /** How much of parents has been used up, by `usedKey`; absent if nothing. */
  readonly used: ReadonlyMap<string, bigint>;
  /** What messages were refused with, by the id that their transaction would have had. */
  readonly refused: ReadonlyMap<string, Rejection>;
  /** Ids of wallets that do not agree with their last entry (domain-integrity.ts). */
  readonly corrupt: ReadonlySet<string>;
};

export type Decision =
  /** The entry of the command's own wallet, and that of the other one, if there is one. */
  | {
      readonly kind: 'accepted';
      readonly entries: readonly NewEntry[];
      /** Of a hold, capture or release in a batch: the hold after it. */
      readonly hold?: Hold;
    }
  | { readonly kind: 'replayed'; readonly entries: readonly Entry[] }
  /** `isRepeated`: this message was given the same answer before. */
  | { readonly kind: 'rejected'; readonly rejection: Rejection; readonly isRepeated: boolean };

/** What comes of a batch: `changed` and `holds` are as they are after its last command. */
export type DecidedBatch = {
  readonly decisions: readonly Decision[];
  /**
   * Releases of holds whose time is over, by `walletd` itself. They are entered before all other
   * entries of their wallets.
   */
  readonly implied: readonly NewEntry[];
  readonly changed: readonly WalletState[];
  /** Each hold that was placed or changed, once. */
  readonly holds: readonly Hold[];
};
