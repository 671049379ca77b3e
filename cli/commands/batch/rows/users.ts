import { isUuid } from '../../../../core/ids.ts';
import { AuthServiceService } from '../../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../../context.ts';
import { exitCodes, succeed, type Failed, type Outcome } from '../../../outcome.ts';
import { isStaff } from '../../money/confirm.ts';
import type { Actor } from '../../users/actor.ts';
import { resolvePayee } from '../../users/recipient.ts';
import type { CheckedRow } from './check.ts';
import { maxBytes } from './chunk.ts';

export type BatchUsers = {
  /**
   * The ids of the users that rows name; '' is the caller. Users who do not exist are missing. May
   * be called again before it has resolved.
   */
  resolve(rows: readonly CheckedRow[]): Promise<Outcome<ReadonlyMap<string, string>>>;
};

/** The most users that may be asked for at once. */
const maxAsked = 1_000;
const maxKnownUsers = 100_000;

/** Users by what rows call them: ids stand for themselves, addresses are asked for in bulk. */
export function createBatchUsers({ caller }: Pick<Context, 'caller'>, self: Actor): BatchUsers {
  const begin = () => {
    const known = new Map([['', self.id]]);
    if (self.email !== undefined) known.set(self.email, self.id);
    return { known, missing: new Set<string>() };
  };
  let current = begin();
  let last: Promise<unknown> = Promise.resolve();
  return {
    resolve: async (rows) => {
      // Others, and not emptied: rows that were resolved before may still be waiting for theirs.
      if (current.known.size + current.missing.size > maxKnownUsers) current = begin();
      const { known, missing } = current;
      const asked = new Set<string>();
      const note = (name: string | undefined, isAsked: boolean): void => {
        if (name === undefined || known.has(name) || missing.has(name)) return;
        if (isUuid(name)) known.set(name, name);
        else if (isAsked) asked.add(name);
      };
      for (const { user, to } of rows) {
        // For a customer no other user exists, whatever the address, but to be paid.
        note(user, isStaff(self.role));
        note(to, true);
      }
      if (asked.size === 0) return succeed(known);
      if (!isStaff(self.role)) {
        // In turn, so that no address is asked for twice.
        const resolved = last.then(() => resolvePayees(caller, [...asked], { known, missing }));
        last = resolved.catch(() => undefined);
        return resolved;
      }
      for (const emails of toPages([...asked])) {
        const request = { userIds: [], emails };
        const found = await caller.call(AuthServiceService.resolveUsers, request, 'read');
        if (!found.ok) return found.failure.exitCode === 8 ? failLookUp : found;
        for (const { email, id } of found.value.users) known.set(email, id);
        for (const email of emails) if (!known.has(email)) missing.add(email);
      }
      return succeed(known);
    },
  };
}

/** One after the other: the server limits how many a customer can ask for. */
async function resolvePayees(
  caller: Context['caller'],
  emails: readonly string[],
  { known, missing }: { readonly known: Map<string, string>; readonly missing: Set<string> },
): Promise<Outcome<ReadonlyMap<string, string>>> {
  for (const email of emails) {
    if (known.has(email) || missing.has(email)) continue;
    const found = await resolvePayee({ caller }, email);
    if (found.ok) known.set(email, found.value.id);
    else if (found.failure.reason === 'RECIPIENT_NOT_FOUND') missing.add(email);
    else return found;
  }
  return succeed(known);
}

/** Addresses in as many requests as it takes: each has room for 1,000, and for so many bytes. */
function toPages(emails: readonly string[]): readonly string[][] {
  const pages: string[][] = [];
  let bytes = maxBytes;
  for (const email of emails) {
    bytes += 3 * email.length;
    if (bytes > maxBytes || pages.at(-1)?.length === maxAsked) {
      pages.push([]);
      bytes = 3 * email.length;
    }
    pages.at(-1)?.push(email);
  }
  return pages;
}

/** Only staff's sessions, and API keys with that scope, may look users up. */
export const failLookUp: Failed = {
  ok: false,
  failure: {
    reason: 'PERMISSION_DENIED',
    exitCode: exitCodes.notAllowed,
    message:
      'this credential may not look up users by the e-mail addresses of the rows: it lacks the ' +
      'scope users:read; nothing was sent',
    field: 'user',
    hint:
      'use an API key with that scope (wallet api-keys create --scope users:read --scope ' +
      'transactions:write), or name users by their ids',
  },
};
