import type { Context } from '../../context.ts';
import { done, type CommandOutcome } from '../../outcome.ts';
import { createListPrinter, type Column } from '../../output/print.ts';
import {
  defaultProfile,
  failNoProfile,
  isKnownProfile,
  readProfileFile,
  useProfile,
} from '../../config/profiles.ts';

type Row = {
  readonly name: string;
  readonly isCurrent: boolean;
  readonly server: string | undefined;
  /** Who is signed in, on any server. */
  readonly users: readonly string[];
};

/** `wallet profiles list` */
export async function runProfilesList(context: Context): Promise<CommandOutcome> {
  const file = await readProfileFile(context.environment.paths.configDir);
  if (!file.ok) return file;
  const records = await context.records.list();
  const names = new Set([
    defaultProfile,
    ...Object.keys(file.value.profiles),
    ...records.map(({ profile }) => profile),
  ]);
  const rows = [...names].sort().map((name): Row => ({
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

/** `wallet profiles use NAME` */
export async function runProfilesUse(context: Context, name: string): Promise<CommandOutcome> {
  const { configDir } = context.environment.paths;
  const file = await readProfileFile(configDir);
  if (!file.ok) return file;
  if (!(await isKnownProfile(file.value, configDir, name))) return failNoProfile(name, false);
  const used = await useProfile(configDir, name);
  if (!used.ok) return used;
  if (context.profileOrigin === 'environment') {
    await context.tell.warn('WALLET_PROFILE is set and beats the profile chosen here');
  }
  await context.tell.hint(`the profile in use is now ${name}`);
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
