import type { Command } from 'commander';

import type { Context } from '../../context.ts';
import { done, type CommandOutcome } from '../../outcome.ts';
import { createListPrinter, type Column } from '../../output/print.ts';
import { readProfileFile } from '../../config/profiles.ts';
import { listProfileNames } from '../../credentials/known-profile.ts';
import type { Start } from '../shared/start.ts';

type Row = {
  readonly name: string;
  readonly isCurrent: boolean;
  readonly server: string | undefined;
  /** Who is signed in, on any server. */
  readonly users: readonly string[];
};

/** Adds `wallet profiles list`. */
export function addProfilesList(profiles: Command, start: Start): void {
  profiles
    .command('list')
    .description('list the profiles')
    .addHelpText('after', '\nExamples:\n  wallet profiles list')
    .action(async (_options: unknown, command: Command) => {
      await start(command, runProfilesList, { isLenient: true });
    });
}

/** `wallet profiles list` */
async function runProfilesList(context: Context): Promise<CommandOutcome> {
  const { configDir } = context.environment.paths;
  const file = await readProfileFile(configDir);
  if (!file.ok) return file;
  const records = await context.accounts.list();
  const names = await listProfileNames(file.value, configDir);
  const rows = names.map((name): Row => ({
    name,
    isCurrent: name === context.profile,
    server: file.value.profiles[name]?.server,
    users: records
      .filter(({ profile }) => profile === name)
      .map(({ email, userId, server }) => `${email ?? userId} at ${server}`),
  }));
  const list = createListPrinter(context, columns, ({ name, isCurrent, server, users }: Row) => ({
    name,
    current: isCurrent,
    server,
    signedIn: users,
  }));
  await list.add(rows);
  await list.end(undefined, '');
  return done;
}

const columns: readonly Column<Row>[] = [
  {
    header: 'name',
    value: ({ name }) => name,
    table: { title: 'NAME', cell: ({ name, isCurrent }) => `${name}${isCurrent ? ' *' : ''}` },
  },
  { header: 'current', value: ({ isCurrent }) => String(isCurrent) },
  {
    header: 'server',
    value: ({ server }) => server,
    table: { title: 'SERVER', cell: ({ server }) => server },
  },
  {
    header: 'signed_in',
    value: ({ users }) => users.join('; '),
    isText: true,
    table: { title: 'SIGNED IN', isFlexible: true, cell: ({ users }) => users.join('; ') },
  },
];
