import type {
  ExportDownload,
  StatementDownload,
  StatementTextFormat,
  TextQuery,
} from './downloads.ts';
import type { FollowedEvent, FollowOptions } from './events.ts';
import type {
  Export,
  OperationName,
  Operations,
  StatementLine,
  Transaction,
  Wallet,
} from './gen/api.ts';
import type { CallOptions, KeyedOptions } from './options.ts';

export type AnswerOf<Name extends OperationName> = Operations[Name]['answer'];
export type BodyOf<Name extends OperationName> = Operations[Name]['body'];
export type QueryOf<Name extends OperationName> = NonNullable<Operations[Name]['query']>;
/** The query of a list, where the client turns the pages. */
export type ListQuery<Name extends OperationName> = Omit<QueryOf<Name>, 'pageToken'>;
/** An item of a list. */
export type ItemOf<Name extends OperationName> =
  AnswerOf<Name> extends { readonly items: readonly (infer Item)[] } ? Item : never;

type Items<Item> = AsyncGenerator<Item, void, undefined>;

/** A list: a page, or the items of all pages. */
export type List<Name extends OperationName> = {
  list(query?: QueryOf<Name>, options?: CallOptions): Promise<AnswerOf<Name>>;
  listAll(query?: ListQuery<Name>, options?: CallOptions): Items<ItemOf<Name>>;
};

/** An item of a batch; the client makes the key that is missing. */
export type BatchItem = Omit<BodyOf<'postTransactionsBatch'>['items'][number], 'idempotencyKey'> & {
  readonly idempotencyKey?: string | undefined;
};
export type BatchBody = Omit<BodyOf<'postTransactionsBatch'>, 'items'> & {
  readonly items: readonly BatchItem[];
};
export type BatchResult = AnswerOf<'postTransactionsBatch'>['items'][number] & {
  /** That of the item: with it, an item whose outcome is unknown can be sent again. */
  readonly idempotencyKey: string;
};

export type WaitOptions = Pick<CallOptions, 'signal'> & {
  /** Until the export is finished; default 300,000. */
  readonly timeoutMs?: number | undefined;
};

/**
 * Each method answers with what docs/openapi.json says of its operation, and throws a
 * WalletProblem. Money is a decimal string, a time is RFC 3339.
 */
export type Client = {
  readonly transactions: List<'getTransactions'> & {
    /** Makes a transaction, or gives the one that has the same idempotency key. */
    create(body: BodyOf<'postTransactions'>, options?: KeyedOptions): Promise<Transaction>;
    /** At most 1,000. A refused item does not affect others; results are in the same order. */
    createBatch(body: BatchBody, options?: CallOptions): Promise<readonly BatchResult[]>;
    get(
      id: string,
      query?: QueryOf<'getTransactionsById'>,
      options?: CallOptions,
    ): Promise<Transaction>;
    getByKey(
      key: string,
      query?: QueryOf<'getTransactionsByKeyByKey'>,
      options?: CallOptions,
    ): Promise<Transaction>;
  };
  readonly holds: List<'getHolds'> & {
    /** Staff: reserves money, or gives the hold that has the same idempotency key. */
    place(body: BodyOf<'postHolds'>, options?: KeyedOptions): Promise<Transaction>;
    /** Staff: all that is left of it where no amount is given. */
    capture(
      id: string,
      body: BodyOf<'postHoldsByIdCapture'>,
      options?: KeyedOptions,
    ): Promise<Transaction>;
    release(
      id: string,
      body: BodyOf<'postHoldsByIdRelease'>,
      options?: KeyedOptions,
    ): Promise<Transaction>;
    get(id: string, options?: CallOptions): Promise<AnswerOf<'getHoldsById'>>;
  };
  readonly wallets: List<'getWallets'> & {
    /** The balance; `user` is an id, or `me`. */
    get(
      user: string,
      currency: string,
      query?: QueryOf<'getWalletsByUserByCurrency'>,
      options?: CallOptions,
    ): Promise<AnswerOf<'getWalletsByUserByCurrency'>>;
    /** Staff: freezes it, or its debits alone, or unfreezes it. */
    update(
      user: string,
      currency: string,
      body: BodyOf<'patchWalletsByUserByCurrency'>,
      options?: CallOptions,
    ): Promise<Wallet>;
    /** Staff: closes an empty wallet, or transfers its balance in the same commit. */
    close(
      user: string,
      currency: string,
      body: BodyOf<'postWalletsByUserByCurrencyClose'>,
      options?: KeyedOptions,
    ): Promise<AnswerOf<'postWalletsByUserByCurrencyClose'>>;
    reopen(
      user: string,
      currency: string,
      body: BodyOf<'postWalletsByUserByCurrencyReopen'>,
      options?: CallOptions,
    ): Promise<Wallet>;
    /** Overdraft and spending limits, and what was used of these. */
    getTerms(
      user: string,
      currency: string,
      options?: CallOptions,
    ): Promise<AnswerOf<'getWalletsByUserByCurrencyTerms'>>;
    /** Staff: what is absent stays as it is. */
    setTerms(
      user: string,
      currency: string,
      body: BodyOf<'putWalletsByUserByCurrencyTerms'>,
      options?: CallOptions,
    ): Promise<AnswerOf<'putWalletsByUserByCurrencyTerms'>>;
    /** Who can be paid at an e-mail address. */
    findRecipient(email: string, options?: CallOptions): Promise<AnswerOf<'postRecipients'>>;
  };
  readonly statements: {
    /** A page of a statement; a long range is queued as an export. */
    get(
      query?: QueryOf<'getStatements'>,
      options?: CallOptions,
    ): Promise<AnswerOf<'getStatements'>>;
    /** A page of the lines that have a value in their metadata. */
    search(
      query: QueryOf<'getStatementsSearch'>,
      options?: CallOptions,
    ): Promise<AnswerOf<'getStatementsSearch'>>;
    /** The lines of all pages; a range that is queued is refused with RANGE_TOO_LONG. */
    listLines(query?: ListQuery<'getStatements'>, options?: CallOptions): Items<StatementLine>;
    download(
      format: StatementTextFormat,
      query?: TextQuery,
      options?: CallOptions,
    ): Promise<StatementDownload>;
  };
  readonly exports: List<'getExports'> & {
    create(body: BodyOf<'postExports'>, options?: KeyedOptions): Promise<Export>;
    get(id: string, options?: CallOptions): Promise<Export>;
    /** Once it is finished: its `status` says how. Throws TIMED_OUT after the time. */
    wait(id: string, options?: WaitOptions): Promise<Export>;
    download(id: string, options?: CallOptions): Promise<ExportDownload>;
  };
  readonly events: {
    /** Lines as they are made: from now on, or from a cursor. */
    follow(options?: FollowOptions): Items<FollowedEvent>;
  };
  readonly account: {
    signUp(body: BodyOf<'postSignUp'>, options?: CallOptions): Promise<AnswerOf<'postSignUp'>>;
    verifyEmail(
      body: BodyOf<'postVerifyEmail'>,
      options?: CallOptions,
    ): Promise<AnswerOf<'postVerifyEmail'>>;
    signIn(body: BodyOf<'postSignIn'>, options?: CallOptions): Promise<AnswerOf<'postSignIn'>>;
    get(options?: CallOptions): Promise<AnswerOf<'getMe'>>;
    changePassword(
      body: BodyOf<'putMePassword'>,
      options?: CallOptions,
    ): Promise<AnswerOf<'putMePassword'>>;
  };
  readonly sessions: List<'getSessions'> & {
    /** The refresh token is good for one use: keep the one of the answer. */
    refresh(refreshToken: string, options?: CallOptions): Promise<AnswerOf<'postSessionsRefresh'>>;
    /** Ends the session of this client's token. */
    signOut(options?: CallOptions): Promise<void>;
    revoke(id: string, options?: CallOptions): Promise<AnswerOf<'deleteSessionsById'>>;
  };
  readonly users: List<'getUsers'> & {
    create(body: BodyOf<'postUsers'>, options?: CallOptions): Promise<AnswerOf<'postUsers'>>;
    get(id: string, options?: CallOptions): Promise<AnswerOf<'getUsersById'>>;
    update(
      id: string,
      body: BodyOf<'patchUsersById'>,
      options?: CallOptions,
    ): Promise<AnswerOf<'patchUsersById'>>;
  };
  readonly apiKeys: List<'getApiKeys'> & {
    create(body: BodyOf<'postApiKeys'>, options?: CallOptions): Promise<AnswerOf<'postApiKeys'>>;
    revoke(id: string, options?: CallOptions): Promise<AnswerOf<'deleteApiKeysById'>>;
  };
};
