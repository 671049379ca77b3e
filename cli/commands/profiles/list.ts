import type { Command } from 'commander';

import type { Context } from '../../context.ts';
import { done, type CommandOutcome } from '../../outcome.ts';
import type { ViewOptions } from '../../output/choose-columns.ts';
import type { Column } from '../../output/print.ts';
import { readProfileFile } from '../../config/profiles.ts';
import { listProfileNames } from '../../credentials/known-profile.ts';
import { addViewOptions } from '../shared/options.ts';
import { openPrinter } from '../shared/paging.ts';
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
  addViewOptions(profiles.command('list').description('list the profiles'))
    .addHelpText('after', '\nExamples:\n  wallet profiles list')
    .action(async (options: ViewOptions, command: Command) => {
      await start(command, (context) => runProfilesList(context, options), { isLenient: true });
    });
}

/** `wallet profiles list` */
async function runProfilesList(context: Context, options: ViewOptions): Promise<CommandOutcome> {
  const list = openPrinter(context, options, columns, toProfileJson);
  if (!list.ok) return list;
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
  await list.value.add(rows);
  await list.value.end(undefined, '');
  return done;
}

const toProfileJson = ({ name, isCurrent, server, users }: Row): object => ({
  name,
  current: isCurrent,
  server,
  signedIn: users,
});

const columns: readonly Column<Row>[] = [
  {
    header: 'name',
    value: ({ name }) => name,
    table: {
      title: 'NAME',
      isKey: true,
      cell: ({ name, isCurrent }) => `${name}${isCurrent ? ' *' : ''}`,
    },
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
