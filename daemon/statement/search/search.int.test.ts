import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { walletIdOf } from '../../../core/ids.ts';
import type { Result } from '../../../core/reasons.ts';
import {
  SearchLinesRequest,
  SearchStatus,
  type SearchLinesResponse,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { readAudit } from '../../../tests/support/grpc/calls.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import type { UserPrincipal } from '../../platform/access/access.ts';
import type { Line } from '../domain.ts';
import { rebuild, verify } from '../rebuild/rebuild.ts';
import {
  contextOf,
  createStatementWorld,
  reasonOf,
  userOf,
  valueOf,
  withKey,
  type StatementWorld,
} from '../test-support.ts';
import { project } from '../watch/test-support.ts';

let database: TestDatabase;
let world: StatementWorld;
let statement: Awaited<ReturnType<StatementWorld['start']>>;
let ana: UserPrincipal;
let bia: UserPrincipal;
let olga: UserPrincipal;

beforeEach(async () => {
  database = await createTestDatabase('statement');
  world = createStatementWorld(database);
  ana = world.know(userOf());
  bia = world.know(userOf());
  olga = world.know(userOf('operator'));
  statement = await world.start();
});
afterEach(async () => {
  await statement.stop();
  await database.drop();
});

/** Every other line of the wallet has the reference, and all have the order and a note. */
const complete = (line: Line): Line => ({
  ...line,
  metadata: {
    ...(line.seq % 2n === 0n ? { reference: 'NF-7' } : {}),
    ...{ order: `${line.seq}`, note: 'x' },
  },
});

/** A wallet of so many lines, which the projection has but for the last `late`. */
async function open(
  { userId }: UserPrincipal,
  count: number,
  { currency = 'BRL', late = 0, change = complete } = {},
): Promise<readonly Line[]> {
  const { lines } = await world.fill(userId, count, { currency, missing: count, complete: change });
  await project(statement, lines.slice(0, count - late));
  return lines;
}

type Asked = Partial<SearchLinesRequest>;

function search(as: UserPrincipal, asked: Asked = {}): Promise<Result<SearchLinesResponse>> {
  const handler = statement.service.handlers['searchLines'];
  if (!handler) throw new Error('no handler searchLines');
  const request = SearchLinesRequest.fromPartial({ key: 'reference', value: 'NF-7', ...asked });
  return handler(request as never, contextOf(as)) as Promise<Result<SearchLinesResponse>>;
}

const found = async (as: UserPrincipal, asked: Asked = {}) => {
  const { lines, status } = valueOf(await search(as, asked));
  return { seqs: lines.map(({ line }) => Number(line?.seq)), status };
};

async function allPages(as: UserPrincipal, asked: Asked, between = () => Promise.resolve()) {
  const places: string[] = [];
  let pageToken = '';
  do {
    const page = valueOf(await search(as, { ...asked, pageToken }));
    places.push(...page.lines.map(({ walletId, line }) => `${walletId} ${line?.seq}`));
    pageToken = page.nextPageToken;
    await between();
  } while (pageToken !== '');
  return places;
}

const options = (searchKeys = ['reference', 'order']) => ({
  ...{ db: database.db, readLedger: readAll, searchKeys },
});
let ledger: readonly Line[] = [];
/** The ledger of all wallets, or of one. */
async function* readAll(walletId: string | undefined, after: { readonly seq: bigint }) {
  const ids = [...new Set(ledger.map((line) => line.walletId))].sort();
  for (const id of walletId === undefined ? ids : [walletId]) {
    for await (const page of world.peers.readLedger(id, after)) yield page;
  }
}
async function rebuildAll(searchKeys?: string[]): Promise<number> {
  let repaired = 0;
  for await (const part of rebuild(options(searchKeys), undefined, 'test')) {
    repaired = part.repaired;
  }
  return repaired;
}
async function differences(): Promise<string[]> {
  const details: string[] = [];
  for await (const { findings } of verify(options(), undefined)) {
    details.push(...findings.map(({ place, detail }) => `${place.seq} ${detail}`));
  }
  return details;
}

describe('search of lines by metadata', () => {
  it('a customer finds the lines of their wallet, newest first, with their metadata', async () => {
    const lines = await open(ana, 6);
    await open(bia, 4);
    await open(ana, 2, { currency: 'EUR' });
    const { COMPLETE: status } = SearchStatus;
    expect(await found(ana)).toEqual({ seqs: [6, 4, 2], status });
    expect(await found(ana, { currency: 'EUR' })).toEqual({ seqs: [2], status });
    expect(await found(ana, { key: 'order', value: '3' })).toEqual({ seqs: [3], status });
    expect(await found(ana, { value: 'NF-8' })).toEqual({ seqs: [], status });
    expect(await found(ana, { value: ' NF-7 ' })).toEqual({ seqs: [6, 4, 2], status });
    const [first] = valueOf(await search(ana)).lines;
    expect(first).toMatchObject({
      ...{ userId: ana.userId, currency: 'BRL', exponent: 2 },
      ...{ metadata: { reference: 'NF-7', order: '6', note: 'x' } },
      line: { transactionId: lines[5]?.transactionId },
    });
  });

  it('other users’ lines are never found by customers', async () => {
    await open(bia, 4);
    expect(await found(ana)).toMatchObject({ seqs: [] });
    expect(reasonOf(await search(ana, { userId: bia.userId }))).toBe('USER_NOT_FOUND');
    // Whatever the tags say.
    await open(ana, 1);
    await database.query(`UPDATE line_tags SET wallet_id = $1, seq = 1 WHERE seq = 2`, [
      walletIdOf(ana.userId, 'BRL'),
    ]);
    expect(await found(ana)).toMatchObject({ seqs: [] });
  });

  it('staff search one user’s wallet or all, and each search is recorded', async () => {
    await open(ana, 4);
    await open(bia, 6);
    await open(bia, 2, { currency: 'EUR' });
    expect((await found(olga, { userId: ana.userId })).seqs).toEqual([4, 2]);
    const all = await allPages(olga, { pageSize: 2 });
    expect(all).toHaveLength(6);
    expect(new Set(all).size).toBe(6);
    expect(valueOf(await search(olga))).toMatchObject({ status: SearchStatus.UNKNOWN });
    expect((await found(olga, { currency: 'EUR' })).seqs).toEqual([2]);
    const audited = (await readAudit(database)).filter(
      (line) => line.action === 'statement.search',
    );
    expect(audited.map(({ target }) => target)).toEqual([
      ana.userId,
      ...['all users', 'all users', 'all users', 'all users', 'all users'],
    ]);
    expect(audited[0]?.details).toEqual({ currency: 'BRL', tag: 'reference=NF-7' });
  });

  it('an API key for one wallet finds nothing in others', async () => {
    await open(ana, 2);
    await open(ana, 2, { currency: 'EUR' });
    const key = withKey(ana, walletIdOf(ana.userId, 'EUR'));
    expect((await found(key, { currency: 'EUR' })).seqs).toEqual([2]);
    expect(reasonOf(await search(key, { currency: 'BRL' }))).toBe('PERMISSION_DENIED');
    const ofStaff = withKey(olga, walletIdOf(ana.userId, 'EUR'));
    expect(reasonOf(await search(ofStaff))).toBe('USER_REQUIRED');
    const asked = { userId: ana.userId, currency: 'BRL' };
    expect(reasonOf(await search(ofStaff, asked))).toBe('PERMISSION_DENIED');
  });

  it('pages neither repeat nor skip a line while others are added', async () => {
    const { lines } = await world.fill(ana.userId, 40, { missing: 40, complete });
    await project(statement, lines.slice(0, 20));
    let added = 20;
    const seqs = await allPages(ana, { pageSize: 3 }, async () => {
      await project(statement, lines.slice(added, (added += 5)));
    });
    const walletId = walletIdOf(ana.userId, 'BRL');
    const expected = Array.from({ length: 10 }, (_, i) => `${walletId} ${20 - 2 * i}`);
    expect(seqs).toEqual(expected);
  });

  it.each([
    [{ key: 'note' }, 'key', 'the keys that can: reference, order'],
    [{ value: '' }, 'value', 'empty'],
    [{ value: 'x'.repeat(257) }, 'value', 'at most 256'],
    [{ pageSize: -1 }, 'page_size', 'negative'],
    [{ pageToken: 'x' }, 'page_token', 'does not belong'],
  ])('%o is refused with its field', async (asked, field, text) => {
    const result = await search(ana, asked);
    expect(result).toMatchObject({ ok: false, rejection: { metadata: { field } } });
    expect(!result.ok && result.rejection.message).toContain(text);
  });
});

describe('what a search says about lines that may be missing', () => {
  it('lines that are not there yet', async () => {
    const lines = await open(ana, 6, { late: 1 });
    const answer = valueOf(await search(ana));
    expect(answer.status).toBe(SearchStatus.BEHIND);
    expect(answer.missing).toContain('behind the ledger');
    await project(statement, lines.slice(5));
    expect(await found(ana)).toEqual({ seqs: [6, 4, 2], status: SearchStatus.COMPLETE });
  });

  it('a line that is missing in the middle', async () => {
    const { lines } = await world.fill(ana.userId, 6, { missing: 6, complete });
    await project(
      statement,
      lines.filter(({ seq }) => seq !== 4n),
    );
    expect(await found(ana)).toEqual({ seqs: [6, 2], status: SearchStatus.BEHIND });
  });

  it('a line that comes while the search waits is found', async () => {
    const lines = await open(ana, 6, { late: 1 });
    const searching = found(ana);
    await project(statement, lines.slice(5));
    expect(await searching).toEqual({ seqs: [6, 4, 2], status: SearchStatus.COMPLETE });
  });

  it('a ledger that does not answer', async () => {
    await open(ana, 2);
    world.state.isWalletAway = true;
    expect(await found(ana)).toEqual({ seqs: [2], status: SearchStatus.UNKNOWN });
  });

  it('a key that was added when lines were there, until a rebuild of all wallets', async () => {
    ledger = await open(ana, 4);
    await database.query(`DELETE FROM search_keys WHERE key = 'order'`);
    await database.query(`DELETE FROM line_tags WHERE tag LIKE 'order=%'`);
    const answer = valueOf(await search(ana, { key: 'order', value: '3' }));
    expect(answer).toMatchObject({ lines: [], status: SearchStatus.BEHIND });
    expect(answer.missing).toContain('walletd statements rebuild');
    expect(await found(ana)).toMatchObject({ status: SearchStatus.COMPLETE });
    expect(await rebuildAll()).toBe(4);
    const status = SearchStatus.COMPLETE;
    expect(await found(ana, { key: 'order', value: '3' })).toEqual({ seqs: [3], status });
  });
});

describe('tags and the rebuild', () => {
  it('a rebuild finds and repairs tags that are missing, altered or of no key', async () => {
    ledger = await open(ana, 6);
    expect(await differences()).toEqual([]);
    await database.query(`DELETE FROM line_tags WHERE seq = 2 AND tag LIKE 'reference=%'`);
    await database.query(`UPDATE line_tags SET tag = 'reference=NF-8' WHERE seq = 4
      AND tag LIKE 'reference=%'`);
    await database.query(`INSERT INTO line_tags
      SELECT 'note=x', occurred_at, wallet_id, seq FROM statement_lines WHERE seq = 5`);
    expect((await found(ana)).seqs).toEqual([6]);
    expect((await found(ana, { value: 'NF-8' })).seqs).toEqual([]);
    expect(await differences()).toEqual([2, 4, 5].map((seq) => `${seq} differs in tags`));
    expect(await rebuildAll()).toBe(3);
    expect(await differences()).toEqual([]);
    expect((await found(ana)).seqs).toEqual([6, 4, 2]);
    expect(await rebuildAll()).toBe(0);
  });

  it('a rebuild adds missing lines with their tags, and removes extra ones with theirs', async () => {
    ledger = await open(ana, 6, { late: 2 });
    await database.query(`INSERT INTO statement_lines SELECT (l).* FROM (
      SELECT jsonb_populate_record(l, '{"seq": 7}') AS l FROM statement_lines l WHERE seq = 4) x`);
    await database.query(`INSERT INTO line_tags
      SELECT tag, occurred_at, wallet_id, 7 FROM line_tags WHERE seq = 4`);
    expect(await rebuildAll()).toBe(3);
    expect((await found(ana)).seqs).toEqual([6, 4, 2]);
    const seqs = await database.query<{ seq: string }>(
      'SELECT DISTINCT seq::int FROM line_tags ORDER BY seq',
    );
    expect(seqs.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('a repeated event adds no tag, and another event for the place gives it none', async () => {
    const lines = await open(ana, 2);
    await project(statement, lines);
    const forged = await world.fill(ana.userId, 2, {
      missing: 2,
      complete: (line) => ({ ...line, metadata: { reference: 'FORGED' } }),
    });
    await project(statement, forged.lines);
    const tags = await database.query<{ tag: string }>('SELECT tag FROM line_tags ORDER BY tag');
    expect(tags.map(({ tag }) => tag)).toEqual(['order=1', 'order=2', 'reference=NF-7']);
  });

  it('lines without these keys have no row', async () => {
    await open(ana, 20, { change: (line) => ({ ...line, metadata: { note: 'x' } }) });
    expect(await database.query('SELECT FROM line_tags')).toEqual([]);
  });
});
