import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import { userNotFound } from '../../platform/access/access.ts';
import type { Db } from '../../platform/db/db.ts';
import type { WalletRef } from '../domain.ts';
import type { WalletCache } from '../store/wallet-cache.ts';
import { refOf } from './request.ts';
import type { WalletRefs } from './wallet-refs.ts';
import { findCorrupt } from '../store/states.ts';
import { readWallets } from '../store/store.ts';

/** The port to the auth service: which of these users exist. Rejects if it is unavailable. */
export type FindUsers = (userIds: readonly string[]) => Promise<ReadonlySet<string>>;

export type KnownUsers = {
  /** True for a user who was found before; false says nothing. */
  isKnown(userId: string): boolean;
  /** USER_NOT_FOUND, or AUTH_UNAVAILABLE where it cannot be known. */
  check(userId: string): Promise<Result<void>>;
  /** Those of these who do not exist. Rejects where it cannot be known. */
  findUnknown(userIds: readonly string[]): Promise<ReadonlySet<string>>;
};

/** A question that was not sent yet; all callers who ask the same until then share it. */
type Question = {
  readonly answer: Promise<boolean>;
  resolve(exists: boolean): void;
  fail(err: unknown): void;
};

const maxKnown = 1_000_000;
/** As many as the auth service answers at once. */
const maxAsked = 1_000;

/**
 * Remembers who exists: users are never deleted, so a yes stays true; a no is asked again. One
 * call at a time is on its way to the auth service, with all that has been asked before it was
 * sent. A call that is on its way is never joined: the user may have been created since.
 */
export function createKnownUsers(findUsers: FindUsers): KnownUsers {
  const known = new Set<string>();
  const questions = new Map<string, Question>();
  let asking: Promise<void> | undefined;

  const askAll = async (): Promise<void> => {
    while (questions.size > 0) {
      const part = new Map([...questions].slice(0, maxAsked));
      for (const id of part.keys()) questions.delete(id);
      try {
        const found = await findUsers([...part.keys()]);
        if (known.size + found.size > maxKnown) known.clear();
        for (const [id, question] of part) {
          if (found.has(id)) known.add(id);
          question.resolve(found.has(id));
        }
      } catch (err) {
        for (const question of part.values()) question.fail(err);
      }
    }
    asking = undefined;
  };

  const exists = (userId: string): Promise<boolean> => {
    if (known.has(userId)) return Promise.resolve(true);
    const question = questions.get(userId) ?? createQuestion();
    questions.set(userId, question);
    // In a later turn of the loop, so that what came in one read is one call.
    asking ??= new Promise<void>((begin) => setImmediate(begin)).then(askAll);
    return question.answer;
  };

  return {
    isKnown: (userId) => known.has(userId),
    findUnknown: async (userIds) => {
      const asked = userIds.filter((id) => !known.has(id));
      const answers = await Promise.all(asked.map(exists));
      return new Set(asked.filter((_id, i) => !answers[i]));
    },
    check: async (userId) => {
      try {
        return (await exists(userId)) ? succeed(undefined) : userNotFound(userId);
      } catch {
        return refuse(
          'AUTH_UNAVAILABLE',
          'the auth service is unavailable: nothing was done, try again',
        );
      }
    },
  };
}

/**
 * Looks for the users' wallets in this currency before it asks the auth service for the rest: who
 * has a wallet exists, since users are never deleted. The wallets are about to be updated, so the
 * new ones are put into the wallet cache, and the commit need not read them. So one that
 * contradicts its last entry is not among them: the commit reads it, and refuses.
 */
export function findByWallets(
  db: Db,
  walletCache: WalletCache,
  currency: string,
  findUsers: FindUsers,
  walletRefs?: WalletRefs,
): FindUsers {
  const readOpen = (userIds: readonly string[]) => {
    const refs: WalletRef[] = [];
    for (const userId of userIds) {
      const ref = refOf(userId, currency, walletRefs);
      if (ref.ok) refs.push(ref.value);
    }
    // The commit reports an unavailable database.
    const read = db.read(async (tx) => {
      const wallets = await readWallets(tx, refs, 'none');
      const fresh = wallets.filter(({ id }) => !walletCache.getCommitted(id));
      const corrupt = await findCorrupt(tx, fresh);
      for (const wallet of fresh) {
        // A commit may have remembered a newer state meanwhile.
        if (!corrupt.has(wallet.id) && !walletCache.getCommitted(wallet.id))
          walletCache.set(wallet);
      }
      return wallets;
    });
    return read.catch(() => []);
  };
  return async (userIds) => {
    const found = new Set<string>();
    for (const { userId } of await readOpen(userIds)) found.add(userId);
    const rest = userIds.filter((id) => !found.has(id));
    if (rest.length > 0) for (const id of await findUsers(rest)) found.add(id);
    return found;
  };
}

function createQuestion(): Question {
  let resolve: (exists: boolean) => void = () => undefined;
  let fail: (err: unknown) => void = () => undefined;
  const answer = new Promise<boolean>((done, reject) => {
    resolve = done;
    fail = reject;
  });
  return { answer, resolve, fail };
}
