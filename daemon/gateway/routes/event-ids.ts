import { fault, found, type Found } from '../http/problems.ts';

/** At most, as a cursor of the service. */
export const maxIdLength = 4_096;
const maxWallets = 50;

/**
 * Where a stream of events stands: a cursor of the service, and the lines after it that were sent
 * all the same, by the last `seq` of each wallet. A connection may end between two lines of one
 * response, which have one cursor.
 */
export type Place = { readonly cursor: string; readonly sent: ReadonlyMap<string, bigint> };

/** The id of an event: an opaque text of at most 4 KiB. */
export function formatPlace({ cursor, sent }: Place): string {
  const parts = [...sent].map(([walletId, seq]) => `.${compact(walletId)}${seq.toString(36)}`);
  return `${cursor}${parts.join('')}`;
}

const compact = (uuid: string): string =>
  Buffer.from(uuid.replaceAll('-', ''), 'hex').toString('base64url');

function expand(text: string): string {
  const hex = Buffer.from(text, 'base64url').toString('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** The place of an id; INVALID_ARGUMENT for what is none of ours. The cursor is not looked at. */
export function readPlace(id: string): Found<Place> {
  if (id.length > maxIdLength) return refuse(`a cursor has at most ${maxIdLength} characters`);
  const [cursor = '', ...parts] = id.split('.');
  const sent = new Map<string, bigint>();
  for (const part of parts) {
    const [, wallet, seq] = /^([\w-]{22})([1-9a-z][0-9a-z]{0,10})$/.exec(part) ?? [];
    if (wallet === undefined || seq === undefined) return refuse(notOurs);
    sent.set(expand(wallet), BigInt(Number.parseInt(seq, 36)));
  }
  return parts.length > maxWallets ? refuse(notOurs) : found({ cursor, sent });
}

const notOurs = 'the cursor is none of this server: leave it out to begin now';

const refuse = (message: string): Found<never> => ({
  ok: false,
  fault: fault('INVALID_ARGUMENT', message, { field: 'cursor' }),
});

type Line = { readonly walletId: string; readonly seq: bigint };
type Numbered<T> = { readonly line: T; readonly id: string };

/**
 * Numbers the lines of one response after another, without those that were sent before. `take`
 * gives them with the ids that resume after each, and the id that resumes after all.
 */
export function createNumbering(start: Place) {
  let { cursor } = start;
  const sent = new Map(start.sent);
  return {
    take: <T extends Line>(
      lines: readonly T[],
      cursorAfter: string,
    ): { readonly numbered: readonly Numbered<T>[]; readonly id: string } => {
      const numbered: Numbered<T>[] = [];
      for (const line of lines) {
        if (line.seq <= (sent.get(line.walletId) ?? 0n)) continue;
        sent.set(line.walletId, line.seq);
        numbered.push({ line, id: formatPlace({ cursor, sent }) });
      }
      cursor = cursorAfter;
      for (const { walletId, seq } of lines) {
        if ((sent.get(walletId) ?? 0n) <= seq) sent.delete(walletId);
      }
      const id = formatPlace({ cursor, sent });
      const last = numbered.pop();
      return { numbered: last ? [...numbered, { ...last, id }] : numbered, id };
    },
  };
}
