// Written by "npm run client:types" from docs/openapi.json: do not edit.

/** Why the server refuses a request: docs/errors.md. */

export type ServerReason =
  | 'AMOUNT_INVALID'
  | 'AMOUNT_MISMATCH'
  | 'API_KEY_LIMIT'
  | 'API_KEY_NOT_FOUND'
  | 'AUTH_UNAVAILABLE'
  | 'BALANCE_LIMIT_EXCEEDED'
  | 'BODY_TOO_LARGE'
  | 'CREDENTIALS_INVALID'
  | 'CREDENTIALS_MISSING'
  | 'CURRENCY_UNKNOWN'
  | 'DATABASE_BUSY'
  | 'DATABASE_UNAVAILABLE'
  | 'DEADLINE_EXCEEDED'
  | 'EMAIL_INVALID'
  | 'EMAIL_TAKEN'
  | 'EMAIL_UNVERIFIED'
  | 'EXPORT_EXPIRED'
  | 'EXPORT_NOT_FOUND'
  | 'EXPORT_NOT_READY'
  | 'HEADERS_TOO_LARGE'
  | 'HOST_UNKNOWN'
  | 'IDEMPOTENCY_KEY_REQUIRED'
  | 'IDEMPOTENCY_KEY_REUSED'
  | 'INSUFFICIENT_FUNDS'
  | 'INTERNAL'
  | 'INVALID_ARGUMENT'
  | 'JSON_INVALID'
  | 'LAST_ADMIN'
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
  | 'REFRESH_TOKEN_INVALID'
  | 'REQUEST_MALFORMED'
  | 'REQUEST_TIMEOUT'
  | 'SESSION_NOT_FOUND'
  | 'SHUTTING_DOWN'
  | 'SIGN_UP_CLOSED'
  | 'STAFF_OWN_WALLET'
  | 'STATEMENT_UNAVAILABLE'
  | 'SimpleAMOUNT_INVALID'
  | 'SimpleAMOUNT_MISMATCH'
  | 'SimpleAUTH_UNAVAILABLE'
  | 'SimpleBALANCE_LIMIT_EXCEEDED'
  | 'SimpleBODY_TOO_LARGE'
  | 'SimpleCREDENTIALS_INVALID'
  | 'SimpleCREDENTIALS_MISSING'
  | 'SimpleCURRENCY_UNKNOWN'
  | 'SimpleDATABASE_BUSY'
  | 'SimpleDATABASE_UNAVAILABLE'
  | 'SimpleDEADLINE_EXCEEDED'
  | 'SimpleEMAIL_INVALID'
  | 'SimpleEMAIL_TAKEN'
  | 'SimpleEMAIL_UNVERIFIED'
  | 'SimpleEXPORT_EXPIRED'
  | 'SimpleEXPORT_NOT_FOUND'
  | 'SimpleEXPORT_NOT_READY'
  | 'SimpleHEADERS_TOO_LARGE'
  | 'SimpleHOST_UNKNOWN'
  | 'SimpleIDEMPOTENCY_KEY_REUSED'
  | 'SimpleINSUFFICIENT_FUNDS'
  | 'SimpleINTERNAL'
  | 'SimpleINVALID_ARGUMENT'
  | 'SimpleJSON_INVALID'
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
  | 'SimpleUNIMPLEMENTED'
  | 'SimpleURI_INVALID'
  | 'SimpleUSER_NOT_FOUND'
  | 'SimpleUSER_REQUIRED'
  | 'SimpleWALLET_BUSY'
  | 'SimpleWALLET_CLOCK_AHEAD'
  | 'SimpleWALLET_CORRUPT'
  | 'SimpleWALLET_FROZEN'
  | 'SimpleWALLET_UNAVAILABLE'
  | 'THROTTLED'
  | 'TOKEN_EXPIRED'
  | 'TOKEN_INVALID'
  | 'TOKEN_REVOKED'
  | 'TOTP_ENROLMENT_REQUIRED'
  | 'TOTP_INVALID'
  | 'TOTP_REQUIRED'
  | 'TOTP_UNREADABLE'
  | 'TRANSACTION_NOT_FOUND'
  | 'UNIMPLEMENTED'
  | 'URI_INVALID'
  | 'USER_NOT_FOUND'
  | 'USER_REQUIRED'
  | 'VERIFICATION_CODE_INVALID'
  | 'WALLET_BUSY'
  | 'WALLET_CLOCK_AHEAD'
  | 'WALLET_CORRUPT'
  | 'WALLET_FROZEN'
  | 'WALLET_NOT_FOUND'
  | 'WALLET_UNAVAILABLE';

export type Balance = {
  readonly walletId: string;
  readonly userId: string;

  /** ISO 4217, in capitals */
  readonly currency: string;

  /** A decimal string with all decimals of the currency */
  readonly balance?: string;
  readonly seq: number;

  /** RFC 3339 */
  readonly asOf: string;
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
  readonly operation: 'deposit' | 'withdraw' | 'purchase' | 'reversal' | 'cancellation';
  readonly description?: string;
  readonly merchant?: string;

  /** A decimal string with all decimals of the currency */
  readonly debit?: string;

  /** A decimal string with all decimals of the currency */
  readonly credit?: string;

  /** A decimal string with all decimals of the currency */
  readonly balance: string;
};

export type Transaction = {
  /** Absent in a dry run */
  readonly id?: string;
  readonly walletId: string;

  /** Gapless within the wallet, from 1 */
  readonly seq?: number;
  readonly operation: 'deposit' | 'withdraw' | 'purchase' | 'reversal' | 'cancellation';

  /** A decimal string with all decimals of the currency */
  readonly amount: string;

  /** ISO 4217, in capitals */
  readonly currency: string;

  /** A decimal string with all decimals of the currency */
  readonly balanceAfter: string;

  /** The transaction that this one undoes */
  readonly parentId?: string;
  readonly description?: string;
  readonly merchant?: string;

  /** RFC 3339 */
  readonly occurredAt: string;

  /** It had been made before, by the same key */
  readonly replayed: boolean;
  readonly dryRun?: true;
};

export type Wallet = {
  readonly id: string;
  readonly userId: string;

  /** ISO 4217, in capitals */
  readonly currency: string;

  /** Absent if the wallet is corrupt */
  readonly balance?: string;

  /** Of the last transaction */
  readonly seq: number;
  readonly status: 'active' | 'frozen' | 'corrupt' | 'unknown';

  /** RFC 3339 */
  readonly lastAt?: string;
  readonly dryRun?: true;
};

/** Each operation of the API: what it takes, and what it answers with. */

export type Operations = {
  /** Make a transaction */
  readonly postTransactions: {
    readonly path: undefined;
    readonly query: undefined;
    readonly body: {
      readonly operation: 'deposit' | 'withdraw' | 'purchase' | 'reversal' | 'cancellation';

      /** Staff: the id of a user. Customers leave it out. */
      readonly user?: string | undefined;

      /** Default: the server’s currency; for an undo, that of its parent */
      readonly currency?: string | undefined;

      /** Required but for a reversal or cancellation */
      readonly amount?: string | number | undefined;

      /** Required for a reversal or cancellation */
      readonly parentId?: string | undefined;
      readonly description?: string | undefined;

      /** For a purchase */
      readonly merchant?: string | undefined;
      readonly metadata?: Readonly<Record<string, string>> | undefined;
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
        'deposit' | 'withdraw' | 'purchase' | 'reversal' | 'cancellation' | undefined;

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
    readonly query: undefined;
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
        readonly operation: 'deposit' | 'withdraw' | 'purchase' | 'reversal' | 'cancellation';

        /** Staff: the id of a user. Customers leave it out. */
        readonly user?: string | undefined;

        /** Default: the server’s currency; for an undo, that of its parent */
        readonly currency?: string | undefined;

        /** Required but for a reversal or cancellation */
        readonly amount?: string | number | undefined;

        /** Required for a reversal or cancellation */
        readonly parentId?: string | undefined;
        readonly description?: string | undefined;

        /** For a purchase */
        readonly merchant?: string | undefined;
        readonly metadata?: Readonly<Record<string, string>> | undefined;

        /** Identifies the transaction within its wallet; never expires. */
        readonly idempotencyKey: string;
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
      readonly status: 'active' | 'frozen';

      /** Why, for the audit log */
      readonly note?: string | undefined;
      readonly dryRun?: boolean | undefined;
    };
    readonly answer: Wallet;
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
            'deposit' | 'withdraw' | 'purchase' | 'reversal' | 'cancellation'
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
          'deposit' | 'withdraw' | 'purchase' | 'reversal' | 'cancellation'
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
        readonly ('deposit' | 'withdraw' | 'purchase' | 'reversal' | 'cancellation')[] | undefined;

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
        'deposit' | 'withdraw' | 'purchase' | 'reversal' | 'cancellation'
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
        'deposit' | 'withdraw' | 'purchase' | 'reversal' | 'cancellation'
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
        | readonly ('deposit' | 'withdraw' | 'purchase' | 'reversal' | 'cancellation')[]
        | undefined;

      /** `desc`: newest first */
      readonly order?: 'asc' | 'desc' | undefined;

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
