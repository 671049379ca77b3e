// Written by "npm run client:types" from docs/openapi.json: do not edit.

/** Why the server refuses a request: docs/errors.md. */

export type ServerReason =
  | 'AMOUNT_INVALID'
  | 'API_KEY_LIMIT'
  | 'API_KEY_NOT_FOUND'
  | 'AUTH_UNAVAILABLE'
  | 'BALANCE_LIMIT_EXCEEDED'
  | 'BODY_TOO_LARGE'
  | 'CAPTURE_EXCEEDS_HOLD'
  | 'CREDENTIALS_INVALID'
  | 'CREDENTIALS_MISSING'
  | 'CURRENCY_UNKNOWN'
  | 'DATABASE_BUSY'
  | 'DATABASE_UNAVAILABLE'
  | 'DEADLINE_EXCEEDED'
  | 'DEBIT_TOTAL_EXCEEDED'
  | 'EMAIL_INVALID'
  | 'EMAIL_TAKEN'
  | 'EMAIL_UNVERIFIED'
  | 'EXPORT_EXPIRED'
  | 'EXPORT_NOT_FOUND'
  | 'EXPORT_NOT_READY'
  | 'HEADERS_TOO_LARGE'
  | 'HOLD_CLOSED'
  | 'HOLD_EXPIRED'
  | 'HOLD_LIMIT_EXCEEDED'
  | 'HOLD_NOT_FOUND'
  | 'HOST_UNKNOWN'
  | 'IDEMPOTENCY_KEY_REQUIRED'
  | 'IDEMPOTENCY_KEY_REUSED'
  | 'INSUFFICIENT_FUNDS'
  | 'INTERNAL'
  | 'INVALID_ARGUMENT'
  | 'JSON_INVALID'
  | 'LAST_ADMIN'
  | 'LIMIT_EXCEEDED'
  | 'MEDIA_TYPE_UNSUPPORTED'
  | 'NOT_ACCEPTABLE'
  | 'OPERATION_NOT_ALLOWED'
  | 'ORIGIN_REFUSED'
  | 'OUTBOX_FULL'
  | 'OUTCOME_UNKNOWN'
  | 'OVERLOADED'
  | 'PAGE_TOKEN_INVALID'
  | 'PARENT_ALREADY_UNDONE'
  | 'PARENT_NOT_FOUND'
  | 'PARENT_NOT_UNDOABLE'
  | 'PASSWORD_INVALID'
  | 'PERMISSION_DENIED'
  | 'RANGE_NOT_SATISFIABLE'
  | 'RANGE_TOO_LONG'
  | 'RECIPIENT_NOT_FOUND'
  | 'RECIPIENT_UNAVAILABLE'
  | 'REFRESH_TOKEN_INVALID'
  | 'REQUEST_MALFORMED'
  | 'REQUEST_TIMEOUT'
  | 'SESSION_NOT_FOUND'
  | 'SHUTTING_DOWN'
  | 'SIGN_UP_CLOSED'
  | 'STAFF_OWN_WALLET'
  | 'STATEMENT_UNAVAILABLE'
  | 'SimpleAMOUNT_INVALID'
  | 'SimpleAUTH_UNAVAILABLE'
  | 'SimpleBALANCE_LIMIT_EXCEEDED'
  | 'SimpleBODY_TOO_LARGE'
  | 'SimpleCAPTURE_EXCEEDS_HOLD'
  | 'SimpleCREDENTIALS_INVALID'
  | 'SimpleCREDENTIALS_MISSING'
  | 'SimpleCURRENCY_UNKNOWN'
  | 'SimpleDATABASE_BUSY'
  | 'SimpleDATABASE_UNAVAILABLE'
  | 'SimpleDEADLINE_EXCEEDED'
  | 'SimpleDEBIT_TOTAL_EXCEEDED'
  | 'SimpleEMAIL_INVALID'
  | 'SimpleEMAIL_TAKEN'
  | 'SimpleEMAIL_UNVERIFIED'
  | 'SimpleEXPORT_EXPIRED'
  | 'SimpleEXPORT_NOT_FOUND'
  | 'SimpleEXPORT_NOT_READY'
  | 'SimpleHEADERS_TOO_LARGE'
  | 'SimpleHOLD_CLOSED'
  | 'SimpleHOLD_EXPIRED'
  | 'SimpleHOLD_LIMIT_EXCEEDED'
  | 'SimpleHOLD_NOT_FOUND'
  | 'SimpleHOST_UNKNOWN'
  | 'SimpleIDEMPOTENCY_KEY_REUSED'
  | 'SimpleINSUFFICIENT_FUNDS'
  | 'SimpleINTERNAL'
  | 'SimpleINVALID_ARGUMENT'
  | 'SimpleJSON_INVALID'
  | 'SimpleLIMIT_EXCEEDED'
  | 'SimpleMEDIA_TYPE_UNSUPPORTED'
  | 'SimpleOPERATION_NOT_ALLOWED'
  | 'SimpleORIGIN_REFUSED'
  | 'SimpleOUTBOX_FULL'
  | 'SimpleOUTCOME_UNKNOWN'
  | 'SimpleOVERLOADED'
  | 'SimplePAGE_TOKEN_INVALID'
  | 'SimplePARENT_ALREADY_UNDONE'
  | 'SimplePARENT_NOT_FOUND'
  | 'SimplePARENT_NOT_UNDOABLE'
  | 'SimplePASSWORD_INVALID'
  | 'SimplePERMISSION_DENIED'
  | 'SimpleRECIPIENT_NOT_FOUND'
  | 'SimpleRECIPIENT_UNAVAILABLE'
  | 'SimpleREQUEST_MALFORMED'
  | 'SimpleREQUEST_TIMEOUT'
  | 'SimpleSHUTTING_DOWN'
  | 'SimpleSIGN_UP_CLOSED'
  | 'SimpleSTAFF_OWN_WALLET'
  | 'SimpleSTATEMENT_UNAVAILABLE'
  | 'SimpleTHROTTLED'
  | 'SimpleTOKEN_EXPIRED'
  | 'SimpleTOKEN_INVALID'
  | 'SimpleTOKEN_REVOKED'
  | 'SimpleTOTP_ENROLMENT_REQUIRED'
  | 'SimpleTOTP_INVALID'
  | 'SimpleTOTP_REQUIRED'
  | 'SimpleTOTP_UNREADABLE'
  | 'SimpleTRANSACTION_NOT_FOUND'
  | 'SimpleTRANSFER_TO_SELF'
  | 'SimpleUNDO_EXCEEDS_PARENT'
  | 'SimpleUNIMPLEMENTED'
  | 'SimpleURI_INVALID'
  | 'SimpleUSER_NOT_FOUND'
  | 'SimpleUSER_REQUIRED'
  | 'SimpleWALLET_BUSY'
  | 'SimpleWALLET_CLOCK_AHEAD'
  | 'SimpleWALLET_CLOSED'
  | 'SimpleWALLET_CORRUPT'
  | 'SimpleWALLET_FROZEN'
  | 'SimpleWALLET_UNAVAILABLE'
  | 'TERMS_CHANGED'
  | 'THROTTLED'
  | 'TOKEN_EXPIRED'
  | 'TOKEN_INVALID'
  | 'TOKEN_REVOKED'
  | 'TOTP_ENROLMENT_REQUIRED'
  | 'TOTP_INVALID'
  | 'TOTP_REQUIRED'
  | 'TOTP_UNREADABLE'
  | 'TRANSACTION_NOT_FOUND'
  | 'TRANSFER_TO_SELF'
  | 'UNDO_EXCEEDS_PARENT'
  | 'UNIMPLEMENTED'
  | 'URI_INVALID'
  | 'USER_NOT_FOUND'
  | 'USER_REQUIRED'
  | 'VERIFICATION_CODE_INVALID'
  | 'WALLET_BUSY'
  | 'WALLET_CLOCK_AHEAD'
  | 'WALLET_CLOSED'
  | 'WALLET_CORRUPT'
  | 'WALLET_FROZEN'
  | 'WALLET_NOT_EMPTY'
  | 'WALLET_NOT_FOUND'
  | 'WALLET_UNAVAILABLE';

export type Balance = {
  readonly walletId: string;
  readonly userId: string;

  /** ISO 4217, in capitals */
  readonly currency: string;

  /** A decimal string with all decimals of the currency */
  readonly balance?: string;

  /**
   * What can be spent: with the overdraft limit, without what is held. Not of the
   * past: what the limit was is not in the ledger
   */
  readonly available?: string;

  /** Reserved by open holds */
  readonly held?: string;

  /** How far below 0 the balance may go */
  readonly overdraftLimit?: string;
  readonly seq: number;

  /** Now, also in a balance of the past */
  readonly status: 'active' | 'frozen' | 'corrupt' | 'debits_frozen' | 'closed' | 'unknown';

  /** RFC 3339 */
  readonly asOf: string;
};

export type ClosedWallet = {
  readonly id: string;
  readonly userId: string;

  /** ISO 4217, in capitals */
  readonly currency: string;

  /** Absent if the wallet is corrupt */
  readonly balance?: string;

  /**
   * What can be spent: with the overdraft limit, without what is held. Not of the
   * past: what the limit was is not in the ledger
   */
  readonly available?: string;

  /** Reserved by open holds */
  readonly held?: string;

  /** How far below 0 the balance may go */
  readonly overdraftLimit?: string;

  /** Of the last transaction */
  readonly seq: number;
  readonly status: 'active' | 'frozen' | 'corrupt' | 'debits_frozen' | 'closed' | 'unknown';

  /** RFC 3339 */
  readonly lastAt?: string;
  readonly dryRun?: true;

  /** The transfer of the balance */
  readonly transaction?: Transaction;
};

export type Export = {
  /** Absent in a dry run */
  readonly id?: string;
  readonly status:
    'queued' | 'running' | 'done' | 'failed' | 'expired' | 'inconsistent' | 'unknown';
  readonly userId: string;
  readonly walletId: string;

  /** ISO 4217, in capitals */
  readonly currency: string;

  /** RFC 3339 */
  readonly from: string;

  /** Exclusive */
  readonly to: string;
  readonly timezone: string;
  readonly locale: string;
  readonly format: 'csv' | 'json' | 'ndjson' | 'hledger' | 'unknown';

  /** The lines of holds and releases are in the file */
  readonly holds?: true;
  readonly rows: number;
  readonly rowsDone: number;
  readonly bytes?: number;
  readonly sha256?: string;

  /** The id of a user */
  readonly requestedBy: string;

  /** RFC 3339 */
  readonly createdAt: string;

  /** RFC 3339 */
  readonly finishedAt?: string;

  /** The file is deleted then */
  readonly expiresAt?: string;
  readonly failure?: string;
  readonly mail?: 'waiting' | 'sent' | 'failed';
  readonly mailFailure?: string;
  readonly dryRun?: true;
};

export type FoundLine = {
  readonly seq: number;

  /** RFC 3339 */
  readonly date: string;
  readonly transactionId: string;
  readonly operation:
    | 'deposit'
    | 'withdraw'
    | 'purchase'
    | 'reversal'
    | 'cancellation'
    | 'transfer'
    | 'hold'
    | 'capture'
    | 'release'
    | 'fee';
  readonly description?: string;
  readonly merchant?: string;

  /** A decimal string with all decimals of the currency */
  readonly debit?: string;

  /** A decimal string with all decimals of the currency */
  readonly credit?: string;

  /** A decimal string with all decimals of the currency */
  readonly balance: string;

  /** Money that it reserved, or released (below 0) */
  readonly held?: string;

  /** What is reserved since */
  readonly heldBalance?: string;
  readonly walletId: string;
  readonly userId: string;

  /** ISO 4217, in capitals */
  readonly currency: string;
  readonly metadata: Readonly<Record<string, string>>;
};

export type Hold = {
  /** Of the transaction; absent in a dry run */
  readonly id?: string;
  readonly walletId: string;
  readonly userId: string;

  /** A decimal string with all decimals of the currency */
  readonly amount: string;

  /** A decimal string with all decimals of the currency */
  readonly captured: string;

  /** What can still be captured */
  readonly left: string;

  /** ISO 4217, in capitals */
  readonly currency: string;
  readonly state: 'open' | 'captured' | 'released' | 'expired' | 'unknown';

  /** The account that a capture pays: `merchant…`, `user:…` or `external:…` */
  readonly for: string;

  /** RFC 3339 */
  readonly placedAt: string;

  /** From then on it cannot be captured */
  readonly expiresAt: string;

  /** RFC 3339 */
  readonly closedAt?: string;
};

export type Problem = {
  /** What the reason means */
  readonly type: string;
  readonly title: string;
  readonly status: number;

  /** For people; the text may change */
  readonly detail: string;
  readonly instance: string;

  /** For programs; docs: `/docs/errors` */
  readonly reason: string;

  /** The field of the request that is wrong */
  readonly field?: string;

  /** Values that the detail names */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly requestId: string;

  /** When to send it again */
  readonly retryAfterMs?: number;

  /** It may have been done: send it again with the same `Idempotency-Key` */
  readonly outcome?: 'unknown';
};

export type Recipient = {
  readonly userId: string;

  /** Its first character and its domain */
  readonly maskedEmail: string;
};

export type SimpleProblem = {
  /** What the reason means */
  readonly type: string;
  readonly title: string;
  readonly status: number;

  /** For people; the text may change */
  readonly detail: string;
  readonly instance: string;

  /** For programs; docs: `/docs/errors` */
  readonly reason: string;

  /** The field of the request that is wrong */
  readonly field?: string;

  /** Values that the detail names */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly requestId: string;

  /** When to send it again */
  readonly retryAfterMs?: number;

  /** It may have been done: send it again with the same `Idempotency-Key` */
  readonly outcome?: 'unknown';

  /** The detail, for clients of the original */
  readonly error: readonly string[];
  readonly statusCode?: 401;
  readonly message?: 'Unauthorized';
};

export type Statement = {
  readonly walletId: string;

  /** ISO 4217, in capitals */
  readonly currency: string;

  /** RFC 3339 */
  readonly from: string;

  /** Exclusive */
  readonly to: string;
  readonly timezone: string;

  /** A decimal string with all decimals of the currency */
  readonly opening: string;

  /** A decimal string with all decimals of the currency */
  readonly totalDebit: string;

  /** A decimal string with all decimals of the currency */
  readonly totalCredit: string;

  /** A decimal string with all decimals of the currency */
  readonly closing: string;

  /** What is reserved at the end; with `holds=true` */
  readonly heldClosing?: string;

  /**
   * The closing balance without what is reserved; with `holds=true`. Unlike
   * `available` of a wallet it does not count the overdraft limit, which is not in
   * the ledger
   */
  readonly availableClosing?: string;
  readonly lines: readonly StatementLine[];

  /** Transactions of the ledger that are not included yet */
  readonly behindBy?: number;

  /** How lines and ledger contradict each other: this statement may be wrong */
  readonly inconsistency?: string;
};

export type StatementLine = {
  readonly seq: number;

  /** RFC 3339 */
  readonly date: string;
  readonly transactionId: string;
  readonly operation:
    | 'deposit'
    | 'withdraw'
    | 'purchase'
    | 'reversal'
    | 'cancellation'
    | 'transfer'
    | 'hold'
    | 'capture'
    | 'release'
    | 'fee';
  readonly description?: string;
  readonly merchant?: string;

  /** A decimal string with all decimals of the currency */
  readonly debit?: string;

  /** A decimal string with all decimals of the currency */
  readonly credit?: string;

  /** A decimal string with all decimals of the currency */
  readonly balance: string;

  /** Money that it reserved, or released (below 0) */
  readonly held?: string;

  /** What is reserved since */
  readonly heldBalance?: string;
};

export type Transaction = {
  /** Absent in a dry run */
  readonly id?: string;
  readonly walletId: string;

  /** Gapless within the wallet, from 1 */
  readonly seq?: number;
  readonly operation:
    | 'deposit'
    | 'withdraw'
    | 'purchase'
    | 'reversal'
    | 'cancellation'
    | 'transfer'
    | 'hold'
    | 'capture'
    | 'release'
    | 'fee';

  /** A decimal string with all decimals of the currency */
  readonly amount: string;

  /** What it does to the balance; `none` of a hold or release */
  readonly direction: 'in' | 'out' | 'none';

  /** ISO 4217, in capitals */
  readonly currency: string;

  /** A decimal string with all decimals of the currency */
  readonly balanceAfter: string;

  /** The transaction that it undoes, or its hold */
  readonly parentId?: string;

  /** How much of it was undone; absent: nothing */
  readonly undone?: string;

  /** The user at the other side of a transfer, of a capture or of their reversal */
  readonly counterparty?: string;

  /** The account outside, if it is not `cash` */
  readonly via?: string;
  readonly description?: string;
  readonly merchant?: string;

  /** The entry `reference` of metadata */
  readonly reference?: string;
  readonly metadata?: Readonly<Record<string, string>>;

  /** What it reserved, or released (below 0) */
  readonly held?: string;

  /** What is reserved since */
  readonly heldAfter?: string;

  /**
   * The balance without what is reserved, beside `heldAfter`. Unlike `available` of
   * a wallet it does not count the overdraft limit, which is not in the ledger
   */
  readonly availableAfter?: string;

  /** The group that it was sent in, which happened together or not at all */
  readonly groupId?: string;

  /** RFC 3339 */
  readonly occurredAt: string;

  /** It had been made before, by the same key */
  readonly replayed: boolean;
  readonly dryRun?: true;

  /** Only when it is made: the hold after a hold, capture or release */
  readonly hold?: Hold;
};

export type Wallet = {
  readonly id: string;
  readonly userId: string;

  /** ISO 4217, in capitals */
  readonly currency: string;

  /** Absent if the wallet is corrupt */
  readonly balance?: string;

  /**
   * What can be spent: with the overdraft limit, without what is held. Not of the
   * past: what the limit was is not in the ledger
   */
  readonly available?: string;

  /** Reserved by open holds */
  readonly held?: string;

  /** How far below 0 the balance may go */
  readonly overdraftLimit?: string;

  /** Of the last transaction */
  readonly seq: number;
  readonly status: 'active' | 'frozen' | 'corrupt' | 'debits_frozen' | 'closed' | 'unknown';

  /** RFC 3339 */
  readonly lastAt?: string;
  readonly dryRun?: true;
};

export type WalletTerms = {
  readonly userId: string;

  /** ISO 4217, in capitals */
  readonly currency: string;

  /** Grows with every change; 0: none was made */
  readonly number: number;

  /** How far below 0 the balance may go */
  readonly overdraftLimit: string;

  /** The limits are those of the server: the wallet has none of its own */
  readonly default: boolean;

  /** Where days begin */
  readonly timezone?: string;
  readonly limits: readonly {
    /** `perTransaction`, `day`, `week`, `month`, or like `rolling-24h` */
    readonly name: string;

    /** A decimal string with all decimals of the currency */
    readonly limit: string;

    /** A decimal string with all decimals of the currency */
    readonly used?: string;

    /** A decimal string with all decimals of the currency */
    readonly left?: string;

    /** RFC 3339 */
    readonly resetsAt?: string;
  }[];

  /** RFC 3339 */
  readonly asOf?: string;
  readonly dryRun?: true;
};

/** Each operation of the API: what it takes, and what it answers with. */

export type Operations = {
  /** Make a transaction */
  readonly postTransactions: {
    readonly path: undefined;
    readonly query: undefined;
    readonly body: {
      readonly operation:
        | 'deposit'
        | 'withdraw'
        | 'purchase'
        | 'reversal'
        | 'cancellation'
        | 'transfer'
        | 'hold'
        | 'capture'
        | 'release'
        | 'fee';

      /** Staff: the id of a user. Customers leave it out. */
      readonly user?: string | undefined;

      /** Default: the server’s currency; for what has a parent, that of its parent */
      readonly currency?: string | undefined;

      /** What has a parent, and no amount, is of all that is left of it */
      readonly amount?: string | number | undefined;

      /** What a reversal or cancellation undoes; the hold of a capture or release */
      readonly parentId?: string | undefined;
      readonly description?: string | undefined;

      /** For a purchase or a hold */
      readonly merchant?: string | undefined;

      /** Who is paid; required for a transfer, possible for a hold */
      readonly toUserId?: string | undefined;

      /** The account outside, like a bank; for a deposit or withdraw default `cash` */
      readonly via?: string | undefined;

      /** What you know it by; the same as the entry `reference` of metadata */
      readonly reference?: string | undefined;

      /** Up to 16 pairs; no key begins with `dw.` */
      readonly metadata?: Readonly<Record<string, string>> | undefined;

      /** Of a hold: when it ends; by default after the days that the server has set */
      readonly expiresAt?: string | undefined;

      /** Of a hold, in place of `expiresAt`: how long it lasts */
      readonly expiresInSeconds?: number | undefined;

      /** Of a capture: what is left of the hold stays reserved, and is not released */
      readonly keepRest?: boolean | undefined;

      /**
       * Staff: a reversal may bring a wallet below zero; a debit or a hold may pass
       * spending limits, never what is available
       */
      readonly force?: boolean | undefined;
      readonly dryRun?: boolean | undefined;
    };
    readonly answer: Transaction;
  };

  /** List transactions of a wallet, newest first */
  readonly getTransactions: {
    readonly path: undefined;
    readonly query: {
      /** Staff: the id of a user. Customers leave it out. */
      readonly user?: string | undefined;

      /** ISO 4217, in capitals */
      readonly currency?: string | undefined;
      readonly operation?:
        | 'deposit'
        | 'withdraw'
        | 'purchase'
        | 'reversal'
        | 'cancellation'
        | 'transfer'
        | 'hold'
        | 'capture'
        | 'release'
        | 'fee'
        | undefined;

      /** RFC 3339 */
      readonly from?: string | undefined;

      /** RFC 3339 */
      readonly to?: string | undefined;

      /** Those of which something was undone, or nothing was */
      readonly undone?: 'true' | 'false' | undefined;

      /** Items of a page, at most 500; default 50 */
      readonly limit?: number | undefined;

      /** `nextPageToken` of the page before */
      readonly pageToken?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: {
      readonly items: readonly Transaction[];

      /** Absent on the last page */
      readonly nextPageToken?: string;
    };
  };

  /** Get a transaction */
  readonly getTransactionsById: {
    readonly path: { readonly id: string };
    readonly query: {
      /** Staff: the id of a user. Customers leave it out. */
      readonly user?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: Transaction;
  };

  /** Get the transaction of an idempotency key */
  readonly getTransactionsByKeyByKey: {
    readonly path: {
      /** Identifies the transaction within its wallet; never expires. */
      readonly key: string;
    };
    readonly query: {
      /** Staff: the id of a user. Customers leave it out. */
      readonly user?: string | undefined;

      /** ISO 4217, in capitals */
      readonly currency?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: Transaction;
  };

  /** Make up to 1,000 transactions */
  readonly postTransactionsBatch: {
    readonly path: undefined;
    readonly query: undefined;
    readonly body: {
      readonly items: readonly {
        readonly operation:
          | 'deposit'
          | 'withdraw'
          | 'purchase'
          | 'reversal'
          | 'cancellation'
          | 'transfer'
          | 'hold'
          | 'capture'
          | 'release'
          | 'fee';

        /** Staff: the id of a user. Customers leave it out. */
        readonly user?: string | undefined;

        /** Default: the server’s currency; for what has a parent, that of its parent */
        readonly currency?: string | undefined;

        /** What has a parent, and no amount, is of all that is left of it */
        readonly amount?: string | number | undefined;

        /** What a reversal or cancellation undoes; the hold of a capture or release */
        readonly parentId?: string | undefined;
        readonly description?: string | undefined;

        /** For a purchase or a hold */
        readonly merchant?: string | undefined;

        /** Who is paid; required for a transfer, possible for a hold */
        readonly toUserId?: string | undefined;

        /** The account outside, like a bank; for a deposit or withdraw default `cash` */
        readonly via?: string | undefined;

        /** What you know it by; the same as the entry `reference` of metadata */
        readonly reference?: string | undefined;

        /** Up to 16 pairs; no key begins with `dw.` */
        readonly metadata?: Readonly<Record<string, string>> | undefined;

        /** Of a hold: when it ends; by default after the days that the server has set */
        readonly expiresAt?: string | undefined;

        /** Of a hold, in place of `expiresAt`: how long it lasts */
        readonly expiresInSeconds?: number | undefined;

        /** Of a capture: what is left of the hold stays reserved, and is not released */
        readonly keepRest?: boolean | undefined;

        /**
         * Staff: a reversal may bring a wallet below zero; a debit or a hold may pass
         * spending limits, never what is available
         */
        readonly force?: boolean | undefined;

        /** Identifies the transaction within its wallet; never expires. */
        readonly idempotencyKey: string;

        /**
         * Up to 16 items side by side with the same one happen together or not at all.
         * Needed for a `fee`. If one is refused, the others have the reason GROUP_ABORTED
         */
        readonly groupId?: string | undefined;
      }[];
      readonly dryRun?: boolean | undefined;
    };
    readonly answer: {
      readonly items: readonly {
        /** As POST /v1/transactions would answer */
        readonly status: number;
        readonly transaction?: Transaction;
        readonly problem?: {
          readonly type: string;
          readonly title: string;
          readonly status: number;
          readonly detail: string;
          readonly reason: string;
          readonly field?: string;
          readonly metadata?: Readonly<Record<string, string>>;
          readonly retryAfterMs?: number;
          readonly outcome?: 'unknown';
        };
      }[];
    };
  };

  /** Place a hold: reserve money (staff) */
  readonly postHolds: {
    readonly path: undefined;
    readonly query: undefined;
    readonly body: {
      /** Staff: the id of a user. Customers leave it out. */
      readonly user?: string | undefined;

      /** ISO 4217, in capitals */
      readonly currency?: string | undefined;

      /** What has a parent, and no amount, is of all that is left of it */
      readonly amount?: string | number | undefined;

      /** Who is paid: a merchant */
      readonly merchant?: string | undefined;

      /** Who is paid: a user */
      readonly toUserId?: string | undefined;

      /** Who is paid: an account outside */
      readonly via?: string | undefined;

      /** Of a hold: when it ends; by default after the days that the server has set */
      readonly expiresAt?: string | undefined;

      /** Of a hold, in place of `expiresAt`: how long it lasts */
      readonly expiresInSeconds?: number | undefined;

      /**
       * Staff: a reversal may bring a wallet below zero; a debit or a hold may pass
       * spending limits, never what is available
       */
      readonly force?: boolean | undefined;
      readonly description?: string | undefined;

      /** What you know it by; the same as the entry `reference` of metadata */
      readonly reference?: string | undefined;

      /** Up to 16 pairs; no key begins with `dw.` */
      readonly metadata?: Readonly<Record<string, string>> | undefined;
      readonly dryRun?: boolean | undefined;
    };
    readonly answer: Transaction;
  };

  /** List holds, in order of their end */
  readonly getHolds: {
    readonly path: undefined;
    readonly query: {
      /** Staff: the id of a user. Customers leave it out. */
      readonly user?: string | undefined;

      /** ISO 4217, in capitals */
      readonly currency?: string | undefined;

      /** A hold whose time is over is `expired` */
      readonly state?: 'open' | 'captured' | 'released' | 'expired' | undefined;

      /** Items of a page, at most 500; default 50 */
      readonly limit?: number | undefined;

      /** `nextPageToken` of the page before */
      readonly pageToken?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: {
      readonly items: readonly Hold[];

      /** Absent on the last page */
      readonly nextPageToken?: string;
    };
  };

  /** Capture a hold, or a part of it (staff) */
  readonly postHoldsByIdCapture: {
    readonly path: { readonly id: string };
    readonly query: undefined;
    readonly body: {
      /** Whose wallet; default: looked up, for which a key needs `wallets:read` */
      readonly user?: string | undefined;

      /** As `user` */
      readonly currency?: string | undefined;

      /** Default: all that is left of the hold */
      readonly amount?: string | number | undefined;
      readonly description?: string | undefined;

      /** What you know it by; the same as the entry `reference` of metadata */
      readonly reference?: string | undefined;

      /** Up to 16 pairs; no key begins with `dw.` */
      readonly metadata?: Readonly<Record<string, string>> | undefined;
      readonly dryRun?: boolean | undefined;

      /** Of a capture: what is left of the hold stays reserved, and is not released */
      readonly keepRest?: boolean | undefined;
    };
    readonly answer: Transaction;
  };

  /** Release a hold, or a part of it (staff) */
  readonly postHoldsByIdRelease: {
    readonly path: { readonly id: string };
    readonly query: undefined;
    readonly body: {
      /** Whose wallet; default: looked up, for which a key needs `wallets:read` */
      readonly user?: string | undefined;

      /** As `user` */
      readonly currency?: string | undefined;

      /** Default: all that is left of the hold */
      readonly amount?: string | number | undefined;
      readonly description?: string | undefined;

      /** What you know it by; the same as the entry `reference` of metadata */
      readonly reference?: string | undefined;

      /** Up to 16 pairs; no key begins with `dw.` */
      readonly metadata?: Readonly<Record<string, string>> | undefined;
      readonly dryRun?: boolean | undefined;
    };
    readonly answer: Transaction;
  };

  /** Get a hold */
  readonly getHoldsById: {
    readonly path: { readonly id: string };
    readonly query: undefined;
    readonly body: undefined;
    readonly answer: Hold;
  };

  /** List wallets */
  readonly getWallets: {
    readonly path: undefined;
    readonly query: {
      /** Staff: the id of a user. Customers leave it out. */
      readonly user?: string | undefined;

      /** Items of a page, at most 500; default 50 */
      readonly limit?: number | undefined;

      /** `nextPageToken` of the page before */
      readonly pageToken?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: {
      readonly items: readonly Wallet[];

      /** Absent on the last page */
      readonly nextPageToken?: string;
    };
  };

  /** Get a balance, now or as of a time */
  readonly getWalletsByUserByCurrency: {
    readonly path: {
      /** The id of a user, or `me` */
      readonly user: string;

      /** ISO 4217, in capitals */
      readonly currency: string;
    };
    readonly query: {
      /** RFC 3339; default now */
      readonly at?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: Balance;
  };

  /** Freeze or unfreeze a wallet (staff) */
  readonly patchWalletsByUserByCurrency: {
    readonly path: {
      /** The id of a user, or `me` */
      readonly user: string;

      /** ISO 4217, in capitals */
      readonly currency: string;
    };
    readonly query: undefined;
    readonly body: {
      /** `debits_frozen`: the wallet takes credits only */
      readonly status: 'active' | 'frozen' | 'debits_frozen';

      /** Why, for the audit log */
      readonly note?: string | undefined;
      readonly dryRun?: boolean | undefined;
    };
    readonly answer: Wallet;
  };

  /** Get overdraft and spending limits of a wallet, and what was used of these */
  readonly getWalletsByUserByCurrencyTerms: {
    readonly path: {
      /** The id of a user, or `me` */
      readonly user: string;

      /** ISO 4217, in capitals */
      readonly currency: string;
    };
    readonly query: undefined;
    readonly body: undefined;
    readonly answer: WalletTerms;
  };

  /** Set overdraft and spending limits of a wallet (staff) */
  readonly putWalletsByUserByCurrencyTerms: {
    readonly path: {
      /** The id of a user, or `me` */
      readonly user: string;

      /** ISO 4217, in capitals */
      readonly currency: string;
    };
    readonly query: undefined;
    readonly body: {
      /** 0 ends the overdraft */
      readonly overdraftLimit?: string | number | undefined;
      readonly limits?:
        | {
            /**
             * A decimal string (recommended), or a number of at most 15 digits. More decimals
             * than the currency has are refused.
             */
            readonly perTransaction?: string | number | undefined;

            /**
             * A decimal string (recommended), or a number of at most 15 digits. More decimals
             * than the currency has are refused.
             */
            readonly day?: string | number | undefined;

            /** From Monday */
            readonly week?: string | number | undefined;

            /**
             * A decimal string (recommended), or a number of at most 15 digits. More decimals
             * than the currency has are refused.
             */
            readonly month?: string | number | undefined;

            /** Of the hours before each transaction */
            readonly rolling?:
              | readonly {
                  readonly hours: number;

                  /**
                   * A decimal string (recommended), or a number of at most 15 digits. More decimals
                   * than the currency has are refused.
                   */
                  readonly amount: string | number;
                }[]
              | undefined;

            /** IANA name; default UTC */
            readonly timezone?: string | undefined;
          }
        | null
        | undefined;

      /** Only if the terms have this number now, otherwise TERMS_CHANGED */
      readonly expectedNumber?: number | undefined;

      /** Why, for the audit log */
      readonly note?: string | undefined;
      readonly dryRun?: boolean | undefined;
    };
    readonly answer: WalletTerms;
  };

  /** Close a wallet (staff) */
  readonly postWalletsByUserByCurrencyClose: {
    readonly path: {
      /** The id of a user, or `me` */
      readonly user: string;

      /** ISO 4217, in capitals */
      readonly currency: string;
    };
    readonly query: undefined;
    readonly body: {
      /** Why, for the audit log */
      readonly note?: string | undefined;
      readonly dryRun?: boolean | undefined;

      /** The id of the user who gets the balance */
      readonly sweepToUserId?: string | undefined;
    };
    readonly answer: ClosedWallet;
  };

  /** Reopen a closed wallet (staff) */
  readonly postWalletsByUserByCurrencyReopen: {
    readonly path: {
      /** The id of a user, or `me` */
      readonly user: string;

      /** ISO 4217, in capitals */
      readonly currency: string;
    };
    readonly query: undefined;
    readonly body: {
      /** Why, for the audit log */
      readonly note?: string | undefined;
      readonly dryRun?: boolean | undefined;
    };
    readonly answer: Wallet;
  };

  /** Find who can be paid at an e-mail address */
  readonly postRecipients: {
    readonly path: undefined;
    readonly query: undefined;
    readonly body: { readonly email: string };
    readonly answer: Recipient;
  };

  /** Follow transactions as they are made (server-sent events) */
  readonly getEvents: {
    readonly path: undefined;
    readonly query: {
      /** Staff: whose wallets, at most 50 in all; may be repeated */
      readonly user?: string | readonly string[] | undefined;

      /** As the header Last-Event-ID: where to go on */
      readonly cursor?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: undefined;
  };

  /** Create an account for oneself */
  readonly postSignUp: {
    readonly path: undefined;
    readonly query: undefined;
    readonly body: {
      readonly email: string;

      /** At least 12 characters */
      readonly password: string;
    };
    readonly answer:
      | {
          readonly id: string;
          readonly email: string;
          readonly role: 'customer' | 'operator' | 'admin';
          readonly disabled: boolean;
          readonly emailVerified: boolean;

          /** RFC 3339 */
          readonly createdAt: string;

          /** Sign-in needs a code besides the password */
          readonly totpEnabled: boolean;
          readonly verificationRequired: false;
        }
      | {
          readonly email: string;
          readonly verificationRequired: true;

          /** To be sent to `/v1/verify-email` with the code */
          readonly signUpToken: string;
        };
  };

  /** Finish a sign-up with the mailed code */
  readonly postVerifyEmail: {
    readonly path: undefined;
    readonly query: undefined;
    readonly body: {
      /** From the mail */
      readonly code: string;

      /** Of the sign-up */
      readonly signUpToken?: string | undefined;

      /** Instead: that of the sign-up */
      readonly password?: string | undefined;
    };
    readonly answer: {
      readonly id: string;
      readonly email: string;
      readonly role: 'customer' | 'operator' | 'admin';
      readonly disabled: boolean;
      readonly emailVerified: boolean;

      /** RFC 3339 */
      readonly createdAt: string;

      /** Sign-in needs a code besides the password */
      readonly totpEnabled: boolean;
    };
  };

  /** Sign in, and get tokens */
  readonly postSignIn: {
    readonly path: undefined;
    readonly query: undefined;
    readonly body: {
      readonly email: string;
      readonly password: string;

      /** Of the second factor, where the user has one: six digits, or a recovery code */
      readonly totpCode?: string | undefined;

      /** Shown in the list of sessions */
      readonly client?: string | undefined;

      /** Of an earlier sign-in */
      readonly deviceToken?: string | undefined;
    };
    readonly answer: {
      readonly user: {
        readonly id: string;
        readonly email: string;
        readonly role: 'customer' | 'operator' | 'admin';
        readonly disabled: boolean;
        readonly emailVerified: boolean;

        /** RFC 3339 */
        readonly createdAt: string;

        /** Sign-in needs a code besides the password */
        readonly totpEnabled: boolean;
      };
      readonly tokens: {
        /** For the header `Authorization: Bearer …` */
        readonly accessToken: string;

        /** RFC 3339 */
        readonly accessTokenExpiresAt: string;

        /** For one refresh: the answer has its successor */
        readonly refreshToken: string;

        /** RFC 3339 */
        readonly sessionExpiresAt: string;
        readonly sessionId: string;
      };

      /**
       * To be sent with the next sign-in: it is then not slowed down by the failures of
       * others
       */
      readonly deviceToken: string;

      /** The session can do nothing but set up a second factor */
      readonly totpEnrolmentRequired: boolean;

      /** After the use of a recovery code */
      readonly recoveryCodesLeft?: number;
    };
  };

  /** Exchange a refresh token for its successor */
  readonly postSessionsRefresh: {
    readonly path: undefined;
    readonly query: undefined;
    readonly body: { readonly refreshToken: string };
    readonly answer: {
      readonly user: {
        readonly id: string;
        readonly email: string;
        readonly role: 'customer' | 'operator' | 'admin';
        readonly disabled: boolean;
        readonly emailVerified: boolean;

        /** RFC 3339 */
        readonly createdAt: string;

        /** Sign-in needs a code besides the password */
        readonly totpEnabled: boolean;
      };
      readonly tokens: {
        /** For the header `Authorization: Bearer …` */
        readonly accessToken: string;

        /** RFC 3339 */
        readonly accessTokenExpiresAt: string;

        /** For one refresh: the answer has its successor */
        readonly refreshToken: string;

        /** RFC 3339 */
        readonly sessionExpiresAt: string;
        readonly sessionId: string;
      };
    };
  };

  /** Get the user and credential of this request */
  readonly getMe: {
    readonly path: undefined;
    readonly query: undefined;
    readonly body: undefined;
    readonly answer: {
      readonly user: {
        readonly id: string;
        readonly role: 'customer' | 'operator' | 'admin';
        readonly email?: string;
        readonly disabled?: boolean;
        readonly emailVerified?: boolean;

        /** RFC 3339 */
        readonly createdAt?: string;

        /** Sign-in needs a code besides the password */
        readonly totpEnabled?: boolean;
      };
      readonly credential: {
        readonly kind: 'session' | 'api-key';

        /** Of the access token, or the API key */
        readonly expiresAt?: string;
        readonly sessionId?: string;
        readonly apiKey?: {
          readonly id: string;
          readonly ownerId: string;
          readonly name: string;

          /** The start of the secret, to recognize it by */
          readonly prefix: string;
          readonly scopes: readonly (
            | 'transactions:write'
            | 'wallets:read'
            | 'statements:read'
            | 'users:read'
            | 'dead-letters:read'
            | 'dead-letters:write'
          )[];

          /** The only wallet that it reaches */
          readonly walletId?: string;

          /** The only ones; absent: all */
          readonly operations?: readonly (
            | 'deposit'
            | 'withdraw'
            | 'purchase'
            | 'reversal'
            | 'cancellation'
            | 'transfer'
            | 'hold'
            | 'capture'
            | 'release'
            | 'fee'
          )[];

          /** RFC 3339 */
          readonly createdAt: string;

          /** RFC 3339 */
          readonly expiresAt: string;

          /** RFC 3339 */
          readonly lastUsedAt?: string;
          readonly revoked: boolean;
        };
        readonly totpEnrolmentRequired: boolean;
      };
    };
  };

  /** Change one’s password */
  readonly putMePassword: {
    readonly path: undefined;
    readonly query: undefined;
    readonly body: {
      readonly oldPassword: string;

      /** At least 12 characters */
      readonly newPassword: string;
      readonly revokeOtherSessions?: boolean | undefined;
      readonly revokeApiKeys?: boolean | undefined;
    };
    readonly answer: {
      readonly changed: true;
      readonly otherSessionsRevoked: boolean;
      readonly revokedSessions: number;
      readonly revokedApiKeys: number;
      readonly keptSessions: number;
      readonly keptApiKeys: number;

      /** Replaces that of the sign-in */
      readonly deviceToken?: string;
    };
  };

  /** List sessions, newest first */
  readonly getSessions: {
    readonly path: undefined;
    readonly query: {
      /** Staff: the id of a user. Customers leave it out. */
      readonly user?: string | undefined;

      /** Items of a page, at most 500; default 50 */
      readonly limit?: number | undefined;

      /** `nextPageToken` of the page before */
      readonly pageToken?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: {
      readonly items: readonly {
        readonly id: string;
        readonly userId: string;

        /** As the client named itself at sign-in */
        readonly client?: string;

        /** RFC 3339 */
        readonly createdAt: string;

        /** RFC 3339 */
        readonly lastUsedAt: string;

        /** RFC 3339 */
        readonly expiresAt: string;

        /** The session of this request */
        readonly current: boolean;

        /** What it was given: tokens, a cookie */
        readonly kind: 'tokens' | 'browser';
      }[];
      readonly nextPageToken?: string;
    };
  };

  /** Sign out */
  readonly deleteSessionsCurrent: {
    readonly path: undefined;
    readonly query: undefined;
    readonly body: undefined;
    readonly answer: undefined;
  };

  /** End a session */
  readonly deleteSessionsById: {
    readonly path: { readonly id: string };
    readonly query: undefined;
    readonly body: undefined;
    readonly answer: { readonly revoked: number };
  };

  /** List users, newest first (staff) */
  readonly getUsers: {
    readonly path: undefined;
    readonly query: {
      readonly role?: 'customer' | 'operator' | 'admin' | undefined;

      /** The user with this address, verified or not */
      readonly email?: string | undefined;

      /** Items of a page, at most 500; default 50 */
      readonly limit?: number | undefined;

      /** `nextPageToken` of the page before */
      readonly pageToken?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: {
      readonly items: readonly {
        readonly id: string;
        readonly email: string;
        readonly role: 'customer' | 'operator' | 'admin';
        readonly disabled: boolean;
        readonly emailVerified: boolean;

        /** RFC 3339 */
        readonly createdAt: string;

        /** Sign-in needs a code besides the password */
        readonly totpEnabled: boolean;
      }[];
      readonly nextPageToken?: string;
    };
  };

  /** Create a user (staff) */
  readonly postUsers: {
    readonly path: undefined;
    readonly query: undefined;
    readonly body: {
      readonly email: string;

      /** At least 12 characters */
      readonly password: string;

      /** Default: customer */
      readonly role?: 'customer' | 'operator' | 'admin' | undefined;
    };
    readonly answer: {
      readonly id: string;
      readonly email: string;
      readonly role: 'customer' | 'operator' | 'admin';
      readonly disabled: boolean;
      readonly emailVerified: boolean;

      /** RFC 3339 */
      readonly createdAt: string;

      /** Sign-in needs a code besides the password */
      readonly totpEnabled: boolean;
    };
  };

  /** Get a user (others than oneself: staff) */
  readonly getUsersById: {
    readonly path: { readonly id: string };
    readonly query: undefined;
    readonly body: undefined;
    readonly answer: {
      readonly id: string;
      readonly email: string;
      readonly role: 'customer' | 'operator' | 'admin';
      readonly disabled: boolean;
      readonly emailVerified: boolean;

      /** RFC 3339 */
      readonly createdAt: string;

      /** Sign-in needs a code besides the password */
      readonly totpEnabled: boolean;
    };
  };

  /** Change the role of a user, or disable or enable one (admins) */
  readonly patchUsersById: {
    readonly path: { readonly id: string };
    readonly query: undefined;
    readonly body: {
      readonly role?: 'customer' | 'operator' | 'admin' | undefined;
      readonly disabled?: boolean | undefined;
    };
    readonly answer: {
      readonly id: string;
      readonly email: string;
      readonly role: 'customer' | 'operator' | 'admin';
      readonly disabled: boolean;
      readonly emailVerified: boolean;

      /** RFC 3339 */
      readonly createdAt: string;

      /** Sign-in needs a code besides the password */
      readonly totpEnabled: boolean;
    };
  };

  /** List API keys, newest first, without their secrets */
  readonly getApiKeys: {
    readonly path: undefined;
    readonly query: {
      /** Staff: the id of a user. Customers leave it out. */
      readonly user?: string | undefined;

      /** Items of a page, at most 500; default 50 */
      readonly limit?: number | undefined;

      /** `nextPageToken` of the page before */
      readonly pageToken?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: {
      readonly items: readonly {
        readonly id: string;
        readonly ownerId: string;
        readonly name: string;

        /** The start of the secret, to recognize it by */
        readonly prefix: string;
        readonly scopes: readonly (
          | 'transactions:write'
          | 'wallets:read'
          | 'statements:read'
          | 'users:read'
          | 'dead-letters:read'
          | 'dead-letters:write'
        )[];

        /** The only wallet that it reaches */
        readonly walletId?: string;

        /** The only ones; absent: all */
        readonly operations?: readonly (
          | 'deposit'
          | 'withdraw'
          | 'purchase'
          | 'reversal'
          | 'cancellation'
          | 'transfer'
          | 'hold'
          | 'capture'
          | 'release'
          | 'fee'
        )[];

        /** RFC 3339 */
        readonly createdAt: string;

        /** RFC 3339 */
        readonly expiresAt: string;

        /** RFC 3339 */
        readonly lastUsedAt?: string;
        readonly revoked: boolean;
      }[];
      readonly nextPageToken?: string;
    };
  };

  /** Create an API key */
  readonly postApiKeys: {
    readonly path: undefined;
    readonly query: undefined;
    readonly body: {
      /** What it is for */
      readonly name: string;
      readonly scopes: readonly (
        | 'transactions:write'
        | 'wallets:read'
        | 'statements:read'
        | 'users:read'
        | 'dead-letters:read'
        | 'dead-letters:write'
      )[];

      /** The only wallet that it shall reach */
      readonly walletId?: string | undefined;

      /** The only operations that it shall make; default all of its owner */
      readonly operations?:
        | readonly (
            | 'deposit'
            | 'withdraw'
            | 'purchase'
            | 'reversal'
            | 'cancellation'
            | 'transfer'
            | 'hold'
            | 'capture'
            | 'release'
            | 'fee'
          )[]
        | undefined;

      /** At most 366 days ahead; default 90 days */
      readonly expiresAt?: string | undefined;
    };
    readonly answer: {
      readonly id: string;
      readonly ownerId: string;
      readonly name: string;

      /** The start of the secret, to recognize it by */
      readonly prefix: string;
      readonly scopes: readonly (
        | 'transactions:write'
        | 'wallets:read'
        | 'statements:read'
        | 'users:read'
        | 'dead-letters:read'
        | 'dead-letters:write'
      )[];

      /** The only wallet that it reaches */
      readonly walletId?: string;

      /** The only ones; absent: all */
      readonly operations?: readonly (
        | 'deposit'
        | 'withdraw'
        | 'purchase'
        | 'reversal'
        | 'cancellation'
        | 'transfer'
        | 'hold'
        | 'capture'
        | 'release'
        | 'fee'
      )[];

      /** RFC 3339 */
      readonly createdAt: string;

      /** RFC 3339 */
      readonly expiresAt: string;

      /** RFC 3339 */
      readonly lastUsedAt?: string;
      readonly revoked: boolean;
      readonly secret: string;
    };
  };

  /** Revoke an API key, permanently */
  readonly deleteApiKeysById: {
    readonly path: { readonly id: string };
    readonly query: undefined;
    readonly body: undefined;
    readonly answer: {
      readonly id: string;
      readonly ownerId: string;
      readonly name: string;

      /** The start of the secret, to recognize it by */
      readonly prefix: string;
      readonly scopes: readonly (
        | 'transactions:write'
        | 'wallets:read'
        | 'statements:read'
        | 'users:read'
        | 'dead-letters:read'
        | 'dead-letters:write'
      )[];

      /** The only wallet that it reaches */
      readonly walletId?: string;

      /** The only ones; absent: all */
      readonly operations?: readonly (
        | 'deposit'
        | 'withdraw'
        | 'purchase'
        | 'reversal'
        | 'cancellation'
        | 'transfer'
        | 'hold'
        | 'capture'
        | 'release'
        | 'fee'
      )[];

      /** RFC 3339 */
      readonly createdAt: string;

      /** RFC 3339 */
      readonly expiresAt: string;

      /** RFC 3339 */
      readonly lastUsedAt?: string;
      readonly revoked: boolean;
    };
  };

  /** Get a statement */
  readonly getStatements: {
    readonly path: undefined;
    readonly query: {
      /** Staff: the id of a user. Customers leave it out. */
      readonly user?: string | undefined;

      /** ISO 4217, in capitals */
      readonly currency?: string | undefined;

      /** A date or a time of RFC 3339; default 15 days before `to` */
      readonly from?: string | undefined;

      /** A date, whose day is included, or a time, which is not; default now */
      readonly to?: string | undefined;

      /** IANA name; default UTC. Dates are days of this zone. */
      readonly timezone?: string | undefined;

      /** Only lines of these operations; can be repeated */
      readonly operation?:
        | 'deposit'
        | 'withdraw'
        | 'purchase'
        | 'reversal'
        | 'cancellation'
        | 'transfer'
        | 'hold'
        | 'capture'
        | 'release'
        | 'fee'
        | readonly (
            | 'deposit'
            | 'withdraw'
            | 'purchase'
            | 'reversal'
            | 'cancellation'
            | 'transfer'
            | 'hold'
            | 'capture'
            | 'release'
            | 'fee'
          )[]
        | undefined;

      /** `desc`: newest first */
      readonly order?: 'asc' | 'desc' | undefined;

      /** `true`: also the lines of holds and releases, and what is reserved */
      readonly holds?: 'true' | 'false' | undefined;

      /** Of `text/csv`; default `en` */
      readonly locale?: 'en' | 'pt-BR' | undefined;

      /** Lines of a page, at most 500; default 500 */
      readonly limit?: number | undefined;

      /** `nextPageToken` of the page before */
      readonly pageToken?: string | undefined;
    };
    readonly body: undefined;
    readonly answer:
      | {
          readonly status: 'complete' | 'incomplete' | 'inconsistent';
          readonly statement: Statement;
          readonly nextPageToken?: string;
        }
      | { readonly status: 'queued'; readonly export: Export };
  };

  /** Find statement lines by a value in their metadata, newest first */
  readonly getStatementsSearch: {
    readonly path: undefined;
    readonly query: {
      /** Staff: the id of a user. Customers leave it out. */
      readonly user?: string | undefined;

      /** Default: the server’s currency; for staff without `user`, every one */
      readonly currency?: string | undefined;

      /** One of those that the server keeps for searches (SEARCH_KEYS) */
      readonly key: string;
      readonly value: string;

      /** Items of a page, at most 500; default 50 */
      readonly limit?: number | undefined;

      /** `nextPageToken` of the page before */
      readonly pageToken?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: {
      readonly status: 'complete' | 'behind' | 'unknown';

      /** Why lines may be missing */
      readonly missing?: string;
      readonly items: readonly FoundLine[];

      /** Absent on the last page */
      readonly nextPageToken?: string;
    };
  };

  /** Write a statement to a file */
  readonly postExports: {
    readonly path: undefined;
    readonly query: undefined;
    readonly body: {
      /** Staff: the id of a user. Customers leave it out. */
      readonly user?: string | undefined;

      /** ISO 4217, in capitals */
      readonly currency?: string | undefined;

      /** A date or a time of RFC 3339; default 15 days before `to` */
      readonly from?: string | undefined;

      /** A date, whose day is included, or a time, which is not; default now */
      readonly to?: string | undefined;

      /** IANA name; default UTC. Dates are days of this zone. */
      readonly timezone?: string | undefined;

      /** Of a CSV file; default `en` */
      readonly locale?: 'en' | 'pt-BR' | undefined;

      /** Default `csv` */
      readonly format?: 'csv' | 'json' | 'ndjson' | 'hledger' | undefined;

      /** For spreadsheets; CSV only */
      readonly byteOrderMark?: boolean | undefined;

      /** Also the lines of holds and releases; not for `hledger` */
      readonly holds?: boolean | undefined;

      /** Mail the file to the wallet’s owner */
      readonly email?: boolean | undefined;
      readonly dryRun?: boolean | undefined;
    };
    readonly answer: Export;
  };

  /** List exports, newest first */
  readonly getExports: {
    readonly path: undefined;
    readonly query: {
      /** Staff: the id of a user. Customers leave it out. */
      readonly user?: string | undefined;

      /** Items of a page, at most 500; default 50 */
      readonly limit?: number | undefined;

      /** `nextPageToken` of the page before */
      readonly pageToken?: string | undefined;
    };
    readonly body: undefined;
    readonly answer: {
      readonly items: readonly Export[];

      /** Absent on the last page */
      readonly nextPageToken?: string;
    };
  };

  /** Get an export, and wait until it is finished */
  readonly getExportsById: {
    readonly path: { readonly id: string };
    readonly query: {
      /** Seconds to wait until it is finished; default 0 */
      readonly wait?: number | undefined;
    };
    readonly body: undefined;
    readonly answer: Export;
  };

  /** Download the file of an export */
  readonly getExportsByIdFile: {
    readonly path: { readonly id: string };
    readonly query: undefined;
    readonly body: undefined;
    readonly answer: string;
  };
};

export type OperationName = keyof Operations;

type Route = {
  readonly method: string;
  readonly path: string;
  readonly isKeyed: boolean;
  readonly isPublic: boolean;
};

/** Where each operation is; whether it takes an idempotency key, and no credential. */

export const routes: Readonly<Record<OperationName, Route>> = {
  postTransactions: { method: 'POST', path: '/v1/transactions', isKeyed: true, isPublic: false },

  getTransactions: { method: 'GET', path: '/v1/transactions', isKeyed: false, isPublic: false },

  getTransactionsById: {
    method: 'GET',
    path: '/v1/transactions/{id}',
    isKeyed: false,
    isPublic: false,
  },

  getTransactionsByKeyByKey: {
    method: 'GET',
    path: '/v1/transactions/by-key/{key}',
    isKeyed: false,
    isPublic: false,
  },

  postTransactionsBatch: {
    method: 'POST',
    path: '/v1/transactions/batch',
    isKeyed: false,
    isPublic: false,
  },

  postHolds: { method: 'POST', path: '/v1/holds', isKeyed: true, isPublic: false },

  getHolds: { method: 'GET', path: '/v1/holds', isKeyed: false, isPublic: false },

  postHoldsByIdCapture: {
    method: 'POST',
    path: '/v1/holds/{id}/capture',
    isKeyed: true,
    isPublic: false,
  },

  postHoldsByIdRelease: {
    method: 'POST',
    path: '/v1/holds/{id}/release',
    isKeyed: true,
    isPublic: false,
  },

  getHoldsById: { method: 'GET', path: '/v1/holds/{id}', isKeyed: false, isPublic: false },

  getWallets: { method: 'GET', path: '/v1/wallets', isKeyed: false, isPublic: false },

  getWalletsByUserByCurrency: {
    method: 'GET',
    path: '/v1/wallets/{user}/{currency}',
    isKeyed: false,
    isPublic: false,
  },

  patchWalletsByUserByCurrency: {
    method: 'PATCH',
    path: '/v1/wallets/{user}/{currency}',
    isKeyed: false,
    isPublic: false,
  },

  getWalletsByUserByCurrencyTerms: {
    method: 'GET',
    path: '/v1/wallets/{user}/{currency}/terms',
    isKeyed: false,
    isPublic: false,
  },

  putWalletsByUserByCurrencyTerms: {
    method: 'PUT',
    path: '/v1/wallets/{user}/{currency}/terms',
    isKeyed: false,
    isPublic: false,
  },

  postWalletsByUserByCurrencyClose: {
    method: 'POST',
    path: '/v1/wallets/{user}/{currency}/close',
    isKeyed: true,
    isPublic: false,
  },

  postWalletsByUserByCurrencyReopen: {
    method: 'POST',
    path: '/v1/wallets/{user}/{currency}/reopen',
    isKeyed: false,
    isPublic: false,
  },

  postRecipients: { method: 'POST', path: '/v1/recipients', isKeyed: false, isPublic: false },

  getEvents: { method: 'GET', path: '/v1/events', isKeyed: false, isPublic: false },

  postSignUp: { method: 'POST', path: '/v1/sign-up', isKeyed: false, isPublic: true },

  postVerifyEmail: { method: 'POST', path: '/v1/verify-email', isKeyed: false, isPublic: true },

  postSignIn: { method: 'POST', path: '/v1/sign-in', isKeyed: false, isPublic: true },

  postSessionsRefresh: {
    method: 'POST',
    path: '/v1/sessions/refresh',
    isKeyed: false,
    isPublic: true,
  },

  getMe: { method: 'GET', path: '/v1/me', isKeyed: false, isPublic: false },

  putMePassword: { method: 'PUT', path: '/v1/me/password', isKeyed: false, isPublic: false },

  getSessions: { method: 'GET', path: '/v1/sessions', isKeyed: false, isPublic: false },

  deleteSessionsCurrent: {
    method: 'DELETE',
    path: '/v1/sessions/current',
    isKeyed: false,
    isPublic: false,
  },

  deleteSessionsById: {
    method: 'DELETE',
    path: '/v1/sessions/{id}',
    isKeyed: false,
    isPublic: false,
  },

  getUsers: { method: 'GET', path: '/v1/users', isKeyed: false, isPublic: false },

  postUsers: { method: 'POST', path: '/v1/users', isKeyed: false, isPublic: false },

  getUsersById: { method: 'GET', path: '/v1/users/{id}', isKeyed: false, isPublic: false },

  patchUsersById: { method: 'PATCH', path: '/v1/users/{id}', isKeyed: false, isPublic: false },

  getApiKeys: { method: 'GET', path: '/v1/api-keys', isKeyed: false, isPublic: false },

  postApiKeys: { method: 'POST', path: '/v1/api-keys', isKeyed: false, isPublic: false },

  deleteApiKeysById: {
    method: 'DELETE',
    path: '/v1/api-keys/{id}',
    isKeyed: false,
    isPublic: false,
  },

  getStatements: { method: 'GET', path: '/v1/statements', isKeyed: false, isPublic: false },

  getStatementsSearch: {
    method: 'GET',
    path: '/v1/statements/search',
    isKeyed: false,
    isPublic: false,
  },

  postExports: { method: 'POST', path: '/v1/exports', isKeyed: true, isPublic: false },

  getExports: { method: 'GET', path: '/v1/exports', isKeyed: false, isPublic: false },

  getExportsById: { method: 'GET', path: '/v1/exports/{id}', isKeyed: false, isPublic: false },

  getExportsByIdFile: {
    method: 'GET',
    path: '/v1/exports/{id}/file',
    isKeyed: false,
    isPublic: false,
  },
};
