import type { OperationName } from '../../support/ledger/wallet-model.ts';

/** How a client reached the daemon. */
export type Interface = 'grpc' | 'stream' | 'batch' | 'http' | 'message' | 'cli';

/** Whose keys: those of one class never meet those of another. */
export type CallerClass = 'customer' | 'staff' | 'message' | 'system';

/** A transaction that a client asked for. */
export type Command = {
  readonly walletId: string;
  /** The id that the ledger must give it: it follows from wallet, class and key. */
  readonly transactionId: string;
  readonly key: string;
  readonly callerClass: CallerClass;
  readonly operation: OperationName;
  /** Above 0; undefined for an undo that leaves the amount to its parent. */
  readonly amountMinor: bigint | undefined;
  /** The transaction to be undone, or the hold that is used. */
  readonly parentId: string | undefined;
  /** Of a purchase. */
  readonly merchant: string | undefined;
  /** The wallet at the other side, and the owner of its own: of a transfer, a capture, an undo. */
  readonly pair?: Pair | undefined;
  /** Of a deposit or withdrawal: the account outside, if it is not `cash`. */
  readonly via?: string | undefined;
  /** Of a hold: who a capture of it pays, if that is a user. */
  readonly payeeId?: string | undefined;
  /** Of a capture: what is left of the hold stays reserved. */
  readonly keepsRest?: boolean | undefined;
  /** It is done together with the others of the same group, or not at all. */
  readonly groupId?: string | undefined;
};

export type Pair = {
  readonly userId: string;
  readonly otherUserId: string;
  readonly otherWalletId: string;
};

/** What an answer said about the transaction; an interface that does not say a value leaves it out. */
export type Accepted = {
  readonly kind: 'accepted';
  readonly transactionId: string;
  readonly seq?: bigint | undefined;
  /** Above 0, as on the wire. */
  readonly amountMinor?: bigint | undefined;
  readonly balanceAfterMinor?: bigint | undefined;
  readonly occurredAtMs?: number | undefined;
  /** 64 hex digits. */
  readonly hash?: string | undefined;
  /** True: done before; false: done by this attempt. */
  readonly isReplayed?: boolean | undefined;
};

/** A refusal that says that nothing was done: by the ledger's rules, or because of a fault. */
export type Refused = {
  readonly kind: 'refused';
  readonly reason: string;
  /** The balance that the refusal names, and whose it is if not that of the command's wallet. */
  readonly balanceMinor?: bigint | undefined;
  readonly walletId?: string | undefined;
};

/** It may have been done, and may still be. */
export type Unknown = { readonly kind: 'unknown'; readonly reason: string };

export type Outcome = Accepted | Refused | Unknown;

/** One request for a transaction, and its answer. A retry is another attempt of the same command. */
export type Attempt = {
  readonly command: Command;
  /** Which client of the run. */
  readonly client: string;
  readonly over: Interface;
  /** Who was asked; undefined where whichever daemon takes it. */
  readonly daemon: string | undefined;
  /** By the monotonic clock of the run. */
  readonly startMs: number;
  /** Undefined while there is no answer. */
  readonly endMs: number | undefined;
  readonly outcome: Outcome | undefined;
};

/** A balance that was asked for. */
export type BalanceRead = {
  readonly client: string;
  readonly over: Interface;
  readonly daemon: string | undefined;
  readonly walletId: string;
  /** True: of now, so it has its place among the commands; false: as of a past time. */
  readonly isNow: boolean;
  readonly startMs: number;
  readonly endMs: number | undefined;
  readonly answer: ReportedBalance | Refused | Unknown | undefined;
};

export type ReportedBalance = {
  readonly kind: 'balance';
  readonly balanceMinor: bigint;
  readonly seq: bigint;
  /** The time that the answer names, by the database's clock: entries up to it are included. */
  readonly asOfMs: number;
};

/** A statement of a period that was asked for. */
export type StatementRead = {
  readonly client: string;
  readonly over: Interface;
  readonly daemon: string | undefined;
  readonly walletId: string;
  /** Entries from this time on. */
  readonly fromMs: number;
  /** Entries before this time. */
  readonly toMs: number;
  readonly startMs: number;
  readonly endMs: number | undefined;
  /** `unknown` too for a statement that says that it is not complete. */
  readonly answer: ReportedStatement | Refused | Unknown | undefined;
};

/** A statement that says that it is complete. */
export type ReportedStatement = {
  readonly kind: 'statement';
  readonly openingMinor: bigint;
  readonly closingMinor: bigint;
  readonly totalDebitMinor: bigint;
  readonly totalCreditMinor: bigint;
  readonly lines: readonly ReportedLine[];
};

type ReportedLine = {
  readonly seq: bigint;
  readonly transactionId: string;
  readonly balanceAfterMinor: bigint;
  /** 64 hex digits. */
  readonly hash: string;
};

/** The event of an entry that a listener received; the same one may come several times. */
export type HeardEntry = {
  readonly atMs: number;
  readonly walletId: string;
  readonly transactionId: string;
  readonly seq: bigint;
  readonly operation: OperationName;
  /** Signed: above 0 to the wallet. */
  readonly amountMinor: bigint;
  /** Above 0: it reserves; below 0: it releases. */
  readonly heldMinor: bigint;
  readonly balanceAfterMinor: bigint;
  readonly occurredAtMs: number;
  readonly previousHash: string;
  readonly hash: string;
};

/** `transaction_rejected` that a listener received. */
export type HeardRejection = {
  readonly atMs: number;
  /** The key of the message. */
  readonly key: string;
  readonly transactionId: string;
  readonly reason: string;
  /** The balance that the rejection names. */
  readonly balanceMinor?: bigint | undefined;
};

/**
 * A fault: what it is done to (a wallet's id, a daemon's name), and from when to when. `machine` is
 * a stall that the run did not cause.
 */
export type FaultSpan = {
  readonly kind: string;
  readonly target: string;
  readonly fromMs: number;
  readonly toMs: number | undefined;
};

/** How far a part of the daemons had come: `doneCount` grows with each item it finishes. */
export type ProgressSample = {
  readonly atMs: number;
  /** As the log and /readyz name it, for instance `wallet.outbox`. */
  readonly part: string;
  readonly doneCount: number;
  /** Items that wait. Only with some waiting can a part be stuck. */
  readonly waitingCount: number;
};

/** One way in which a daemon said that a part makes no progress. */
export type Alert = {
  readonly atMs: number;
  readonly daemon: string;
  readonly over: 'log' | 'readyz' | 'metric';
  readonly part: string;
};

/** All that was recorded in a run. Times are by one monotonic clock unless their docs say more. */
export type History = {
  readonly attempts: readonly Attempt[];
  readonly balances: readonly BalanceRead[];
  readonly statements: readonly StatementRead[];
  readonly heard: readonly HeardEntry[];
  readonly rejections: readonly HeardRejection[];
  readonly faults: readonly FaultSpan[];
  readonly progress: readonly ProgressSample[];
  readonly alerts: readonly Alert[];
  /** Where the run looked for alerts. */
  readonly watched: readonly Alert['over'][];
  /** When the record was read: what has no end had none by then. */
  readonly endMs: number;
};
