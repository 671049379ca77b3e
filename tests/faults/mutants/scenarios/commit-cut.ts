import { chmod } from 'node:fs/promises';
import { join } from 'node:path';

import { readUrls } from '../../../support/ledger/ledger.ts';
import { startCommitCutter } from '../../../support/postgres/commit-cutter.ts';
import type { Scenario } from '../stage.ts';
import { personAt } from './people.ts';

const rounds = 8;

/** The server commits, and the daemon never gets the answer: it has to ask again. */
export const cutCommits: Scenario = async ({ site, people, nodes, order, complete, ...stage }) => {
  const { record, start } = stage;
  const [first] = nodes;
  const { runtime } = await readUrls(site.dataDir);
  const cutter = await startCommitCutter(runtime('wallet'));
  try {
    await openToDaemon(cutter.url);
    await first.kill();
    await start(first, { WALLET_DATABASE_URL: cutter.url });
    const person = personAt(people, 0);
    await complete(order(person, { operation: 'deposit', amountMinor: 1_000n }), [first]);
    for (let round = 0; round < rounds; round += 1) {
      const end = record.beginFault('commit cut', first.name);
      // Some of them are those of the relay's lease.
      cutter.cut(2);
      await complete(order(person, { operation: 'deposit', amountMinor: 10n }), [first]);
      cutter.cut(0);
      end();
    }
    await first.kill();
  } finally {
    await cutter.stop();
  }
  await start(first);
};

/** A daemon that root starts runs as a user of its own. */
async function openToDaemon(url: string): Promise<void> {
  const folder = new URL(url).searchParams.get('host') ?? '';
  await chmod(folder, 0o711);
  await chmod(join(folder, '.s.PGSQL.5432'), 0o777);
}
