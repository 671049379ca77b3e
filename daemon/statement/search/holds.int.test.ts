import { expect, it } from 'vitest';

import type { Result } from '../../../core/reasons.ts';
import {
  SearchLinesRequest,
  SearchStatus,
  type SearchLinesResponse,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { makeHoldLines } from '../../../tests/support/ledger/statement-model.ts';
import { createTestDatabase } from '../../../tests/support/postgres/database.ts';
import { contextOf, createStatementWorld, userOf, valueOf } from '../test-support.ts';
import { project } from '../watch/test-support.ts';

it('holds and releases are found by their metadata, with what they reserve', async () => {
  const database = await createTestDatabase('statement');
  const world = createStatementWorld(database);
  const ana = world.know(userOf());
  const statement = await world.start();
  try {
    const { lines } = await world.fill(ana.userId, 40, {
      ...{ make: makeHoldLines, missing: 40 },
      complete: (line) => ({ ...line, metadata: { reference: `NF-${line.seq % 2n}` } }),
    });
    await project(statement, lines);
    const request = SearchLinesRequest.fromPartial({ key: 'reference', value: 'NF-0' });
    const search = statement.service.handlers['searchLines'];
    const answer = search?.(request as never, contextOf(ana)) as Promise<
      Result<SearchLinesResponse>
    >;
    const { lines: page, status } = valueOf(await answer);
    expect(status).toBe(SearchStatus.COMPLETE);
    const expected = lines.filter(({ seq }) => seq % 2n === 0n).toReversed();
    expect(page.map(({ line }) => line?.heldMinor ?? 0n)).toEqual(
      expected.map(({ more }) => more?.heldMinor ?? 0n),
    );
    expect(expected.some(({ amountMinor }) => amountMinor === 0n)).toBe(true);
  } finally {
    await statement.stop();
    await database.drop();
  }
});
