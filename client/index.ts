import { createAccountMethods } from './accounts.ts';
import { followEvents } from './events.ts';
import { createMoneyMethods } from './money.ts';
import { readOptions, type ClientOptions } from './options.ts';
import { createSender } from './send.ts';
import type { Client } from './types.ts';

export type * from './gen/api.ts';
export type { Download, ExportDownload, StatementDownload } from './downloads.ts';
export type { FollowedEvent, FollowOptions, InconsistencyEvent, LineEvent } from './events.ts';
export type { CallOptions, ClientOptions, Fetch, KeyedOptions } from './options.ts';
export { WalletProblem, type ClientReason, type ProblemReason } from './problem.ts';
export type * from './types.ts';

/**
 * A client of the HTTP API. It keeps nothing but the token that `onToken` gave. Throws a TypeError
 * where an option is wrong.
 */
export function createClient(options: ClientOptions): Client {
  const sender = createSender(readOptions(options));
  return {
    ...createMoneyMethods(sender),
    ...createAccountMethods(sender),
    events: { follow: (followed = {}) => followEvents(sender, followed) },
  };
}
