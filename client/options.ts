import { WalletProblem } from './problem.ts';

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export type ClientOptions = {
  /** Of the gateway, like `https://wallet.example.com`; a path before `/v1` is kept. */
  readonly baseUrl: string;
  /** An access token, which ends after 15 minutes. At most one of token, apiKey and onToken. */
  readonly token?: string | undefined;
  readonly apiKey?: string | undefined;
  /**
   * Gives an access token: before the first call, and after the server has refused the one before,
   * which is then given to it. Calls at the same time share one answer.
   */
  readonly onToken?: ((refused: string | undefined) => string | Promise<string>) | undefined;
  /** Instead of the global one. */
  readonly fetch?: Fetch | undefined;
  /** Of a call with all its attempts; default 60,000. */
  readonly timeoutMs?: number | undefined;
  /** Of one attempt, so that there is time for another; default 30,000. */
  readonly attemptTimeoutMs?: number | undefined;
  /** Default 6. */
  readonly maxAttempts?: number | undefined;
};

export type CallOptions = {
  readonly signal?: AbortSignal | undefined;
  /** Of this call with all its attempts, instead of that of the client. */
  readonly timeoutMs?: number | undefined;
};

export type KeyedOptions = CallOptions & {
  /**
   * Names what is to be made, for ever. Without one the client makes one, which does for retries
   * within this call; a program that may end and begin again keeps its own.
   */
  readonly idempotencyKey?: string | undefined;
};

export type Settings = {
  readonly baseUrl: string;
  readonly fetch: Fetch;
  readonly timeoutMs: number;
  readonly attemptTimeoutMs: number;
  readonly maxAttempts: number;
  readonly credential: Credential;
};

type Credential = {
  /** The token to send; undefined: none. */
  get(): Promise<string | undefined>;
  /** Another one than that which the server has refused; undefined: there is none. */
  renew(refused: string): Promise<string | undefined>;
};

/** Throws a TypeError that says which option is wrong. */
export function readOptions(options: ClientOptions): Settings {
  const { baseUrl, timeoutMs = 60_000, attemptTimeoutMs = 30_000, maxAttempts = 6 } = options;
  if (!/^https?:\/\/[^\s@?#]+$/.test(baseUrl)) {
    throw new TypeError('baseUrl must be an http or https URL without user, query and fragment');
  }
  for (const [name, value] of Object.entries({ timeoutMs, attemptTimeoutMs, maxAttempts })) {
    if (!Number.isInteger(value) || value < 1 || value > 2 ** 31 - 1) {
      throw new TypeError(`${name} must be a whole number from 1 to ${2 ** 31 - 1}`);
    }
  }
  return {
    baseUrl: baseUrl.replace(/\/+$/, ''),
    // A global that is replaced later, as in tests, counts.
    fetch: options.fetch ?? ((url, init) => globalThis.fetch(url, init)),
    ...{ timeoutMs, attemptTimeoutMs, maxAttempts },
    credential: createCredential(options),
  };
}

function createCredential({ token, apiKey, onToken }: ClientOptions): Credential {
  if ([token, apiKey, onToken].filter((each) => each !== undefined).length > 1) {
    throw new TypeError('give at most one of token, apiKey and onToken');
  }
  if (!onToken) {
    const fixed = token ?? apiKey;
    if (fixed !== undefined) requireToken(fixed);
    return { get: () => Promise.resolve(fixed), renew: () => Promise.resolve(undefined) };
  }
  let current: Promise<string> | undefined;
  const ask = (refused: string | undefined): Promise<string> => {
    const asked = (async () => requireToken(await onToken(refused)))();
    current = asked;
    // A failure is not kept: the next call asks again.
    asked.catch(() => {
      if (current === asked) current = undefined;
    });
    return asked;
  };
  return {
    get: () => current ?? ask(undefined),
    renew: async (refused) => {
      const before = current;
      const known = await before;
      // Another call may have asked meanwhile.
      const isAsked = current !== undefined && current !== before;
      const next = known !== refused && known !== undefined ? known : undefined;
      const token = next ?? (await (isAsked ? current : ask(refused)));
      return token === refused ? undefined : token;
    },
  };
}

function requireToken(token: string): string {
  if (/^[\x21-\x7e]{1,4000}$/.test(token)) return token;
  throw new WalletProblem({
    reason: 'CREDENTIALS_MISSING',
    message: 'the token must have 1 to 4,000 characters of ASCII without blanks',
  });
}
