import { randomUUID } from 'node:crypto';

/** A request of a route, without its credential. */
export type HttpRequest = {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
};

/** What belongs to a customer. */
export type Things = {
  readonly userId: string;
  readonly email: string;
  readonly transactionId: string;
  readonly key: string;
  readonly pageToken: string;
  /** Not the session that the customer signs in with. */
  readonly sessionId: string;
  readonly apiKeyId: string;
  readonly exportId: string;
  /** An open hold on the wallet. */
  readonly holdId: string;
};

/** Whose wallet is meant; empty for oneself. */
type Ground = { readonly userId: string };

export type Row = {
  /** The first RPC that the route calls, by its name in `rights.ts`: its right is that of the route. */
  readonly rpc: string;
  /** Changes nothing, whichever caller sends it. */
  readonly plain: (ground: Ground) => HttpRequest;
  /** Would change or show what belongs to a customer: for callers who must be refused. */
  readonly effective: (of: Things) => HttpRequest;
  /** Ends the session that it is asked with. */
  readonly endsSession?: true;
};

export const ofUser = (userId: string): { readonly user?: string } =>
  userId === '' ? {} : { user: userId };
export const me = (userId: string): string => (userId === '' ? 'me' : userId);
export const key = (): Readonly<Record<string, string>> => ({ 'idempotency-key': randomUUID() });
export const someId = () => ({ params: { id: randomUUID() } });

/** Reads: what is harmless to send is what must not be shown. */
export const reads = (rpc: string, request: (userId: string) => HttpRequest): Row => ({
  rpc,
  plain: ({ userId }) => request(userId),
  effective: ({ userId }) => request(userId),
});
export const readsOne = (rpc: string, request: (of: Things) => HttpRequest): Row => ({
  rpc,
  plain: someId,
  effective: request,
});
export const ofQuery = (userId: string): HttpRequest => ({ query: { ...ofUser(userId) } });
